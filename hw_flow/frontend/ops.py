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
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np

from hw_flow.frontend.numeric import TINY32, U32, Const, fits32, grow, product, quotient, sqrt_fraction, total
from hw_flow.ir.tensor import FloatArray

Pair = tuple[FloatArray, FloatArray]
Fractions = tuple[Fraction, ...]
_DECIMAL = Context(prec=60)
# Error of float32 Sigmoid and Tanh kernels (rational approximations), absolute: measured 2**-23, with room.
_KERNEL_ERROR = 2.0**-20


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


def widen(lo: FloatArray, hi: FloatArray, exact: np.ndarray) -> Pair:
    """Add one float32 rounding to bounds of a result, except where it is known to be exact."""
    slack = np.where(exact, 0.0, U32 * (1 + U32) * np.maximum(np.abs(lo), np.abs(hi)) + TINY32)
    return lo - slack, hi + slack


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
        exact = (lo == hi) & (residual == 0) & fits32(a) & (self.by.delta == 0)
        return widen(np.minimum(a, b), np.maximum(a, b), exact)

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
        exact = (lo == hi) & (residual == 0) & fits32(a) & (self.by.delta == 0)
        return widen(np.minimum(a, b), np.maximum(a, b), exact)

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
        exact = (lo == hi) & (residual == 0) & fits32(a) & (self.by.delta == 0)
        return widen(a, b, exact)

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


@dataclass(frozen=True, eq=False, kw_only=True)
class LeakyRelu(Op):
    """``x`` where positive, else ``x * slope``; Relu is slope 0."""

    slope: Const

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        y, residual = product(x, self.slope.value)
        low = grow(np.abs(self.slope.value) * e + np.abs(residual))
        # Near zero either branch may be the true one: the steeper slope bounds the error.
        error = np.where(x > e, e, np.where(x < -e, low, np.maximum(e * (1 + np.abs(self.slope.value)), low)))
        return np.where(x >= 0, x, y), error

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        return x if x >= 0 else x * self.slope.at(index)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        slope = self.slope.value
        low_end, high_end = (np.where(v >= 0, v, v * slope) for v in (lo, hi))
        turn = np.where((lo < 0) & (hi > 0), 0.0, low_end)
        ends = np.stack([low_end, high_end, turn])
        below, residual = product(lo, slope)
        exact = (lo >= 0) | ((lo == hi) & (residual == 0) & fits32(below)) | (slope == 0)
        return widen(ends.min(axis=0), ends.max(axis=0), exact)

    def sign(self) -> FloatArray:
        return np.where(self.slope.value >= 0, 1.0, np.nan)

    @property
    def size(self) -> int:
        return self.slope.size

    @property
    def strict(self) -> bool:
        return bool((self.slope.value > 0).all())


@dataclass(frozen=True, eq=False, kw_only=True)
class Clip(Op):
    """``min(max(x, low), high)``; either side may be infinite."""

    low: float
    high: float

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        outside = (x - self.high > e) | (self.low - x > e)
        return np.clip(x, self.low, self.high), np.where(outside, 0.0, e)

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        if x < self.low:
            return Fraction(self.low)
        return Fraction(self.high) if x > self.high else x

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        return np.clip(lo, self.low, self.high), np.clip(hi, self.low, self.high)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sigmoid(Op):
    """``1 / (1 + exp(-x))``."""

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        with np.errstate(over="ignore"):
            y = 1.0 / (1.0 + np.exp(-x))
        return y, e / 4 + 4 * 2.0**-53 * np.ones_like(x)

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        if x == 0:
            return Fraction(1, 2)
        return 1 / (1 + _exp(-x))

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        zero = np.zeros_like(lo)
        return self.approx(lo, zero)[0] - _KERNEL_ERROR, self.approx(hi, zero)[0] + _KERNEL_ERROR

    @property
    def strict(self) -> bool:
        return True


@dataclass(frozen=True, eq=False, kw_only=True)
class Tanh(Op):
    """Hyperbolic tangent."""

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        return np.tanh(x), e + 4 * 2.0**-53 * np.abs(x).clip(max=1.0)

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        if x == 0:
            return x
        square = _exp(-2 * abs(x))
        return (1 if x > 0 else -1) * (1 - square) / (1 + square)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        return np.tanh(lo) - _KERNEL_ERROR, np.tanh(hi) + _KERNEL_ERROR

    @property
    def strict(self) -> bool:
        return True


@dataclass(frozen=True, eq=False, kw_only=True)
class Power(Op):
    """``x ** exponent`` for a whole exponent of at least 2."""

    exponent: int

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        y = x**self.exponent
        slope = self.exponent * (np.abs(x) + e) ** (self.exponent - 1)
        return y, grow(slope * e + 8 * self.exponent * 2.0**-53 * np.abs(y))

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        return x**self.exponent

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        a, b = lo**self.exponent, hi**self.exponent
        low, high = np.minimum(a, b), np.maximum(a, b)
        if self.exponent % 2 == 0:
            low = np.where((lo < 0) & (hi > 0), 0.0, low)
        slack = 8 * self.exponent * U32 * high.clip(min=np.abs(low)) + TINY32
        return low - slack, high + slack

    def sign(self) -> FloatArray:
        return np.array([1.0 if self.exponent % 2 else np.nan])

    @property
    def strict(self) -> bool:
        return self.exponent % 2 == 1


def _exp(x: Fraction) -> Fraction:
    number = _DECIMAL.divide(Decimal(x.numerator), Decimal(x.denominator))
    return Fraction(number.exp(_DECIMAL))


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
