"""Piecewise and whole-numbered operators; see `hw_flow.frontend.ops` for the three ways to evaluate them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hw_flow.frontend.numeric import TINY32, U32, Const, around, fits32, grow, product
from hw_flow.frontend.ops import Op, Pair, widen
from hw_flow.frontend.rounding import round_array, round_exact
from hw_flow.ir.tensor import FloatArray


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Absolute(Op):
    """``|x|``."""

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        return np.abs(x), e

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        return abs(x)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        a, b = np.abs(lo), np.abs(hi)
        return np.where((lo < 0) & (hi > 0), 0.0, np.minimum(a, b)), np.maximum(a, b)

    def sign(self) -> FloatArray:
        return np.array([np.nan])


@dataclass(frozen=True, eq=False, kw_only=True)
class Extremum(Op):
    """The larger (or smaller) of ``x`` and ``by``."""

    by: Const
    largest: bool

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        other = self.by.value
        taken = other - x > e + self.by.delta if self.largest else x - other > e + self.by.delta
        y = np.maximum(x, other) if self.largest else np.minimum(x, other)
        return y, np.where(taken, self.by.delta, np.maximum(e, self.by.delta))

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        return max(x, self.by.at(index)) if self.largest else min(x, self.by.at(index))

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        pick = np.maximum if self.largest else np.minimum
        slack = self.by.delta + np.where(fits32(self.by.value), 0.0, U32 * np.abs(self.by.value))
        return pick(lo, self.by.value - slack), pick(hi, self.by.value + slack)

    @property
    def size(self) -> int:
        return self.by.size


@dataclass(frozen=True, eq=False, kw_only=True)
class Round(Op):
    """To whole numbers, by a mode of `hw_flow.frontend.rounding`."""

    mode: str

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        y = round_array(x, self.mode)
        low, high = (round_array(end, self.mode) for end in around(x, e))
        return y, np.where((low == y) & (high == y), 0.0, np.inf)

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        return Fraction(round_exact(x, self.mode))

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        return round_array(lo, self.mode), round_array(hi, self.mode)

    def one_jump(self, lo: FloatArray, hi: FloatArray, /) -> np.ndarray:
        below, above = self.interval(lo, hi)
        one: np.ndarray = above - below == 1
        return one


@dataclass(frozen=True, eq=False, kw_only=True)
class Sign(Op):
    """-1, 0 or 1."""

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        return np.sign(x), np.where((np.abs(x) <= e) & (e > 0), np.inf, 0.0)

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        return Fraction((x > 0) - (x < 0))

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        return np.sign(lo), np.sign(hi)

    def one_jump(self, lo: FloatArray, hi: FloatArray, /) -> np.ndarray:
        one: np.ndarray = np.sign(lo) != np.sign(hi)
        return one
