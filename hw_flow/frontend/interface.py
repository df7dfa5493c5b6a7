"""What surrounds a network: its input and output, annotations, and sizes that someone can hold."""

from __future__ import annotations

from math import prod

import onnx
from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError

# Most elements of one tensor in a frame: a map of 1,024 x 1,024 with 64 channels.
LARGEST = 1 << 26
# Largest batch of a file; a copy of the network that takes one frame is compiled.
_MOST_FRAMES = 1 << 16
# Bits of an annotated tensor.
_WIDEST = 64
_INPUTS = frozenset({
    onnx.TensorProto.BOOL, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16,
    onnx.TensorProto.INT4, onnx.TensorProto.INT8, onnx.TensorProto.INT16, onnx.TensorProto.INT32, onnx.TensorProto.INT64,
    onnx.TensorProto.UINT4, onnx.TensorProto.UINT8, onnx.TensorProto.UINT16, onnx.TensorProto.UINT32, onnx.TensorProto.UINT64,
})


def check_interface(graph: onnx.GraphProto, where: str) -> None:
    """Raise FlowError unless there is one input of numbers, of fixed size but for the batch, and one output."""
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise FlowError(f"{where}: the network has {len(graph.input)} inputs and {len(graph.output)} outputs; "
                        "export it with one of each")
    value = graph.input[0]
    dims = value.type.tensor_type.shape.dim
    if len(dims) < 2:
        raise FlowError(f"{where}: input '{value.name}' has rank {len(dims)}; it must be [batch, ...]")
    kind = value.type.tensor_type.elem_type
    if kind not in _INPUTS:
        known = onnx.TensorProto.DataType.Name(kind).lower() if kind in onnx.TensorProto.DataType.values() else kind
        raise FlowError(f"{where}: input '{value.name}' has ONNX type {known}; only real numbers and integers can be compiled, "
                        "export it as float")
    if dims[0].dim_value > _MOST_FRAMES:
        raise FlowError(f"{where}: input '{value.name}' has a batch of {dims[0].dim_value:,}; export the network with a symbolic "
                        "batch, or of 1")
    for axis, dim in enumerate(dims):
        if axis and dim.HasField("dim_value") and dim.dim_value < 1:
            raise FlowError(f"{where}: axis {axis} of input '{value.name}' has size {dim.dim_value}; export the network again")
        if axis and dim.dim_value < 1:
            raise FlowError(f"{where}: axis {axis} of input '{value.name}' is symbolic ('{dim.dim_param or '?'}'); "
                            "only the batch may be: export the network with fixed sizes")


def check_annotations(graph: onnx.GraphProto) -> None:
    """Raise FlowError for a QONNX data type that nobody could execute."""
    for note in graph.quantization_annotation:
        for entry in note.quant_parameter_tensor_names:
            if entry.key != "finn_datatype":
                continue
            try:
                known = 1 <= DataType[entry.value].bitwidth() <= _WIDEST
            except (KeyError, ValueError, AssertionError):
                known = False
            if not known:
                raise FlowError(f"tensor '{note.tensor_name}' is annotated as '{entry.value[:40]}', which is no QONNX data type "
                                f"of up to {_WIDEST} bits; remove or mend the annotation")


def check_sizes(graph: onnx.GraphProto, batch: int) -> None:
    """Raise FlowError for tensors beyond any network's size, before anything makes room for them."""
    writer = {name: node for node in graph.node for name in node.output}
    for value in (*graph.value_info, *graph.output):
        sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if value.name in writer and (min(sizes, default=1) < 0 or prod(sizes) > LARGEST * batch):
            node = writer[value.name]
            limit = "no size can be negative" if min(sizes) < 0 else f"at most {LARGEST:,} a frame can be compiled"
            raise FlowError(f"{node.name} ({node.op_type}): makes a tensor of shape {sizes}; {limit}, check its attributes")
