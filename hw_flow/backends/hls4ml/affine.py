"""Integer activations as one multiplication, one addition and a saturating cast, proven equal for every accumulator.

hls4ml has no multi-threshold. Its `ApplyAlpha` computes ``scale[c] * x + bias[c]`` in full precision and casts the sum to the
result's type, which rounds and saturates. A threshold row is such a function exactly if its steps lie on a digital line: some
line ``a * x + b`` passes level k inside every interval between the last accumulator below the step and the first one at it.
Whether one exists, and the coarsest binary grid that holds ``a`` and ``b``, is decided here in integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hw_flow.ir import Thresholds
from hw_flow.ir.tensor import FloatArray, IntArray

Rounding = Literal["TRN", "RND_CONV"]

# Finest grid tried for the scale; products of it with an accumulator stay within int64.
_FINEST = 40
_LARGEST = 2**61
# Stands for an end that nothing bounds.
_FREE = 2**62


@dataclass(frozen=True, eq=False)
class Affine:
    """``saturate(round(scale / 2**scale_bits * x + bias / 2**bias_bits))``.

    Attributes
    ----------
    scale, bias : int64 ``[C]`` or ``[1]``.
    scale_bits, bias_bits : fraction bits.
    rounding : of the cast, ``TRN`` (down) or ``RND_CONV`` (half to even).
    """

    scale: IntArray
    scale_bits: int
    bias: IntArray
    bias_bits: int
    rounding: Rounding

    @property
    def shifts_only(self) -> bool:
        """Whether nothing is multiplied: an addition and the cast suffice."""
        return self.rounding == "TRN" and self.scale_bits == 0 and self.bias_bits == 0 and bool((self.scale == 1).all())

    def __call__(self, x: IntArray, low: int, high: int) -> IntArray:
        """Apply to ``x [..., C]`` with a result type of ``low`` to ``high``, exactly as the cast does."""
        bits = max(self.scale_bits, self.bias_bits)
        exact = x * (self.scale << (bits - self.scale_bits)) + (self.bias << (bits - self.bias_bits))
        if self.rounding == "TRN" or bits == 0:
            rounded = exact >> bits
        else:
            rounded = (exact + (1 << (bits - 1)) - 1 + ((exact >> bits) & 1)) >> bits
        result: IntArray = np.clip(rounded, low, high)
        return result


@dataclass(frozen=True, eq=False)
class _Steps:
    """Where each level must be reached: ``ends[0] < x <= ends[1]``, with the closed end by rounding mode; all ``[C, K]``."""

    last: IntArray  # largest input that is below the level; -_FREE if there is none
    first: IntArray  # smallest input that has reached it; _FREE if none does
    level: IntArray  # [K]


def fit(thresholds: Thresholds, span: tuple[IntArray, IntArray], result: tuple[int, int]) -> Affine | None:
    """The cheapest affine form of ``thresholds`` for inputs within ``span``, or None if it has none.

    Parameters
    ----------
    span : smallest and largest input, int64 ``[C]`` or ``[1]``.
    result : ends of the type that the result saturates in.
    """
    steps, negative = _steps(thresholds, span, result)
    modes: tuple[Rounding, ...] = ("TRN", "RND_CONV")
    for rounding in modes:
        found = _fit(steps, rounding)
        if found is not None:
            scale = np.where(negative, -found.scale, found.scale)
            return Affine(scale, found.scale_bits, found.bias, found.bias_bits, rounding)
    return None


def _steps(thresholds: Thresholds, span: tuple[IntArray, IntArray], result: tuple[int, int]) -> tuple[_Steps, np.ndarray]:
    """Steps of every channel as an ascending function of ``x`` or, where it falls, of ``-x``; and which channels fall."""
    rows = max(len(thresholds.values), span[0].size)
    values = np.broadcast_to(thresholds.values, (rows, thresholds.levels)).astype(np.int64)
    low, high = (np.broadcast_to(end, rows).astype(np.int64)[:, None] for end in span)
    falls = np.broadcast_to(thresholds.descending, rows).copy()
    turned = falls[:, None]
    # A falling channel counts x < T, which is -x >= 1 - T.
    values = np.where(turned, 1 - values[:, ::-1], values)
    low, high = np.where(turned, -high, low), np.where(turned, -low, high)
    last = np.where(values > high, high, np.where(values <= low, -_FREE, values - 1))
    first = np.where(values > high, _FREE, np.where(values <= low, low, values))
    level = thresholds.base + 1 + np.arange(thresholds.levels)
    if result[0] < thresholds.base:  # the type does not saturate there: the line itself must stay above
        last, first = np.hstack([np.full_like(low, -_FREE), last]), np.hstack([low, first])
        level = np.concatenate([[thresholds.base], level])
    top = thresholds.base + thresholds.levels
    if result[1] > top:
        last, first = np.hstack([last, high]), np.hstack([first, np.full_like(high, _FREE)])
        level = np.concatenate([level, [top + 1]])
    return _Steps(last, first, level), falls


def _fit(steps: _Steps, rounding: Rounding) -> Affine | None:
    low, high = _slopes(steps, rounding)
    if (low > high).any():
        return None
    reach = max(1, int(np.abs(np.where(np.abs(steps.last) < _FREE, steps.last, 0)).max()),
                int(np.abs(np.where(np.abs(steps.first) < _FREE, steps.first, 0)).max()))
    for bits in range(1 if rounding == "RND_CONV" else 0, _FINEST + 1):
        grid = float(2**bits)
        if reach * max(1.0, float(low.max())) * grid > _LARGEST:
            return None
        found = _on_grid(steps, rounding, bits, low * grid, high * grid)
        if found is not None:
            return found
    return None


def _slopes(steps: _Steps, rounding: Rounding) -> tuple[FloatArray, FloatArray]:
    """Ends of the slopes that could do, ``[C]``: of any two levels, the line takes no less and no more between them."""
    channels, count = steps.last.shape
    least, most = np.full(channels, 0.0), np.full(channels, np.inf)
    for gap in range(1, count):
        wide = (steps.first[:, gap:] - steps.last[:, :-gap]).astype(np.float64)
        wide[(steps.first[:, gap:] == _FREE) | (steps.last[:, :-gap] == -_FREE)] = np.inf
        tight = (steps.last[:, gap:] - steps.first[:, :-gap]).astype(np.float64)
        tight[(steps.last[:, gap:] == -_FREE) | (steps.first[:, :-gap] == _FREE)] = -np.inf
        least = np.maximum(least, (gap / wide).max(axis=1))
        with np.errstate(divide="ignore"):
            most = np.minimum(most, np.where(tight > 0, gap / np.where(tight > 0, tight, 1.0), np.inf).min(axis=1))
    slack = 2.0**-40 if rounding == "RND_CONV" else 0.0  # ends may belong to the interval there; `_biases` decides exactly
    return least * (1 - slack), most * (1 + slack)


def _on_grid(steps: _Steps, rounding: Rounding, bits: int, low: FloatArray, high: FloatArray) -> Affine | None:
    """A scale and a bias of ``bits`` fraction bits for every channel; None if one has none."""
    ends = np.where(np.isfinite(high), high, low + 1)
    guesses = (np.floor(low) + 1, np.rint(low), np.rint(ends), np.rint((low + ends) / 2))
    scale = np.zeros(len(low), dtype=np.int64)
    least, most = np.zeros_like(scale), np.zeros_like(scale)
    for guess in guesses:
        tried = np.maximum(guess, 1).astype(np.int64)
        bottom, top = _biases(steps, rounding, bits, tried)
        better = (scale == 0) & (bottom < top)
        scale, least, most = np.where(better, tried, scale), np.where(better, bottom, least), np.where(better, top, most)
    if (scale == 0).any():
        return None
    for coarse in range(bits + 1):
        step = 1 << (bits - coarse)
        first, last = -(-least // step), (most - 1) // step
        if (first <= last).all():
            # A channel that never changes has no end on one side: the number nearest to 0 does.
            return Affine(scale, bits, np.clip(0, first, last), coarse, rounding)
    return None


def _biases(steps: _Steps, rounding: Rounding, bits: int, scale: IntArray) -> tuple[IntArray, IntArray]:
    """Half-open range of biases, in units of ``2**-bits``, with which ``scale [C]`` is exact; both ``[C]``."""
    factor = scale[:, None]
    if rounding == "TRN":
        edge, odd = steps.level << bits, np.zeros_like(steps.level)
    else:
        # Half a step below an even level is rounded up to it, below an odd one down.
        edge, odd = (2 * steps.level - 1) << (bits - 1), steps.level & 1
    reached, missed = steps.first != _FREE, steps.last != -_FREE
    bottom = np.where(reached, edge + odd - factor * np.where(reached, steps.first, 0), -_FREE).max(axis=1)
    top = np.where(missed, edge + odd - factor * np.where(missed, steps.last, 0), _FREE).min(axis=1)
    return bottom, top
