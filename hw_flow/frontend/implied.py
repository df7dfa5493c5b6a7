"""Quantisers that a file leaves out, because its operators keep integers on one grid: Quant -> Relu -> Conv, Q -> Clip -> DQ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np

from hw_flow.frontend.nonlinear import Absolute, Clip, Extremum, LeakyRelu, Round, Sign
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, Div, Fractions, Mul, Op
from hw_flow.frontend.quantisers import IntQuant
from hw_flow.frontend.rounding import round_array
from hw_flow.ir.tensor import IntArray, smallest_datatype

MAX_LEVELS = 1 << 16
# Exact evaluations that are worth the time.
_BUDGET = 1 << 16
_LONGEST = 1024


@dataclass(frozen=True, eq=False, kw_only=True)
class GridQuant(IntQuant):
    """Rounds to a grid that all its inputs are on already.

    Attributes
    ----------
    images : float32 ``[levels, 1]`` or ``[levels, C]``, what QONNX's execution has for each level; NaN for levels never reached.
    """

    images: np.ndarray

    def dequantise(self, level: IntArray) -> np.ndarray:
        index = np.clip(level - self.low, 0, len(self.images) - 1)
        columns = np.arange(self.images.shape[1]) if self.images.shape[1] > 1 else 0
        found: np.ndarray = np.where((level >= self.low) & (level <= self.high), self.images[index, columns], np.float32(np.nan))
        return found


def implied_quantiser(meaning: Sequence[Op], ops: Sequence[Op], x: IntArray, images: np.ndarray, node: str) -> GridQuant | None:
    """The quantiser that stands for ``ops`` where they change no grid.

    Parameters
    ----------
    meaning : operators from the integer to the real value before ``ops``.
    x : all integers that may occur, int64 ``[L]``.
    images : float32 ``[L, C]``, what QONNX's execution has for them before ``ops``.
    node : name for the quantiser.

    Returns
    -------
    a quantiser with one scale for all channels that changes no value; None if no grid of 16 bits holds all values, or if it
    is not known what float32 execution gives.
    """
    size = max([op.size for op in (*meaning, *ops)], default=1)
    if len(x) * size > _BUDGET:
        return None
    after = _images(ops, images)
    if after is None:
        return None
    values = [[_exact((*meaning, *ops), Fraction(int(number)), index) for index in range(size)] for number in x]
    found = {value for row in values for value in row}
    bottom = lcm(*(value.denominator for value in found))
    if bottom.bit_length() > _LONGEST:
        return None
    whole = sorted(int(value * bottom) for value in found)
    step = gcd(*(value - whole[0] for value in whole)) or abs(whole[0]) or bottom
    first = 0 if whole[0] % step == 0 else whole[0]
    low, high = (whole[0] - first) // step, (whole[-1] - first) // step
    if max(abs(low), abs(high)) >= MAX_LEVELS:
        return None
    scale, offset = Fraction(step, bottom), Fraction(first, bottom)
    table = np.full((high - low + 1, after.shape[1]), np.nan, dtype=np.float32)
    for row, image in zip(values, after, strict=True):
        level = np.array([int((value - offset) / scale) - low for value in row])
        seen = table[level, np.arange(len(image))]
        if not (np.isnan(seen) | (seen == image)).all():
            return None
        table[level, np.arange(len(image))] = image
    if np.array_equal(table, np.broadcast_to(table[:, :1], table.shape), equal_nan=True):
        table = table[:, :1]
    return GridQuant(node=node, low=low, high=high, dtype=smallest_datatype(low, high), scale=Const.of_fractions([scale]),
                     offset=Const.of_fractions([offset]), zero=Const.of_fractions([-offset / scale]), rounding="HALF_EVEN",
                     images=table)


def rising_quantiser(affine: tuple[Fractions, Fractions], ops: Sequence[Op], x: IntArray, images: np.ndarray,
                     node: str) -> GridQuant | None:
    """The quantiser that negates the integers of channels whose scale is negative, and changes no value.

    Parameters
    ----------
    affine : scale and offset of the values behind ``ops``, each once or per channel.
    x, images, node : as for `implied_quantiser`.

    Returns
    -------
    the quantiser, or None if a scale is zero or it is not known what float32 execution gives.
    """
    scale, offset = affine
    size = max(len(scale), len(offset))
    scale, offset = (part * size if len(part) == 1 else part for part in affine)
    after = _images(ops, images)
    if after is None or not all(scale):
        return None
    turned = np.array([factor < 0 for factor in scale])
    low, high = min(int(x[0]), -int(x[-1])), max(int(x[-1]), -int(x[0]))
    table = np.full((high - low + 1, size), np.nan, dtype=np.float32)
    for channel in range(size):
        table[(-x if turned[channel] else x) - low, channel] = after[:, channel % after.shape[1]]
    sizes = [abs(factor) for factor in scale]
    zeros = [-plus / factor for plus, factor in zip(offset, sizes, strict=True)]
    return GridQuant(node=node, low=low, high=high, dtype=smallest_datatype(low, high), scale=Const.of_fractions(sizes),
                     offset=Const.of_fractions(list(offset)), zero=Const.of_fractions(zeros), rounding="HALF_EVEN", images=table)


def _exact(ops: Sequence[Op], value: Fraction, index: int) -> Fraction:
    for op in ops:
        value = op.exact(value, index)
    return value


def _images(ops: Sequence[Op], x: np.ndarray) -> np.ndarray | None:
    """float32 execution of ``ops``, where every runtime gives the same."""
    for op in ops:
        match op:
            case Mul():
                x = x * _f32(op.by)
            case Div():
                x = x / _f32(op.by)
            case Add():
                x = x + _f32(op.by)
            case LeakyRelu() if not op.slope.value.any():
                x = np.maximum(x, np.float32(0))
            case Clip():
                x = np.clip(x, np.float32(op.low), np.float32(op.high))
            case Extremum():
                x = np.maximum(x, _f32(op.by)) if op.largest else np.minimum(x, _f32(op.by))
            case Absolute():
                x = np.abs(x)
            case Sign():
                x = np.sign(x)
            case Round():
                x = round_array(x, op.mode)
            case _:
                return None
    return x


def _f32(const: Const) -> np.ndarray:
    return const.value.astype(np.float32)
