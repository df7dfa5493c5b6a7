"""The index of the largest element, at the end of a network."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx

from hw_flow.frontend.context import Context
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.regions import Integers, Region, in_order
from hw_flow.frontend.support import LAYOUT
from hw_flow.frontend.values import Value


def select(context: Context, node: onnx.NodeProto) -> Value | None:
    """The value of a TopK(1) or ArgMax, if it commutes with all that stands before it."""
    if not _picks_first(context, node):
        return None
    tensor, path = context.operands(node)[0], [node.name]
    while tensor not in context.values:
        before = next((item for item in context.moving if tensor in item.output), None)
        softmax = before is not None and before.op_type in ("Softmax", "LogSoftmax") and _last_axis(context, before, -1)
        if before is None or not (softmax or before.op_type in LAYOUT):
            return None
        tensor, path = context.operands(before)[0], [before.name, *path]
    value = context.values[tensor]
    base = value.base
    if base.channels != value.order.size or not in_order(value.order):
        return None
    rising = prod(float(op.sign()[0]) for op in value.chain if op.size == 1) > 0
    if any(op.size > 1 or not op.strict for op in value.chain) or not rising:
        context.notes.append(f"{node.name} runs on the host: the function before it is not the same strictly increasing one on "
                             "every channel")
        return None
    index = node.output[1] if node.op_type == "TopK" else node.output[0]
    order = np.zeros(context.frame(index), dtype=np.int64)
    sink = Integers(context.name(index), index, (*base.shape[:-1], 1), order, Const.of(1.0), Const.of(0.0))
    nodes = context.sorted(value.nodes, path)
    context.regions.append(Region(nodes, (base,), sink, start=base.meaning, ops=value.ops, select=True))
    return Value.of(sink)


def _last_axis(context: Context, node: onnx.NodeProto, default: int) -> bool:
    site = context.site(node)
    rank = len(site.frame) + 1
    return bool(site.attribute("axis", default) % rank == rank - 1)


def _picks_first(context: Context, node: onnx.NodeProto) -> bool:
    site = context.site(node)
    if site.frame[-1] != prod(site.frame):
        return False
    if node.op_type == "ArgMax":
        return _last_axis(context, node, 0) and not site.attribute("select_last_index", 0)
    if node.op_type != "TopK" or not _last_axis(context, node, -1) or not site.attribute("largest", 1):
        return False
    values = node.output[0]
    used = values == context.reference.sink or any(values in reader.input for reader in context.moving)
    return site.array(1, "k").size == 1 and int(site.array(1, "k").item()) == 1 and not used
