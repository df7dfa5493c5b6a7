"""Constants known exactly, and float64 arithmetic that knows its own rounding error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import numpy as np

from hw_flow.ir.tensor import FloatArray

# Unit round-off of IEEE binary32 and its smallest step: what QONNX's own execution works with.
U32 = 2.0**-24
TINY32 = 2.0**-149

# Errors are themselves computed in float64; this covers the rounding of a few operations on them. Zero stays zero.
_GROW = 1.0 + 2.0**-45
_SPLIT = 2.0**27 + 1.0
_SQRT_BITS = 256


@dataclass(frozen=True, eq=False)
class Const:
    """A constant per element of a frame, as exact rationals with their float64 images.

    Attributes
    ----------
    value : float64 ``[1]`` or ``[E]``.
    delta : float64, same shape; distance between ``value`` and the exact number.
    exact : the rationals behind ``value``, or None where float64 holds them (``delta`` is zero then).
    """

    value: FloatArray
    delta: FloatArray
    exact: tuple[Fraction, ...] | None = None

    @staticmethod
    def of(array: np.ndarray | float) -> Const:
        """From numbers that float64 holds exactly; equal elements collapse to one."""
        value = np.atleast_1d(np.asarray(array, dtype=np.float64)).ravel()
        if value.size > 1 and (value == value[0]).all():
            value = value[:1]
        return Const(value, np.zeros_like(value))

    @staticmethod
    def of_fractions(numbers: Sequence[Fraction]) -> Const:
        """From rationals; equal elements collapse to one."""
        if len(numbers) > 1 and all(number == numbers[0] for number in numbers):
            numbers = numbers[:1]
        value = np.array([float(number) for number in numbers])
        delta = np.array([abs(float(number - Fraction(image))) for number, image in zip(numbers, value.tolist(), strict=True)])
        return Const(value, delta * _GROW, tuple(numbers))

    @property
    def size(self) -> int:
        """1, or the number of elements of the frame."""
        return int(self.value.size)

    def at(self, index: int) -> Fraction:
        """Exact value for element ``index``."""
        index = index if self.size > 1 else 0
        return Fraction(float(self.value[index])) if self.exact is None else self.exact[index]

    def fractions(self) -> tuple[Fraction, ...]:
        """All values, exactly."""
        return tuple(self.at(index) for index in range(self.size))

    def is_(self, number: int) -> bool:
        """Whether every element is exactly ``number``."""
        return bool((self.value == number).all() and not self.delta.any())


def grow(error: FloatArray) -> FloatArray:
    """Round an error bound outwards."""
    return error * _GROW


def around(x: FloatArray, e: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ends of ``x - e .. x + e``, rounded outwards; ``x`` itself where ``e`` is zero."""
    sure = e == 0
    return np.where(sure, x, np.nextafter(x - e, -np.inf)), np.where(sure, x, np.nextafter(x + e, np.inf))


def product(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``a * b`` and the exact rounding error of it (Dekker)."""
    p = a * b
    a_high = _SPLIT * a
    a_high = a_high - (a_high - a)
    b_high = _SPLIT * b
    b_high = b_high - (b_high - b)
    a_low, b_low = a - a_high, b - b_high
    return p, a_low * b_low - (((p - a_high * b_high) - a_low * b_high) - a_high * b_low)


def total(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``a + b`` and the exact rounding error of it (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def quotient(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``a / b`` and a bound on its rounding error, zero where the division is exact."""
    q = a / b
    p, residual = product(q, b)
    return q, np.abs(((a - p) - residual) / b)


def fits32(value: FloatArray) -> np.ndarray:
    """Where float32 holds ``value`` exactly."""
    with np.errstate(over="ignore"):
        same: np.ndarray = value.astype(np.float32).astype(np.float64) == value
    return same


def sqrt_fraction(number: Fraction) -> Fraction:
    """Square root to 256 bits after the point; exact for squares of rationals."""
    under = number.numerator * number.denominator
    root = isqrt(under)
    if root * root == under:
        return Fraction(root, number.denominator)
    return Fraction(isqrt(under << (2 * _SQRT_BITS)), number.denominator << _SQRT_BITS)
