"""Bring a model into the one form that the rest of the front end reads.

One input, one output, standard operators between them, constants folded (quantisers of weights stay,
they carry the integer types), every shape known, and no node that names the batch size.
"""

from __future__ import annotations

import warnings

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper

from hw_flow.errors import FlowError
from hw_flow.frontend.infer import fold_constants, infer_shapes
from hw_flow.frontend.interface import check_annotations, check_interface, check_sizes
from hw_flow.frontend.poolorder import move_pools
from hw_flow.frontend.ranks import check_ranks
from hw_flow.frontend.rewrite import attribute, rewrite
from hw_flow.frontend.support import check_operators

# Reserved batch size for the check that no node moves, splits or counts the batch axis.
_PROBE = 1009


def clean(proto: onnx.ModelProto, where: str) -> ModelWrapper:
    """Cleaned copy of ``proto`` at batch size 1; ``where`` is the file name for messages."""
    model = _wrapped(onnx.ModelProto.FromString(proto.SerializeToString()))
    graph = model.graph
    _drop_static_inputs(graph)
    _drop_dead_nodes(graph)
    rewrite(graph)
    check_operators(graph)
    check_interface(graph, where)
    check_annotations(graph)
    check_ranks(graph)
    _normalise_rounding(graph)
    batch = max(1, graph.input[0].type.tensor_type.shape.dim[0].dim_value)
    _set_batch(graph, batch)
    model = _folded(model, batch, where)
    _drop_dead_nodes(model.graph)
    _constants_last(model.graph)
    if move_pools(model.graph):
        _set_batch(model.graph, batch)
        model = _infer(model, where)
    _check_shapes(model)
    _free_batch(model, batch)
    _set_batch(model.graph, 1)
    return _probe_batch(_infer(model, where), where)


def with_batch(model: ModelWrapper, batch: int) -> ModelWrapper:
    """Copy of a cleaned model that takes ``batch`` frames at once."""
    copy = onnx.ModelProto.FromString(model.model.SerializeToString())
    _set_batch(copy.graph, batch)
    return _wrapped(infer_shapes(copy))


def _wrapped(proto: onnx.ModelProto) -> ModelWrapper:
    return ModelWrapper(proto, fix_missing_initializer_valueinfo=False)


def shapes(model: ModelWrapper) -> dict[str, list[int]]:
    """Shape of every tensor that has one; `ModelWrapper.get_tensor_shape` looks through all tensors for each."""
    graph = model.graph
    known = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
             for value in (*graph.value_info, *graph.output, *graph.input)}
    return known | {tensor.name: list(tensor.dims) for tensor in graph.initializer}


def _set_batch(graph: onnx.GraphProto, batch: int) -> None:
    """Give the input ``batch`` frames and forget the shapes that follow from it."""
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch


def _normalise_rounding(graph: onnx.GraphProto) -> None:
    """Give rounding modes the names that QONNX 1.0.0 can execute."""
    for node in graph.node:
        for item in node.attribute:
            if item.name == "rounding_mode" and item.s.decode(errors="replace").upper() in ("TRUNC", "ROUND_TO_ZERO"):
                item.s = b"DOWN"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def _infer(model: ModelWrapper, where: str) -> ModelWrapper:
    try:
        return _wrapped(infer_shapes(model.model))
    except Exception as error:  # onnx raises its own errors, without a common base
        raise FlowError(f"{where}: shapes do not fit together ({_line(error)}); export the network again") from error


def _folded(model: ModelWrapper, batch: int, where: str) -> ModelWrapper:
    """``model`` with all shapes, and initialisers in place of nodes that compute constants."""
    changed = True
    while changed:
        model = _infer(model, where)
        check_sizes(model.graph, batch)
        try:
            changed = fold_constants(model.model)
        except Exception as error:  # qonnx and onnxruntime raise bare Exception for bad constants
            raise FlowError(f"{where}: constants cannot be folded ({_line(error)}); export the network again") from error
    return model


def _check_shapes(model: ModelWrapper) -> None:
    known = shapes(model)
    for node, name in _moving(model.graph):
        if not known.get(name):
            given = ", ".join(str(known.get(source)) for source in node.input if source)
            raise FlowError(f"{node.name} ({node.op_type}): the shape of its output cannot be inferred from inputs of shape "
                            f"{given}; check the sizes and export the network again")


def _moving(graph: onnx.GraphProto) -> list[tuple[onnx.NodeProto, str]]:
    """Nodes that depend on the input, each with the tensors it writes that someone reads."""
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    moving = {graph.input[0].name}
    pairs = []
    for node in graph.node:
        if not moving.isdisjoint(node.input) and node.op_type != "Shape":
            moving.update(node.output)
            pairs += [(node, name) for name in node.output if name in read]
    return pairs


