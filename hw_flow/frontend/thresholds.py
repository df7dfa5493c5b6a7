"""Exact integer thresholds of an element-wise region, by bisection over the accumulator's range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.frontend.ops import Op
from hw_flow.frontend.quantisers import Quantiser
from hw_flow.ir.tensor import FloatArray, IntArray, smallest_datatype
from hw_flow.ir.thresholds import Thresholds

MAX_LEVELS = 1023


@dataclass(eq=False)
class LevelFunction:
    """Integer in, integer level out, exactly: float64 where its error bound decides, rationals elsewhere.

    Attributes
    ----------
    ops : from the integer to the quantiser's input.
    last : the quantiser.
    """

    ops: Sequence[Op]
    last: Quantiser
    _known: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """1 if all elements share the function, else E."""
        return max([op.size for op in (*self.ops, self.last)])

    def __call__(self, x: IntArray) -> IntArray:
        """Levels of int64 ``[..., C]``."""
        y, error = x.astype(np.float64), np.zeros(x.shape)
        with np.errstate(all="ignore"):
            for op in self.ops:
                y, error = op.approx(y, error)
            level, doubt = self.last.level(y, error)
            doubt = doubt | ~np.isfinite(error) | ~np.isfinite(y)
        level = np.broadcast_to(level, x.shape).copy()
        for place in zip(*np.nonzero(np.broadcast_to(doubt, x.shape)), strict=True):
            level[place] = self.exact(int(x[place]), int(place[-1]))
        return level

    def exact(self, x: int, index: int) -> int:
        """Level of integer ``x`` at element ``index``, in rational arithmetic."""
        key = (x, index if self.size > 1 else 0)
        if key not in self._known:
            value = Fraction(x)
            for op in self.ops:
                value = op.exact(value, index)
            self._known[key] = self.last.level_exact(value, index)
        return self._known[key]

    def sign(self) -> FloatArray:
        """+1 rising, -1 falling, 0 constant, NaN unknown, per element."""
        sign = self.last.level_sign()
        for op in self.ops:
            sign = sign * op.sign()
        return sign


def thresholds_of(function: LevelFunction, low: IntArray, high: IntArray, falling: np.ndarray) -> tuple[Thresholds, str]:
    """Thresholds of a monotone function, one row per column, and the data type of their result.

    Parameters
    ----------
    low, high : the exact range of the integer, int64 ``[C]``.
    falling : which columns fall, bool ``[C]``.
    """
    ends = np.concatenate([function(low[None]), function(high[None])])
    bipolar = function.last.dtype == "BIPOLAR"
    bottom, top, step = (-1, 1, 2) if bipolar else (int(ends.min()), int(ends.max()), 1)
    dtype = type_of(function.last, bottom, top)
    if bottom == top:
        return _constant(bottom, dtype, falling, low, high), dtype
    levels = np.arange(bottom + step, top + 1, step)[:, None]
    values = np.sort(_bisect(function, levels, falling, low, high), axis=0).T
    return Thresholds(values, falling, bottom, step), dtype


def _constant(level: int, dtype: str, falling: np.ndarray, low: IntArray, high: IntArray) -> Thresholds:
    """One threshold, never reached, or always where the type does not hold the next level."""
    if level < int(DataType[dtype].max()):
        return Thresholds(np.where(falling, low, high + 1)[:, None], falling, level)
    return Thresholds(np.where(falling, high + 1, low)[:, None], falling, level - 1)


def type_of(last: Quantiser, bottom: int, top: int) -> str:
    """The declared type, or a narrower one where the region cannot reach all of it."""
    if last.dtype in ("BIPOLAR", "TERNARY"):
        return last.dtype
    found = smallest_datatype(bottom, top)
    if not last.low <= bottom <= top <= last.high:
        return found
    width = int("".join(filter(str.isdigit, last.dtype)))
    return found if int("".join(filter(str.isdigit, found))) < width else last.dtype


def _bisect(function: LevelFunction, levels: IntArray, falling: np.ndarray, low: IntArray, high: IntArray) -> IntArray:
    """Smallest ``x`` in ``[low, high + 1]`` from which each level is reached (falling: no longer reached)."""
    first = np.broadcast_to(low, (len(levels), low.size)).copy()
    last = np.broadcast_to(high + 1, first.shape).copy()
    while (first < last).any():
        middle = np.minimum((first + last) >> 1, high)
        reached = (function(middle) >= levels) != falling
        open_ = first < last
        last = np.where(open_ & reached, middle, last)
        first = np.where(open_ & ~reached, middle + 1, first)
    return last
