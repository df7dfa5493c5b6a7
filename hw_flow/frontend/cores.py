"""What stands in the middle of a region: linear operators, pools, joins and moves.

Each core computes on frames of streams ``[N, *shape]``, channels last, in two ways: exactly on integers, and as bounds on QONNX's
float32 execution of the real values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from hw_flow.frontend import sums
from hw_flow.frontend.numeric import fits32, product, total
from hw_flow.frontend.ops import Pair, widen
from hw_flow.frontend.weights import Weights
from hw_flow.ir import Concat, Node, Reorder, Slice, SlidingWindow
from hw_flow.ir.nodes import Shape, matmul
from hw_flow.ir.spatial import PoolKind
from hw_flow.ir.tensor import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Core(ABC):
    """Base of all cores; ``node`` is the ONNX node behind it."""

    node: str

    @abstractmethod
    def integers(self, *sources: IntArray) -> IntArray:
        """Exact result for integers."""

    @abstractmethod
    def interval(self, *sources: Pair) -> Pair:
        """Bounds on the float32 result for bounds on the real values."""

    @abstractmethod
    def shape(self, *shapes: Shape) -> Shape:
        """Stream frame of the result."""

    @property
    def activates(self) -> bool:
        """Whether thresholds can follow in the same node of the graph."""
        return False


@dataclass(frozen=True, eq=False)
class Linear(Core):
    """A matrix product, on windows or on vectors: a convolution or a dense layer.

    Attributes
    ----------
    weights : the file's, columns in the order of the stream.
    window : what gathers the vectors of a convolution; None where the stream has them already. Its pad value is the integer that
        stands for 0.
    factors : int64 ``[MW]``; per-channel scales as integers, multiplied into the weights.
    groups : convolution groups. Weights of other groups are zero here.
    """

    weights: Weights
    window: SlidingWindow | None = None
    factors: IntArray | None = None
    groups: int = 1

    @property
    def matrix(self) -> IntArray:
        """Weights of the hardware, int64 ``[MH, MW]``."""
        return self.weights.values if self.factors is None else self.weights.values * self.factors

    @property
    def activates(self) -> bool:
        return True

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        mh, mw = self.weights.values.shape
        if self.window is not None:
            return (*self.window.positions(source), mh)
        axis = next(axis for axis in range(len(source) - 1, -1, -1) if prod(source[axis:]) == mw)
        return (*source[:axis], mh)

    def integers(self, *sources: IntArray) -> IntArray:
        (x,) = sources
        shape = self.shape(x.shape[1:])
        vectors = (x if self.window is None else self.window.golden(x)).reshape(len(x), -1, self.matrix.shape[1])
        return matmul(vectors, self.matrix.T).reshape(len(x), *shape)

    def interval(self, *sources: Pair) -> Pair:
        ((lo, hi),) = sources
        shape = (len(lo), *self.shape(lo.shape[1:]))
        real = self.weights.values * self.weights.scale.value[:, None]
        if self.window is not None:
            around = replace(self.window, pad_value=0)
            lo, hi = _floats(around, lo), _floats(around, hi)
        vectors = (shape[0], -1, real.shape[1])
        low, high = sums.matmul(real, lo.reshape(vectors), hi.reshape(vectors))
        return low.reshape(shape), high.reshape(shape)


@dataclass(frozen=True, eq=False)
class Depthwise(Core):
    """A convolution of each channel on its own, with weights ``[C, K]``."""

    weights: Weights
    window: SlidingWindow

    @property
    def activates(self) -> bool:
        return True

    def shape(self, *shapes: Shape) -> Shape:
        return (*self.window.positions(shapes[0]), shapes[0][-1])

    def _taps(self, x: np.ndarray, pad: int) -> np.ndarray:
        channels, taps = self.weights.values.shape
        found = replace(self.window, pad_value=pad).golden(x)
        return found.reshape(*found.shape[:-1], taps, channels)

    def integers(self, *sources: IntArray) -> IntArray:
        exact: IntArray = (self._taps(sources[0], self.window.pad_value) * self.weights.values.T).sum(axis=-2)
        return exact

    def interval(self, *sources: Pair) -> Pair:
        ((lo, hi),) = sources
        real = (self.weights.values * self.weights.scale.value[:, None]).T
        return sums.depthwise(real, self._taps(lo, 0), self._taps(hi, 0))


@dataclass(frozen=True, eq=False)
class Pooling(Core):
    """Largest element or mean of each channel under a window; without one, over the whole frame.

    The integers of a mean are sums.
    """

    kind: PoolKind
    window: SlidingWindow | None

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        return (*((1, 1) if self.window is None else self.window.positions(source)), source[-1])

    def _taps(self, x: np.ndarray, pad: float) -> np.ndarray:
        """``[N, OH, OW, K, C]``."""
        if self.window is None:
            return x.reshape(len(x), 1, 1, -1, x.shape[-1])
        top, left, bottom, right = self.window.pads
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=pad)
        found = replace(self.window, pads=(0, 0, 0, 0)).golden(padded)
        return found.reshape(*found.shape[:-1], self.window.taps, x.shape[-1])

    def integers(self, *sources: IntArray) -> IntArray:
        (x,) = sources
        if self.kind == "max":
            most: IntArray = self._taps(x, int(x.min())).max(axis=-2)
            return most
        sum_: IntArray = self._taps(x, 0 if self.window is None else self.window.pad_value).sum(axis=-2)
        return sum_

    def interval(self, *sources: Pair) -> Pair:
        ((lo, hi),) = sources
        if self.kind == "max":
            return self._taps(lo, -np.inf).max(axis=-2), self._taps(hi, -np.inf).max(axis=-2)
        return sums.mean(self._taps(lo, 0.0), self._taps(hi, 0.0), -2)


class _Elementwise(Core):
    """Streams of one shape to a stream of that shape."""

    @property
    def activates(self) -> bool:
        return True

    def shape(self, *shapes: Shape) -> Shape:
        return shapes[0]


@dataclass(frozen=True, eq=False)
class Sum(_Elementwise):
    """Two streams added: ``coefficients`` bring the integers to one scale, ``signs`` are those of the file's operator."""

    coefficients: tuple[int, int]
    signs: tuple[int, int] = (1, 1)

    def integers(self, *sources: IntArray) -> IntArray:
        one, other = (factor * x for factor, x in zip(self.coefficients, sources, strict=True))
        exact: IntArray = one + other
        return exact

    def interval(self, *sources: Pair) -> Pair:
        (a, b), (c, d) = ((lo, hi) if sign > 0 else (-hi, -lo) for sign, (lo, hi) in zip(self.signs, sources, strict=True))
        (low, residual), high = total(a, c), b + d
        return widen(low, high, (low == high) & (residual == 0) & fits32(low))


