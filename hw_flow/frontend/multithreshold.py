"""FINN's multi-threshold as a quantiser."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hw_flow.frontend.numeric import around
from hw_flow.frontend.quantisers import Quantiser
from hw_flow.ir.tensor import FloatArray, IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiThreshold(Quantiser):
    """FINN's ``MultiThreshold``: level = first + number of thresholds that ``x`` reaches.

    Attributes
    ----------
    steps : float64 ``[1, T]`` or ``[E, T]``, ascending.
    first : level where none is reached; ``stride`` 2 for BIPOLAR.
    out_scale, out_bias : QONNX attributes, for its float32 output.
    """

    steps: FloatArray
    first: int
    stride: int
    out_scale: float
    out_bias: float

    def _count(self, x: FloatArray) -> IntArray:
        if len(self.steps) == 1:
            return np.searchsorted(self.steps[0], x, side="right").astype(np.int64)
        x = np.broadcast_to(x, (*x.shape[:-1], len(self.steps)))
        count: IntArray = (x[..., None] >= self.steps).sum(axis=-1, dtype=np.int64)
        return count

    def level(self, x: FloatArray, e: FloatArray) -> tuple[IntArray, np.ndarray]:
        low, high = (self._count(end) for end in around(x, e))
        return self.first + self.stride * self._count(x), low != high

    def level_exact(self, x: Fraction, index: int, /) -> int:
        row = self.steps[index if len(self.steps) > 1 else 0]
        return self.first + self.stride * sum(x >= Fraction(step) for step in row.tolist())

    def levels32(self, lo: FloatArray, hi: FloatArray) -> tuple[IntArray, IntArray]:
        return self.first + self.stride * self._count(lo), self.first + self.stride * self._count(hi)

    def dequantise(self, level: IntArray) -> np.ndarray:
        count = ((level - self.first) // self.stride).astype(np.float32)
        return (self.out_scale * count + self.out_bias).astype(np.float32)

    def adjacent(self, one: IntArray, other: IntArray) -> np.ndarray:
        # Neighbours, or apart by thresholds that coincide.
        below, above = ((level - self.first) // self.stride for level in (np.minimum(one, other), np.maximum(one, other)))
        known = (below >= 0) & (below < above) & (above <= self.steps.shape[1])
        rows = np.arange(one.shape[-1]) if len(self.steps) > 1 else 0
        last = self.steps.shape[1] - 1
        same: np.ndarray = known & (self.steps[rows, np.clip(below, 0, last)] == self.steps[rows, np.clip(above - 1, 0, last)])
        return same

    def sign(self) -> FloatArray:
        return np.array([np.sign(self.out_scale)])

    @property
    def size(self) -> int:
        return len(self.steps)
