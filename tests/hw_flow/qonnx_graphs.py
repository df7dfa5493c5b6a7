"""Random small QONNX networks with every operator that the front end claims to take, for tests of the whole chain.

``random_graph(seed)`` gives one network: maps or sequences, convolutions, pools, branches, all activations and quantisers, moves
of elements, and ways to end. ``Network.operators`` says what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.hw_flow.qonnx_random import QONNX, Builder, frames

CUSTOM = frozenset({"Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Trunc"})
MODES = ("ROUND", "ROUND", "ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN", "ROUND_TO_ZERO")
SMOOTH = ("Sigmoid", "Tanh", "SiLU", "Gelu", "Erf", "Softplus", "Elu", "Selu", "Celu", "HardSwish", "Mish", "Softsign")
PIECEWISE = ("Relu", "Relu", "LeakyRelu", "PRelu", "Clip", "HardSigmoid", "Abs", "Max", "Min", "Floor", "Neg", "none")


@dataclass(frozen=True)
class Network:
    """A random network, how its input is to be declared, and the seed of its samples."""

    model: onnx.ModelProto
    frame: tuple[int, ...]
    input_type: str | None
    input_scale: float | None
    seed: int
    operators: frozenset[str]

    def save(self, path: Any) -> None:
        """Write the ONNX file."""
        onnx.save(self.model, str(path))

    def samples(self, count: int) -> np.ndarray:
        """Input frames ``[count, *frame]``: integers if the input is declared, else floats."""
        return frames(self.seed, (count, *self.frame), self.input_type)


@dataclass
class Maker(Builder):
    """Grows a network at ``head``; ``frame`` is its shape without the batch, channels first."""

    frame: tuple[int, ...] = ()
    opset: int = 13
    two: bool = False
    scale: float = 1.0
    used: set[str] = field(default_factory=set)

    # --- helpers -------------------------------------------------------------------------------------------------------------

    def pick(self, options: Sequence[Any]) -> Any:
        """One of ``options``."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        """True with ``probability``."""
        return bool(self.rng.random() < probability)

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> list[str]:
        """Add a node; returns its outputs."""
        names = [f"t{len(self.nodes)}_{index}" for index in range(outputs)]
        domain = QONNX if op in CUSTOM else ""
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}_{len(self.nodes)}", domain=domain, **attributes))
        self.used.add(op)
        return names

    @property
    def channels(self) -> int:
        """Channels of the frame."""
        return self.frame[0]

    def number(self, shape: Sequence[int], size: float = 1.0) -> np.ndarray:
        """Random parameters; eighths where everything is a power of two."""
        value = self.rng.normal(size=shape) * size
        return np.round(value * 8) / 8 if self.two else value

    def factor(self, shape: Sequence[int] = ()) -> np.ndarray:
        """Random positive scales."""
        return 2.0 ** self.rng.integers(-4, 1, shape) if self.two else np.float32(self.rng.uniform(0.05, 1.0, shape))

    def per_channel(self, values: np.ndarray) -> np.ndarray:
        """``[C]`` shaped to broadcast along the channels."""
        return values.reshape(-1, *[1] * (len(self.frame) - 1))

    # --- quantisers ----------------------------------------------------------------------------------------------------------

    def quantise(self, *, scale: float | None = None, plain: bool = False) -> None:
        """A quantiser with one scale; ``plain`` for one whose zero is a level."""
        scale = float(self.factor()) if scale is None else scale
        self.scale = scale
        kind = "Quant" if plain else self.pick(["Quant"] * 6 + ["BipolarQuant", "MultiThreshold", "Trunc", "QDQ"])
        match kind:
            case "BipolarQuant":
                self.then("BipolarQuant", self.constant(scale))
            case "MultiThreshold":
                rows = self.pick([1, self.channels])
                steps = np.sort(self.number([rows, self.pick([1, 3, 7])]), axis=1)
                if steps.shape[1] == 1 and self.chance(0.5):
                    self.then("MultiThreshold", self.constant(steps), out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0,
                              data_layout={1: "NC", 2: "NCW", 3: "NCHW"}[len(self.frame)])
                    return
                layout = {1: "NC", 2: "NCW", 3: "NCHW"}[len(self.frame)]
                self.then("MultiThreshold", self.constant(steps), out_dtype=f"UINT{steps.shape[1].bit_length()}", out_scale=scale,
                          data_layout=layout)
            case "Trunc":
                bits, less = self.pick([4, 6, 8]), self.pick([1, 2])
                signed = self.pick([0, 1])
                self.head = self.quant(self.head, scale, bits, signed=bool(signed))
                values = (scale, 0.0, float(bits), scale * 2.0**less, float(bits - less))
                self.then("Trunc", *(self.constant(value) for value in values),
                          rounding_mode=self.pick(["FLOOR", "ROUND", "CEIL"]), signed=signed, narrow=0)
                self.scale = scale * 2.0**less
            case "QDQ":
                signed = self.chance(0.5)
                zero = self.constant(0, np.int8) if signed else self.constant(self.pick([0, 3, 128]), np.uint8)
                step = self.constant(scale)
                self.then("QuantizeLinear", step, zero)
                if self.chance(0.3) and self.opset >= 13:
                    low, high = (-4, 3) if signed else (0, 15)
                    kind = np.int8 if signed else np.uint8
                    self.then("Clip", self.constant(low, kind), self.constant(high, kind))
                self.then("DequantizeLinear", step, zero)
            case _:
                bits = self.pick([1, 2, 3, 4, 4, 5, 8] if not plain else [2, 3, 4, 5, 8])
                zero = 0.0 if plain or bits == 1 else self.pick([0.0, 0.0, 0.0, 1.0, 2.0, -3.0])
                self.head = self.quant(self.head, scale, bits, zero=zero, signed=self.chance(0.5),
                                       narrow=bits > 1 and self.chance(0.3), mode=self.pick(MODES))
                if self.chance(0.1):
                    self.nodes[-1].op_type = "IntQuant"
                    self.used.add("IntQuant")
                if self.chance(0.1):
                    self.then(self.pick(["Relu", "Abs"]))  # the integers stay on their grid, no other quantiser follows

    def weights(self, shape: Sequence[int]) -> str:
        """Quantised weights ``[MH, ...]``."""
        kind = self.pick(["BIPOLAR", "TERNARY", "INT2", "INT3", "INT4", "INT8", "PLAIN", "DQ"])
        scale = self.factor([shape[0], *[1] * (len(shape) - 1)] if self.chance(0.3) else ())
        if kind == "PLAIN":
            return self.constant(self.rng.integers(-3, 4, shape))
        if kind == "DQ":
            whole = self.constant(self.rng.integers(-7, 8, shape), np.int8)
            return self.node("DequantizeLinear", [whole, self.constant(float(self.factor())), self.constant(0, np.int8)])[0]
        if kind == "BIPOLAR":
            return self.node("BipolarQuant", [self.constant(self.rng.normal(size=shape)), self.constant(scale)])[0]
        bits = 2 if kind == "TERNARY" else int(kind[3:])
        raw = self.rng.normal(size=shape) * 2.0 ** (bits - 2) * np.broadcast_to(scale, shape)
        return self.quant(self.constant(raw), scale, bits, narrow=kind == "TERNARY" or self.chance(0.5))

    # --- layers --------------------------------------------------------------------------------------------------------------

    def conv(self, outputs: int | None = None, *, same: bool = False) -> None:
        """A convolution; ``same`` keeps the frame."""
        space, channels = self.frame[1:], self.channels
        depthwise = self.chance(0.25)
        groups = channels if depthwise else self.pick([g for g in (1, 1, 1, 2, 3) if channels % g == 0])
        outputs = channels * self.pick([1, 1, 2]) if depthwise and outputs is None else outputs or groups * self.pick([1, 2, 3])
        groups = groups if outputs % groups == 0 else 1
        kernel = [self.pick([1, 3]) if same else self.pick([1, 2, 3]) for _ in space]
        dilation = [1 if same else self.pick([1, 1, 1, 2]) for _ in space]
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        if same:
            before = after = [k // 2 for k in kernel]
        else:
            before = [self.pick([0, 0, 1]) if span > 1 else 0 for span in spans]
            after = [self.pick([0, pad, 1]) if span > 1 else 0 for pad, span in zip(before, spans, strict=True)]
        sizes = [size + a + b for size, a, b in zip(space, before, after, strict=True)]
        if any(size < span for size, span in zip(sizes, spans, strict=True)):
            kernel, dilation, spans = [1] * len(space), [1] * len(space), [1] * len(space)
            before = after = [0] * len(space)
            sizes = list(space)
        stride = [1 if same else self.pick([1, 1, 2, 3]) for _ in space]
        operands = [self.weights([outputs, channels // groups, *kernel])]
        if self.chance(0.3):
            operands.append(self.constant(self.number([outputs])))
        if any(before + after) and self.chance(0.15) and self.opset >= 11:
            pads = self.constant([0, 0, *before, 0, 0, *after], np.int64)
            self.then("Pad", pads, self.constant(0.0))
            before = after = [0] * len(space)
        self.then("Conv", *operands, kernel_shape=kernel, strides=stride, dilations=dilation, group=groups,
                  pads=[*before, *after])
        self.frame = (outputs, *((size - span) // step + 1 for size, span, step in zip(sizes, spans, stride, strict=True)))

    def between(self) -> None:
        """Bias, normalisation and activation, all optional."""
        width = self.channels
        if self.chance(0.3):
            self.then("Add", self.constant(self.per_channel(self.number([width]))))
        match self.pick(["none", "affine"] if self.two else ["none", "affine", "norm", "norm"]):
            case "affine":
                signs = self.rng.choice([-1.0, 1.0, 1.0], width)
                self.then("Mul", self.constant(self.per_channel(signs * self.factor([width]))))
                self.then("Sub", self.constant(self.per_channel(self.number([width]))))
            case "norm":
                values = (self.rng.normal(size=width), self.rng.normal(size=width), self.rng.normal(size=width) * 3,
                          self.rng.uniform(0.1, 20, width))
                self.then("BatchNormalization", *(self.constant(value) for value in values), epsilon=1e-5)
        self.activation(self.pick(PIECEWISE if self.two or self.chance(0.5) else SMOOTH))

    def activation(self, kind: str) -> None:
        """One activation function by name."""
        match kind:
            case "none":
                return
            case "SiLU":
                gate = self.node("Sigmoid", [self.head])[0]
                self.then("Mul", gate)
            case "Gelu":
                inner = self.node("Erf", [self.node("Div", [self.head, self.constant(2.0**0.5)])[0]])[0]
                outer = self.node("Add", [inner, self.constant(1.0)])[0]
                self.then("Mul", outer)
                self.then("Mul", self.constant(0.5))
            case "Mish":
                self.then("Mul", self.node("Tanh", self.node("Softplus", [self.head]))[0])
            case "HardSwish" if self.opset < 14:
                self.then("Mul", self.node("HardSigmoid", [self.head], alpha=1 / 6, beta=0.5)[0])
            case "Celu" if self.opset < 12:
                self.then("Elu", alpha=0.5)
            case "PRelu":
                self.then("PRelu", self.constant(self.per_channel(np.abs(self.number([self.channels])))))
            case "LeakyRelu":
                self.then("LeakyRelu", alpha=0.125 if self.two else 0.1)
            case "HardSigmoid":
                self.then("HardSigmoid", alpha=0.25, beta=0.5)
            case "Clip":
                if self.opset < 11:
                    self.then("Clip", min=-1.0, max=0.75)
                else:
                    self.then("Clip", self.constant(-1.0), self.constant(0.75))
            case "Max" | "Min":
                self.then(kind, self.constant(self.per_channel(self.number([self.channels]))))
            case _:
                self.then(kind)
        self.used.add(kind)

    def layer(self) -> None:
        """A convolution with all that follows."""
        self.conv()
        self.between()
        self.quantise()

    def pool(self) -> None:
        """A pool on quantised data, then a quantiser if it averages."""
        space = self.frame[1:]
        if min(space) < 2:
            return
        kernel = [self.pick([2, 2, 3]) if size > 2 else 2 for size in space]
        stride = [self.pick([1, 2]) for _ in space]
        pads = [self.pick([0, 0, 0, 1]) for _ in range(2 * len(space))]
        kind = self.pick(["MaxPool", "MaxPool", "AveragePool"])
        extra: dict[str, Any] = {} if kind == "MaxPool" else {"count_include_pad": int(any(pads))}
        if self.opset >= 11 and not any(pads) and self.chance(0.2):
            extra["ceil_mode"] = 1
        self.then(kind, kernel_shape=kernel, strides=stride, pads=pads, **extra)
        after = (size + pads[i] + pads[i + len(space)] for i, size in enumerate(space))
        up = [s - 1 if "ceil_mode" in extra else 0 for s in stride]
        self.frame = (self.channels, *((size - k + u) // s + 1 for size, k, s, u in zip(after, kernel, stride, up, strict=True)))
        if kind == "AveragePool":
            self.quantise()

    def global_pool(self) -> None:
        """One number per channel."""
        kind = self.pick(["GlobalAveragePool", "GlobalMaxPool", "ReduceMean"])
        if kind == "ReduceMean":
            axes = list(range(2, len(self.frame) + 1))
            if self.opset >= 18:
                self.then("ReduceMean", self.constant(axes, np.int64), keepdims=1)
            else:
                self.then("ReduceMean", axes=axes, keepdims=1)
        else:
            self.then(kind)
        self.frame = (self.channels, *[1] * (len(self.frame) - 1))
        if kind != "GlobalMaxPool":
            self.quantise()

    # --- branches ------------------------------------------------------------------------------------------------------------

    def branches(self) -> None:
        """Two branches of the same frame, then Add, Sub, Mul or Concat."""
        kind = self.pick(["Add", "Add", "Sub", "Mul", "Concat"])
        start, frame, scale = self.head, self.frame, float(self.factor())
        self.conv(frame[0], same=True)
        self.between()
        self.quantise(scale=scale, plain=True)
        one, ours = self.head, self.frame
        self.head, self.frame = start, frame
        if self.chance(0.6):
            self.conv(frame[0], same=True)
            self.between()
        again = scale * self.pick([1.0, 1.0, 0.5, 4.0] if kind != "Concat" or self.chance(0.3) else [1.0])
        self.quantise(scale=again, plain=True)
        operands = [one, self.head] if self.chance(0.5) else [self.head, one]
        if kind == "Concat":
            self.head = self.node("Concat", operands, axis=1)[0]
            self.frame = (2 * ours[0], *ours[1:])
            if again != scale:
                self.quantise()
        else:
            self.head = self.node(kind, operands)[0]
            if self.chance(0.7):
                self.between()
            self.quantise()

    def excite(self) -> None:
        """A map times one factor per channel that follows from all of it (squeeze and excitation)."""
        start, frame = self.head, self.frame
        self.then("GlobalAveragePool")
        self.frame = (frame[0], *[1] * (len(frame) - 1))
        self.quantise(plain=True)
        self.conv(frame[0], same=True)
        self.then("HardSigmoid", alpha=0.25, beta=0.5)
        self.quantise(plain=True)
        self.head = self.node("Mul", [start, self.head])[0]
        self.frame = frame
        self.quantise()

    def move(self) -> None:
        """Operators that only move elements."""
        space, channels = self.frame[1:], self.channels
        kinds = ["Slice", "Split", "Identity"]
        if len(space) == 2:
            kinds += ["Resize", "Transposes"]
            kinds += ["DepthToSpace"] if channels % 4 == 0 else []
            kinds += ["SpaceToDepth"] if not space[0] % 2 and not space[1] % 2 else []
        match self.pick(kinds):
            case "Slice" if channels > 1:
                begin = int(self.rng.integers(0, channels - 1))
                if self.opset >= 10:
                    self.then("Slice", *(self.constant([value], np.int64) for value in (begin, channels, 1)))
                else:
                    self.then("Slice", starts=[begin], ends=[channels], axes=[1])
                self.frame = (channels - begin, *space)
            case "Split" if channels % 2 == 0:
                if self.opset >= 13:
                    sizes = self.constant([channels // 2, channels // 2], np.int64)
                    parts = self.node("Split", [self.head, sizes], 2, axis=1)
                else:
                    parts = self.node("Split", [self.head], 2, axis=1, split=[channels // 2, channels // 2])
                self.head = self.node("Concat", [parts[1], parts[0]], axis=1)[0]
            case "Resize" if max(space) <= 4 and self.opset >= 11:
                scales = self.constant([1.0, 1.0, 2.0, 2.0])
                self.then("Resize", self.constant(np.zeros(0)), scales, mode="nearest", nearest_mode="floor",
                          coordinate_transformation_mode="asymmetric")
                self.frame = (channels, 2 * space[0], 2 * space[1])
            case "Transposes":
                self.then("Transpose", perm=[0, 2, 3, 1])
                self.then("Transpose", perm=[0, 3, 1, 2])
            case "DepthToSpace":
                self.then("DepthToSpace", blocksize=2, mode=self.pick(["DCR", "CRD"]) if self.opset >= 11 else "DCR")
                self.frame = (channels // 4, 2 * space[0], 2 * space[1])
            case "SpaceToDepth":
                self.then("SpaceToDepth", blocksize=2)
                self.frame = (channels * 4, space[0] // 2, space[1] // 2)
            case _:
                self.then("Identity")

    # --- the ends ------------------------------------------------------------------------------------------------------------

    def dense(self) -> None:
        """Flatten, then a matrix product."""
        self.then("Flatten", axis=1)
        width, outputs = prod(self.frame), self.pick([1, 3, 5])
        if self.chance(0.5):
            bias = [self.constant(self.number([outputs]))]
            self.head = self.node("Gemm", [self.head, self.weights([outputs, width]), *bias], transB=1)[0]
        else:
            self.then("MatMul", self.node("Transpose", [self.weights([outputs, width])], perm=[1, 0])[0])
        self.frame = (outputs,)

    def end(self) -> tuple[int, tuple[int, ...]]:
        """How the network ends; returns type and frame of the output."""
        match self.pick(["none", "quantised", "affine", "softmax", "topk", "argmax"]):
            case "quantised":
                self.between()
                if self.chance(0.5):
                    self.quantise()
                else:
                    scales, zeros = (self.per_channel(value) for value in (self.factor([self.channels]),
                                                                           self.rng.integers(-2, 3, self.channels)))
                    operands = [self.constant(value) for value in (scales, zeros, 4.0)]
                    self.then("Quant", *operands, signed=self.pick([0, 1]), narrow=0, rounding_mode=self.pick(MODES))
            case "affine":
                self.then("Mul", self.constant(self.factor()))
                self.then("Add", self.constant(self.number([1])))
            case "softmax":
                self.then("Softmax", axis=1 if len(self.frame) == 1 else -1)
            case "topk" if len(self.frame) == 1 and self.opset >= 11:
                self.head = self.node("TopK", [self.head, self.constant([1], np.int64)], 2, axis=-1, largest=1, sorted=1)[1]
                return TensorProto.INT64, (1,)
            case "argmax" if len(self.frame) == 1:
                self.then("ArgMax", axis=1, keepdims=1)
                return TensorProto.INT64, (1,)
        return TensorProto.FLOAT, self.frame


def random_graph(seed: int, *, power_of_two: bool | None = None) -> Network:
    """One network for ``seed``; scales are powers of two in a third of them, or as asked."""
    rng = np.random.default_rng(seed)
    two = bool(rng.integers(3) == 0) if power_of_two is None else power_of_two
    b = Maker(rng, opset=int(rng.choice([11, 13, 13, 17])), two=two)
    rank = b.pick([1, 2, 2, 2])
    frame = (b.pick([1, 2, 3, 4]), *(b.pick([4, 5, 6]) if rank == 2 else b.pick([6, 9, 12]) for _ in range(rank)))
    b.frame = frame
    last = rank == 2 and b.chance(0.25)
    declared = b.pick([None, None, "UINT8", "BIPOLAR", "INT4"])
    scale = None if declared in (None, "BIPOLAR") else b.pick([1.0, 0.125] if two else [1.0, 0.125, 1 / 255])
    if last:
        b.then("Transpose", perm=[0, 3, 1, 2])
    if declared is None or b.chance(0.3):
        b.quantise()
    for _ in range(b.pick([1, 2, 2, 3])):
        steps = [b.layer, b.layer, b.layer, b.branches, b.branches, b.move, b.pool, b.excite]
        b.pick(steps)()
    if b.chance(0.3):
        b.global_pool()
    if b.chance(0.7) or len(b.nodes) < 2:
        b.dense()
    kind, outputs = b.end()
    shape = (*frame[1:], frame[0]) if last else frame
    return Network(_model(b, shape, kind, outputs), shape, declared, scale, seed % 2**31, frozenset(b.used))


def _model(b: Maker, frame: Sequence[int], kind: int, outputs: Sequence[int]) -> onnx.ModelProto:
    # Only the order of the axes is asked for at the output: sizes are the front end's to infer.
    graph = helper.make_graph(
        b.nodes, "random", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *frame])],
        [helper.make_tensor_value_info(b.head, kind, ["N", *outputs])], b.initialisers)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", b.opset), helper.make_opsetid(QONNX, 2)])
