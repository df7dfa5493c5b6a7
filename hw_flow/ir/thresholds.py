"""Monotone integer functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_flow.ir.tensor import IntArray

# Up to this many thresholds, comparing all elements with each is faster than a search per channel.
_FEW = 8


@dataclass(frozen=True, eq=False)
class Thresholds:
    """A monotone integer function per channel, as a multi-threshold.

    ``count = number of t in values[c] with x >= t``; a channel with ``descending[c]`` counts ``x < t``
    instead. The result is ``base + step * count``.

    Attributes
    ----------
    values : int64 ``[C, T]`` or ``[1, T]`` (shared by all channels), ascending along T.
    descending : bool ``[C]`` or ``[1]``, same leading size as ``values``.
    base : result where no threshold is reached.
    step : 1, or 2 for BIPOLAR (base -1).
    """

    values: IntArray
    descending: np.ndarray
    base: int
    step: int = 1

    @property
    def levels(self) -> int:
        """Number of thresholds T per channel."""
        return int(self.values.shape[1])

    def __call__(self, x: IntArray) -> IntArray:
        """Apply to int64 ``[..., C]``; returns the same shape."""
        count = self._count(x)
        count = np.where(self.descending, self.levels - count, count)
        return self.base + self.step * count

    def _count(self, x: IntArray) -> IntArray:
        """Thresholds that each element reaches."""
        if len(self.values) == 1:
            return np.searchsorted(self.values[0], x, side="right").astype(np.int64)
        if self.levels <= _FEW:
            count = np.zeros(x.shape, dtype=np.int64)
            for level in range(self.levels):
                count += x >= self.values[:, level]
            return count
        columns = np.ascontiguousarray(x.reshape(-1, x.shape[-1]).T)
        counts = [np.searchsorted(row, column, side="right") for row, column in zip(self.values, columns, strict=True)]
        return np.stack(counts, axis=-1).astype(np.int64).reshape(x.shape)
