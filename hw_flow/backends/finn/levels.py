"""How an integer of our graph stands for FINN's: ``ours = factor * finn + offset``.

FINN's binary networks count matching bits (XNOR and popcount of 0 and 1), our kernels add products of -1 and 1. Both put
the same bit on the wire; sums differ by a known affine function, and thresholds move with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hw_flow.ir.tensor import IntArray
from hw_flow.ir.thresholds import Thresholds


@dataclass(frozen=True, eq=False)
class Levels:
    """An affine function with integer coefficients.

    Attributes
    ----------
    factor : at least 1.
    offset : int64, ``[1]`` or one a channel.
    """

    factor: int = 1
    offset: IntArray = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    @property
    def same(self) -> bool:
        """Whether both integers are equal."""
        return self.factor == 1 and not self.offset.any()

    def ours(self, finn: np.ndarray) -> IntArray:
        """Our integers for FINN's ``[..., C]``."""
        ours: IntArray = np.rint(finn).astype(np.int64) * self.factor + self.offset
        return ours

    def finn(self, ours: IntArray) -> IntArray:
        """FINN's integers for ours ``[..., C]``."""
        found: IntArray = (ours - self.offset) // self.factor
        return found


IDENTITY = Levels()
# A bit that FINN counts, as -1 or 1.
SIGN = Levels(2, np.asarray([-1], dtype=np.int64))


def collapsed(factor: int, offset: IntArray) -> Levels:
    """A function whose offset is stored once where all channels have the same, divided by what both parts share."""
    values = np.atleast_1d(offset).astype(np.int64)
    return Levels(factor, values[:1] if (values == values[0]).all() else values)


def thresholds(values: np.ndarray, levels: Levels, *, base: int, step: int) -> Thresholds:
    """FINN's thresholds ``[C, T]`` on integers that come as ``levels`` say: ``x >= t`` holds from the next integer up."""
    whole = np.sort(np.ceil(values.astype(np.float64)), axis=1)
    whole = np.clip(whole, -(2.0**40), 2.0**40).astype(np.int64)
    moved = levels.factor * whole + levels.offset[:, None]
    return Thresholds(moved, np.zeros(len(moved), dtype=bool), base, step)
