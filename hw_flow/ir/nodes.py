"""Operators on vectors. Each is a value with a shape rule and an integer golden model, and nothing of any back end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir.tensor import IntArray
from hw_flow.ir.thresholds import Thresholds

Shape = tuple[int, ...]

# float64 holds every integer below 2**53, so BLAS computes such products exactly and fast.
_EXACT_FLOAT = 2**53


@dataclass(frozen=True, eq=False, kw_only=True)
class Node(ABC):
    """Base of all operators; each writes one tensor.

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

    @abstractmethod
    def shape(self, *shapes: Shape) -> Shape:
        """Shape of one output frame for the frames it reads; FlowError where they do not fit."""

    @abstractmethod
    def golden(self, *frames: IntArray) -> IntArray:
        """Exact result ``[N, *shape]`` for int64 inputs ``[N, *shapes[i]]``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MVAU(Node):
    """Matrix-vector-activation unit: ``thresholds(weights @ x)`` on every vector of the input.

    A vector is the channels of one position, or all of a frame's trailing axes that together hold MW elements: a flattened frame.

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

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        for axis in range(len(source) - 1, -1, -1):
            if prod(source[axis:]) == self.mw:
                return (*source[:axis], self.mh)
        raise FlowError(f"{self.name}: input '{self.inputs[0]}' has {source[-1]} channels, the node takes {self.mw}")

    def golden(self, *frames: IntArray) -> IntArray:
        (x,) = frames
        acc = matmul(x.reshape(*x.shape[:1], -1, self.mw), self.weights.T)
        acc = acc.reshape(len(x), *self.shape(x.shape[1:]))
        return acc if self.thresholds is None else self.thresholds(acc)


@dataclass(frozen=True, eq=False, kw_only=True)
class Thresholding(Node):
    """Stand-alone element-wise multi-threshold."""

    thresholds: Thresholds

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        check_rows(self.name, "thresholds", len(self.thresholds.values), source)
        return source

    def golden(self, *frames: IntArray) -> IntArray:
        return self.thresholds(frames[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelSelect(Node):
    """Index of the largest element of each vector; the lowest index wins a draw."""

    def shape(self, *shapes: Shape) -> Shape:
        return (*shapes[0][:-1], 1)

    def golden(self, *frames: IntArray) -> IntArray:
        first: IntArray = np.argmax(frames[0], axis=-1, keepdims=True).astype(np.int64)
        return first


def check_rows(name: str, what: str, rows: int, source: Shape) -> None:
    """FlowError unless there is one row of parameters, or one per channel."""
    if rows not in (1, source[-1]):
        raise FlowError(f"{name}: {rows} rows of {what} for {source[-1]} channels; give 1 or {source[-1]}")


def matmul(x: IntArray, w: IntArray) -> IntArray:
    """Exact integer product ``[..., K] @ [K, M]``."""
    bound = int(np.abs(x).max(initial=0)) * int(np.abs(w).sum(axis=0).max(initial=0))
    if bound < _EXACT_FLOAT:
        exact: IntArray = np.rint(x.astype(np.float64) @ w.astype(np.float64)).astype(np.int64)
        return exact
    product: IntArray = x @ w
    return product
