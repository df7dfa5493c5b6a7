"""ONNX tensors as lazy expressions: integers of a stream, seen in some order, and element-wise operators after them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.frontend.ops import Fractions, Op, compose_affine
from hw_flow.frontend.regions import Integers, counting
from hw_flow.ir.joins import Reorder
from hw_flow.ir.nodes import Shape
from hw_flow.ir.tensor import IntArray


@dataclass(frozen=True, eq=False)
class Value:
    """An ONNX tensor that hardware can hold.

    Attributes
    ----------
    base : the integers.
    order : int64 ``[*frame]``, position in the base's flat stream of each element of the ONNX frame.
    ops : operators after the base's own meaning.
    nodes : ONNX nodes since the base, in order.
    """

    base: Integers
    order: IntArray
    ops: tuple[Op, ...] = ()
    nodes: tuple[str, ...] = ()

    @staticmethod
    def of(base: Integers) -> Value:
        """The tensor that ``base`` stands for."""
        return Value(base, base.order)

    @property
    def frame(self) -> Shape:
        """Frame of the ONNX tensor."""
        return self.order.shape

    @cached_property
    def lanes(self) -> IntArray:
        """Channel of the stream for each element of the frame."""
        return self.order % self.base.channels

    @property
    def chain(self) -> tuple[Op, ...]:
        """Operators from the integers to the real values."""
        return (*self.base.meaning, *self.ops)

    def then(self, node: str, ops: tuple[Op, ...]) -> Value:
        """After an element-wise node."""
        return replace(self, ops=(*self.ops, *ops), nodes=(*self.nodes, node))

    def seen(self, node: str, order: IntArray) -> Value:
        """After a node that only looks at the elements in another order."""
        return replace(self, order=order, nodes=(*self.nodes, node))

    @cached_property
    def affine(self) -> tuple[Fractions, Fractions] | None:
        """``(scale, offset)`` per channel if the real values are affine in the integers."""
        return compose_affine(self.chain)

    def culprit(self) -> str:
        """Node of the first operator that is not affine."""
        return next((op.node for op in self.chain if op.affine() is None), self.base.tensor)


def arranged(frame: Shape, axis: int) -> IntArray:
    """ONNX elements with channels on ``axis`` in the order of a stream ``[C]``, ``[1, L, C]`` or ``[H, W, C]``."""
    moved = np.moveaxis(counting(frame), axis, -1)
    while moved.ndim > 3 and moved.shape[0] == 1:
        moved = moved[0]
    if moved.ndim > 3:
        moved = moved.reshape(-1, *moved.shape[-2:])
    return moved[None] if moved.ndim == 2 else moved


def channel_axis(order: IntArray) -> int:
    """The axis along which neighbours in the stream lie; the last one if none does."""
    for axis in reversed(range(order.ndim)):
        if order.shape[axis] > 1:
            line = order[tuple(slice(None) if i == axis else 0 for i in range(order.ndim))]
            if (np.diff(line) == 1).all():
                return axis
    return order.ndim - 1


def channels_last(frame: Shape, axis: int) -> IntArray:
    """ONNX elements of a map or sequence with channels on ``axis``, in the order of a stream ``[H, W, C]``."""
    moved = np.moveaxis(counting(frame), axis, -1)
    return moved[None] if moved.ndim == 2 else moved


def counters(index: IntArray) -> tuple[Shape, Shape, int] | None:
    """Counts, strides and offset of nested counters that give the flat ``index``, or None if none do."""
    flat = index.ravel()
    offset = int(flat[0])
    counts: list[int] = []
    strides: list[int] = []
    while len(flat) > 1:
        stride = int(flat[1] - flat[0])
        run = int(np.argmax(np.append(np.diff(flat) != stride, True))) + 1
        count = next((c for c in range(run, 1, -1) if len(flat) % c == 0 and _repeats(flat, c, stride)), 0)
        if not count:
            return None
        counts.insert(0, count)
        strides.insert(0, stride)
        flat = flat[::count]
    return tuple(counts) or (1,), tuple(strides) or (1,), offset


def _repeats(flat: IntArray, count: int, stride: int) -> bool:
    rows = flat.reshape(-1, count)
    return bool((rows - rows[:, :1] == np.arange(count) * stride).all())


def reorder(name: str, source: Integers, index: IntArray, where: str) -> Reorder:
    """Node that reads elements ``index`` ``[*shape]`` of ``source``; FlowError, naming ``where``, if no nested counters do."""
    found = counters(index)
    if found is None:
        raise FlowError(f"{where}: takes the elements of '{source.tensor}' in an order that nested counters cannot give; use "
                        "Transpose, Slice or Resize by whole factors")
    counts, strides, offset = found
    return Reorder(name=name, inputs=(source.name,), outputs=(f"{name}_out",), out_shape=index.shape, counts=counts,
                   strides=strides, offset=offset)


def common(numbers: Fractions) -> tuple[Fractions, IntArray] | None:
    """The largest rational of which all ``numbers`` are whole multiples, and the multiples; None beyond 16 bits."""
    used = [number for number in numbers if number]
    if not used:
        return None
    bottom = lcm(*(number.denominator for number in used))
    unit = gcd(*(int(number * bottom) for number in used))
    whole = [int(number * bottom) // unit for number in numbers]
    if max(map(abs, whole)) >= 1 << 16:
        return None
    return (Fraction(unit, bottom),), np.array(whole, dtype=np.int64)

