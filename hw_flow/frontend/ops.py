"""Element-wise operators, each as a function of the real number that a QONNX file describes.

A frame is flattened to ``E`` elements, so that reshapes vanish and every parameter is a vector of
``[1]`` or ``[E]``. Each operator can be evaluated in three ways:

* ``approx``   float64 ``[B, E]`` with a running bound on the distance to the exact real value,
* ``exact``    one element in rational arithmetic, for values too near a rounding boundary,
* ``interval`` bounds ``[lo, hi]`` on what float32 execution may have computed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hw_flow.frontend.numeric import TINY32, U32, Const, fits32, grow, product, quotient, sqrt_fraction, total
from hw_flow.ir.tensor import FloatArray

Pair = tuple[FloatArray, FloatArray]
Fractions = tuple[Fraction, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Op(ABC):
    """One element-wise operator; ``node`` is the ONNX node that it comes from."""

    node: str

    @abstractmethod
    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        """Value and error bound."""

    @abstractmethod
    def exact(self, x: Fraction, index: int, /) -> Fraction:
        """Exact value for element ``index``."""

    @abstractmethod
    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        """Bounds on the float32 result."""

    def sign(self) -> FloatArray:
        """+1 rising, -1 falling, 0 constant, NaN unknown; ``[1]`` or ``[E]``."""
        return np.ones(1)

    @property
    def size(self) -> int:
        """1 if all elements share one function, else E."""
        return 1

    @property
    def strict(self) -> bool:
        """Whether different inputs always give different outputs (where the sign is not 0)."""
        return False

    def affine(self) -> tuple[Const, Const] | None:
        """``(scale, offset)`` if the operator is ``x * scale + offset``."""
        return None

    def one_jump(self, lo: FloatArray, hi: FloatArray, /) -> np.ndarray | None:
        """Where bounds on the input leave open just which side of one jump of the result is taken; None if it has no jumps."""
        del lo, hi
        return None


def widen(lo: FloatArray, hi: FloatArray, exact: np.ndarray) -> Pair:
    """Add one float32 rounding to bounds of a result, except where it is known to be exact."""
    slack = np.where(exact, 0.0, U32 * (1 + U32) * np.maximum(np.abs(lo), np.abs(hi)) + TINY32)
    return lo - slack, hi + slack


def scaled(lo: FloatArray, hi: FloatArray, exact: np.ndarray, by: Const) -> Pair:
    """As `widen`, for a product with or quotient by a parameter that float32 may have to round first."""
    held = fits32(by.value) & (by.delta == 0)
    lo, hi = widen(lo, hi, exact & held)
    return (lo, hi) if held.all() else widen(lo, hi, held)


@dataclass(frozen=True, eq=False, kw_only=True)
class Mul(Op):
    """``x * by``."""

    by: Const

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        y, residual = product(x, self.by.value)
        spread = e * (np.abs(self.by.value) + self.by.delta) + np.abs(x) * self.by.delta
        return y, grow(spread + np.abs(residual))

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        return x * self.by.at(index)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        (a, residual), b = product(lo, self.by.value), hi * self.by.value
        exact = (lo == hi) & (residual == 0) & fits32(a)
        return scaled(np.minimum(a, b), np.maximum(a, b), exact, self.by)

    def sign(self) -> FloatArray:
        return np.sign(self.by.value)

    @property
    def size(self) -> int:
        return self.by.size

    @property
    def strict(self) -> bool:
        return True

    def affine(self) -> tuple[Const, Const]:
        return self.by, Const.of(0.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Div(Op):
    """``x / by``."""

    by: Const

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        y, residual = quotient(x, self.by.value)
        return y, grow((e + np.abs(y) * self.by.delta) / np.abs(self.by.value) + residual)

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        return x / self.by.at(index)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        (a, residual), b = quotient(lo, self.by.value), hi / self.by.value
        exact = (lo == hi) & (residual == 0) & fits32(a)
        return scaled(np.minimum(a, b), np.maximum(a, b), exact, self.by)

    def sign(self) -> FloatArray:
        return np.sign(self.by.value)

    @property
    def size(self) -> int:
        return self.by.size

    @property
    def strict(self) -> bool:
        return True

    def affine(self) -> tuple[Const, Const]:
        return Const.of_fractions([1 / number for number in self.by.fractions()]), Const.of(0.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Op):
    """``x + by``."""

    by: Const

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        y, residual = total(x, self.by.value)
        return y, grow(e + self.by.delta + np.abs(residual))

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        return x + self.by.at(index)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        (a, residual), b = total(lo, self.by.value), hi + self.by.value
        held = fits32(self.by.value) & (self.by.delta == 0)
        slack = np.where(held, 0.0, U32 * np.abs(self.by.value))
        return widen(a - slack, b + slack, (lo == hi) & (residual == 0) & fits32(a) & held)

    @property
    def size(self) -> int:
        return self.by.size

    @property
    def strict(self) -> bool:
        return True

    def affine(self) -> tuple[Const, Const]:
        return Const.of(1.0), self.by


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchNorm(Op):
    """``(x - mean) * gain + bias`` with ``gain = weight / sqrt(variance + epsilon)``."""

    mean: Const
    gain: Const
    bias: Const

    @staticmethod
    def build(node: str, *, weight: Const, bias: Const, mean: Const, variance: Const, epsilon: float) -> BatchNorm:
        """From ONNX parameters; the gain is kept to 256 bits, so that no rounding boundary is missed."""
        size = max(weight.size, variance.size)
        roots = {}
        gains = []
        for index in range(size):
            under = variance.at(index) + Fraction(epsilon)
            if under not in roots:
                roots[under] = sqrt_fraction(under)
            gains.append(weight.at(index) / roots[under])
        return BatchNorm(node=node, mean=mean, gain=Const.of_fractions(gains), bias=bias)

    def _parts(self) -> tuple[Add, Mul, Add]:
        minus = Const(-self.mean.value, self.mean.delta)
        return Add(node=self.node, by=minus), Mul(node=self.node, by=self.gain), Add(node=self.node, by=self.bias)

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        for part in self._parts():
            x, e = part.approx(x, e)
        return x, e

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        return (x - self.mean.at(index)) * self.gain.at(index) + self.bias.at(index)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        gain, mean, bias = self.gain.value, self.mean.value, self.bias.value
        a, b = (lo - mean) * gain + bias, (hi - mean) * gain + bias
        # Kernels compute x * gain + (bias - mean * gain) or the textbook form; ten roundings cover either.
        size = (np.maximum(np.abs(lo), np.abs(hi)) + np.abs(mean)) * np.abs(gain) + np.abs(bias)
        slack = 10 * U32 * size + TINY32
        return np.minimum(a, b) - slack, np.maximum(a, b) + slack

    def sign(self) -> FloatArray:
        return np.sign(self.gain.value)

    @property
    def size(self) -> int:
        return max(self.mean.size, self.gain.size, self.bias.size)

    @property
    def strict(self) -> bool:
        return True

    def affine(self) -> tuple[Const, Const]:
        offsets = [self.bias.at(i) - self.mean.at(i) * self.gain.at(i) for i in range(self.size)]
        return self.gain, Const.of_fractions(offsets)


def compose_affine(ops: Sequence[Op]) -> tuple[Fractions, Fractions] | None:
    """Exact ``(scale, offset)`` per element of a chain, or None if it is not affine."""
    scale: Fractions = (Fraction(1),)
    offset: Fractions = (Fraction(0),)
    for op in ops:
        step = op.affine()
        if step is None:
            return None
        by, plus = step[0].fractions(), step[1].fractions()
        scale = spread(lambda a, b: a * b, scale, by)
        offset = spread(lambda a, b: a + b, spread(lambda a, b: a * b, offset, by), plus)
    return scale, offset


def spread(function: Callable[[Fraction, Fraction], Fraction], a: Fractions, b: Fractions) -> Fractions:
    """Combine per-element rationals of length 1 or E."""
    size = max(len(a), len(b))
    if size == 1:
        return (function(a[0], b[0]),)
    return tuple(function(a[i % len(a)], b[i % len(b)]) for i in range(size))
