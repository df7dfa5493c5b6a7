"""Ranks of tensors, before shape inference: ONNX's own may crash the process on kernels of a wrong rank."""

from __future__ import annotations

import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.rewrite import attribute

_SLIDING = frozenset({"Conv", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"})


def check_ranks(graph: onnx.GraphProto) -> None:
    """Raise FlowError for the first Conv or pool on a tensor, or with weights, of a rank that it cannot have."""
    ranks: dict[str, int | None] = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    sizes = {tensor.name: _size(tensor) for tensor in graph.initializer}
    ranks.update((value.name, len(value.type.tensor_type.shape.dim)) for value in graph.input)
    for node in graph.node:
        rank = ranks.get(node.input[0]) if node.input else None
        if node.op_type in _SLIDING and rank is not None:
            if rank not in (3, 4):
                raise FlowError(f"{node.name} ({node.op_type}): slides over a tensor of rank {rank}; only 1-D and 2-D maps can "
                                "be compiled, of rank 3 and 4 with the batch and the channels")
            weights = ranks.get(node.input[1]) if node.op_type == "Conv" and len(node.input) > 1 else rank
            if weights is not None and weights != rank:
                raise FlowError(f"{node.name} ({node.op_type}): its weights have rank {weights} for an input of rank {rank}; "
                                "check the export")
            for name, count in (("kernel_shape", 1), ("strides", 1), ("dilations", 1), ("pads", 2)):
                given = attribute(node, name)
                if given is not None and (len(given) != count * (rank - 2) or min(given) < (count == 1)):
                    raise FlowError(f"{node.name} ({node.op_type}): attribute {name} is {list(given)} for {rank - 2}-D maps; "
                                    "check the export")
        made = _rank(node, [ranks.get(name) if name else None for name in node.input], sizes)
        ranks.update(dict.fromkeys(node.output, made))


def _size(tensor: onnx.TensorProto) -> int:
    return tensor.dims[0] if len(tensor.dims) == 1 else -1


def _rank(node: onnx.NodeProto, ranks: list[int | None], sizes: dict[str, int]) -> int | None:
    """Rank of what ``node`` writes, or None if it takes more than this to know it."""
    first = ranks[0] if ranks else None
    match node.op_type:
        case "Flatten":
            return 2
        case "Reshape":
            size = sizes.get(node.input[1], -1) if len(node.input) > 1 else len(attribute(node, "shape", []))
            return size if size >= 0 else None
        case "Squeeze" | "Unsqueeze":
            axes = attribute(node, "axes")
            count = len(axes) if axes is not None else sizes.get(node.input[1], -1) if len(node.input) > 1 else -1
            if first is None or count < 0:
                return None
            return first + (count if node.op_type == "Unsqueeze" else -count)
        case "Constant" | "ConstantOfShape" | "Shape" | "Gather" | "Expand" | "ReduceMean" | "ReduceMax" | "ArgMax":
            return None
        case "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "Pow" | "MatMul":
            known = [rank for rank in ranks if rank is not None]
            return max(known) if len(known) == len(ranks) else None
    return first
