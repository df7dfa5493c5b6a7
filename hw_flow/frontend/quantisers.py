"""Quantisers: real number to integer level, with QONNX 1.0.0's rounding and clipping.

A quantiser is also an operator (its output is the real value of the level), so that one may stand
in the middle of a region.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

import numpy as np

from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, Div, Op, Pair, widen
from hw_flow.ir.tensor import FloatArray, IntArray

# Modes of QONNX 1.0.0, and the older names that it cannot execute but that files use.
ROUNDING = {
    "ROUND": "HALF_EVEN", "HALF_EVEN": "HALF_EVEN", "FLOOR": "FLOOR", "CEIL": "CEIL", "UP": "UP", "DOWN": "DOWN",
    "HALF_UP": "HALF_UP", "HALF_DOWN": "HALF_DOWN", "TRUNC": "DOWN", "ROUND_TO_ZERO": "DOWN",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantiser(Op):
    """Base of the quantisers.

    Attributes
    ----------
    low, high : smallest and largest level.
    dtype : QONNX DataType name of the levels.
    scale, offset : the real value of level ``k`` is ``k * scale + offset``.
    """

    low: int
    high: int
    dtype: str
    scale: Const
    offset: Const

    @abstractmethod
    def level(self, x: FloatArray, e: FloatArray) -> tuple[IntArray, np.ndarray]:
        """Levels ``[B, E]`` and where ``e`` leaves them uncertain."""

    @abstractmethod
    def level_exact(self, x: Fraction, index: int, /) -> int:
        """Level of one element."""

    @abstractmethod
    def levels32(self, lo: FloatArray, hi: FloatArray) -> tuple[IntArray, IntArray]:
        """Smallest and largest level that float32 execution may give."""

    def level_sign(self) -> FloatArray:
        """+1 where the level rises with the input, -1 where it falls."""
        return np.ones(1)

    @abstractmethod
    def dequantise(self, level: IntArray) -> np.ndarray:
        """float32 values as QONNX's execution writes them, ``[B, E]``."""

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        level, doubt = self.level(x, e)
        y = level * self.scale.value + self.offset.value
        error = np.abs(y) * 2.0**-51 + np.abs(self.offset.value) * 2.0**-51
        return y, np.where(doubt, np.inf, np.where(y == np.rint(y), 0.0, error))

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        return self.level_exact(x, index) * self.scale.at(index) + self.offset.at(index)

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        a, b = (level * self.scale.value + self.offset.value for level in self.levels32(lo, hi))
        low, high = widen(np.minimum(a, b), np.maximum(a, b), np.zeros(1, dtype=bool))
        same = a == b
        point = self.dequantise(self.levels32(lo, hi)[0]).astype(np.float64)
        return np.where(same, point, low), np.where(same, point, high)

    @property
    def size(self) -> int:
        return max(self.scale.size, self.offset.size)


@dataclass(frozen=True, eq=False, kw_only=True)
class IntQuant(Quantiser):
    """QONNX ``Quant``/``IntQuant``: ``round(clip(x / scale + zero))``; one bit signed is bipolar."""

    zero: Const
    rounding: str
    wide_parameters: bool = field(default=False)

    def _scaled(self) -> tuple[Div, Add]:
        return Div(node=self.node, by=self.scale), Add(node=self.node, by=self.zero)

    def level(self, x: FloatArray, e: FloatArray) -> tuple[IntArray, np.ndarray]:
        for part in self._scaled():
            x, e = part.approx(x, e)
        if self.dtype == "BIPOLAR":
            return np.where(x >= 0, 1, -1), (np.abs(x) <= e) & (e > 0)
        low, high = float(self.low), float(self.high)
        clipped = np.clip(np.where(np.isnan(x), 0.0, x), low, high)
        shift = 0.5 if self.rounding.startswith("HALF") else 0.0
        near = np.abs(x - (np.rint(x - shift) + shift)) <= e
        doubt = (near & (x > low - 1 - e) & (x < high + 1 + e) & (e > 0)) | ~np.isfinite(x) | np.isinf(e)
        return round_array(clipped, self.rounding).astype(np.int64), doubt

    def level_exact(self, x: Fraction, index: int, /) -> int:
        x = x / self.scale.at(index) + self.zero.at(index)
        if self.dtype == "BIPOLAR":
            return 1 if x >= 0 else -1
        return round_exact(min(max(x, Fraction(self.low)), Fraction(self.high)), self.rounding)

    def levels32(self, lo: FloatArray, hi: FloatArray) -> tuple[IntArray, IntArray]:
        for part in self._scaled():
            lo, hi = part.interval(lo, hi)
        if self.dtype == "BIPOLAR":
            return np.where(lo >= 0, 1, -1), np.where(hi >= 0, 1, -1)
        low, high = (round_array(np.clip(v, self.low, self.high), self.rounding).astype(np.int64) for v in (lo, hi))
        return low, high

    def dequantise(self, level: IntArray) -> np.ndarray:
        if self.wide_parameters:
            return ((level - self.zero.value) * self.scale.value).astype(np.float32)
        zero, scale = self.zero.value.astype(np.float32), self.scale.value.astype(np.float32)
        return (level.astype(np.float32) - zero) * scale

    def level_sign(self) -> FloatArray:
        return np.sign(self.scale.value)

    @property
    def size(self) -> int:
        return max(self.scale.size, self.zero.size)


