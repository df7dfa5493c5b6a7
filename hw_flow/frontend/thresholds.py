"""Exact integer thresholds of an element-wise region, by bisection over the accumulator's range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError
from hw_flow.frontend.ops import Op
from hw_flow.frontend.quantisers import Quantiser
from hw_flow.ir.tensor import FloatArray, IntArray, smallest_datatype
from hw_flow.ir.thresholds import Thresholds

MAX_LEVELS = 1023
# Ranges up to this are evaluated point by point where monotonicity does not follow from the operators.
EXHAUSTIVE = 1 << 16


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


def solve(function: LevelFunction, low: IntArray, high: IntArray, where: str, *, limit: int = MAX_LEVELS,
          falling: np.ndarray | None = None) -> tuple[Thresholds, str]:
    """Thresholds (one row per element, or one for all) and the data type of their result.

    Parameters
    ----------
    low, high : the exact range of the integer, int64 ``[E]``.
    limit : most thresholds per row.
    falling : which rows fall, where that is known; bool ``[E]``.

    Raises
    ------
    FlowError : the region is not monotone, or has too many levels.
    """
    if function.size == 1:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    sign = np.broadcast_to(function.sign(), low.shape) if falling is None else np.where(falling, -1.0, 1.0)
    if np.isnan(sign).any():
        sign = _exhaustive_sign(function, low, high, where)
    ends = np.concatenate([function(low[None]), function(high[None])])
    bottom, top = int(ends.min()), int(ends.max())
    bipolar = function.last.dtype == "BIPOLAR"
    step = 2 if bipolar else 1
    if bipolar:
        bottom, top = -1, 1
    elif (top - bottom) // step > limit:
        raise FlowError(f"{where}: {function.last.node} needs {top - bottom:,} thresholds per channel, more than {limit:,}; "
                        "quantise to 8 bits or fewer")
    dtype = type_of(function.last, bottom, top)
    if bottom == top:
        return _constant(bottom, dtype, sign < 0, low, high), dtype
    levels = np.arange(bottom + step, top + 1, step)[:, None]
    values = _bisect(function, levels, sign < 0, low, high)
    values = np.sort(values, axis=0).T
    return Thresholds(values, sign < 0, bottom, step), dtype


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


def _exhaustive_sign(function: LevelFunction, low: IntArray, high: IntArray, where: str) -> FloatArray:
    span = int((high - low).max()) + 1
    culprit = next(op.node for op in function.ops if np.isnan(op.sign()).any())
    if span > EXHAUSTIVE:
        raise FlowError(f"{culprit}: is not known to be monotone, and the accumulator of {where} has {span:,} values, too many "
                        "to try; use a monotone activation, or fewer bits before it")
    rising, falling = np.ones(low.size, dtype=bool), np.ones(low.size, dtype=bool)
    previous = function(low[None])
    chunk = max(1, (1 << 20) // low.size)
    for begin in range(1, span, chunk):
        points = low + np.arange(begin, min(begin + chunk, span))[:, None]
        levels = function(np.minimum(points, high))
        steps = np.diff(np.concatenate([previous, levels]), axis=0)
        rising &= (steps >= 0).all(axis=0)
        falling &= (steps <= 0).all(axis=0)
        previous = levels[-1:]
    if not (rising | falling).all():
        raise FlowError(f"{culprit}: makes the function from {where} to {function.last.node} neither rising nor falling (element "
                        f"{int(np.argmin(rising | falling))}); thresholds cannot express it, use a monotone activation")
    return np.where(rising, 1.0, -1.0)
