"""Pools as hls4ml's layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hw_flow.backends.hls4ml.netlist import Fixed, Wire
from hw_flow.backends.hls4ml.products import Products, geometry_of, line_of
from hw_flow.backends.hls4ml.wiring import Shape, where
from hw_flow.errors import FlowError
from hw_flow.ir import VVAU, GlobalPool, Pool, SlidingWindow


class Pools(Products):
    """Adds pools; a window waits for the layer behind it."""

    def window(self, node: SlidingWindow) -> None:
        self.windows[node.outputs[0]] = node

    def pool(self, node: Pool) -> None:
        window = self.windows[node.inputs[0]]
        source = self.graph.tensors[window.inputs[0]]
        high, wide = window.positions(source.shape)
        self.pooled(node, node.kind, window, self.wires[source.name], (high, wide))

    def global_pool(self, node: GlobalPool) -> None:
        source = self.graph.input_of(node)
        high, wide, _ = source.shape
        window = SlidingWindow(name=node.name, inputs=node.inputs, outputs=node.outputs, kernel=(high, wide))
        self.pooled(node, node.kind, window, self.wires[source.name], (1, 1))

    def pooled(self, node: Pool | GlobalPool, kind: str, window: SlidingWindow, wire: Wire, places: tuple[int, int]) -> None:
        if kind == "sum":
            # hls4ml's average divides and rounds; a depthwise convolution with ones is the exact sum.
            ones = np.ones((wire.shape[-1], window.taps), dtype=np.int64)
            sums = VVAU(name=node.name, inputs=window.inputs, outputs=node.outputs, weights=ones, weight_dtype="UINT1",
                        acc_dtype=self.graph.output_of(node).dtype, source=node.source)
            self.convolution(sums, window, ones)
            return
        if window.dilation != (1, 1):
            raise FlowError(f"{where(node)}: a dilation of {window.dilation}, which hls4ml does not compute; build with "
                            "--backend rtl")
        if len(wire.shape) == 1:
            self.done(node, wire)
            return
        line = len(wire.shape) == 2
        if places == (1, 1):
            window = replace(window, stride=window.kernel)  # there is no second position, and a stream wants them equal
        apart = window.stride == window.kernel or (line and self.able.overlap_lines)
        if not self.able.overlap and (any(window.pads) or not apart):
            what = "pads" if any(window.pads) else "has another stride than its kernel"
            raise FlowError(f"{where(node)}: a largest-of pool that {what}, which hls4ml's streams have no layer for; set "
                            "'io_type: io_parallel', or build with --backend rtl")
        low = self.graph.tensors[window.inputs[0]].limits[0]
        if any(window.pads) and window.pad_value > low:
            raise FlowError(f"{where(node)}: pads a largest-of pool with {window.pad_value}, hls4ml with the smallest value; "
                            "build with --backend rtl")
        geometry = geometry_of(window, wire.shape, places) | {"n_filt": wire.shape[-1], "data_format": "channels_last"}
        names = {"filt_height": "pool_height", "filt_width": "pool_width"}
        geometry = {names.get(key, key): value for key, value in geometry.items()}
        if line:
            geometry = line_of(geometry)
            geometry = {{"in_width": "n_in", "out_width": "n_out"}.get(key, key): value for key, value in geometry.items()}
        shape: Shape = (*places, wire.shape[-1])[1 if line else 0:]
        low, high = int(wire.low.min()), int(wire.high.max())
        number = Fixed.holding(low, high)
        if any(window.pads) and not number.signed:
            # Around the map hls4ml puts the number whose top bit alone is set: the smallest of a signed type.
            number = Fixed.holding(-1, high)
            self.append(f"{window.name}_in", "Activation", (wire.layer,), wire.shape, attributes={"activation": "linear"},
                         types={"result": str(number)})
            wire = replace(wire, layer=f"{window.name}_in")
        geometry["count_pad"] = False
        self.append(node.name, f"MaxPooling{1 if line else 2}D", (wire.layer,), shape, attributes=geometry,
                     types={"result": str(number), "accum": str(number)})
        self.done(node, replace(wire, layer=node.name, shape=shape))
