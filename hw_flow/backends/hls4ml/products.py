"""Matrices and convolutions as hls4ml's layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hw_flow.backends.hls4ml.affine import Affine
from hw_flow.backends.hls4ml.curves import Form
from hw_flow.backends.hls4ml.netlist import Fixed, Wire
from hw_flow.backends.hls4ml.wiring import Shape, Span, Wiring, frame_of, saturating, where, wire_of
from hw_flow.errors import FlowError
from hw_flow.ir import MVAU, VVAU, SlidingWindow, Thresholds
from hw_flow.ir.tensor import IntArray


class Products(Wiring):
    """Adds layers that multiply by weights."""

    def product(self, node: MVAU | VVAU, name: str, kind: str, wire: Wire, shape: Shape, *, span: Span, offset: IntArray,
                 weights: tuple[str, IntArray], attributes: dict[str, Any], matrix: tuple[int, int]) -> None:
        """A layer that multiplies integer weights, with its activation.

        ``weights`` is in hls4ml's order, its last axis the output channels; ``offset [C]`` what the input's offset adds.
        """
        label, array = weights
        outputs = (array.shape[-1] * array.shape[-2]) if label == "depthwise_data" else array.shape[-1]
        thresholds, bias = node.thresholds, np.zeros(outputs, dtype=np.int64)
        made, (low, high) = Wire(name, shape, wire.step, offset, *span), span
        form = None if thresholds is None else self.activation(node, thresholds, made)
        folds, result = _folded(form, thresholds), None
        if isinstance(form, Affine) and folds is not None:
            flips = np.broadcast_to(form.scale < 0, (outputs,))
            array = np.where(flips if array.shape[-1] == outputs else flips[:, None], -array, array)
            bias, form, result = np.broadcast_to(form.bias, (outputs,)), None, folds
            low, high = np.where(flips, -high, low) + bias.clip(max=0), np.where(flips, -low, high) + bias.clip(min=0)
        accumulator = Fixed.holding(min(0, int(low.min())), max(0, int(high.max())))
        types = {"weight": _weight_type(array), "accum": str(accumulator), "result": str(result or accumulator),
                 "bias": str(Fixed.holding(int(bias.min()), int(bias.max())))}
        arrays = {label: array.astype(np.float64), "bias_data": bias.astype(np.float64)}
        self.append(name, kind, (wire.layer,), shape, attributes=attributes, arrays=arrays, types=types, matrix=matrix)
        if thresholds is not None and form is not None:
            made = self.level(f"{name}_act", made, form, thresholds)
        elif thresholds is not None:
            step, base = (2, thresholds.base) if thresholds.step == 2 else (1, 0)
            made = wire_of(name, shape, step, base, (thresholds.base, thresholds.base + thresholds.step * thresholds.levels))
        self.done(node, made)

    def matrix(self, node: MVAU) -> None:
        window = self.windows.get(node.inputs[0])
        if window is not None:
            self.convolution(node, window, node.weights)
            return
        wire = self.wires[node.inputs[0]]
        shape = self.graph.input_of(node).shape
        positions = frame_of(node.shape(shape))[:-1]
        if positions:
            still = SlidingWindow(name=node.name, inputs=node.inputs, outputs=node.inputs, kernel=(1, 1))
            self.convolution(node, still, node.weights)
            return
        if len(wire.shape) > 1:
            wire = tiled(self.reshaped(wire, f"{node.name}_flat", (node.mw,)), node.mw)
        self.product(node, node.name, "Dense", wire, (node.mh,), span=_reach(node.weights, wire),
                      offset=node.weights @ tiled(wire, node.mw).offset, weights=("weight_data", node.weights.T),
                      attributes={"n_in": node.mw, "n_out": node.mh}, matrix=(node.mw, node.mh))

    def depthwise(self, node: VVAU) -> None:
        window = self.windows.get(node.inputs[0])
        if window is None:
            raise FlowError(f"{where(node)}: a depthwise layer without a window; build with --backend rtl")
        self.convolution(node, window, node.weights)

    def convolution(self, node: MVAU | VVAU, window: SlidingWindow, weights: IntArray) -> None:
        source = self.graph.tensors[window.inputs[0]]
        window, weights = _undilated(window, weights)
        wire = self.padding(window, self.wires[source.name])
        high, wide = window.positions(source.shape)
        channels, filters = source.shape[-1], len(weights)
        if isinstance(node, VVAU) and not self.able.depthwise:
            weights = (weights[:, :, None] * np.eye(channels, dtype=np.int64)[:, None]).reshape(channels, -1)
        depthwise = isinstance(node, VVAU) and self.able.depthwise
        rows, columns = window.kernel
        if depthwise:
            low, top = (np.broadcast_to(end, channels)[:, None] for end in (wire.low, wire.high))
            if any(window.pads):
                low, top = np.minimum(low, 0), np.maximum(top, 0)
            above, below = weights.clip(min=0), weights.clip(max=0)
            span = (above * low + below * top).sum(axis=1), (above * top + below * low).sum(axis=1)
            offset = weights.sum(axis=1) * np.broadcast_to(wire.offset, channels)
        else:
            reach = tiled(wire, weights.shape[1])
            if any(window.pads):
                reach = replace(reach, low=np.minimum(reach.low, 0), high=np.maximum(reach.high, 0))
            span, offset = _reach(weights, reach), weights @ reach.offset
        kind = "DepthwiseConv" if depthwise else "Conv"
        attributes = geometry_of(window, wire.shape, (high, wide)) | {
            "n_chan": channels, "n_filt": filters, "data_format": "channels_last"}
        if depthwise:
            attributes["depth_multiplier"] = 1
        line = len(wire.shape) != 3
        taps = (columns,) if line else window.kernel
        array = weights.T.reshape(*taps, channels, -1)
        if line:
            attributes = line_of(attributes)
        shape: Shape = (wide, filters) if line else (high, wide, filters)
        self.product(node, node.name, f"{kind}{1 if line else 2}D", wire, shape, span=span, offset=offset,
                      weights=("depthwise_data" if depthwise else "weight_data", array), attributes=attributes,
                      matrix=(rows * columns * (1 if depthwise else channels), filters))

    def padding(self, window: SlidingWindow, wire: Wire) -> Wire:
        """``wire`` such that hls4ml's padding, which is 0, stands for the window's."""
        if len(wire.shape) == 1:
            wanted: Shape = (1, 1, *wire.shape) if window.kernel[0] > 1 or window.pads[0] or window.pads[2] else (1, *wire.shape)
            wire = self.reshaped(wire, f"{window.name}_in", wanted)
        elif len(wire.shape) == 2 and (window.kernel[0] > 1 or window.pads[0] or window.pads[2] or window.stride[0] > 1):
            raise FlowError(f"{where(window)}: a two-dimensional kernel on a sequence; build with --backend rtl")
        if any(window.pads):
            return self.plain(wire, f"{window.name}_pad", window.pad_value)
        return wire


def _undilated(window: SlidingWindow, weights: IntArray) -> tuple[SlidingWindow, IntArray]:
    """hls4ml ignores dilation: the same kernel with zeros between its taps."""
    if window.dilation == (1, 1):
        return window, weights
    (rows, columns), (down, right) = window.kernel, window.dilation
    kernel = (rows - 1) * down + 1, (columns - 1) * right + 1
    taps = weights.reshape(len(weights), rows, columns, -1)
    wide = np.zeros((len(weights), *kernel, taps.shape[-1]), dtype=np.int64)
    wide[:, ::down, ::right] = taps
    return replace(window, kernel=kernel, dilation=(1, 1)), wide.reshape(len(weights), -1)


def _folded(form: Form | None, thresholds: Thresholds | None) -> Fixed | None:
    """Type of a layer whose own cast is the activation: nothing is multiplied but by -1, which its weights take."""
    if not isinstance(form, Affine) or thresholds is None or form.bias_bits or form.scale_bits or (np.abs(form.scale) != 1).any():
        return None
    low = 0 if thresholds.step == 2 else thresholds.base
    return saturating(low, low + thresholds.levels)


def tiled(wire: Wire, size: int) -> Wire:
    """``wire`` with one offset and range per element of a vector of ``size``, channels fastest."""
    def tile(values: IntArray) -> IntArray:
        return np.tile(values, size // values.size)

    return replace(wire, offset=tile(wire.offset), low=tile(wire.low), high=tile(wire.high))


def _reach(weights: IntArray, wire: Wire) -> Span:
    """Exact smallest and largest product of each row."""
    from hw_flow.frontend.spans import ranges

    vector = tiled(wire, weights.shape[1])
    return ranges(weights, vector.low, vector.high)


def _weight_type(weights: IntArray) -> str:
    """Binary and ternary weights get the type by which hls4ml multiplies without a multiplier."""
    low, high = int(weights.min()), int(weights.max())
    return "int<2>" if low >= -1 and high <= 1 else str(Fixed.holding(low, high))


def geometry_of(window: SlidingWindow, shape: Shape, places: tuple[int, int]) -> dict[str, Any]:
    high, wide = (shape[0], shape[1]) if len(shape) == 3 else (1, shape[0])
    top, left, bottom, right = window.pads
    return {"in_height": high, "in_width": wide, "out_height": places[0], "out_width": places[1], "filt_height": window.kernel[0],
            "filt_width": window.kernel[1], "stride_height": window.stride[0], "stride_width": window.stride[1], "pad_top": top,
            "pad_bottom": bottom, "pad_left": left, "pad_right": right}


def line_of(geometry: dict[str, Any]) -> dict[str, Any]:
    """Of a two-dimensional geometry what a sequence has."""
    lost = ("in_height", "out_height", "filt_height", "pool_height", "stride_height", "pad_top", "pad_bottom")
    return {key: value for key, value in geometry.items() if key not in lost}