def _drop_static_inputs(graph: onnx.GraphProto) -> None:
    """Old exporters list initialisers as graph inputs too."""
    static = {tensor.name for tensor in graph.initializer}
    for value in [value for value in graph.input if value.name in static]:
        graph.input.remove(value)


def _drop_dead_nodes(graph: onnx.GraphProto) -> None:
    needed = {value.name for value in graph.output}
    for node in reversed(list(graph.node)):
        if needed.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            needed.update(node.input)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in needed]:
        graph.initializer.remove(tensor)


def _constants_last(graph: onnx.GraphProto) -> None:
    """The activation first in sums and products, as most exporters write them."""
    static = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in ("Add", "Mul") and node.input[0] in static:
            node.input[0], node.input[1] = node.input[1], node.input[0]


def _free_batch(model: ModelWrapper, batch: int) -> None:
    """Rewrite reshapes so that they copy the batch axis instead of naming its size ``batch``."""
    graph, known = model.graph, shapes(model)
    for node, _ in _moving(graph):
        source, sink = known[node.input[0]], known[node.output[0]]
        if node.op_type in ("Reshape", "Flatten"):
            if len(sink) < 2 or sink[0] != batch or source[0] != batch:
                raise FlowError(f"{node.name} ({node.op_type}): makes {sink} of {source}, which drops the batch axis; "
                                "keep it as the first one")
            _reshape(graph, node, sink[1:])
        elif node.op_type == "Resize":
            _scale_alone(graph, node, source, sink)
        elif node.op_type == "Squeeze" and len(node.input) < 2 and not node.attribute:
            _reshape(graph, node, [size for size in source[1:] if size != 1])


def _scale_alone(graph: onnx.GraphProto, node: onnx.NodeProto, source: list[int], sink: list[int]) -> None:
    """Give a Resize that names sizes, or only some axes, one factor for each axis."""
    sized, some = len(node.input) > 3 and bool(node.input[3]), attribute(node, "axes")
    if not sized and some is None:
        return
    where = f"{node.name} ({node.op_type})"
    if attribute(node, "keep_aspect_ratio_policy", b"stretch") != b"stretch":
        raise FlowError(f"{where}: attribute keep_aspect_ratio_policy is not 'stretch'; give one factor for each axis")
    if sized:
        factors = [new / old for old, new in zip(source, sink, strict=True)]
        if any(np.float32(factor) * old != new for factor, old, new in zip(factors, source, sink, strict=True)):
            raise FlowError(f"{where}: its sizes {sink[1:]} are no whole multiples of {source[1:]}; resize by whole factors")
    else:
        given = next(onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name == node.input[2])
        factors = [1.0] * len(source)
        for axis, factor in zip(some, given.tolist(), strict=True):
            factors[axis] = factor
    name = f"{node.output[0]}_factors"
    _initialise(graph, name, np.array(factors, dtype=np.float32))
    kept = [item for item in node.attribute if item.name not in ("axes", "keep_aspect_ratio_policy")]
    node.CopyFrom(onnx.helper.make_node("Resize", [node.input[0], node.input[1], name], list(node.output), name=node.name))
    node.attribute.extend(kept)


def _reshape(graph: onnx.GraphProto, node: onnx.NodeProto, frame: list[int]) -> None:
    """Turn ``node`` into a Reshape to ``frame``; 0 copies the batch axis."""
    name = f"{node.output[0]}_shape"
    _initialise(graph, name, np.array([0, *frame], dtype=np.int64))
    node.CopyFrom(onnx.helper.make_node("Reshape", [node.input[0], name], list(node.output), name=node.name))


def _initialise(graph: onnx.GraphProto, name: str, value: np.ndarray) -> None:
    """Set an initialiser, which is there already in a model that was cleaned before."""
    made = onnx.numpy_helper.from_array(value, name)
    old = next((tensor for tensor in graph.initializer if tensor.name == name), None)
    (graph.initializer.add() if old is None else old).CopyFrom(made)


def _probe_batch(model: ModelWrapper, where: str) -> ModelWrapper:
    """Raise FlowError if some activation does not keep the batch as its first axis."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            probe = with_batch(model, _PROBE)
    except Exception as error:
        raise FlowError(f"{where}: the network only works at batch size 1 ({_line(error)}); "
                        "export it with a symbolic batch axis") from error
    ones, manys = shapes(model), shapes(probe)
    for node, name in _moving(model.graph):
        one, many = ones[name], manys.get(name)
        if one[0] != 1 or many != [_PROBE, *one[1:]]:
            raise FlowError(f"{node.name} ({node.op_type}): moves or mixes the batch axis (its output is {one} for one frame); "
                            "keep the batch as the first axis")
    return model
