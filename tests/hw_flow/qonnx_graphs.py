"""Random small QONNX networks with every operator that the front end claims to take, for tests of the whole chain.

``random_graph(seed)`` gives one network: maps or sequences, convolutions, pools, branches, all activations and quantisers, moves
of elements, and ways to end. ``Network.operators`` says what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.hw_flow.qonnx_elements import MODES
from tests.hw_flow.qonnx_moves import Moves
from tests.hw_flow.qonnx_random import QONNX, frames


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
class Maker(Moves):
    """Grows a network at ``head``: layers, pools, branches and ends."""

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
        kind = self.pick(["GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax"])
        if kind.startswith("Reduce"):
            axes = list(range(2, len(self.frame) + 1))
            if self.opset >= 18:
                self.then(kind, self.constant(axes, np.int64), keepdims=1)
            else:
                self.then(kind, axes=axes, keepdims=1)
        else:
            self.then(kind)
        self.frame = (self.channels, *[1] * (len(self.frame) - 1))
        if "Max" not in kind:
            self.quantise()

    # --- branches ------------------------------------------------------------------------------------------------------------

    def branches(self) -> None:
        """Two branches of the same frame, then Add, Sub, Mul or Concat."""
        kind = self.pick(["Add", "Add", "Sum", "Sub", "Mul", "Concat"])
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

    def enlarge(self) -> None:
        """A layer, then a map of another size: channels become positions or the reverse, or positions repeat."""
        if len(self.frame) < 3 or max(self.frame[1:]) > 6:
            self.layer()
            return
        self.conv(4)
        self.between()
        self.quantise()
        _, high, wide = self.frame
        if high % 2 == wide % 2 == 0 and self.chance(0.3):
            self.space_to_depth()
        elif self.channels % 4 == 0 and self.chance(0.5):
            self.depth_to_space()
        else:
            self.resize()

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
                self.then(self.pick(["Softmax", "LogSoftmax"]), axis=1 if len(self.frame) == 1 else -1)
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
    b = Maker(rng, opset=int(rng.choice([9, 10, 11, 13, 13, 17, 18])), two=two)
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
        steps = [b.layer, b.layer, b.layer, b.branches, b.branches, b.move, b.move, b.pool, b.excite, b.enlarge]
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
