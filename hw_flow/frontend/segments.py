"""Where an integer function changes, by interval bounds on whole ranges: nothing between two found points is left unseen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.frontend.thresholds import LevelFunction
from hw_flow.ir.tensor import IntArray

# Ranges that are evaluated point by point, and the most ranges that are looked at, in all and per column.
_SHORT = 16
_BUDGET = 1 << 20
_PER_COLUMN = 1 << 14


@dataclass(frozen=True, eq=False)
class Steps:
    """The changes of a function, sorted by column and input.

    Attributes
    ----------
    first : level at the low end of each column, int64 ``[C]``.
    column, x, rise : int64 ``[S]``: from ``x`` on, the level of ``column`` is higher by ``rise``.
    """

    first: IntArray
    column: IntArray
    x: IntArray
    rise: IntArray

    def monotone(self) -> np.ndarray | None:
        """Which columns fall, bool ``[C]``; None if one of them both rises and falls."""
        size = len(self.first)
        up, down = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
        up[self.column[self.rise > 0]] = True
        down[self.column[self.rise < 0]] = True
        return None if (up & down).any() else down

    def mixed(self) -> int:
        """The first column that both rises and falls."""
        up, down = (set(self.column[sign * self.rise > 0].tolist()) for sign in (1, -1))
        return int(min(up & down))

    def span(self) -> tuple[int, int]:
        """Smallest and largest level."""
        if not len(self.x):
            return int(self.first.min()), int(self.first.max())
        total = np.cumsum(self.rise)
        begin = np.searchsorted(self.column, self.column, side="left")
        before = np.concatenate([[0], total])[begin]
        levels = self.first[self.column] + total - before
        return min(int(self.first.min()), int(levels.min())), max(int(self.first.max()), int(levels.max()))


def steps_of(function: LevelFunction, low: IntArray, high: IntArray, where: str) -> Steps:
    """All changes of ``function`` on ``low[c] .. high[c]``.

    Raises
    ------
    FlowError : the changes cannot be told apart within the budget.
    """
    size = low.size
    column, a, b = np.arange(size), low.copy(), high.copy()
    found: list[tuple[IntArray, IntArray, IntArray]] = []  # column, first input, level
    looked = 0
    while len(column):
        looked += len(column)
        if looked > _BUDGET + size * _PER_COLUMN:
            raise FlowError(f"{where}: the function before {function.last.node} changes too often, or stays too near to one of "
                            "its boundaries, to be tabulated; round to the nearest, or quantise to fewer levels")
        least, most = _bounds(function, column, a, b, size)
        same = least == most
        found.append((column[same], a[same], least[same]))
        short = ~same & (b - a < _SHORT)
        if short.any():
            found.append(_points(function, column[short], a[short], b[short], size))
        rest = ~same & ~short
        column, a, b = column[rest], a[rest], b[rest]
        middle = (a + b) >> 1
        column, a, b = np.concatenate([column, column]), np.concatenate([a, middle + 1]), np.concatenate([middle, b])
    return _merge(found, size)


def _grid(column: IntArray, size: int) -> tuple[IntArray, int]:
    """Row of each entry in a matrix with its column, and the number of rows."""
    order = np.argsort(column, kind="stable")
    counts = np.bincount(column, minlength=size)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(column), dtype=np.int64)
    rank[order] = np.arange(len(column)) - starts[column[order]]
    return rank, int(counts.max(initial=0))


def _spread(column: IntArray, row: IntArray, values: IntArray, shape: tuple[int, int], rest: IntArray) -> IntArray:
    matrix = np.broadcast_to(rest, shape).copy()
    matrix[row, column] = values
    return matrix


def _bounds(function: LevelFunction, column: IntArray, a: IntArray, b: IntArray, size: int) -> tuple[IntArray, IntArray]:
    """Bounds on the levels of each range."""
    row, rows = _grid(column, size)
    rest = np.zeros(size, dtype=np.int64)
    rest[column] = a
    lo, hi = (_spread(column, row, ends, (rows, size), rest).astype(np.float64) for ends in (a, b))
    with np.errstate(all="ignore"):
        for op in function.ops:
            lo, hi = op.interval(lo, hi)
        # Whatever could not be bounded may be anything.
        lo, hi = np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi)
        ends = [np.broadcast_to(end, (rows, size))[row, column] for end in function.last.levels32(lo, hi)]
    return np.minimum(*ends), np.maximum(*ends)


def _points(function: LevelFunction, column: IntArray, a: IntArray, b: IntArray,
            size: int) -> tuple[IntArray, IntArray, IntArray]:
    offsets = np.arange(_SHORT)
    x = a[:, None] + offsets
    inside = x <= b[:, None]
    column, x = np.broadcast_to(column[:, None], x.shape)[inside], x[inside]
    row, rows = _grid(column, size)
    rest = np.zeros(size, dtype=np.int64)
    rest[column] = x
    return column, x, function(_spread(column, row, x, (rows, size), rest))[row, column]


def _merge(found: list[tuple[IntArray, IntArray, IntArray]], size: int) -> Steps:
    column, x, level = (np.concatenate([part[i] for part in found]) for i in range(3))
    order = np.lexsort((x, column))
    column, x, level = column[order], x[order], level[order]
    start = np.searchsorted(column, np.arange(size))
    rise = np.diff(level, prepend=level[0])
    rise[start] = 0
    change = rise != 0
    return Steps(level[start], column[change], x[change], rise[change])
