"""What hls4ml's layers pass on, and the activations between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from hw_flow.backends.hls4ml.affine import Affine, fit
from hw_flow.backends.hls4ml.netlist import Fixed, Layer, Wire
from hw_flow.errors import FlowError
from hw_flow.ir import Graph, Node, SlidingWindow, Tensor, Thresholds
from hw_flow.ir.tensor import IntArray

Shape = tuple[int, ...]
Span = tuple[IntArray, IntArray]

NONE = np.zeros(1, dtype=np.int64)
SAME = Affine(np.ones(1, dtype=np.int64), 0, NONE, 0, "TRN")
_HUGE = 2**62


def frame_of(shape: Shape) -> Shape:
    """``shape`` as hls4ml has it: ``[C]`` for a single position, ``[L, C]`` for a sequence, else ``[H, W, C]``."""
    if prod(shape[:-1]) == 1:
        return shape[-1:]
    return shape[1:] if len(shape) == 3 and shape[0] == 1 else shape


@dataclass
class Wiring:
    """Layers and wires while they are made.

    Attributes
    ----------
    graph : what is translated.
    layers : hls4ml's layers so far.
    wires : by tensor, what hls4ml sees of it.
    windows : sliding windows that the layer behind them takes in, by output tensor.
    """

    graph: Graph
    layers: list[Layer] = field(default_factory=list)
    wires: dict[str, Wire] = field(default_factory=dict)
    windows: dict[str, SlidingWindow] = field(default_factory=dict)

    def input(self, tensor: Tensor) -> None:
        low, high = tensor.limits
        step, offset = (2, -1) if tensor.dtype == "BIPOLAR" else (1, 0)
        kind = Fixed.holding((low - offset) // step, (high - offset) // step)
        shape = frame_of(tensor.shape)
        self.layers.append(Layer("x", "InputLayer", (), shape, {"input_shape": list(shape)}, types={"result": str(kind)}))
        self.wires[tensor.name] = wire_of("x", shape, step, offset, (low, high))

    def append(self, name: str, kind: str, sources: tuple[str, ...], shape: Shape, **rest: Any) -> str:
        self.layers.append(Layer(name, kind, sources, shape, **rest))
        return name

    def done(self, node: Node, wire: Wire) -> None:
        """Declare ``wire`` as the output of ``node``, in the shape that its readers expect."""
        wanted = frame_of(self.graph.output_of(node).shape)
        if wire.shape != wanted:
            kind = next(layer.types["result"] for layer in self.layers if layer.name == wire.layer)
            name = self.append(f"{node.name}_shape", "Reshape", (wire.layer,), wanted, attributes={"target_shape": list(wanted)},
                                types={"result": kind})
            wire = replace(wire, layer=name, shape=wanted)
        self.wires[node.outputs[0]] = wire

    def plain(self, wire: Wire, name: str, offset: int = 0) -> Wire:
        """``wire`` with step 1 and the given offset: what hls4ml sees is then ``value - offset``."""
        if wire.step == 1 and (wire.offset == offset).all():
            return wire
        shift = wire.offset - offset
        return self.scaled(wire, name, np.full(1, wire.step), shift, offset)

    def scaled(self, wire: Wire, name: str, factor: IntArray, shift: IntArray, offset: int) -> Wire:
        low, high = (factor * end + shift for end in (wire.low, wire.high))
        low, high = np.minimum(low, high), np.maximum(low, high)
        form = Affine(factor, 0, shift, 0, "TRN")
        kind = Fixed.holding(int(low.min()), int(high.max()))
        return Wire(self.alpha(name, wire, form, kind), wire.shape, 1, np.full(1, offset), low, high)

    # --- activations ---------------------------------------------------------------------------------------------------------

    def activation(self, node: Node, thresholds: Thresholds, wire: Wire) -> Affine:
        """Affine form of ``thresholds`` on what hls4ml sees of ``wire``; BIPOLAR results count from 0."""
        values = -((wire.offset[:, None] - thresholds.values) // wire.step)
        turned = replace(thresholds, values=values, base=0 if thresholds.step == 2 else thresholds.base, step=1)
        low, high = turned.base, turned.base + turned.levels
        found = fit(turned, (wire.low, wire.high), (low, high))
        if found is None:
            raise FlowError(f"{where(node)}: its activation is no straight line in the accumulator, which hls4ml cannot compute "
                            "exactly; use ReLU, HardTanh or a plain quantiser there, or build with --backend rtl")
        return found

    def cast(self, name: str, wire: Wire, form: Affine, low: int, high: int) -> Wire:
        """``clip(form(seen), low, high)``; two casts where no type saturates at both ends."""
        kind = saturating(low, high)
        if kind is not None:
            self.alpha(name, wire, form, replace(kind, rounding=form.rounding))
            return wire_of(name, wire.shape, 1, 0, (low, high))
        if form.rounding != "TRN":
            # Rounded on its own: a shift by an odd number would turn what is even.
            ends = [form(end, -_HUGE, _HUGE) for end in (wire.low, wire.high)]
            reach = int(min(end.min() for end in ends)), int(max(end.max() for end in ends))
            self.alpha(f"{name}_round", wire, form, replace(Fixed.holding(*reach), rounding=form.rounding))
            return self.cast(name, wire_of(f"{name}_round", wire.shape, 1, 0, reach), SAME, low, high)
        # The first cast saturates at the upper end, the second at the lower one.
        wide = Fixed.holding(0, high - low)
        shift = wide.limits[1] - (high - low)
        top = Affine(form.scale, form.scale_bits, form.bias + ((shift - low) << form.bias_bits), form.bias_bits, form.rounding)
        self.alpha(f"{name}_top", wire, top, replace(wide, rounding=form.rounding, saturation="SAT"))
        upper = wire_of(f"{name}_top", wire.shape, 1, 0, wide.limits)
        self.alpha(name, upper, replace(SAME, bias=np.full(1, -shift)), replace(wide, saturation="SAT"))
        return wire_of(name, wire.shape, 1, low, (low, high))

    def alpha(self, name: str, wire: Wire, form: Affine, kind: Fixed) -> str:
        """A layer that multiplies and adds per channel, and casts."""
        scale, bias = _spread(form.scale, wire), _spread(form.bias, wire)
        types = {"scale": str(Fixed.holding(int(scale.min()), int(scale.max()), form.scale_bits)),
                 "bias": str(Fixed.holding(int(bias.min()), int(bias.max()), form.bias_bits)), "result": str(kind)}
        if (scale == 1 << form.scale_bits).all() and not bias.any():
            # hls4ml drops a scale of 1 with a bias of 0, its cast included.
            return self.append(name, "Activation", (wire.layer,), wire.shape, attributes={"activation": "linear"},
                                types={"result": str(kind)})
        channels = wire.shape[-1]
        size = {"n_in": prod(wire.shape), "n_filt": -1 if len(wire.shape) == 1 else channels}
        arrays = {"scale_data": scale * 2.0**-form.scale_bits, "bias_data": bias * 2.0**-form.bias_bits}
        return self.append(name, "BatchNormalization", (wire.layer,), wire.shape, attributes=size, arrays=arrays, types=types)

    def finish(self, node: Node, name: str, thresholds: Thresholds | None, made: Wire) -> None:
        """Append the activation to a layer that holds ``made``, or declare it as the output."""
        if thresholds is not None:
            made = self.level(f"{name}_act", made, self.activation(node, thresholds, made), thresholds)
        self.done(node, made)

    def level(self, name: str, wire: Wire, form: Affine, thresholds: Thresholds) -> Wire:
        """Append an activation; of a BIPOLAR one, hls4ml sees one bit."""
        if thresholds.step == 2:
            return replace(self.cast(name, wire, form, 0, 1), step=2, offset=np.full(1, thresholds.base))
        return self.cast(name, wire, form, thresholds.base, thresholds.base + thresholds.levels)


def where(node: Node) -> str:
    return node.source[-1] if node.source else node.name


def wire_of(layer: str, shape: Shape, step: int, offset: int, limits: tuple[int, int]) -> Wire:
    """A wire whose values lie within ``limits``."""
    low, high = ((np.full(1, end) - offset) // step for end in limits)
    return Wire(layer, shape, step, np.full(1, offset), low, high)


def saturating(low: int, high: int) -> Fixed | None:
    """The integer type that saturates at ``low`` and ``high``, or None."""
    exact = Fixed.holding(low, high)
    kinds = (replace(exact, saturation=mode) for mode in ("SAT", "SAT_SYM"))
    return next((kind for kind in kinds if kind.limits == (low, high)), None)


def _spread(values: IntArray, wire: Wire) -> IntArray:
    """One value per channel."""
    return np.broadcast_to(values, (wire.shape[-1],))
