"""The dataflow operators. Each is a value: parameters and names, no behaviour of any back end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_flow.ir.tensor import IntArray


@dataclass(frozen=True, eq=False)
class Thresholds:
    """A monotone integer function per channel, as a multi-threshold.

    ``count = number of t in values[c] with x >= t``; a channel with ``descending[c]`` counts ``x < t``
    instead. The result is ``base + step * count``.

    Attributes
    ----------
    values : int64 ``[C, T]`` or ``[1, T]`` (shared by all channels), ascending along T.
    descending : bool ``[C]`` or ``[1]``, same leading size as ``values``.
    base : result where no threshold is reached.
    step : 1, or 2 for BIPOLAR (base -1).
    """

    values: IntArray
    descending: np.ndarray
    base: int
    step: int = 1

    @property
    def levels(self) -> int:
        """Number of thresholds T per channel."""
        return int(self.values.shape[1])

    def __call__(self, x: IntArray) -> IntArray:
        """Apply to int64 ``[..., C]``; returns the same shape."""
        out = np.empty_like(x)
        rows = np.arange(x.shape[-1]) if len(self.values) > 1 else np.zeros(x.shape[-1], dtype=np.intp)
        for channel, row in enumerate(rows):
            count = np.searchsorted(self.values[row], x[..., channel], side="right")
            out[..., channel] = self.levels - count if self.descending[row] else count
        return self.base + self.step * out


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """Base of all operators.

    Attributes
    ----------
    name : unique, FINN's pattern: ``MVAU_0``, ``Thresholding_1``, ``LabelSelect_0``.
    inputs, outputs : tensor names.
    source : names of the ONNX nodes that it implements, for messages and comparison.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class MVAU(Node):
    """Matrix-vector-activation unit: ``thresholds(weights @ x)`` on every vector of the input.

    Attributes
    ----------
    weights : int64 ``[MH, MW]``.
    weight_dtype : QONNX DataType name.
    acc_dtype : QONNX DataType name of the exact accumulator, from the actual weights and input type.
    thresholds : the activation, or None for raw accumulators.
    """

    weights: IntArray
    weight_dtype: str
    acc_dtype: str
    thresholds: Thresholds | None = None

    @property
    def mw(self) -> int:
        """Inputs of the matrix (columns)."""
        return int(self.weights.shape[1])

    @property
    def mh(self) -> int:
        """Outputs of the matrix (rows)."""
        return int(self.weights.shape[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Thresholding(Node):
    """Stand-alone element-wise multi-threshold."""

    thresholds: Thresholds


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelSelect(Node):
    """Index of the largest element of each vector; the lowest index wins a draw."""
