"""Bounds on what float32 sums and products may give, whatever their order."""

from __future__ import annotations

import numpy as np

from hw_flow.frontend.numeric import TINY32, U32, fits32
from hw_flow.frontend.ops import Pair
from hw_flow.ir.tensor import FloatArray


def matmul(weights: FloatArray, lo: FloatArray, hi: FloatArray) -> Pair:
    """Bounds on the float32 product of vectors ``[..., MW]`` with ``weights`` ``[MH, MW]``: ``[..., MH]``."""
    sizes = np.abs(weights).T
    point = np.array_equal(lo, hi)
    middle = lo if point else (lo + hi) / 2
    magnitude = (np.abs(lo) if point else np.maximum(np.abs(lo), np.abs(hi))) @ sizes
    error = gamma(weights.shape[1]) * magnitude * (1 + 2**-20)
    if not point:
        error = error + (hi - lo) / 2 @ sizes * (1 + 2 * U32)
    elif fits32(weights).all():
        error = np.where(magnitude < grid(middle) * grid(weights) * 2.0**24, 0.0, error)
    value = middle @ weights.T
    return value - error, value + error


def depthwise(weights: FloatArray, lo: FloatArray, hi: FloatArray) -> Pair:
    """As `matmul` for windows ``[..., K, C]`` with ``weights`` ``[K, C]``, summed over K."""
    point = np.array_equal(lo, hi)
    a, b = lo * weights, hi * weights
    magnitude = np.maximum(np.abs(a), np.abs(b)).sum(axis=-2)
    error = gamma(weights.shape[0]) * magnitude * (1 + 2**-20)
    if point and fits32(weights).all():
        error = np.where(magnitude < grid(lo) * grid(weights) * 2.0**24, 0.0, error)
    return np.minimum(a, b).sum(axis=-2) - error, np.maximum(a, b).sum(axis=-2) + error


def mean(lo: FloatArray, hi: FloatArray, axis: int) -> Pair:
    """Bounds on the float32 mean along ``axis``."""
    count = lo.shape[axis]
    magnitude = np.maximum(np.abs(lo), np.abs(hi)).sum(axis=axis) / count
    low, high = lo.sum(axis=axis) / count, hi.sum(axis=axis) / count
    error = gamma(count) * magnitude * (1 + 2**-20) + TINY32
    if np.array_equal(lo, hi) and count & (count - 1) == 0:
        error = np.where(magnitude * count < grid(lo) * 2.0**24, 0.0, error)
    return low - error, high + error


def gamma(terms: int) -> float:
    """Relative error of a float32 sum of ``terms`` products, with room for what kernels add to it."""
    terms += 4
    return terms * U32 / (1 - terms * U32)


def grid(values: FloatArray) -> float:
    """Largest power of two of which all ``values`` are whole multiples (1 if all are zero)."""
    used = values[values != 0]
    if not used.size:
        return 1.0
    mantissa, exponent = np.frexp(used)
    whole = (np.abs(mantissa) * 2.0**53).astype(np.int64)
    lowest = (whole & -whole).astype(np.float64)
    return float(np.ldexp(lowest, exponent - 53).min())
