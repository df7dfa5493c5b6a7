"""Shapes of all tensors, and constants computed in advance, in time linear in the size of the model.

QONNX's own passes look through all tensors for each node and start again after each constant: minutes for a hundred layers.
"""

from __future__ import annotations

import warnings

import numpy as np
import onnx
from onnx import helper, numpy_helper

from hw_flow.frontend.rewrite import attribute
from hw_flow.frontend.support import CUSTOM_QUANTISERS

# They tell the integer types of weights, which their results would hide.
_KEPT = frozenset({"Quant", "IntQuant", "BipolarQuant", "DequantizeLinear"})


def infer_shapes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Copy of ``proto`` with the shape of every tensor that ONNX can infer; quantisers keep the shape of what they read.

    Initialisers are listed with the others, as QONNX's execution wants them.
    """
    copy = onnx.ModelProto.FromString(proto.SerializeToString())
    custom = {index: node for index, node in enumerate(proto.graph.node) if node.op_type in CUSTOM_QUANTISERS and node.input}
    for index, node in custom.items():
        plain = helper.make_node("Cast", [node.input[0]], [node.output[0]], name=node.name, to=int(onnx.TensorProto.FLOAT))
        copy.graph.node[index].CopyFrom(plain)
    inferred = onnx.shape_inference.infer_shapes(copy)
    for index, node in custom.items():
        inferred.graph.node[index].CopyFrom(node)
    listed = {value.name for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)}
    inferred.graph.value_info.extend(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                                     for tensor in inferred.graph.initializer if tensor.name not in listed)
    return inferred


def fold_constants(model: onnx.ModelProto) -> bool:
    """Replace nodes whose results are known by initialisers, in place, except quantisers; whether there were any.

    Shapes that become known with them take another `infer_shapes`, and then perhaps another round.
    """
    graph = model.graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    sizes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
             for value in (*graph.input, *graph.value_info) if value.type.tensor_type.HasField("shape")}
    version = next((opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")), 1)
    left = []
    for node in graph.node:
        results: list[np.ndarray] | None = None
        if node.op_type == "Shape" and all(sizes.get(node.input[0], [0])):
            given = sizes[node.input[0]][attribute(node, "start", 0):attribute(node, "end", None)]
            results = [np.array(given, dtype=np.int64)]
        elif node.op_type not in _KEPT and all(name in known for name in node.input if name):
            results = _results(node, {name: known[name] for name in node.input if name}, version)
        if results is None:
            left.append(node)
            continue
        for name, value in zip(node.output, results, strict=True):
            known[name] = np.asarray(value)
            graph.initializer.append(numpy_helper.from_array(known[name], name))
    folded = len(left) < len(graph.node)
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in left]
    del graph.node[:]
    graph.node.extend(nodes)
    return folded


def _results(node: onnx.NodeProto, operands: dict[str, np.ndarray], version: int) -> list[np.ndarray]:
    """What ``node`` makes of constants, by the executors that QONNX uses itself."""
    from qonnx.core.onnx_exec import execute_node  # takes onnxruntime along

    if node.op_type in CUSTOM_QUANTISERS:
        context = {**operands, node.output[0]: np.empty_like(operands[node.input[0]])}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            execute_node(node, context, onnx.GraphProto(), version)
        return [context[node.output[0]]]
    import onnxruntime

    inputs = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
              for name, value in operands.items()]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    single = helper.make_model(helper.make_graph([node], "constant", inputs, outputs), ir_version=8,
                               opset_imports=[helper.make_opsetid("", version)])
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4  # what it would print comes as an exception too
    session = onnxruntime.InferenceSession(single.SerializeToString(), quiet)
    made = dict(zip((value.name for value in outputs), session.run(None, operands), strict=True))
    return [made.get(name, np.zeros(0)) for name in node.output]
