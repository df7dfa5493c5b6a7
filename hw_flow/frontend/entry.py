"""Where the accelerator begins, and in which order its input streams."""

from __future__ import annotations

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.frontend.context import Context
from hw_flow.frontend.regions import Integers, counting
from hw_flow.frontend.site import Site
from hw_flow.frontend.support import ELEMENTWISE, GLOBAL_POOLS, LAYOUT, LINEAR, POOLS, QUANTISERS, SPATIAL
from hw_flow.frontend.translate import quantiser
from hw_flow.frontend.values import channels_last
from hw_flow.ir.nodes import Shape
from hw_flow.ir.tensor import IntArray


def entry(context: Context) -> tuple[int, Integers]:
    """Number of nodes that the host runs before the first integer tensor of a float input, and that tensor."""
    nodes = context.moving
    cuts = _cuts(context)
    first = next((index for index, node in enumerate(nodes) if node.op_type in QUANTISERS and index in cuts), None)
    if first is None:
        node = nodes[0]
        if any(node.op_type in QUANTISERS for node in nodes):
            raise FlowError(f"{node.name} ({node.op_type}): missing quantiser: the input '{context.reference.source}' reaches "
                            "several branches before a quantiser; insert a Quant node at the input or declare its integer type")
        raise FlowError(f"{node.name} ({node.op_type}): missing quantiser: no activation of the network is "
                        f"quantised, not even the input '{context.reference.source}'; insert Quant nodes or declare the input's "
                        "integer type")
    last = index = first
    while index + 1 < len(nodes) and nodes[index + 1].op_type in ELEMENTWISE | LAYOUT | QUANTISERS and index + 1 in cuts:
        index += 1
        last = index if nodes[index].op_type in QUANTISERS else last
    for name in [node.name for node in nodes[:last] if node.op_type in LINEAR]:
        context.notes.append(f"{name} runs on the host in float32, because its input is not quantised; declare the integer type "
                             f"of input '{context.reference.source}' to compute it in hardware")
    node = nodes[last]
    shape, order = stream_order(context, node.output[0])
    site = context.site(node)
    quant = quantiser(Site(node, site.static, site.frame, site.out_frame, lambda: order % shape[-1]))
    return last + 1, Integers(node.output[0], node.output[0], shape, order, quant.scale, quant.offset, quant.dtype, (), quant)


def _cuts(context: Context) -> set[int]:
    """Nodes whose one output is all that the nodes after them read."""
    last: dict[str, int] = {}
    for index, node in enumerate(context.moving):
        last.update(dict.fromkeys(context.operands(node), index))
    last[context.reference.sink] = len(context.moving)
    reach, cuts = last.get(context.reference.source, -1), set()
    for index, node in enumerate(context.moving):
        if reach <= index:
            cuts.add(index)
        reach = max([reach, *(last.get(name, -1) for name in node.output)])
    return cuts


def stream_order(context: Context, tensor: str) -> tuple[Shape, IntArray]:
    """Stream frame of an input of the accelerator, and the position in it of each element of the ONNX frame.

    The host can bring an input into any order, so it takes the one that the first spatial operator or matrix product reads.
    """
    elements = _elements(context, tensor, counting(context.frame(tensor)))
    order = np.empty(elements.size, dtype=np.int64)
    order[elements.ravel()] = np.arange(elements.size)
    return elements.shape, order.reshape(context.frame(tensor))


def _elements(context: Context, tensor: str, seen: IntArray) -> IntArray:
    while True:
        node = context.first_reader.get(tensor)
        if node is None or node.op_type in LINEAR - {"Conv"}:
            return _flat(seen)
        if node.op_type in POOLS | GLOBAL_POOLS | SPATIAL and seen.ndim in (2, 3):
            return seen.ravel()[channels_last(seen.shape, 0)]
        after = context.frame(node.output[0])
        if node.op_type == "Transpose":
            axes = next((list(item.ints) for item in node.attribute if item.name == "perm"), list(reversed(range(seen.ndim + 1))))
            seen = seen.transpose([axis - 1 for axis in axes if axis])
        elif node.op_type in LAYOUT:
            seen = seen.reshape(after)
        elif after != seen.shape:
            return _flat(seen)
        tensor = node.output[0]


def _flat(seen: IntArray) -> IntArray:
    """``[C]``, ``[1, L, C]`` or ``[H, W, C]`` with the last axis as channels."""
    frame = [*(size for size in seen.shape[:-1] if size != 1), *seen.shape[-1:]]
    if len(frame) < 2:
        return seen.reshape(frame)
    return seen.reshape((1, *frame) if len(frame) == 2 else (-1, *frame[-2:]))
