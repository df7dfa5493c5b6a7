"""Ranges of integers through operators, and the types that hold them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir import Add, Multiply, Tensor, smallest_datatype
from hw_flow.ir.tensor import IntArray

# The golden model multiplies in float64; accumulators beyond this would not be exact there.
_EXACT = 2**53

# Smallest and largest integer, [1] or one per channel.
Range = tuple[IntArray, IntArray]


def ranges(weights: IntArray, low: IntArray | int, high: IntArray | int) -> Range:
    """Exact smallest and largest accumulator of each row for inputs from ``low`` to ``high`` (one, or one per column)."""
    positive, negative = weights.clip(min=0), weights.clip(max=0)
    if np.size(low) == 1:
        above, below = positive.sum(axis=1), negative.sum(axis=1)
        return above * low + below * high, above * high + below * low
    least, most = np.asarray(low, dtype=np.int64), np.asarray(high, dtype=np.int64)
    bottom: np.ndarray = positive @ least + negative @ most
    top: np.ndarray = positive @ most + negative @ least
    return bottom, top


def accumulator(low: IntArray, high: IntArray, where: str) -> str:
    """Data type of accumulators; FlowError where float64 would not hold them exactly."""
    most = max(-int(low.min()), int(high.max()))
    if most >= _EXACT:
        raise FlowError(f"{where}: accumulators reach {most:,}, more than 53 bits; quantise its input or its weights further")
    return smallest_datatype(int(low.min()), int(high.max()))


def by_types(node: Add | Multiply, limits: Sequence[tuple[int, int]]) -> Range:
    """Range of a join for inputs within ``limits``."""
    if isinstance(node, Add):
        ends = [sorted(factor * end for end in pair) for factor, pair in zip(node.coefficients, limits, strict=True)]
        return np.array([sum(pair[0] for pair in ends)]), np.array([sum(pair[1] for pair in ends)])
    products = [a * b for a in limits[0] for b in limits[1]]
    return np.array([min(products)]), np.array([max(products)])


def row_spans(matrix: IntArray, span: Range) -> Range:
    """Range of each row of a product for inputs within ``span``, one or one per channel."""
    low, high = span
    if low.size > 1:
        times = matrix.shape[1] // low.size
        low, high = np.tile(low, times), np.tile(high, times)
    return ranges(matrix, low, high)


def padded(source: Tensor, pad: int) -> str:
    """Type that holds the elements of ``source`` and the padding."""
    low, high = source.limits
    if source.dtype == "BIPOLAR":
        return source.dtype if pad in (-1, 1) else "TERNARY" if pad == 0 else smallest_datatype(min(pad, -1), max(pad, 1))
    return source.dtype if low <= pad <= high else smallest_datatype(min(low, pad), max(high, pad))


def shared(tensors: Sequence[Tensor]) -> str:
    """Type that holds the elements of all ``tensors``."""
    if len({tensor.dtype for tensor in tensors}) == 1:
        return tensors[0].dtype
    low, high = min(tensor.limits[0] for tensor in tensors), max(tensor.limits[1] for tensor in tensors)
    return "TERNARY" if (low, high) == (-1, 1) else smallest_datatype(low, high)
