"""Nodes that move elements, as hls4ml's layers: crops, transposes, nearest-neighbour repeats; and tables."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from hw_flow.backends.hls4ml.affine import Affine
from hw_flow.backends.hls4ml.curves import TABLE_BITS
from hw_flow.backends.hls4ml.netlist import Fixed, Wire
from hw_flow.backends.hls4ml.pools import Pools
from hw_flow.backends.hls4ml.wiring import frame_of, where, wire_of
from hw_flow.errors import FlowError
from hw_flow.ir import Lookup, Node, Reorder, Slice


class Shapes(Pools):
    """Adds what moves elements, and tables."""

    def slice(self, node: Slice) -> None:
        self.supported(node, self.able.moves)
        wire, part = self.wires[node.inputs[0]], slice(node.begin, node.end)
        cut = self.cropped(wire, node.name, wire.shape[-1], 1, (node.begin, node.end))
        channels = (np.broadcast_to(values, wire.shape[-1])[part] for values in (wire.offset, wire.low, wire.high))
        offset, low, high = channels
        shape = (*wire.shape[:-1], node.end - node.begin)
        made = cut if cut.shape == shape else self.reshaped(cut, f"{node.name}_shape", shape)
        self.done(node, Wire(made.layer, shape, wire.step, offset, low, high))

    def reorder(self, node: Reorder) -> None:
        """Cut, transposed, repeated, in this order; nested counters with strides of a dense frame are nothing more."""
        self.supported(node, self.able.moves)
        wire = self.wires[node.inputs[0]]
        if (wire.offset != wire.offset[0]).any():
            wire = self.plain(wire, f"{node.name}_in")
        ends = wire.offset[:1], wire.low.min(keepdims=True), wire.high.max(keepdims=True)
        wire = Wire(wire.layer, wire.shape, wire.step, *ends)
        axes = [(count, stride) for count, stride in zip(node.counts, node.strides, strict=True) if count > 1]
        moving = [(count, stride) for count, stride in axes if stride]
        order = sorted(range(len(moving)), key=lambda axis: -moving[axis][1])
        wire = self.window_of(node, wire, [moving[axis] for axis in order])
        if order != sorted(order):
            wire = self.reshaped(wire, f"{node.name}_view", tuple(moving[axis][0] for axis in order))
            places = [order.index(axis) for axis in range(len(order))]
            self.append(f"{node.name}_turn", "Transpose", (wire.layer,), tuple(count for count, _ in moving),
                        attributes={"perm": places}, types={"result": self.kind_of(wire)})
            wire = replace(wire, layer=f"{node.name}_turn", shape=tuple(count for count, _ in moving))
        for index, (count, stride) in enumerate(axes):
            if not stride:
                before = prod(other for other, _ in axes[:index])
                wire = self.repeated(wire, f"{node.name}_repeat{index}", before, count)
        wanted = frame_of(node.out_shape)
        if wire.shape != wanted:
            wire = self.reshaped(wire, f"{node.name}_shape", wanted)
        self.wires[node.outputs[0]] = wire

    def window_of(self, node: Reorder, wire: Wire, axes: list[tuple[int, int]]) -> Wire:
        """The part of the frame that ``axes`` (count, stride; longest stride first) read, densely."""
        size, start = prod(wire.shape), node.offset
        for index, (count, stride) in enumerate([*axes, (1, 1)] if not axes or axes[-1][1] > 1 else axes):
            # Elements around one step of the next longer axis, as this axis divides them.
            extent, rest = divmod(size if index == 0 else axes[index - 1][1], stride)
            begin, start = divmod(start, stride)
            if rest or begin + count > extent:
                raise FlowError(f"{where(node)}: reads elements more than once or in no grid, for which hls4ml has no layer; "
                                "build with --backend rtl")
            if count < extent:
                wire = self.cropped(wire, f"{node.name}_cut{index}", extent, stride, (begin, begin + count))
        return wire

    def cropped(self, wire: Wire, name: str, extent: int, inner: int, part: tuple[int, int]) -> Wire:
        """Elements ``part`` of an axis of ``extent`` steps of ``inner`` elements."""
        outer = prod(wire.shape) // (extent * inner)
        view, (begin, end) = (outer, extent, inner), part
        if wire.shape != view:
            wire = self.reshaped(wire, f"{name}_view", view)
        shape = (outer, end - begin, inner)
        attributes = {"in_height": outer, "in_width": extent, "n_chan": inner, "out_height": outer, "out_width": end - begin,
                      "crop_top": 0, "crop_bottom": 0, "crop_left": begin, "crop_right": extent - end,
                      "data_format": "channels_last"}
        self.append(name, "Cropping2D", (wire.layer,), shape, attributes=attributes, types={"result": self.kind_of(wire)})
        return replace(wire, layer=name, shape=shape)

    def repeated(self, wire: Wire, name: str, outer: int, count: int) -> Wire:
        """Each of ``outer`` parts of the frame ``count`` times."""
        inner = prod(wire.shape) // outer
        view = (outer, 1, inner)
        if wire.shape != view:
            wire = self.reshaped(wire, f"{name}_view", view)
        attributes = {"in_height": outer, "in_width": 1, "n_chan": inner, "out_height": outer, "out_width": count,
                      "algorithm": "nearest", "data_format": "channels_last"}
        self.append(name, "Resize", (wire.layer,), (outer, count, inner), attributes=attributes,
                    types={"result": self.kind_of(wire)})
        return replace(wire, layer=name, shape=(outer, count, inner))

    def lookup(self, node: Lookup) -> None:
        """A table of codes; with one for each channel, they stand one behind the other and the code begins with the channel."""
        self.supported(node, self.able.tables)
        wire = self.wires[node.inputs[0]]
        rows, entries = node.table.shape
        bits = max(1, (entries - 1).bit_length())
        total = bits + (rows - 1).bit_length()
        if total > TABLE_BITS:
            raise FlowError(f"{where(node)}: a table of {rows} x {entries} entries, of which hls4ml's partitioned tables hold "
                            f"{1 << TABLE_BITS}; use fewer bits there, or build with --backend rtl")
        values = np.zeros((rows, 1 << bits), dtype=np.int64)
        values[:, :entries] = node.table
        # Row c begins at code c * 2**bits.
        bias = wire.offset - node.low + (np.arange(rows) << bits)
        code = Affine(np.full(1, wire.step), 0, bias, 0, "TRN")
        coded = self.alpha(f"{node.name}_code", wire, code, Fixed(total, total, signed=False))
        table = np.zeros(1 << total, dtype=np.int64)
        table[:values.size] = values.ravel()
        low, high = int(node.table.min()), int(node.table.max())
        kind = str(Fixed.holding(low, high))
        self.append(node.name, "UnaryLUT", (coded,), wire.shape, attributes={"activation": "unary_lut"},
                    arrays={"table_data": np.clip(table, low, high).astype(np.float64)}, types={"result": kind, "table": kind})
        self.done(node, wire_of(node.name, wire.shape, 1, 0, (low, high)))

    def supported(self, node: Node, able: bool) -> None:
        """FlowError if the tool's part of hls4ml lacks what ``node`` needs."""
        if not able:
            raise FlowError(f"{where(node)}: hls4ml has a layer for a {type(node).__name__} for Vitis and Vivado only; set "
                            "'tool: Vitis', or build with --backend rtl")
