"""Integer activations that are no straight line: a table of codes, or the sum of several saturating lines.

Both are exact. A table needs few codes: the accumulators from the first step to the last one, shifted to a common place where
channels have the same steps behind another bias. A sum has one line for each run of steps that `affine.fit` can place, however
wide the accumulator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hw_flow.backends.hls4ml.affine import Affine, fit
from hw_flow.ir import Thresholds
from hw_flow.ir.tensor import IntArray

# Widest code of a table: hls4ml partitions it completely, for every element that is looked up at once.
TABLE_BITS = 10
# Most lines of a sum; each is a multiplication and two casts an element.
_MOST_PIECES = 32


@dataclass(frozen=True, eq=False)
class Table:
    """``values[clip(code(x), 0, 2**bits - 1)]``; ``values`` int64 ``[2**bits]``."""

    code: Affine
    bits: int
    values: IntArray


@dataclass(frozen=True, eq=False)
class Pieces:
    """``base + sum(clip(form(x), 0, levels))``; each part is a form and its levels."""

    base: int
    parts: tuple[tuple[Affine, int], ...]


Form = Affine | Table | Pieces


def curve(thresholds: Thresholds, span: tuple[IntArray, IntArray], *, tables: bool) -> Form | None:
    """A line, else a table, else a sum that is ``thresholds`` (step 1) for inputs within ``span``; None if there is none."""
    line = fit(thresholds, span, (thresholds.base, thresholds.base + thresholds.levels))
    if line is not None:
        return line
    return (_table(thresholds) if tables else None) or _pieces(thresholds, span)


def _table(thresholds: Thresholds) -> Table | None:
    """A table shared by all channels, where their steps are equal but for a shift and a sign."""
    falls = np.broadcast_to(thresholds.descending, len(thresholds.values))
    rows = np.where(falls[:, None], 1 - thresholds.values[:, ::-1], thresholds.values)
    steps = rows - rows[:, :1] + 1  # code 1 is the first step
    bits = int(steps[0, -1]).bit_length()
    if (steps != steps[0]).any() or bits > TABLE_BITS:
        return None
    sign = np.where(falls, -1, 1).astype(np.int64)
    values = thresholds.base + np.searchsorted(steps[0], np.arange(1 << bits), side="right").astype(np.int64)
    return Table(Affine(sign, 0, 1 - rows[:, 0], 0, "TRN"), bits, values)


def _pieces(thresholds: Thresholds, span: tuple[IntArray, IntArray]) -> Pieces | None:
    """As few lines as a greedy walk along the steps finds."""
    parts: list[tuple[Affine, int]] = []
    begin = 0
    while begin < thresholds.levels:
        if len(parts) == _MOST_PIECES:
            return None
        found = _longest(thresholds, span, begin)
        if found is None:
            return None
        parts.append(found)
        begin += found[1]
    return Pieces(thresholds.base, tuple(parts))


def _longest(thresholds: Thresholds, span: tuple[IntArray, IntArray], begin: int) -> tuple[Affine, int] | None:
    """The longest run of steps from ``begin`` that is a line; a part of a run that is one is one too, so halving finds it."""
    def tried(count: int) -> Affine | None:
        return fit(_run(thresholds, begin, count), span, (0, count))

    best, low, high = tried(1), 1, thresholds.levels - begin
    while best is not None and low < high:
        middle = (low + high + 1) // 2
        form = tried(middle)
        if form is None:
            high = middle - 1
        else:
            best, low = form, middle
    return None if best is None else (best, low)


def _run(thresholds: Thresholds, begin: int, count: int) -> Thresholds:
    """``count`` steps from the one that reaches level ``begin + 1``, counted from 0."""
    up = thresholds.values[:, begin:begin + count]
    end = thresholds.levels - begin
    down = thresholds.values[:, end - count:end]
    return replace(thresholds, values=np.where(thresholds.descending[:, None], down, up), base=0)
