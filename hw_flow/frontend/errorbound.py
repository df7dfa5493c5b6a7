"""Bounds on what QONNX's float32 execution of a region may compute, by interval arithmetic.

Every float32 operation may round once (relative error 2**-24), sums of n terms in any order by
gamma_n; operations that are provably exact (power-of-two scales, integers below 2**24) add nothing,
so that for them the interval is a point and the comparison strict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hw_flow.frontend.ops import Op, Pair
from hw_flow.frontend.regions import Integers, Region
from hw_flow.ir.tensor import FloatArray, IntArray


def level_bounds(region: Region, x: Sequence[np.ndarray], sources: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Levels between which both exact and float32 evaluation of ``region`` must stay.

    Parameters
    ----------
    x : per source, the float32 that QONNX is fed, ``[N, *shape]``.
    sources : the integers that it stands for, ``[N, *shape]``.

    Returns
    -------
    ``[B, C]``, all positions of all frames.
    """
    assert region.quantiser is not None
    lo, hi = region.quantiser.levels32(*value_bounds(region, x, sources))
    return np.minimum(lo, hi), np.maximum(lo, hi)


def inner_step(region: Region, x: Sequence[np.ndarray], sources: Sequence[IntArray]) -> np.ndarray:
    """Where the bounds leave open just which side of a jump is taken inside the region, ``[B, C]``."""
    lo, hi = value_bounds(replace(region, ops=()), x, sources)
    open_ = np.zeros((1, 1), dtype=bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for op in region.ops:
            jump = op.one_jump(lo, hi)
            if jump is not None:
                open_ = open_ | jump
            lo, hi = op.interval(lo, hi)
    return open_


def value_bounds(region: Region, x: Sequence[np.ndarray], sources: Sequence[IntArray]) -> Pair:
    """As `level_bounds`, for the real values before the quantiser."""
    with np.errstate(over="ignore", invalid="ignore"):
        pairs = []
        for index, (source, fed, integers) in enumerate(zip(region.sources, x, sources, strict=True)):
            lo, hi = _start(source, fed, integers)
            if region.pre:
                lo, hi = _apply(region.pre[index], lo, hi)
            pairs.append((lo.reshape(integers.shape), hi.reshape(integers.shape)))
        lo, hi = pairs[0] if region.core is None else region.core.interval(*pairs)
        return _apply(region.ops, _columns(lo), _columns(hi))


def _start(source: Integers, x: np.ndarray, integers: IntArray) -> Pair:
    """Bounds ``[B, C]`` on the exact input and on its float32 image; a point where they are the same."""
    fed, level = _columns(x).astype(np.float64), _columns(integers)
    if source.after:
        exact, error = source.real(level)
        return np.minimum(fed, exact - error), np.maximum(fed, exact + error)
    scale, offset = source.scale, source.offset
    exact = level * scale.value + offset.value
    known = (scale.delta == 0) & (offset.delta == 0) & (exact == fed)
    slack = np.where(known, 0.0, 2.0**-51 * (np.abs(exact) + np.abs(offset.value)))
    return np.minimum(fed, exact) - slack, np.maximum(fed, exact) + slack


def _columns(x: np.ndarray) -> np.ndarray:
    """Frames ``[N, ..., C]`` as ``[B, C]``."""
    return x.reshape(-1, x.shape[-1])


def _apply(ops: Sequence[Op], lo: FloatArray, hi: FloatArray) -> Pair:
    for op in ops:
        lo, hi = op.interval(lo, hi)
    return lo, hi
