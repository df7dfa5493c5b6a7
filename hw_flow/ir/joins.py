"""Operators on several streams, and on the order of one."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir.nodes import Node, Shape
from hw_flow.ir.tensor import IntArray
from hw_flow.ir.thresholds import Thresholds


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Node):
    """Weighted sum of equal shapes, element by element: ``thresholds(sum(coefficients[i] * x[i]))``.

    Attributes
    ----------
    coefficients : an integer per input, not 0; they bring streams of different scales to a common one.
    thresholds : the activation, or None for the sum itself.
    """

    coefficients: tuple[int, ...]
    thresholds: Thresholds | None = None

    def shape(self, *shapes: Shape) -> Shape:
        if len(shapes) != len(self.coefficients):
            raise FlowError(f"{self.name}: {len(shapes)} inputs for {len(self.coefficients)} coefficients")
        return _same(self, shapes)

    def golden(self, *frames: IntArray) -> IntArray:
        total = np.zeros_like(frames[0])
        for factor, x in zip(self.coefficients, frames, strict=True):
            total = total + factor * x
        return total if self.thresholds is None else self.thresholds(total)


@dataclass(frozen=True, eq=False, kw_only=True)
class Multiply(Node):
    """Product of two equal shapes, element by element: ``thresholds(x[0] * x[1])``."""

    thresholds: Thresholds | None = None

    def shape(self, *shapes: Shape) -> Shape:
        return _same(self, shapes)

    def golden(self, *frames: IntArray) -> IntArray:
        product = frames[0] * frames[1]
        return product if self.thresholds is None else self.thresholds(product)


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Node):
    """Channels of all inputs side by side, in order."""

    def shape(self, *shapes: Shape) -> Shape:
        if any(shape[:-1] != shapes[0][:-1] for shape in shapes):
            raise FlowError(f"{self.name}: joins channels of {', '.join(str(list(shape)) for shape in shapes)}; all axes but the "
                            "last must be equal")
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def golden(self, *frames: IntArray) -> IntArray:
        return np.concatenate(frames, axis=-1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Slice(Node):
    """Channels from ``begin`` up to ``end`` (exclusive) of every position."""

    begin: int
    end: int

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        if not 0 <= self.begin < self.end <= source[-1]:
            raise FlowError(f"{self.name}: channels {self.begin} to {self.end} do not lie in the {source[-1]} of "
                            f"'{self.inputs[0]}'")
        return (*source[:-1], self.end - self.begin)

    def golden(self, *frames: IntArray) -> IntArray:
        return frames[0][..., self.begin:self.end]


@dataclass(frozen=True, eq=False, kw_only=True)
class Reorder(Node):
    """Elements of a frame in another order: transpose, crop, nearest-neighbour upsampling, depth to space.

    Output element number ``(i0, i1, ...)`` of nested counters, last fastest, is input element ``offset + sum(i[k] * strides[k])``
    of the flat frame. A stride of 0 repeats.

    Attributes
    ----------
    out_shape : shape of the output; its elements are as many as ``prod(counts)``.
    counts, strides : of the nested counters.
    offset : first input element that is read.
    """

    out_shape: Shape
    counts: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    def index(self) -> IntArray:
        """Input element for each output element, int64 ``[prod(counts)]``."""
        index = np.full(self.counts, self.offset, dtype=np.int64)
        for axis, (count, stride) in enumerate(zip(self.counts, self.strides, strict=True)):
            index += (np.arange(count) * stride).reshape([-1 if i == axis else 1 for i in range(len(self.counts))])
        return index.ravel()

    def shape(self, *shapes: Shape) -> Shape:
        index = self.index()
        if len(index) != prod(self.out_shape) or index.min() < 0 or index.max() >= prod(shapes[0]):
            raise FlowError(f"{self.name}: its order of {len(index)} elements does not take frames of {list(shapes[0])} to "
                            f"{list(self.out_shape)}")
        return self.out_shape

    def golden(self, *frames: IntArray) -> IntArray:
        (x,) = frames
        return x.reshape(len(x), -1)[:, self.index()].reshape(len(x), *self.out_shape)


def _same(node: Node, shapes: tuple[Shape, ...]) -> Shape:
    if any(shape != shapes[0] for shape in shapes):
        found = ", ".join(str(list(shape)) for shape in shapes)
        raise FlowError(f"{node.name}: joins frames of {found}; they must be equal")
    return shapes[0]