@dataclass(frozen=True, eq=False, kw_only=True)
class BipolarQuant(Quantiser):
    """+1 where ``x >= 0``, else -1; times ``scale``."""

    def level(self, x: FloatArray, e: FloatArray) -> tuple[IntArray, np.ndarray]:
        return np.where(x >= 0, 1, -1), ((np.abs(x) <= e) & (e > 0)) | np.isinf(e)

    def level_exact(self, x: Fraction, _index: int, /) -> int:
        return 1 if x >= 0 else -1

    def levels32(self, lo: FloatArray, hi: FloatArray) -> tuple[IntArray, IntArray]:
        return np.where(lo >= 0, 1, -1), np.where(hi >= 0, 1, -1)

    def dequantise(self, level: IntArray) -> np.ndarray:
        return (level.astype(np.float32) * self.scale.value.astype(np.float32)).astype(np.float32)

    def sign(self) -> FloatArray:
        return np.sign(self.scale.value)


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
        low, high = self._count(x - e), self._count(x + e)
        count = self._count(x)
        return self.first + self.stride * count, (low != high) & (e > 0)

    def level_exact(self, x: Fraction, index: int, /) -> int:
        row = self.steps[index if len(self.steps) > 1 else 0]
        return self.first + self.stride * sum(x >= Fraction(step) for step in row.tolist())

    def levels32(self, lo: FloatArray, hi: FloatArray) -> tuple[IntArray, IntArray]:
        return self.first + self.stride * self._count(lo), self.first + self.stride * self._count(hi)

    def dequantise(self, level: IntArray) -> np.ndarray:
        count = ((level - self.first) // self.stride).astype(np.float32)
        return (self.out_scale * count + self.out_bias).astype(np.float32)

    def sign(self) -> FloatArray:
        return np.array([np.sign(self.out_scale)])

    @property
    def size(self) -> int:
        return len(self.steps)


def round_array(x: FloatArray, mode: str) -> FloatArray:
    """QONNX rounding of exact float64 values, without the double rounding of ``x + 0.5``."""
    match mode:
        case "HALF_EVEN":
            return np.rint(x)
        case "FLOOR":
            return np.floor(x)
        case "CEIL":
            return np.ceil(x)
        case "DOWN":
            return np.trunc(x)
    whole = np.floor(np.abs(x))
    rest = np.abs(x) - whole
    more = rest > 0 if mode == "UP" else rest >= 0.5 if mode == "HALF_UP" else rest > 0.5
    away: FloatArray = np.sign(x) * (whole + more)
    return away


def round_exact(x: Fraction, mode: str) -> int:
    """QONNX rounding of a rational."""
    match mode:
        case "HALF_EVEN":
            return round(x)
        case "FLOOR":
            return floor(x)
        case "CEIL":
            return ceil(x)
    whole, rest = divmod(abs(x), 1)
    if mode == "UP":
        whole += rest > 0
    elif mode == "HALF_UP":
        whole += rest >= Fraction(1, 2)
    elif mode == "HALF_DOWN":
        whole += rest > Fraction(1, 2)
    return int(whole) if x >= 0 else -int(whole)
