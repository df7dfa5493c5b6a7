"""Bounds on what QONNX's float32 execution of a region may compute, by interval arithmetic.

Every float32 operation may round once (relative error 2**-24), sums of n terms in any order by
gamma_n; operations that are provably exact (power-of-two scales, integers below 2**24) add nothing,
so that for them the interval is a point and the comparison strict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hw_flow.frontend.numeric import U32, fits32
from hw_flow.frontend.ops import Op, Pair
from hw_flow.frontend.quantisers import MultiThreshold, Quantiser
from hw_flow.frontend.regions import Linear, Region
from hw_flow.ir.tensor import FloatArray, IntArray


def level_bounds(region: Region, x: np.ndarray, source: IntArray) -> tuple[IntArray, IntArray]:
    """Levels between which both exact and float32 evaluation of ``region`` must stay.

    Parameters
    ----------
    x : float32 that QONNX is fed, ``[B, E]``.
    source : the integers that it stands for, ``[B, E]``.
    """
    assert region.quantiser is not None
    lo, hi = region.quantiser.levels32(*value_bounds(region, x, source))
    return np.minimum(lo, hi), np.maximum(lo, hi)


def adjacent(quantiser: Quantiser, one: IntArray, other: IntArray) -> np.ndarray:
    """Where levels ``[B, E]`` are two sides of one boundary: neighbours, or apart by thresholds that coincide."""
    if not isinstance(quantiser, MultiThreshold):
        near: np.ndarray = np.abs(one - other) == (2 if quantiser.dtype == "BIPOLAR" else 1)
        return near
    steps = quantiser.steps
    below, above = ((level - quantiser.first) // quantiser.stride for level in (np.minimum(one, other), np.maximum(one, other)))
    known = (below >= 0) & (below < above) & (above <= steps.shape[1])
    rows = np.arange(one.shape[1]) if len(steps) > 1 else 0
    last = steps.shape[1] - 1
    same: np.ndarray = known & (steps[rows, np.clip(below, 0, last)] == steps[rows, np.clip(above - 1, 0, last)])
    return same


def inner_step(region: Region, x: np.ndarray, source: IntArray) -> np.ndarray:
    """Where the bounds leave open which of two adjacent levels a quantiser before the last one gives, ``[B, E]``."""
    at = [index for index, op in enumerate(region.ops) if isinstance(op, Quantiser)]
    open_ = np.zeros((1, 1), dtype=bool)
    for index in at:
        inner = region.ops[index]
        assert isinstance(inner, Quantiser)
        lo, hi = inner.levels32(*value_bounds(replace(region, ops=region.ops[:index]), x, source))
        open_ = open_ | adjacent(inner, lo, hi)
    return open_


def value_bounds(region: Region, x: np.ndarray, source: IntArray) -> Pair:
    """As `level_bounds`, for the real values before the quantiser."""
    lo, hi = _start(region, x, source)
    with np.errstate(over="ignore", invalid="ignore"):
        lo, hi = _apply(region.pre, lo, hi)
        if region.linear is not None:
            lo, hi = matmul(region.linear, lo, hi)
        return _apply(region.ops, lo, hi)


def _start(region: Region, x: np.ndarray, source: IntArray) -> Pair:
    """Bounds on the exact input and on its float32 image; a point where they are the same."""
    scale, offset = region.source.scale, region.source.offset
    fed = x.astype(np.float64)
    exact = source * scale.value + offset.value
    known = (scale.delta == 0) & (offset.delta == 0) & (exact == fed)
    slack = np.where(known, 0.0, 2.0**-51 * (np.abs(exact) + np.abs(offset.value)))
    return np.minimum(fed, exact) - slack, np.maximum(fed, exact) + slack


def _apply(ops: Sequence[Op], lo: FloatArray, hi: FloatArray) -> Pair:
    for op in ops:
        lo, hi = op.interval(lo, hi)
    return lo, hi


def matmul(linear: Linear, lo: FloatArray, hi: FloatArray) -> Pair:
    """Bounds on a float32 matrix product, whatever the order of its sums."""
    weights = linear.weights.values * linear.weights.scale.value[:, None]
    shape = (len(lo), linear.vectors, weights.shape[1])
    lo, hi = lo.reshape(shape), hi.reshape(shape)
    middle, radius = (lo + hi) / 2, (hi - lo) / 2
    sizes = np.abs(weights).T
    magnitude = np.maximum(np.abs(lo), np.abs(hi)) @ sizes
    terms = weights.shape[1] + 4
    error = radius @ sizes * (1 + 2 * U32) + terms * U32 / (1 - terms * U32) * magnitude * (1 + 2**-20)
    if not radius.any() and fits32(weights).all():
        unit = grid(middle) * grid(weights)
        error = np.where(magnitude < unit * 2.0**24, 0.0, error)
    value = middle @ weights.T
    flat = (len(lo), -1)
    return (value - error).reshape(flat), (value + error).reshape(flat)


def grid(values: FloatArray) -> float:
    """Largest power of two of which all ``values`` are whole multiples (1 if all are zero)."""
    used = values[values != 0]
    if not used.size:
        return 1.0
    mantissa, exponent = np.frexp(used)
    whole = (np.abs(mantissa) * 2.0**53).astype(np.int64)
    lowest = (whole & -whole).astype(np.float64)
    return float(np.ldexp(lowest, exponent - 53).min())
