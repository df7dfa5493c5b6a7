"""Weights as products of smaller ones.

========= ======================================================= ========================================
method    layers instead of o x i x kh x kw                       source
========= ======================================================= ========================================
svd       r filters kh x kw, then o of 1 x 1 (or two dense)       Zhang et al., arXiv 1505.06798
spatial   r filters kh x 1, then o of 1 x kw                      Jaderberg et al., arXiv 1405.3866
tucker    1 x 1 to r1, kh x kw to r2, 1 x 1 to o                  Kim et al., arXiv 1511.06530
cp        1 x 1 to r, depthwise kh x 1 and 1 x kw, 1 x 1 to o     Lebedev et al., arXiv 1412.6553
========= ======================================================= ========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["svd", "spatial", "tucker", "cp"]
Weights = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Factor:
    """One of the layers that stand for a layer.

    Attributes
    ----------
    weights : ``[out, in]`` or ``[out, in / groups, kh, kw]``.
    first_axis, second_axis : whether it moves along rows and columns, so has the layer's stride and padding there.
    depthwise : whether each channel has a filter of its own.
    """

    weights: Weights
    first_axis: bool = True
    second_axis: bool = True
    depthwise: bool = False


def factors_of(weights: Weights, method: Method, energy: float) -> list[Factor]:
    """Factors that keep at least the share ``energy`` of the squared singular values of each unfolding.

    ``cp`` takes the largest rank that Tucker's unfoldings need, since none is known for it beforehand.
    """
    matrices = _unfoldings(weights, method)
    if weights.ndim == 2 or method == "svd":
        left, right = _halves(matrices[0], energy)
        if weights.ndim == 2:
            return [Factor(right), Factor(left)]
        return [Factor(right.reshape(-1, *weights.shape[1:])), _pointwise(left)]
    if method == "spatial":
        outputs, inputs, high, wide = weights.shape
        left, right = _halves(matrices[0], energy)
        first = left.reshape(inputs, high, -1).transpose(2, 0, 1)[..., None]
        second = right.reshape(-1, outputs, wide).transpose(1, 0, 2)[:, :, None]
        return [Factor(first, second_axis=False), Factor(second, first_axis=False)]
    ranks = [_rank(np.linalg.svd(matrix, compute_uv=False), energy) for matrix in matrices]
    return _tucker(weights, ranks) if method == "tucker" else _cp(weights, max(ranks))


def spectra(weights: Weights, method: Method) -> list[NDArray[np.floating[Any]]]:
    """Singular values of the unfoldings that ``method`` takes its ranks from."""
    return [np.linalg.svd(matrix, compute_uv=False) for matrix in _unfoldings(weights, method)]


def outlined(shape: tuple[int, ...], method: Method, values: list[NDArray[np.floating[Any]]], energy: float) -> list[Factor]:
    """What `factors_of` gives for weights of this shape and these `spectra`, without the numbers: for counting only."""
    ranks = [min(_rank(each, energy), len(each)) for each in values]

    def part(*sizes: int, **axes: bool) -> Factor:
        return Factor(np.broadcast_to(np.zeros(()), sizes), **axes)

    outputs, inputs, first = shape[0], shape[1], ranks[0]
    if len(shape) == 2:
        return [part(first, inputs), part(outputs, first)]
    high, wide = shape[2:]
    if method == "spatial":
        return [part(first, inputs, high, 1, second_axis=False), part(outputs, first, 1, wide, first_axis=False)]
    point = {"first_axis": False, "second_axis": False}
    if method == "svd":
        return [part(first, *shape[1:]), part(outputs, first, 1, 1, **point)]
    if method == "tucker":
        return [part(ranks[1], inputs, 1, 1, **point), part(first, ranks[1], high, wide), part(outputs, first, 1, 1, **point)]
    rank = max(ranks)
    return [part(rank, inputs, 1, 1, **point), part(rank, 1, high, 1, second_axis=False, depthwise=True),
            part(rank, 1, 1, wide, first_axis=False, depthwise=True), part(outputs, rank, 1, 1, **point)]


def _unfoldings(weights: Weights, method: Method) -> list[Weights]:
    if weights.ndim == 2 or method == "svd":
        return [weights.reshape(len(weights), -1)]
    if method == "spatial":
        outputs, inputs, high, wide = weights.shape
        # Rows: input and kernel row; columns: output and kernel column.
        return [weights.transpose(1, 2, 0, 3).reshape(inputs * high, outputs * wide)]
    return [np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1) for axis in (0, 1)]


def _rank(values: NDArray[np.floating[Any]], energy: float) -> int:
    kept = np.cumsum(values**2)
    return max(1, int(np.searchsorted(kept, energy * kept[-1] * (1 - 1e-12))) + 1) if kept[-1] > 0 else 1


def _halves(matrix: Weights, energy: float) -> tuple[Weights, Weights]:
    """``left @ right`` of the rank that ``energy`` asks for; both have the same singular values."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    rank = min(_rank(values, energy), len(values))
    root = np.sqrt(values[:rank])
    return left[:, :rank] * root, root[:, None] * right[:rank]


def _pointwise(matrix: Weights) -> Factor:
    return Factor(matrix[:, :, None, None], first_axis=False, second_axis=False)


def _tucker(weights: Weights, ranks: list[int]) -> list[Factor]:
    from tensorly.decomposition import partial_tucker

    (core, (outputs, inputs)), _ = partial_tucker(weights, rank=ranks, modes=[0, 1], init="svd")
    return [_pointwise(np.asarray(inputs).T), Factor(np.asarray(core)), _pointwise(np.asarray(outputs))]


def _cp(weights: Weights, rank: int) -> list[Factor]:
    from tensorly.decomposition import parafac

    # From singular vectors alternating least squares settle in a tenth of the steps that random factors take; beyond these the
    # error changes by less than quantisation does.
    found: Any = parafac(weights, rank=rank, init="svd", random_state=0, n_iter_max=100, tol=1e-6, normalize_factors=False)
    outputs, inputs, rows, columns = (np.asarray(factor) for factor in found.factors)
    outputs = outputs * np.asarray(found.weights)
    return [
        _pointwise(inputs.T), Factor(rows.T[:, None, :, None], second_axis=False, depthwise=True),
        Factor(columns.T[:, None, None, :], first_axis=False, depthwise=True), _pointwise(outputs),
    ]
