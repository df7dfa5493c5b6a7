"""What FINN needs to find in a QONNX model before its first step."""

from __future__ import annotations

from typing import Any

from hw_flow.backends.finn.request import Request


def tagged(model: Any) -> Any:
    """The model with the names of its nodes as their remarks: FINN renames nodes, and keeps remarks."""
    for node in model.graph.node:
        node.doc_string = node.name or node.output[0]
    return model


def one_frame(model: Any) -> Any:
    """The model with a batch of 1 where it has an open one, of which FINN makes 0 vectors and 0 cycles."""
    fixed = {tensor.name for tensor in model.graph.initializer}
    edges = [value for value in (*model.graph.input, *model.graph.output) if value.name not in fixed]
    batches = [value.type.tensor_type.shape.dim[0] for value in edges if value.type.tensor_type.shape.dim]
    if any(not batch.dim_value for batch in batches):
        for batch in batches:
            batch.dim_value = 1
        del model.graph.value_info[:]
    return model


def spelled_out(model: Any) -> Any:
    """The model with the attributes of its convolutions and pools that ONNX lets default: FINN reads them all."""
    from onnx import helper

    for node in (node for kind in ("Conv", "MaxPool", "AveragePool") for node in model.get_nodes_by_op_type(kind)):
        given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        shape = model.get_tensor_shape(node.input[1]) if node.op_type == "Conv" else None
        kernel = list(given.get("kernel_shape") or (shape or [])[2:])
        if not kernel:
            continue
        defaults: dict[str, Any] = {"kernel_shape": kernel, "strides": [1] * len(kernel)}
        if given.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID"):
            defaults["pads"] = [0] * 2 * len(kernel)
        if node.op_type == "Conv":
            defaults |= {"dilations": [1] * len(kernel), "group": 1}
        node.attribute.extend(helper.make_attribute(key, value) for key, value in defaults.items() if key not in given)
    return model


def declared(model: Any, request: Request) -> Any:
    """The model with its input declared as integers times a scale."""
    if request.input_type is None:
        return model
    import numpy as np
    from onnx import helper
    from qonnx.core.datatype import DataType

    source = model.graph.input[0].name
    if request.input_scale is not None and request.input_scale != 1.0:
        scaled, factor = model.make_new_valueinfo_name(), "bitwright_input_scale"
        model.set_initializer(factor, np.asarray(request.input_scale, dtype=np.float32))
        for node in model.graph.node:
            for index, name in enumerate(node.input):
                if name == source:
                    node.input[index] = scaled
        model.graph.node.insert(0, helper.make_node("Mul", [source, factor], [scaled], name="PreprocMul"))
    model.set_tensor_datatype(source, DataType[request.input_type])
    return model


def classified(model: Any) -> Any:
    """The model with the index of its largest output as its output."""
    from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames
    from qonnx.transformation.infer_datatypes import InferDataTypes
    from qonnx.transformation.infer_shapes import InferShapes
    from qonnx.transformation.insert_topk import InsertTopK

    for transformation in (InsertTopK(k=1), InferShapes(), GiveUniqueNodeNames(), GiveReadableTensorNames(), InferDataTypes()):
        model = model.transform(transformation)
    return model


def four_axes(model: Any) -> Any:
    """1-D convolutions on 4-D tensors: FINN's steps read the second axis of every stride."""
    if not any(node.op_type == "Conv" and len(model.get_tensor_shape(node.input[0])) == 3 for node in model.graph.node):
        return model
    from qonnx.transformation.change_3d_tensors_to_4d import Change3DTo4DTensors

    return model.transform(Change3DTo4DTensors())
