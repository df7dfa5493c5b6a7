"""The integer graph to hls4ml's layers, exact by construction.

Weights are integers, accumulators have the range that weights and input types allow, and an activation is the saturating cast of
``scale * x + bias`` (`affine.fit`). What hls4ml sees of a tensor is the integer itself, but for BIPOLAR, where one unsigned bit
stands for -1 and +1: its step and offset go into the thresholds and the accumulator's offset, never into arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from hw_flow.backends.hls4ml.affine import Affine, fit
from hw_flow.backends.hls4ml.netlist import Fixed, Layer, Netlist, Wire
from hw_flow.errors import FlowError
from hw_flow.ir import (
    MVAU,
    VVAU,
    Add,
    Concat,
    GlobalPool,
    Graph,
    LabelSelect,
    Multiply,
    Node,
    Pool,
    Requantise,
    SlidingWindow,
    Tensor,
    Thresholding,
    Thresholds,
)
from hw_flow.ir.tensor import IntArray

Shape = tuple[int, ...]
Span = tuple[IntArray, IntArray]

_NONE = np.zeros(1, dtype=np.int64)
_SAME = Affine(np.ones(1, dtype=np.int64), 0, _NONE, 0, "TRN")
_HUGE = 2**62


def translate(graph: Graph) -> Netlist:
    """hls4ml's layers for ``graph``.

    Raises
    ------
    FlowError : a node has no exact counterpart in hls4ml; names the node, the reason and the remedy.
    """
    return _Translator(graph).run()


def frame_of(shape: Shape) -> Shape:
    """``shape`` as hls4ml has it: ``[C]`` for a single position, ``[L, C]`` for a sequence, else ``[H, W, C]``."""
    if prod(shape[:-1]) == 1:
        return shape[-1:]
    return shape[1:] if len(shape) == 3 and shape[0] == 1 else shape


@dataclass
class _Translator:
    graph: Graph
    layers: list[Layer] = field(default_factory=list)
    wires: dict[str, Wire] = field(default_factory=dict)
    windows: dict[str, SlidingWindow] = field(default_factory=dict)

    def run(self) -> Netlist:
        source, sink = self.graph.inputs[0], self.graph.outputs[0]
        self._input(self.graph.tensors[source])
        rules: dict[type[Node], Callable[[Any], None]] = {
            MVAU: self._matrix, VVAU: self._depthwise, Thresholding: self._thresholding, Requantise: self._requantise,
            SlidingWindow: self._window, Pool: self._pool, GlobalPool: self._global_pool, Add: self._add,
            Multiply: self._multiply, Concat: self._concat,
        }
        for node in self.graph:
            if isinstance(node, LabelSelect) and node.outputs[0] == sink:
                sink = node.inputs[0]  # the host takes the index
                break
            rule = rules.get(type(node))
            if rule is None:
                raise FlowError(f"{_where(node)}: hls4ml has no layer for a {type(node).__name__}; end the network before it, or "
                                "build with --backend rtl")
            rule(node)
        if sink not in self.wires:
            raise FlowError(f"{_where(self.graph.nodes[-1])}: the network ends in a window; end it in a layer")
        return Netlist(tuple(self.layers), self.wires, source, sink)

    # --- tensors -------------------------------------------------------------------------------------------------------------

    def _input(self, tensor: Tensor) -> None:
        low, high = tensor.limits
        step, offset = (2, -1) if tensor.dtype == "BIPOLAR" else (1, 0)
        kind = Fixed.holding((low - offset) // step, (high - offset) // step)
        shape = frame_of(tensor.shape)
        self.layers.append(Layer("x", "InputLayer", (), shape, {"input_shape": list(shape)}, types={"result": str(kind)}))
        self.wires[tensor.name] = _wire("x", shape, step, offset, (low, high))

    def _append(self, name: str, kind: str, sources: tuple[str, ...], shape: Shape, **rest: Any) -> str:
        self.layers.append(Layer(name, kind, sources, shape, **rest))
        return name

    def _done(self, node: Node, wire: Wire) -> None:
        """Declare ``wire`` as the output of ``node``, in the shape that its readers expect."""
        wanted = frame_of(self.graph.output_of(node).shape)
        if wire.shape != wanted:
            kind = next(layer.types["result"] for layer in self.layers if layer.name == wire.layer)
            name = self._append(f"{node.name}_shape", "Reshape", (wire.layer,), wanted, attributes={"target_shape": list(wanted)},
                                types={"result": kind})
            wire = replace(wire, layer=name, shape=wanted)
        self.wires[node.outputs[0]] = wire

    def _plain(self, wire: Wire, name: str, offset: int = 0) -> Wire:
        """``wire`` with step 1 and the given offset: what hls4ml sees is then ``value - offset``."""
        if wire.step == 1 and (wire.offset == offset).all():
            return wire
        shift = wire.offset - offset
        return self._scaled(wire, name, np.full(1, wire.step), shift, offset)

    def _scaled(self, wire: Wire, name: str, factor: IntArray, shift: IntArray, offset: int) -> Wire:
        low, high = (factor * end + shift for end in (wire.low, wire.high))
        low, high = np.minimum(low, high), np.maximum(low, high)
        form = Affine(factor, 0, shift, 0, "TRN")
        kind = Fixed.holding(int(low.min()), int(high.max()))
        return Wire(self._alpha(name, wire, form, kind), wire.shape, 1, np.full(1, offset), low, high)

    # --- activations ---------------------------------------------------------------------------------------------------------

    def _activation(self, node: Node, thresholds: Thresholds, wire: Wire) -> Affine:
        """Affine form of ``thresholds`` on what hls4ml sees of ``wire``; BIPOLAR results count from 0."""
        values = -((wire.offset[:, None] - thresholds.values) // wire.step)
        turned = replace(thresholds, values=values, base=0 if thresholds.step == 2 else thresholds.base, step=1)
        low, high = turned.base, turned.base + turned.levels
        found = fit(turned, (wire.low, wire.high), (low, high))
        if found is None:
            raise FlowError(f"{_where(node)}: its activation is no straight line in the accumulator, which hls4ml cannot compute "
                            "exactly; use ReLU, HardTanh or a plain quantiser there, or build with --backend rtl")
        return found

    def _cast(self, name: str, wire: Wire, form: Affine, low: int, high: int) -> Wire:
        """``clip(form(seen), low, high)``; two casts where no type saturates at both ends."""
        kind = _saturating(low, high)
        if kind is not None:
            self._alpha(name, wire, form, replace(kind, rounding=form.rounding))
            return _wire(name, wire.shape, 1, 0, (low, high))
        if form.rounding != "TRN":
            # Rounded on its own: a shift by an odd number would turn what is even.
            ends = [form(end, -_HUGE, _HUGE) for end in (wire.low, wire.high)]
            reach = int(min(end.min() for end in ends)), int(max(end.max() for end in ends))
            self._alpha(f"{name}_round", wire, form, replace(Fixed.holding(*reach), rounding=form.rounding))
            return self._cast(name, _wire(f"{name}_round", wire.shape, 1, 0, reach), _SAME, low, high)
        # The first cast saturates at the upper end, the second at the lower one.
        wide = Fixed.holding(0, high - low)
        shift = wide.limits[1] - (high - low)
        top = Affine(form.scale, form.scale_bits, form.bias + ((shift - low) << form.bias_bits), form.bias_bits, form.rounding)
        self._alpha(f"{name}_top", wire, top, replace(wide, rounding=form.rounding, saturation="SAT"))
        upper = _wire(f"{name}_top", wire.shape, 1, 0, wide.limits)
        self._alpha(name, upper, replace(_SAME, bias=np.full(1, -shift)), replace(wide, saturation="SAT"))
        return _wire(name, wire.shape, 1, low, (low, high))

    def _alpha(self, name: str, wire: Wire, form: Affine, kind: Fixed) -> str:
        """A layer that multiplies and adds per channel, and casts."""
        scale, bias = _spread(form.scale, wire), _spread(form.bias, wire)
        types = {"scale": str(Fixed.holding(int(scale.min()), int(scale.max()), form.scale_bits)),
                 "bias": str(Fixed.holding(int(bias.min()), int(bias.max()), form.bias_bits)), "result": str(kind)}
        if (scale == 1 << form.scale_bits).all() and not bias.any():
            # hls4ml drops a scale of 1 with a bias of 0, its cast included.
            return self._append(name, "Activation", (wire.layer,), wire.shape, attributes={"activation": "linear"},
                                types={"result": str(kind)})
        channels = wire.shape[-1]
        size = {"n_in": prod(wire.shape), "n_filt": -1 if len(wire.shape) == 1 else channels}
        arrays = {"scale_data": scale * 2.0**-form.scale_bits, "bias_data": bias * 2.0**-form.bias_bits}
        return self._append(name, "BatchNormalization", (wire.layer,), wire.shape, attributes=size, arrays=arrays, types=types)

    def _finish(self, node: Node, name: str, thresholds: Thresholds | None, made: Wire) -> None:
        """Append the activation to a layer that holds ``made``, or declare it as the output."""
        if thresholds is not None:
            made = self._level(f"{name}_act", made, self._activation(node, thresholds, made), thresholds)
        self._done(node, made)

    def _level(self, name: str, wire: Wire, form: Affine, thresholds: Thresholds) -> Wire:
        """Append an activation; of a BIPOLAR one, hls4ml sees one bit."""
        if thresholds.step == 2:
            return replace(self._cast(name, wire, form, 0, 1), step=2, offset=np.full(1, thresholds.base))
        return self._cast(name, wire, form, thresholds.base, thresholds.base + thresholds.levels)

    # --- products ------------------------------------------------------------------------------------------------------------

    def _product(self, node: MVAU | VVAU, name: str, kind: str, wire: Wire, shape: Shape, *, span: Span, offset: IntArray,
                 weights: tuple[str, IntArray], attributes: dict[str, Any], matrix: tuple[int, int]) -> None:
        """A layer that multiplies integer weights, with its activation.

        ``weights`` is in hls4ml's order, its last axis the output channels; ``offset [C]`` what the input's offset adds.
        """
        label, array = weights
        outputs = (array.shape[-1] * array.shape[-2]) if label == "depthwise_data" else array.shape[-1]
        thresholds, bias = node.thresholds, np.zeros(outputs, dtype=np.int64)
        made, (low, high) = Wire(name, shape, wire.step, offset, *span), span
        form = None if thresholds is None else self._activation(node, thresholds, made)
        folds, result = _folded(form, thresholds), None
        if form is not None and thresholds is not None and folds is not None:
            flips = np.broadcast_to(form.scale < 0, (outputs,))
            array = np.where(flips if array.shape[-1] == outputs else flips[:, None], -array, array)
            bias, form, result = np.broadcast_to(form.bias, (outputs,)), None, folds
            low, high = np.where(flips, -high, low) + bias.clip(max=0), np.where(flips, -low, high) + bias.clip(min=0)
        accumulator = Fixed.holding(min(0, int(low.min())), max(0, int(high.max())))
        types = {"weight": _weight_type(array), "accum": str(accumulator), "result": str(result or accumulator),
                 "bias": str(Fixed.holding(int(bias.min()), int(bias.max())))}
        arrays = {label: array.astype(np.float64), "bias_data": bias.astype(np.float64)}
        self._append(name, kind, (wire.layer,), shape, attributes=attributes, arrays=arrays, types=types, matrix=matrix)
        if thresholds is not None and form is not None:
            made = self._level(f"{name}_act", made, form, thresholds)
        elif thresholds is not None:
            step, base = (2, thresholds.base) if thresholds.step == 2 else (1, 0)
            made = _wire(name, shape, step, base, (thresholds.base, thresholds.base + thresholds.step * thresholds.levels))
        self._done(node, made)

    def _matrix(self, node: MVAU) -> None:
        window = self.windows.get(node.inputs[0])
        if window is not None:
            self._convolution(node, window, node.weights)
            return
        wire = self.wires[node.inputs[0]]
        shape = self.graph.input_of(node).shape
        positions = frame_of(node.shape(shape))[:-1]
        if positions:
            still = SlidingWindow(name=node.name, inputs=node.inputs, outputs=node.inputs, kernel=(1, 1))
            self._convolution(node, still, node.weights)
            return
        if len(wire.shape) > 1:
            kind = next(layer.types["result"] for layer in self.layers if layer.name == wire.layer)
            flat = self._append(f"{node.name}_flat", "Reshape", (wire.layer,), (node.mw,), attributes={"target_shape": [node.mw]},
                                types={"result": kind})
            wire = replace(_tiled(wire, node.mw), layer=flat, shape=(node.mw,))
        self._product(node, node.name, "Dense", wire, (node.mh,), span=_reach(node.weights, wire),
                      offset=node.weights @ _tiled(wire, node.mw).offset, weights=("weight_data", node.weights.T),
                      attributes={"n_in": node.mw, "n_out": node.mh}, matrix=(node.mw, node.mh))

    def _depthwise(self, node: VVAU) -> None:
        window = self.windows.get(node.inputs[0])
        if window is None:
            raise FlowError(f"{_where(node)}: a depthwise layer without a window; build with --backend rtl")
        self._convolution(node, window, node.weights)

    def _convolution(self, node: MVAU | VVAU, window: SlidingWindow, weights: IntArray) -> None:
        source = self.graph.tensors[window.inputs[0]]
        window, weights = _undilated(window, weights)
        wire = self._padding(window, self.wires[source.name])
        high, wide = window.positions(source.shape)
        depthwise = isinstance(node, VVAU)
        channels, filters = source.shape[-1], len(weights)
        rows, columns = window.kernel
        if depthwise:
            low, top = (np.broadcast_to(end, channels)[:, None] for end in (wire.low, wire.high))
            if any(window.pads):
                low, top = np.minimum(low, 0), np.maximum(top, 0)
            above, below = weights.clip(min=0), weights.clip(max=0)
            span = (above * low + below * top).sum(axis=1), (above * top + below * low).sum(axis=1)
            offset = weights.sum(axis=1) * np.broadcast_to(wire.offset, channels)
        else:
            reach = _tiled(wire, weights.shape[1])
            if any(window.pads):
                reach = replace(reach, low=np.minimum(reach.low, 0), high=np.maximum(reach.high, 0))
            span, offset = _reach(weights, reach), weights @ reach.offset
        kind = "DepthwiseConv" if depthwise else "Conv"
        attributes = _geometry(window, wire.shape, (high, wide)) | {
            "n_chan": channels, "n_filt": filters, "data_format": "channels_last"}
        if depthwise:
            attributes["depth_multiplier"] = 1
        line = len(wire.shape) != 3
        taps = (columns,) if line else window.kernel
        array = weights.T.reshape(*taps, channels, -1)
        if line:
            attributes = _line(attributes)
        shape: Shape = (wide, filters) if line else (high, wide, filters)
        self._product(node, node.name, f"{kind}{1 if line else 2}D", wire, shape, span=span, offset=offset,
                      weights=("depthwise_data" if depthwise else "weight_data", array), attributes=attributes,
                      matrix=(rows * columns * (1 if depthwise else channels), filters))

    # --- windows and pools ---------------------------------------------------------------------------------------------------

    def _window(self, node: SlidingWindow) -> None:
        self.windows[node.outputs[0]] = node

    def _padding(self, window: SlidingWindow, wire: Wire) -> Wire:
        """``wire`` such that hls4ml's padding, which is 0, stands for the window's."""
        if len(wire.shape) == 1:
            wanted: Shape = (1, 1, *wire.shape) if window.kernel[0] > 1 or window.pads[0] or window.pads[2] else (1, *wire.shape)
            kind = next(layer.types["result"] for layer in self.layers if layer.name == wire.layer)
            name = self._append(f"{window.name}_in", "Reshape", (wire.layer,), wanted, attributes={"target_shape": list(wanted)},
                                types={"result": kind})
            wire = replace(wire, layer=name, shape=wanted)
        elif len(wire.shape) == 2 and (window.kernel[0] > 1 or window.pads[0] or window.pads[2] or window.stride[0] > 1):
            raise FlowError(f"{_where(window)}: a two-dimensional kernel on a sequence; build with --backend rtl")
        if any(window.pads):
            return self._plain(wire, f"{window.name}_pad", window.pad_value)
        return wire

    def _pool(self, node: Pool) -> None:
        window = self.windows[node.inputs[0]]
        source = self.graph.tensors[window.inputs[0]]
        high, wide = window.positions(source.shape)
        self._pooled(node, node.kind, window, self.wires[source.name], (high, wide))

    def _global_pool(self, node: GlobalPool) -> None:
        source = self.graph.input_of(node)
        high, wide, _ = source.shape
        window = SlidingWindow(name=node.name, inputs=node.inputs, outputs=node.outputs, kernel=(high, wide))
        self._pooled(node, node.kind, window, self.wires[source.name], (1, 1))

    def _pooled(self, node: Pool | GlobalPool, kind: str, window: SlidingWindow, wire: Wire, places: tuple[int, int]) -> None:
        if kind == "sum":
            # hls4ml's average divides and rounds; a depthwise convolution with ones is the exact sum.
            ones = np.ones((wire.shape[-1], window.taps), dtype=np.int64)
            sums = VVAU(name=node.name, inputs=window.inputs, outputs=node.outputs, weights=ones, weight_dtype="UINT1",
                        acc_dtype=self.graph.output_of(node).dtype, source=node.source)
            self._convolution(sums, window, ones)
            return
        if window.dilation != (1, 1):
            raise FlowError(f"{_where(node)}: a dilation of {window.dilation}, which hls4ml does not compute; build with "
                            "--backend rtl")
        if len(wire.shape) == 1:
            self._done(node, wire)
            return
        low = self.graph.tensors[window.inputs[0]].limits[0]
        if any(window.pads) and window.pad_value > low:
            raise FlowError(f"{_where(node)}: pads a largest-of pool with {window.pad_value}, hls4ml with the smallest value; "
                            "build with --backend rtl")
        geometry = _geometry(window, wire.shape, places) | {"n_filt": wire.shape[-1], "data_format": "channels_last"}
        names = {"filt_height": "pool_height", "filt_width": "pool_width"}
        geometry = {names.get(key, key): value for key, value in geometry.items()}
        line = len(wire.shape) == 2
        if line:
            geometry = _line(geometry)
            geometry = {{"in_width": "n_in", "out_width": "n_out"}.get(key, key): value for key, value in geometry.items()}
        shape: Shape = (*places, wire.shape[-1])[1 if line else 0:]
        low, high = int(wire.low.min()), int(wire.high.max())
        number = Fixed.holding(low, high)
        if any(window.pads) and not number.signed:
            # Around the map hls4ml puts the number whose top bit alone is set: the smallest of a signed type.
            number = Fixed.holding(-1, high)
            self._append(f"{window.name}_in", "Activation", (wire.layer,), wire.shape, attributes={"activation": "linear"},
                         types={"result": str(number)})
            wire = replace(wire, layer=f"{window.name}_in")
        geometry["count_pad"] = False
        self._append(node.name, f"MaxPooling{1 if line else 2}D", (wire.layer,), shape, attributes=geometry,
                     types={"result": str(number), "accum": str(number)})
        self._done(node, replace(wire, layer=node.name, shape=shape))

    # --- joins and functions -------------------------------------------------------------------------------------------------

    def _thresholding(self, node: Thresholding) -> None:
        self._finish(node, node.name, node.thresholds, self.wires[node.inputs[0]])

    def _requantise(self, node: Requantise) -> None:
        wire = self.wires[node.inputs[0]]
        # (m * (step * seen + offset) + a) >> shift
        form = Affine(node.multiplier * wire.step, node.shift, node.addend + node.multiplier * wire.offset, node.shift, "TRN")
        self._done(node, self._cast(node.name, wire, form, node.low, node.high))

    def _add(self, node: Add) -> None:
        terms = [self._term(node, index) for index in range(len(node.inputs))]
        made = self._chain(node, terms, "add", lambda one, two: (one.low + two.low, one.high + two.high, one.offset + two.offset))
        self._finish(node, node.name, node.thresholds, made)

    def _term(self, node: Add, index: int) -> Wire:
        """Input ``index`` times its coefficient and step."""
        wire, factor = self.wires[node.inputs[index]], node.coefficients[index]
        if wire.step * factor == 1:
            return wire
        made = self._scaled(wire, f"{node.name}_in{index}", np.full(1, wire.step * factor), _NONE, 0)
        return replace(made, offset=wire.offset * factor)

    def _multiply(self, node: Multiply) -> None:
        terms = [self._plain(self.wires[name], f"{node.name}_in{index}") for index, name in enumerate(node.inputs)]

        def reach(one: Wire, two: Wire) -> tuple[IntArray, IntArray, IntArray]:
            ends = np.stack(np.broadcast_arrays(*(a * b for a in (one.low, one.high) for b in (two.low, two.high))))
            return ends.min(axis=0), ends.max(axis=0), _NONE

        self._finish(node, node.name, node.thresholds, self._chain(node, terms, "multiply", reach))

    def _chain(self, node: Node, terms: list[Wire], op: str,
               reach: Callable[[Wire, Wire], tuple[IntArray, IntArray, IntArray]]) -> Wire:
        made = terms[0]
        for index, term in enumerate(terms[1:], start=1):
            low, high, offset = reach(made, term)
            name = node.name if index == len(terms) - 1 else f"{node.name}_{index}"
            kind = str(Fixed.holding(int(low.min()), int(high.max())))
            self._append(name, "Merge", (made.layer, term.layer), made.shape, attributes={"op": op}, types={"result": kind})
            made = Wire(name, made.shape, 1, offset, low, high)
        return made

    def _concat(self, node: Concat) -> None:
        terms = [self._plain(self.wires[name], f"{node.name}_in{index}") for index, name in enumerate(node.inputs)]
        made = terms[0]
        for index, term in enumerate(terms[1:], start=1):
            name = node.name if index == len(terms) - 1 else f"{node.name}_{index}"
            low = np.concatenate([np.broadcast_to(wire.low, wire.shape[-1]) for wire in (made, term)])
            high = np.concatenate([np.broadcast_to(wire.high, wire.shape[-1]) for wire in (made, term)])
            shape = (*made.shape[:-1], made.shape[-1] + term.shape[-1])
            kind = str(Fixed.holding(int(low.min()), int(high.max())))
            self._append(name, "Concatenate", (made.layer, term.layer), shape,
                         attributes={"axis": len(shape), "op": f"concatenate{len(shape)}d"}, types={"result": kind})
            made = Wire(name, shape, 1, _NONE, low, high)
        self._done(node, made)


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


def _where(node: Node) -> str:
    return node.source[-1] if node.source else node.name


def _wire(layer: str, shape: Shape, step: int, offset: int, limits: tuple[int, int]) -> Wire:
    """A wire whose values lie within ``limits``."""
    low, high = ((np.full(1, end) - offset) // step for end in limits)
    return Wire(layer, shape, step, np.full(1, offset), low, high)


def _saturating(low: int, high: int) -> Fixed | None:
    """The integer type that saturates at ``low`` and ``high``, or None."""
    exact = Fixed.holding(low, high)
    kinds = (replace(exact, saturation=mode) for mode in ("SAT", "SAT_SYM"))
    return next((kind for kind in kinds if kind.limits == (low, high)), None)


def _folded(form: Affine | None, thresholds: Thresholds | None) -> Fixed | None:
    """Type of a layer whose own cast is the activation: nothing is multiplied but by -1, which its weights take."""
    if form is None or thresholds is None or form.bias_bits or form.scale_bits or (np.abs(form.scale) != 1).any():
        return None
    low = 0 if thresholds.step == 2 else thresholds.base
    return _saturating(low, low + thresholds.levels)


def _spread(values: IntArray, wire: Wire) -> IntArray:
    """One value per channel."""
    return np.broadcast_to(values, (wire.shape[-1],))


def _tiled(wire: Wire, size: int) -> Wire:
    """``wire`` with one offset and range per element of a vector of ``size``, channels fastest."""
    def tile(values: IntArray) -> IntArray:
        return np.tile(values, size // values.size)

    return replace(wire, offset=tile(wire.offset), low=tile(wire.low), high=tile(wire.high))


def _reach(weights: IntArray, wire: Wire) -> Span:
    """Exact smallest and largest product of each row."""
    from hw_flow.frontend.spans import ranges

    vector = _tiled(wire, weights.shape[1])
    return ranges(weights, vector.low, vector.high)


def _weight_type(weights: IntArray) -> str:
    """Binary and ternary weights get the type by which hls4ml multiplies without a multiplier."""
    low, high = int(weights.min()), int(weights.max())
    return "int<2>" if low >= -1 and high <= 1 else str(Fixed.holding(low, high))


def _geometry(window: SlidingWindow, shape: Shape, places: tuple[int, int]) -> dict[str, Any]:
    high, wide = (shape[0], shape[1]) if len(shape) == 3 else (1, shape[0])
    top, left, bottom, right = window.pads
    return {"in_height": high, "in_width": wide, "out_height": places[0], "out_width": places[1], "filt_height": window.kernel[0],
            "filt_width": window.kernel[1], "stride_height": window.stride[0], "stride_width": window.stride[1], "pad_top": top,
            "pad_bottom": bottom, "pad_left": left, "pad_right": right}


def _line(geometry: dict[str, Any]) -> dict[str, Any]:
    """Of a two-dimensional geometry what a sequence has."""
    lost = ("in_height", "out_height", "filt_height", "pool_height", "stride_height", "pad_top", "pad_bottom")
    return {key: value for key, value in geometry.items() if key not in lost}
