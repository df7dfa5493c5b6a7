"""Multiply-shift requantisation that reproduces given thresholds exactly.

Level ``k`` is reached from ``t`` on if and only if ``m * t + b >= k * 2**s`` and ``m * (t - 1) + b < k * 2**s``: a line of
slope ``v = m / 2**s`` that passes on or above the points ``(t, k)`` and below the points ``(t - 1, k)``. The slopes of such lines
are an open interval, so the smallest shift belongs to its simplest dyadic number.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hw_flow.ir.tensor import IntArray
from hw_flow.ir.thresholds import Thresholds

MAX_SHIFT = 44
# Bits that products, sums and shifted levels may take, so that they stay inside int64.
_WORD = 61


@dataclass(frozen=True, eq=False)
class Line:
    """``clip((x * multiplier + addend) >> shift, low, high)``; arrays int64 ``[C]`` or ``[1]``."""

    multiplier: IntArray
    addend: IntArray
    shift: int
    low: int
    high: int

    def __call__(self, x: IntArray) -> IntArray:
        """Apply to int64 ``[..., C]``."""
        exact: IntArray = np.clip((x * self.multiplier + self.addend) >> self.shift, self.low, self.high)
        return exact


@dataclass(frozen=True, eq=False)
class _Points:
    """Points that a line must not pass below (``floor``) and must pass below (``ceiling``), each ``[T]`` of x and level."""

    floor_x: IntArray
    floor_y: IntArray
    ceiling_x: IntArray
    ceiling_y: IntArray

    def gap(self, m: int, shift: int) -> tuple[int, int, int, int]:
        """Smallest addend above the floor and largest addend plus 1, with the indices of the points that say so."""
        under = (self.floor_y << shift) - m * self.floor_x
        over = (self.ceiling_y << shift) - m * self.ceiling_x
        i, j = int(under.argmax()), int(over.argmin())
        return int(under[i]), int(over[j]), i, j


def line_through(thresholds: Thresholds, low: IntArray, high: IntArray) -> Line | None:
    """The line with the smallest shift that does what ``thresholds`` do on ``low[c] .. high[c]``, or None if there is none."""
    bottom, top = thresholds.base, thresholds.base + thresholds.levels
    bits = _WORD - max(int(np.abs(low).max()), int(np.abs(high).max())).bit_length()
    most = min(MAX_SHIFT, _WORD - max(abs(bottom), abs(top) + 1).bit_length())
    if thresholds.step != 1:
        return None
    slopes, points = [], []
    for row, falling, first, last in zip(thresholds.values, thresholds.descending, low.tolist(), high.tolist(), strict=True):
        ends = (-last, -first) if falling else (first, last)
        # Falling channels are solved in -x: level k is reached up to t - 1, so in -x from 1 - t on.
        found = _points(np.sort(1 - row) if falling else row, ends, (bottom, top))
        slope = Fraction(0) if found is None else _slope(found, bits, most)
        if slope is None:
            return None
        slopes.append(-slope if falling else slope)
        points.append((found, falling, first))
    shift = max(slope.denominator.bit_length() - 1 for slope in slopes)
    factors = [int(slope * (1 << shift)) for slope in slopes]
    if max(abs(factor).bit_length() for factor in factors) > bits:
        return None
    multiplier = np.array(factors, dtype=np.int64)
    addend = np.array([
        found.gap(-int(m) if falling else int(m), shift)[0] if found is not None
        else int(thresholds(np.full((1, len(slopes)), first))[0, index]) << shift
        for index, ((found, falling, first), m) in enumerate(zip(points, multiplier, strict=True))
    ], dtype=np.int64)
    if (multiplier == multiplier[0]).all() and (addend == addend[0]).all():
        multiplier, addend = multiplier[:1], addend[:1]
    return Line(multiplier, addend, shift, bottom, top)


def _points(row: IntArray, ends: tuple[int, int], levels: tuple[int, int]) -> _Points | None:
    """Points of one rising channel with thresholds ``row`` on ``ends``; None if it is constant there."""
    (first, last), (bottom, top) = ends, levels
    always, reached = (int(np.searchsorted(row, end, side="right")) for end in (first, last))
    if always == reached:
        return None
    level = bottom + 1 + np.arange(always, reached)
    x = row[always:reached]
    floor_x, floor_y, ceiling_x, ceiling_y = x, level, x - 1, level
    if always > 0:
        floor_x, floor_y = np.append(floor_x, first), np.append(floor_y, bottom + always)
    if bottom + reached < top:
        ceiling_x, ceiling_y = np.append(ceiling_x, last), np.append(ceiling_y, bottom + reached + 1)
    return _Points(floor_x, floor_y, ceiling_x, ceiling_y)


def _slope(points: _Points, bits: int, places: int) -> Fraction | None:
    """The simplest dyadic slope of a line between the points, found by cutting planes; None if there is none."""
    least: Fraction = Fraction(0)
    most: Fraction | None = None
    while most is None or least < most:
        slope = _simplest(least, most, bits, places)
        if slope is None:
            return None
        shift = slope.denominator.bit_length() - 1
        under, over, i, j = points.gap(slope.numerator, shift)
        if under < over:
            return slope
        run = int(points.ceiling_x[j] - points.floor_x[i])
        rise = int(points.ceiling_y[j] - points.floor_y[i])
        if run == 0:
            return None
        if run > 0:
            most = Fraction(rise, run) if most is None else min(most, Fraction(rise, run))
        else:
            least = max(least, Fraction(rise, run))
    return None


def _simplest(least: Fraction, most: Fraction | None, bits: int, places: int) -> Fraction | None:
    """The number of the open interval with the fewest bits after the point; None beyond ``places``, or ``bits`` in all."""
    a, b = least.numerator, least.denominator
    for shift in range(places + 1):
        number = (a << shift) // b + 1
        if most is None or number * most.denominator < most.numerator << shift:
            return Fraction(number, 1 << shift) if number.bit_length() <= bits else None
    return None
