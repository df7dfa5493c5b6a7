"""Joins, orders and the rest of FINN's nodes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from hw_flow.backends.finn.hardware import HardwareNode
from hw_flow.backends.finn.made import Made, scaled, wide_enough
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import Add, Concat, LabelSelect, Multiply, Node, Reorder, Slice, Tensor, smallest_datatype

if TYPE_CHECKING:
    from hw_flow.backends.finn.importer import Importer


def label(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source = importer.source(node)
    if node.number("K") != 1:
        raise FlowError(f"{node.name}: selects {node.number('K')} labels; the simulation takes one")
    if len(importer.levels[source.name].offset) > 1:
        raise FlowError(f"{node.name}: compares counts of different channels; declare the weights BIPOLAR")
    made = LabelSelect(name=importer.named("LabelSelect"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,))
    yield Made(made, NodeFolding(node.number("PE")), node.outputs[0], smallest_datatype(0, source.channels - 1))


def elementwise(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    sources = [importer.source(node, index) for index in range(len(node.streams))]
    if not all(importer.levels[source.name].same for source in sources):
        raise FlowError(f"{node.name} ({node.op_type}): joins bits that FINN counts; no kernel of ours does")
    operation, pe = node.kind.removeprefix("Elementwise"), max(1, node.number("PE", 1))
    if len(sources) == 2:
        yield _joined(importer, node, sources, operation, pe)
        return
    constant = np.rint(importer.hardware.arrays[node.constants[0]]).astype(np.int64).ravel()
    source, first = sources[0], node.inputs[0] in node.constants
    table = {"Add": (np.ones(1), constant), "Mul": (constant, np.zeros(1)),
             "Sub": (-np.ones(1), constant) if first else (np.ones(1), -constant)}
    if operation not in table or len(constant) not in (1, source.channels):
        raise FlowError(f"{node.name} ({node.op_type}): no kernel of ours stands in for it; end the network before it")
    factor, addend = (np.asarray(values, dtype=np.int64) for values in table[operation])
    ends = np.stack([factor * limit + addend for limit in source.limits])
    yield scaled(importer, node, source.name, factor, addend, limits=(int(ends.min()), int(ends.max())))


def _joined(importer: Importer, node: HardwareNode, sources: list[Tensor], operation: str, pe: int) -> Made:
    if operation not in ("Add", "Sub", "Mul"):
        raise FlowError(f"{node.name} ({node.op_type}): no kernel of ours stands in for it; end the network before it")
    (low, high), (least, most) = (source.limits for source in sources)
    names, output = tuple(source.name for source in sources), (node.outputs[0],)
    made: Node
    if operation == "Mul":
        ends = [low * least, low * most, high * least, high * most]
        made = Multiply(name=importer.named("Multiply"), inputs=names, outputs=output, source=(node.name,))
    else:
        ends = [low + least, high + most] if operation == "Add" else [low - most, high - least]
        made = Add(name=importer.named("Add"), inputs=names, outputs=output, source=(node.name,),
                   coefficients=(1, 1 if operation == "Add" else -1))
    dtype = wide_enough(node, importer.hardware.dtypes[node.outputs[0]], min(ends), max(ends))
    return Made(made, NodeFolding(pe), node.outputs[0], dtype)


def concat(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    sources = [importer.source(node, index) for index in range(len(node.streams))]
    levels = importer.levels[sources[0].name]
    kinds = {source.dtype for source in sources}
    if len(kinds) > 1 or any(importer.levels[source.name].factor != levels.factor for source in sources):
        raise FlowError(f"{node.name}: joins {', '.join(sorted(kinds))}; the simulation joins equal types")
    made = Concat(name=importer.named("Concat"), inputs=tuple(source.name for source in sources), outputs=(node.outputs[0],),
                  source=(node.name,))
    yield Made(made, NodeFolding(max(1, node.number("SIMD", 1))), node.outputs[0], sources[0].dtype, levels)


def split(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source, begin = importer.source(node), 0
    for output, size in zip(node.outputs, node.attributes["ChannelsPerStream"], strict=True):
        made = Slice(name=importer.named("Slice"), inputs=(source.name,), outputs=(output,), source=(node.name,),
                     begin=begin, end=begin + int(size))
        begin += int(size)
        yield Made(made, NodeFolding(max(1, node.number("SIMD", 1))), output, source.dtype, importer.levels[source.name])


def shuffle(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source = importer.source(node)
    inner = tuple(int(size) for size in node.attributes.get("in_reshaped") or node.attributes["in_shape"])
    perm = node.attributes.get("perm") or [*range(len(inner) - 2), len(inner) - 1, len(inner) - 2]
    strides = [prod(inner[axis + 1:]) for axis in range(len(inner))]
    made = Reorder(name=importer.named("Reorder"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
                   out_shape=tuple(importer.hardware.shapes[node.outputs[0]][1:]),
                   counts=tuple(inner[axis] for axis in perm), strides=tuple(strides[axis] for axis in perm))
    yield Made(made, NodeFolding(1), node.outputs[0], source.dtype, importer.levels[source.name])