@dataclass(frozen=True, eq=False)
class Product(_Elementwise):
    """Two streams multiplied."""

    def integers(self, *sources: IntArray) -> IntArray:
        exact: IntArray = sources[0] * sources[1]
        return exact

    def interval(self, *sources: Pair) -> Pair:
        (a, b), (c, d) = sources
        (first, residual), *others = product(a, c), a * d, b * c, b * d
        low, high = (function.reduce([first, *others]) for function in (np.minimum, np.maximum))
        return widen(low, high, (low == high) & (residual == 0) & fits32(low))


@dataclass(frozen=True, eq=False)
class Move(Core):
    """Elements in other places: the graph's node itself says where; ``around`` is the number that padding puts."""

    by: Concat | Slice | Reorder | SlidingWindow
    around: float = 0.0

    def shape(self, *shapes: Shape) -> Shape:
        return self.by.shape(*shapes)

    def integers(self, *sources: IntArray) -> IntArray:
        return self.by.golden(*sources)

    def interval(self, *sources: Pair) -> Pair:
        by: Any = self.by
        if isinstance(by, SlidingWindow):
            by = replace(by, pad_value=self.around)  # type: ignore[arg-type]  # real numbers here
        low, high = (_floats(by, *ends) for ends in zip(*sources, strict=True))
        return low, high


def _floats(node: Node, *x: FloatArray) -> FloatArray:
    """What a node that only moves elements makes of floats."""
    golden: Any = node.golden
    moved: FloatArray = golden(*x)
    return moved
