"""Element-wise functions that thresholds do not express, or not cheaply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_flow.ir.nodes import Node, Shape, check_rows
from hw_flow.ir.tensor import IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Lookup(Node):
    """A table per channel: ``table[c, x - low]``.

    Attributes
    ----------
    table : int64 ``[C, S]``, or ``[1, S]`` for all channels.
    low : input that the first entry belongs to; inputs stay within the table.
    """

    table: IntArray
    low: int

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        check_rows(self.name, "tables", len(self.table), source)
        return source

    def golden(self, *frames: IntArray) -> IntArray:
        index = frames[0] - self.low
        rows = np.arange(len(self.table)) if len(self.table) > 1 else 0
        found: IntArray = self.table[rows, index]
        return found


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantise(Node):
    """Multiply, add, shift, clip: ``clip((x * multiplier + addend) >> shift, low, high)``, the shift rounding down.

    Attributes
    ----------
    multiplier, addend : int64 ``[C]`` or ``[1]``.
    shift : bits, at least 0.
    low, high : range of the result.
    """

    multiplier: IntArray
    addend: IntArray
    shift: int
    low: int
    high: int

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        check_rows(self.name, "multipliers", len(self.multiplier), source)
        check_rows(self.name, "addends", len(self.addend), source)
        return source

    def golden(self, *frames: IntArray) -> IntArray:
        exact: IntArray = np.clip((frames[0] * self.multiplier + self.addend) >> self.shift, self.low, self.high)
        return exact
