"""Quantisers: real number to integer level, with QONNX 1.0.0's rounding and clipping.

A quantiser is also an operator (its output is the real value of the level), so that one may stand
in the middle of a region.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from hw_flow.frontend.numeric import Const, product, total
from hw_flow.frontend.ops import Add, Div, Op, Pair
from hw_flow.frontend.rounding import round_array, round_exact
from hw_flow.ir.tensor import FloatArray, IntArray


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

    def adjacent(self, one: IntArray, other: IntArray) -> np.ndarray:
        """Where two levels ``[.., C]`` are the two sides of one boundary."""
        near: np.ndarray = np.abs(one - other) == (2 if self.dtype == "BIPOLAR" else 1)
        return near

    def one_jump(self, lo: FloatArray, hi: FloatArray, /) -> np.ndarray:
        return self.adjacent(*self.levels32(lo, hi))

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
        ends = []
        for level in self.levels32(lo, hi):
            # Both the exact value of the level and what float32 makes of it.
            scaled, first = product(level.astype(np.float64), self.scale.value)
            exact, second = total(scaled, self.offset.value)
            known = (first == 0) & (second == 0) & (self.scale.delta == 0) & (self.offset.delta == 0)
            slack = np.where(known, 0.0, 2.0**-50 * (np.abs(scaled) + np.abs(self.offset.value)))
            image = self.dequantise(level).astype(np.float64)
            ends += [exact - slack, exact + slack, image]
        found = np.stack(np.broadcast_arrays(*ends))
        return found.min(axis=0), found.max(axis=0)

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
        return rounded(x, e, (self.low, self.high), self.rounding)

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
class StagedQuant(Quantiser):
    """Operators, then rounding to a level; for quantisers that do more before they round: Trunc, QuantizeLinear.

    Attributes
    ----------
    zero : QONNX's float32 output is ``(level - zero) * scale``.
    """

    stages: tuple[Op, ...]
    rounding: str
    zero: Const

    def level(self, x: FloatArray, e: FloatArray) -> tuple[IntArray, np.ndarray]:
        for op in self.stages:
            x, e = op.approx(x, e)
        return rounded(x, e, (self.low, self.high), self.rounding)

    def level_exact(self, x: Fraction, index: int, /) -> int:
        for op in self.stages:
            x = op.exact(x, index)
        return round_exact(min(max(x, Fraction(self.low)), Fraction(self.high)), self.rounding)

    def levels32(self, lo: FloatArray, hi: FloatArray) -> tuple[IntArray, IntArray]:
        for op in self.stages:
            lo, hi = op.interval(lo, hi)
        low, high = (round_array(np.clip(v, self.low, self.high), self.rounding).astype(np.int64) for v in (lo, hi))
        return low, high

    def dequantise(self, level: IntArray) -> np.ndarray:
        zero, scale = self.zero.value.astype(np.float32), self.scale.value.astype(np.float32)
        return (level.astype(np.float32) - zero) * scale

    def level_sign(self) -> FloatArray:
        sign = np.ones(1)
        for op in self.stages:
            sign = sign * op.sign()
        return sign

    def sign(self) -> FloatArray:
        return self.level_sign() * np.sign(self.scale.value)

    @property
    def size(self) -> int:
        return max([self.scale.size, self.offset.size, self.zero.size, *(op.size for op in self.stages)])


def rounded(x: FloatArray, e: FloatArray, limits: tuple[int, int], mode: str) -> tuple[IntArray, np.ndarray]:
    """Levels of ``x``, and where an error of ``e`` leaves them uncertain."""
    low, high = float(limits[0]), float(limits[1])
    clipped = np.clip(np.where(np.isnan(x), 0.0, x), low, high)
    shift = 0.5 if mode.startswith("HALF") else 0.0
    near = np.abs(x - (np.rint(x - shift) + shift)) <= e
    doubt = (near & (x > low - 1 - e) & (x < high + 1 + e) & (e > 0)) | ~np.isfinite(x) | np.isinf(e)
    return round_array(clipped, mode).astype(np.int64), doubt


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
