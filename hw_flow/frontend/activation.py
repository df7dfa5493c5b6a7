"""From an element-wise region to hardware: thresholds, a table, multiply and shift, or a difference of two multi-thresholds.

Whichever is exact and cheapest is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.frontend.requantise import Line, line_through
from hw_flow.frontend.segments import Steps, steps_of
from hw_flow.frontend.thresholds import MAX_LEVELS, LevelFunction, thresholds_of, type_of
from hw_flow.ir import Add, Lookup, Node, Requantise, Thresholding
from hw_flow.ir.tensor import IntArray, Tensor, smallest_datatype
from hw_flow.ir.thresholds import Thresholds

# Up to 6 bits thresholds are always taken where they exist: every back end has them.
_FEW = 63
# Most levels of a multiply-shift, entries of one table, and entries of all tables of a node.
MAX_SCALED = (1 << 16) - 1
MAX_TABLE = 1 << 16
MAX_ENTRIES = 1 << 22
_LUT_BITS = 64
_DSP = 240


@dataclass(frozen=True, eq=False)
class Table:
    """``values[c, x - low]``; int64 ``[C, S]`` or ``[1, S]``."""

    values: IntArray
    low: int

    def __call__(self, x: IntArray) -> IntArray:
        """Apply to int64 ``[..., C]``."""
        rows = np.arange(len(self.values)) if len(self.values) > 1 else 0
        found: IntArray = self.values[rows, x - self.low]
        return found


@dataclass(frozen=True, eq=False)
class Difference:
    """``up(x) - down(x)``: any function, as one that only rises less another that only rises."""

    up: Thresholds
    down: Thresholds

    def __call__(self, x: IntArray) -> IntArray:
        """Apply to int64 ``[..., C]``."""
        return self.up(x) - self.down(x)


@dataclass(frozen=True, eq=False)
class Halves:
    """``one(x) + other(x)``: every second step of a monotone function each.

    Where ties go to the even level (Quant's own rounding), steps are unevenly wide, but every second one is not.
    """

    one: Line
    other: Line

    def __call__(self, x: IntArray) -> IntArray:
        """Apply to int64 ``[..., C]``."""
        return self.one(x) + self.other(x)


Function = Thresholds | Table | Line | Difference | Halves


@dataclass(frozen=True, eq=False)
class Solution:
    """What computes a region exactly.

    Attributes
    ----------
    function : ``Thresholds`` (which a matrix unit can hold), ``Table``, ``Line``, or ``Difference`` and ``Halves`` (two nodes and
        an Add); each maps int64 ``[..., C]``.
    dtype : QONNX DataType of the result; wider than needed where an adder makes it.
    span : smallest and largest result, if the type says less.
    """

    function: Function
    dtype: str
    span: tuple[int, int] | None = None

    @property
    def thresholds(self) -> Thresholds | None:
        """The function, if it is a multi-threshold."""
        return self.function if isinstance(self.function, Thresholds) else None

    @property
    def rows(self) -> int:
        """Channels that it tells apart; 1 where it is the same for all."""
        match self.function:
            case Thresholds(values) | Table(values):
                return len(values)
            case Line(multiplier, addend):
                return max(multiplier.size, addend.size)
        return max(part.rows for part in self.parts)

    @property
    def parts(self) -> tuple[Solution, ...]:
        """What the Add of a difference or of halves reads; none for other functions."""
        match self.function:
            case Difference(up, down):
                return tuple(Solution(part, smallest_datatype(part.base, part.base + part.levels)) for part in (up, down))
            case Halves(one, other):
                return tuple(Solution(part, smallest_datatype(part.low, part.high)) for part in (one, other))
        return ()

    @property
    def kind(self) -> str:
        """Class of the node that `node` makes; ``Add`` for two parts."""
        return {"Thresholds": "Thresholding", "Table": "Lookup", "Line": "Requantise"}.get(type(self.function).__name__, "Add")

    def node(self, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...], source: tuple[str, ...] = ()) -> Node:
        """A node of its own for the function, on a tensor ``[.., C]``, or on its two `parts`."""
        match self.function:
            case Thresholds() as thresholds:
                return Thresholding(name=name, inputs=inputs, outputs=outputs, source=source, thresholds=thresholds)
            case Table(values, low):
                return Lookup(name=name, inputs=inputs, outputs=outputs, source=source, table=values, low=low)
            case Line() as line:
                return Requantise(name=name, inputs=inputs, outputs=outputs, source=source, multiplier=line.multiplier,
                                  addend=line.addend, shift=line.shift, low=line.low, high=line.high)
            case Difference():
                return Add(name=name, inputs=inputs, outputs=outputs, source=source, coefficients=(1, -1))
            case Halves():
                return Add(name=name, inputs=inputs, outputs=outputs, source=source, coefficients=(1, 1))


def solve_region(function: LevelFunction, low: IntArray, high: IntArray, where: str) -> Solution:
    """The cheapest exact hardware for ``function``.

    A monotone function of up to 63 levels becomes thresholds. One of more becomes what `cost` says: thresholds (up to 1,023),
    a table (up to 65,536 inputs), or a multiply-shift (or the sum of two) if it has the same thresholds. One that is not
    monotone becomes a table or the difference of two multi-thresholds.

    Parameters
    ----------
    low, high : the exact range of the integer, int64 ``[C]``, ``C`` elements or channels.
    where : name of what makes the integer, for messages.

    Returns
    -------
    a function with one row per element of ``low``, or one for all.

    Raises
    ------
    FlowError : nothing expresses the function within its limits.
    """
    if function.size == 1:
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    sign = np.broadcast_to(function.sign(), low.shape)
    falling: np.ndarray = sign < 0
    if np.isnan(sign).any():
        steps = steps_of(function, low, high, where)
        found = steps.monotone()
        if found is None:
            return _mixed(function, steps, low, high, where)
        falling = found
    ends = np.concatenate([function(low[None]), function(high[None])])
    bottom, top = int(ends.min()), int(ends.max())
    if top - bottom > MAX_SCALED:
        raise FlowError(f"{where}: {function.last.node} gives {top - bottom + 1:,} levels, more than {MAX_SCALED + 1:,}; "
                        "quantise to 16 bits or fewer")
    exact, dtype = thresholds_of(function, low, high, falling)
    thresholds = merged(exact)
    if thresholds.levels <= _FEW:
        return Solution(thresholds, dtype)
    choices: list[Function] = [thresholds] if thresholds.levels <= MAX_LEVELS else []
    line = line_through(_per_column(thresholds, low.size), low, high)
    halves = None if line is not None else _halves(_per_column(thresholds, low.size), low, high)
    choices += [choice for choice in (line, halves) if choice is not None]
    if _entries(low, high) <= MAX_TABLE and _entries(low, high) * len(thresholds.values) <= MAX_ENTRIES:
        x = np.clip(int(low.min()) + np.arange(_entries(low, high))[:, None], low, high)
        choices.append(Table(_rows(_per_column(thresholds, low.size)(x)), int(low.min())))
    if not choices:
        raise FlowError(f"{where}: {function.last.node} needs {thresholds.levels:,} thresholds per channel, more than "
                        f"{MAX_LEVELS:,}, and no multiply and shift gives the same; quantise to 8 bits or fewer")
    width = max(int(np.abs(low).max()), int(np.abs(high).max())).bit_length() + 1
    best = min(choices, key=lambda choice: cost(choice, width))
    if isinstance(best, Halves):
        return Solution(best, _sum_type(Solution(best, "").parts, 1), (bottom, top))
    return Solution(best, dtype)


def _halves(thresholds: Thresholds, low: IntArray, high: IntArray) -> Halves | None:
    """Every second threshold as a line each, or None if they are not on lines."""
    lines = [line_through(Thresholds(thresholds.values[:, first::2], thresholds.descending, base), low, high)
             for first, base in ((0, thresholds.base), (1, 0))] if thresholds.step == 1 else [None]
    one, other = lines if len(lines) > 1 else (None, None)
    return None if one is None or other is None else Halves(one, other)


def cost(function: Function, width: int) -> float:
    """Estimated LUT6 of one lane for an input of ``width`` bits; the one rule by which `solve_region` chooses.

    Constants count as ROM of 64 bits a LUT for all channels. Thresholds are searched with one comparison per bit of the result.
    The factors come from yosys-0.70 on single nodes of 1 to 64 channels; a DSP block counts as its share of a 7-series device.
    """
    match function:
        case Thresholds():
            bits = function.levels.bit_length()
            return (1 if len(function.values) == 1 else 2) * bits * width + function.values.size * width / _LUT_BITS
        case Table():
            bits = int(np.abs(function.values).max()).bit_length() + 1
            return function.values.size * bits / _LUT_BITS
        case Line():
            factor = int(np.abs(function.multiplier).max()).bit_length() + 1
            offset = int(np.abs(function.addend).max()).bit_length() + 1
            if function.multiplier.size == 1:
                return width * factor / 2 + width + factor
            blocks = -(-width // 18) * -(-factor // 25)
            rom = function.multiplier.size * (factor + offset) / _LUT_BITS
            return min(2 * width * factor, _DSP * blocks) + width + factor + rom
        case Difference():
            return cost(function.up, width) + cost(function.down, width) + function.up.levels.bit_length() + 1
        case Halves():
            return cost(function.one, width) + cost(function.other, width) + function.one.high.bit_length() + 1


def merged(thresholds: Thresholds) -> Thresholds:
    """One row for all channels where they are equal."""
    values, falling = thresholds.values, thresholds.descending
    if len(values) > 1 and (values == values[0]).all() and (falling == falling[0]).all():
        return Thresholds(values[:1], falling[:1], thresholds.base, thresholds.step)
    return thresholds


def _mixed(function: LevelFunction, steps: Steps, low: IntArray, high: IntArray, where: str) -> Solution:
    """A function that both rises and falls."""
    entries = _entries(low, high)
    choices: list[Function] = []
    if entries <= MAX_TABLE and entries * low.size <= MAX_ENTRIES:
        x = np.clip(int(low.min()) + np.arange(entries)[:, None], low, high)
        choices.append(Table(_rows(function(x)), int(low.min())))
    if function.last.dtype != "BIPOLAR":
        up, down = (_staircase(steps, sign, low, high) for sign in (1, -1))
        if max(up.levels, down.levels) <= MAX_LEVELS:
            choices.append(Difference(merged(up), merged(down)))
    if not choices:
        culprit = next(op.node for op in function.ops if np.isnan(op.sign()).any())
        raise FlowError(f"{culprit}: makes the function from {where} to {function.last.node} neither rising nor falling (element "
                        f"{steps.mixed()}), and a table of its {entries:,} inputs is too large; insert a Quant node before it")
    width = max(int(np.abs(low).max()), int(np.abs(high).max())).bit_length() + 1
    best = min(choices, key=lambda choice: cost(choice, width))
    if isinstance(best, Difference):
        return Solution(best, _sum_type(Solution(best, "").parts, -1), steps.span())
    return Solution(best, type_of(function.last, *steps.span()))


def _sum_type(parts: Sequence[Solution], sign: int) -> str:
    """Type of the sum of two parts. The Add knows its inputs by their types alone, and not that they move together."""
    one, other = (Tensor("", (1,), part.dtype).limits for part in parts)
    ends = [sign * end for end in other]
    return smallest_datatype(one[0] + min(ends), one[1] + max(ends))


def _staircase(steps: Steps, sign: int, low: IntArray, high: IntArray) -> Thresholds:
    """The rises (or, with ``sign`` -1, the falls) of a function as a multi-threshold; the rises carry the first levels too."""
    base = int(steps.first.min()) if sign > 0 else 0
    used = sign * steps.rise > 0
    column, x = (np.repeat(part[used], np.abs(steps.rise[used])) for part in (steps.column, steps.x))
    rows = [np.repeat(first, level - base if sign > 0 else 0) for first, level in zip(low, steps.first, strict=True)]
    rows = [np.concatenate([row, x[column == index]]) for index, row in enumerate(rows)]
    values = np.repeat((high + 1)[:, None], max(1, *map(len, rows)), axis=1)
    for index, row in enumerate(rows):
        values[index, :len(row)] = row
    return Thresholds(values, np.zeros(len(rows), dtype=bool), base)


def _entries(low: IntArray, high: IntArray) -> int:
    return int(high.max()) - int(low.min()) + 1


def _rows(columns: IntArray) -> IntArray:
    """``[S, C]`` as ``[C, S]``, or ``[1, S]`` if all are equal."""
    rows = np.ascontiguousarray(columns.T)
    return rows[:1] if (rows == rows[0]).all() else rows


def _per_column(thresholds: Thresholds, size: int) -> Thresholds:
    values = np.broadcast_to(thresholds.values, (size, thresholds.levels))
    return Thresholds(values, np.broadcast_to(thresholds.descending, (size,)), thresholds.base, thresholds.step)
