"""Smooth functions: float64 with a bound, 60 decimal digits where that does not decide, measured error of float32 kernels."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
from scipy.special import erf

from hw_flow.errors import FlowError
from hw_flow.frontend.numeric import TINY32, Const, grow, quotient, sqrt_fraction
from hw_flow.frontend.ops import Op, Pair, widen
from hw_flow.ir.tensor import FloatArray

_DECIMAL = Context(prec=60)
# The series of erf has terms up to exp(x * x): digits for those too.
_LONG = Context(prec=140)
# Largest argument of the exponential; further out decimal overflows in the end.
_REACH = Fraction(10_000)
# From here erf is 1 to more digits than are kept.
_ERF_REACH = 12
# Error of float32 kernels, relative to the larger of the result and, where `Curve.unit` says so, 1: at most 2**-22 was
# measured for those of onnxruntime, this leaves room.
_KERNEL_ERROR = 2.0**-20
_ROUND = 8 * 2.0**-53


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve(Op):
    """A rising function that differs from its float64 image by a few roundings.

    Attributes
    ----------
    slope : largest derivative.
    unit : the float32 kernel's error is relative to 1, not only to its result.
    """

    slope: float = field(default=1.0, init=False)
    unit: bool = field(default=True, init=False)

    @abstractmethod
    def value(self, x: FloatArray) -> FloatArray:
        """The function in float64, to a few roundings relative to its result and to 1 if `unit`."""

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        with np.errstate(all="ignore"):
            y = self.value(x)
        return y, grow(self.slope * e + _ROUND * (np.abs(y) + self.unit))

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        with np.errstate(all="ignore"):
            a, b = self.value(lo), self.value(hi)
        return a - _KERNEL_ERROR * (np.abs(a) + self.unit) - TINY32, b + _KERNEL_ERROR * (np.abs(b) + self.unit) + TINY32

    @property
    def strict(self) -> bool:
        return True


@dataclass(frozen=True, eq=False, kw_only=True)
class Sigmoid(Curve):
    """``1 / (1 + exp(-x))``."""

    slope: float = field(default=0.25, init=False)

    def value(self, x: FloatArray) -> FloatArray:
        return 1.0 / (1.0 + np.exp(-x))

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        return 1 / (1 + exp(-x))


@dataclass(frozen=True, eq=False, kw_only=True)
class Tanh(Curve):
    """Hyperbolic tangent."""

    def value(self, x: FloatArray) -> FloatArray:
        return np.tanh(x)

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        if x == 0:
            return x
        square = exp(-2 * abs(x))
        return (1 if x > 0 else -1) * (1 - square) / (1 + square)


@dataclass(frozen=True, eq=False, kw_only=True)
class Erf(Curve):
    """The error function."""

    slope: float = field(default=1.13, init=False)

    def value(self, x: FloatArray) -> FloatArray:
        found: FloatArray = erf(x)
        return found

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        if abs(x) >= _ERF_REACH:
            return (1 if x > 0 else -1) * (1 - Fraction(1, 10**64))
        number = _LONG.divide(Decimal(x.numerator), Decimal(x.denominator))
        square = _LONG.multiply(number, number)
        term = total = number
        count = 0
        # erf(x) = 2 / sqrt(pi) * exp(-x * x) * sum of 2**n * x**(2 * n + 1) / (2 * n + 1)!!, all terms of one sign.
        while abs(term) > Decimal(1).scaleb(-80, _LONG):
            count += 1
            term = _LONG.divide(_LONG.multiply(term, _LONG.multiply(2, square)), Decimal(2 * count + 1))
            total = _LONG.add(total, term)
        factor = _LONG.divide(Decimal(2), _LONG.sqrt(PI))
        return Fraction(_LONG.multiply(_LONG.multiply(factor, total), _LONG.exp(-square)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Softplus(Curve):
    """``log(1 + exp(x))``."""

    def value(self, x: FloatArray) -> FloatArray:
        return np.logaddexp(x, 0.0)

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        # For large |x| the exponential is far below 60 digits of 1: the series of log is its own argument there.
        small = exp(-abs(x))
        if abs(x) > 60:
            rest = small - small * small / 2
        else:
            number = _LONG.divide(Decimal(small.numerator), Decimal(small.denominator))
            rest = Fraction(_LONG.ln(_LONG.add(Decimal(1), number)))
        return max(x, Fraction(0)) + rest


@dataclass(frozen=True, eq=False, kw_only=True)
class Exp(Curve):
    """``exp(x)``."""

    unit: bool = field(default=False, init=False)

    def value(self, x: FloatArray) -> FloatArray:
        return np.exp(x)

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        with np.errstate(all="ignore"):
            y = np.exp(x)
            # The argument itself carries a relative error of one rounding into the result.
            return y, grow(y * (np.expm1(e) + _ROUND * (1 + np.abs(x)))) + 2.0**-1000

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        return exp(x)


@dataclass(frozen=True, eq=False, kw_only=True)
class Elu(Curve):
    """``gamma * x`` where positive, else ``gamma * alpha * (exp(x / width) - 1)``: Elu, Selu and Celu."""

    alpha: float
    gamma: float = 1.0
    width: float = 1.0

    def __post_init__(self) -> None:
        if min(self.alpha, self.gamma, self.width) <= 0:
            raise FlowError(f"{self.node}: its factors {self.alpha:g}, {self.gamma:g} must be positive; check the export")
        object.__setattr__(self, "slope", self.gamma * max(1.0, self.alpha / self.width))

    def value(self, x: FloatArray) -> FloatArray:
        return self.gamma * np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0) / self.width))

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        y, error = super().approx(x, e)
        return y, error * max(1.0, self.gamma * self.alpha)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        a, b = super().interval(lo, hi)
        slack = _KERNEL_ERROR * max(1.0, self.gamma * self.alpha)
        return a - slack, b + slack

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        if x >= 0:
            return Fraction(self.gamma) * x
        return Fraction(self.gamma) * Fraction(self.alpha) * (exp(x / Fraction(self.width)) - 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reciprocal(Op):
    """``1 / x``; the range of its input must not hold 0."""

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        with np.errstate(all="ignore"):
            y, residual = quotient(np.ones_like(x), x)
            safe = np.abs(x) > e
            return y, np.where(safe, grow(np.abs(residual) + e / (np.abs(x) * np.where(safe, np.abs(x) - e, 1.0))), np.inf)

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        if x == 0:
            raise FlowError(f"{self.node}: divides by zero for some input; keep its operand away from 0, or "
                            "compute it before the quantiser")
        return 1 / x

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        with np.errstate(all="ignore"):
            a, b = 1.0 / hi, 1.0 / lo
            across = (lo <= 0) & (hi >= 0)
        return widen(np.where(across, -np.inf, a), np.where(across, np.inf, b), np.zeros(1, dtype=bool))

    def sign(self) -> FloatArray:
        return np.array([np.nan])


@dataclass(frozen=True, eq=False, kw_only=True)
class Sqrt(Curve):
    """Square root; its input must not be negative."""

    unit: bool = field(default=False, init=False)

    def value(self, x: FloatArray) -> FloatArray:
        return np.sqrt(x)

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        with np.errstate(all="ignore"):
            y = np.sqrt(x)
            return y, np.where(x >= e, grow(np.minimum(np.sqrt(e), e / np.sqrt(x - e)) + _ROUND * y), np.inf)

    def exact(self, x: Fraction, _index: int, /) -> Fraction:
        if x < 0:
            raise FlowError(f"{self.node}: takes the square root of a negative number for some input; put a Relu before it")
        return sqrt_fraction(x)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        return super().interval(np.maximum(lo, 0.0), np.maximum(hi, 0.0))


PI = Decimal("3.141592653589793238462643383279502884197169399375105820974944592307816406286208998628034825342117067982148")


def exp(x: Fraction) -> Fraction:
    """Exponential to 60 digits."""
    # Beyond the reach, functions are closer to their bounds than any quantiser sees, but stay inside them, as they should.
    x = max(min(x, _REACH), -_REACH)
    if x == 0:
        return Fraction(1)
    number = _DECIMAL.divide(Decimal(x.numerator), Decimal(x.denominator))
    return Fraction(number.exp(_DECIMAL))


def constant(number: Fraction) -> Const:
    """One rational as a parameter."""
    return Const.of_fractions([number])
