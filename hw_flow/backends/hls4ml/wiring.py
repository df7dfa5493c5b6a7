"""What hls4ml's layers pass on, and the activations between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from hw_flow.backends.hls4ml.affine import Affine
from hw_flow.backends.hls4ml.curves import TABLE_BITS, Form, Pieces, Table, curve
from hw_flow.backends.hls4ml.netlist import Abilities, Fixed, Layer, Wire
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
    able : which layers the tool has.
    """

    graph: Graph
    able: Abilities
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
            wire = self.reshaped(wire, f"{node.name}_shape", wanted)
        self.wires[node.outputs[0]] = wire

    def kind_of(self, wire: Wire) -> str:
        """Type of what hls4ml sees of ``wire``."""
        return next(layer.types["result"] for layer in self.layers if layer.name == wire.layer)

    def reshaped(self, wire: Wire, name: str, shape: Shape) -> Wire:
        """``wire`` with its elements in ``shape``; offsets and ranges by channel are the caller's business."""
        self.append(name, "Reshape", (wire.layer,), shape, attributes={"target_shape": list(shape)},
                    types={"result": self.kind_of(wire)})
        return replace(wire, layer=name, shape=shape)

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

    def activation(self, node: Node, thresholds: Thresholds, wire: Wire) -> Form:
        """Exact form of ``thresholds`` on what hls4ml sees of ``wire``; BIPOLAR results count from 0."""
        values = -((wire.offset[:, None] - thresholds.values) // wire.step)
        falls = np.broadcast_to(thresholds.descending, len(values))
        turned = replace(thresholds, values=values, descending=falls, base=0 if thresholds.step == 2 else thresholds.base, step=1)
        found = curve(turned, (wire.low, wire.high), tables=self.able.tables)
        if found is None:
            raise FlowError(f"{where(node)}: its activation is neither a line, nor a table of {TABLE_BITS} bits, nor a sum of "
                            "few lines in the accumulator, and hls4ml cannot compute it exactly; use ReLU, HardTanh or fewer "
                            "bits there, or build with --backend rtl")
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

    def level(self, name: str, wire: Wire, form: Form, thresholds: Thresholds) -> Wire:
        """Append an activation; of a BIPOLAR one, hls4ml sees one bit."""
        base = 0 if thresholds.step == 2 else thresholds.base
        match form:
            case Table():
                made = self.table(name, wire, form)
            case Pieces():
                made = self.summed(name, wire, form)
            case _:
                made = self.cast(name, wire, form, base, base + thresholds.levels)
        return replace(made, step=2, offset=np.full(1, thresholds.base)) if thresholds.step == 2 else made

    def table(self, name: str, wire: Wire, form: Table) -> Wire:
        """Look ``form.values`` up by a code, which a layer of its own brings to the right place."""
        code = Fixed(form.bits, form.bits, signed=False, saturation="SAT")
        coded = self.alpha(f"{name}_code", wire, form.code, code)
        low, high = int(form.values.min()), int(form.values.max())
        kind = str(Fixed.holding(low, high))
        self.append(name, "UnaryLUT", (coded,), wire.shape, attributes={"activation": "unary_lut"},
                    arrays={"table_data": form.values.astype(np.float64)}, types={"result": kind, "table": kind})
        return wire_of(name, wire.shape, 1, 0, (low, high))

    def summed(self, name: str, wire: Wire, form: Pieces) -> Wire:
        """Add saturating lines."""
        made: Wire | None = None
        total = 0
        for index, (part, levels) in enumerate(form.parts):
            term = self.cast(f"{name}_part{index}", wire, part, 0, levels)
            total += levels
            if made is not None:
                label = name if index == len(form.parts) - 1 else f"{name}_sum{index}"
                self.append(label, "Merge", (made.layer, term.layer), wire.shape, attributes={"op": "add"},
                            types={"result": str(Fixed.holding(0, total))})
                term = wire_of(label, wire.shape, 1, 0, (0, total))
            made = term
        assert made is not None
        return replace(made, offset=made.offset + form.base)


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
