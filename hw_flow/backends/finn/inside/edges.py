"""Floating-point nodes at the ends of the graph go back to the host.

FINN makes hardware of them too (a comparator of float32 thresholds, a float32 multiplier). An accelerator of integers
begins where integers begin and ends where they end.
"""

from __future__ import annotations

from typing import Any


def host_edges(model: Any) -> Any:
    """``model`` with hardware nodes that read floats at its inputs, or write floats at its outputs, as ONNX nodes again."""
    from qonnx.core.datatype import DataType

    floats = DataType["FLOAT32"]
    moved = True
    while moved:
        moved = False
        for node in model.graph.node:
            if not node.domain.startswith("finn.custom_op.fpgadataflow"):
                continue
            reads = [name for name in node.input if model.get_initializer(name) is None]
            first = any(model.get_tensor_datatype(name) == floats for name in reads)
            last = all(model.get_tensor_datatype(name) == floats for name in node.output)
            if first or last:
                moved = _back(model, node) or moved
    return model


def _back(model: Any, node: Any) -> bool:
    """Turn one node into what it was; whether that could be done."""
    from onnx import helper
    from qonnx.custom_op.registry import getCustomOp

    own = getCustomOp(node)
    inputs, outputs = list(node.input), list(node.output)
    if node.op_type == "Thresholding":
        bipolar = own.get_nodeattr("outputDataType") == "BIPOLAR"
        plain = helper.make_node(
            "MultiThreshold", inputs, outputs, name=f"Host_{node.name}", domain="qonnx.custom_op.general",
            out_dtype=own.get_nodeattr("outputDataType"), out_scale=2.0 if bipolar else 1.0,
            out_bias=-1.0 if bipolar else float(own.get_nodeattr("ActVal")),
            data_layout="NHWC" if len(model.get_tensor_shape(inputs[0])) == 4 else "NC")
    elif node.op_type.startswith("Elementwise") and node.op_type.removeprefix("Elementwise") in ("Add", "Sub", "Mul", "Div"):
        plain = helper.make_node(node.op_type.removeprefix("Elementwise"), inputs, outputs, name=f"Host_{node.name}")
    elif node.op_type == "Reshape":
        import numpy as np

        shape = f"{node.name}_shape"
        model.set_initializer(shape, np.asarray(own.get_nodeattr("out_shape"), dtype=np.int64))
        plain = helper.make_node("Reshape", [inputs[0], shape], outputs, name=f"Host_{node.name}")
    else:
        return False
    index = list(model.graph.node).index(node)
    model.graph.node.insert(index, plain)
    model.graph.node.remove(node)
    return True
