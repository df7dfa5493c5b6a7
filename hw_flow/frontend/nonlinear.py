"""Element-wise operators that are not affine; see `hw_flow.frontend.ops` for the three ways to evaluate them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np

from hw_flow.frontend.numeric import TINY32, U32, Const, fits32, grow, product
from hw_flow.frontend.ops import Op, Pair, widen
from hw_flow.ir.tensor import FloatArray

_DECIMAL = Context(prec=60)
# Largest argument of the exponential; further out decimal overflows in the end.
_REACH = Fraction(10_000)
# Error of float32 Sigmoid and Tanh kernels (rational approximations), absolute: measured 2**-23, with room.
_KERNEL_ERROR = 2.0**-20


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
    # Beyond the reach Sigmoid and Tanh are closer to their bounds than any quantiser sees, but stay inside them, as they should.
    x = max(min(x, _REACH), -_REACH)
    number = _DECIMAL.divide(Decimal(x.numerator), Decimal(x.denominator))
    return Fraction(number.exp(_DECIMAL))
