"""Joins, orders and the rest of FINN's nodes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from hw_flow.backends.finn.functions import OPERATIONS, constant_operation
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
    given = importer.hardware.arrays[node.constants[0]].ravel()
    constant = np.rint(given).astype(np.int64)
    if (constant != given).any():
        raise FlowError(f"{node.name} ({node.op_type}): its constant {float(given[constant != given][0])!r} is no integer, and "
                        "FINN computes in floating point; put a quantiser behind the scale or bias")
    source, first = sources[0], node.inputs[0] in node.constants
    if operation in OPERATIONS and len(constant) in (1, source.channels):
        yield constant_operation(importer, node, operation, constant)
        return
    affine = {"Add": (np.ones(1), constant), "Mul": (constant, np.zeros(1)),
             "Sub": (-np.ones(1), constant) if first else (np.ones(1), -constant)}
    if operation not in affine or len(constant) not in (1, source.channels):
        raise FlowError(f"{node.name} ({node.op_type}): no kernel of ours stands in for it; end the network before it")
    factor, addend = (np.asarray(values, dtype=np.int64) for values in affine[operation])
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
    inner = tuple(int(size) for size in node.attributes.get("in_reshaped") or node.attributes["in_shape"])
    perm = node.attributes.get("perm") or [*range(len(inner) - 2), len(inner) - 1, len(inner) - 2]
    strides = [prod(inner[axis + 1:]) for axis in range(len(inner))]
    yield _ordered(importer, node, tuple(inner[axis] for axis in perm), tuple(strides[axis] for axis in perm))


def upsample(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    channels, rows, columns = importer.source(node).channels, node.number("HI"), node.number("WI")
    high, wide = node.number("HO"), node.number("WO")
    if high % rows or wide % columns:
        raise FlowError(f"{node.name}: repeats pixels of {rows} x {columns} to {high} x {wide}; give whole factors")
    yield _ordered(importer, node, (rows, high // rows, columns, wide // columns, channels),
                   (columns * channels, 0, channels, 0, 1))


def crop(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    channels, (rows, columns) = importer.source(node).channels, node.pair("ImgDim")
    north, south, west, east = (node.number(f"Crop{side}") for side in ("North", "South", "West", "East"))
    yield _ordered(importer, node, (rows - north - south, columns - west - east, channels), (columns * channels, channels, 1),
                   (north * columns + west) * channels)


def token(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    channels = importer.source(node).channels
    yield _ordered(importer, node, (channels,), (1,), node.number("TokenIndex") % node.number("NumTokens") * channels)


def _ordered(importer: Importer, node: HardwareNode, counts: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Made:
    """Elements of a frame in the order of nested counters."""
    source = importer.source(node)
    if len(importer.levels[source.name].offset) > 1:
        raise FlowError(f"{node.name}: orders counts of different channels; declare the weights BIPOLAR")
    made = Reorder(name=importer.named("Reorder"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
                   out_shape=tuple(importer.hardware.shapes[node.outputs[0]][1:]), counts=counts, strides=strides, offset=offset)
    return Made(made, NodeFolding(1), node.outputs[0], source.dtype, importer.levels[source.name])
