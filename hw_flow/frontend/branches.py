"""Sums, products and extrema of two chains of operators that start from the same number.

SiLU, GELU, Mish and their like come as a Mul of two branches; so do skips around element-wise operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hw_flow.frontend.curves import Reciprocal
from hw_flow.frontend.numeric import Const, grow, product, total
from hw_flow.frontend.ops import Mul, Op, Pair, compose_affine, spread, widen
from hw_flow.ir.tensor import FloatArray

JOINS = frozenset({"Add", "Sub", "Mul", "Div", "Max", "Min"})
Chain = tuple[Op, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Joined(Op):
    """Base: ``left`` and ``right`` are chains on the same input."""

    left: Chain
    right: Chain

    def _approx(self, x: FloatArray, e: FloatArray) -> tuple[Pair, Pair]:
        pairs = []
        for chain in (self.left, self.right):
            y, error = x, e
            for op in chain:
                y, error = op.approx(y, error)
            pairs.append((y, error))
        return pairs[0], pairs[1]

    def _exact(self, x: Fraction, index: int) -> tuple[Fraction, Fraction]:
        values = []
        for chain in (self.left, self.right):
            y = x
            for op in chain:
                y = op.exact(y, index)
            values.append(y)
        return values[0], values[1]

    def _interval(self, lo: FloatArray, hi: FloatArray) -> tuple[Pair, Pair]:
        pairs = []
        for chain in (self.left, self.right):
            a, b = lo, hi
            for op in chain:
                a, b = op.interval(a, b)
            pairs.append((a, b))
        return pairs[0], pairs[1]

    def _signs(self) -> tuple[FloatArray, FloatArray]:
        signs = []
        for chain in (self.left, self.right):
            sign = np.ones(1)
            for op in chain:
                sign = sign * op.sign()
            signs.append(sign)
        return signs[0], signs[1]

    def sign(self) -> FloatArray:
        a, b = self._signs()
        # Where one side is constant the other decides; where they differ nothing is known.
        return np.where(a == b, a, np.where(a == 0, b, np.where(b == 0, a, np.nan)))

    def one_jump(self, lo: FloatArray, hi: FloatArray, /) -> np.ndarray | None:
        found: np.ndarray | None = None
        for chain in (self.left, self.right):
            a, b = lo, hi
            for op in chain:
                jump = op.one_jump(a, b)
                found = jump if found is None else found if jump is None else found | jump
                a, b = op.interval(a, b)
        return found

    @property
    def size(self) -> int:
        return max([op.size for op in (*self.left, *self.right)], default=1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sum(Joined):
    """``left(x) + right(x)``."""

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        (a, ea), (b, eb) = self._approx(x, e)
        y, residual = total(a, b)
        return y, grow(ea + eb + np.abs(residual))

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        a, b = self._exact(x, index)
        return a + b

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        (a, b), (c, d) = self._interval(lo, hi)
        (low, residual), high = total(a, c), b + d
        return widen(low, high, (a == b) & (c == d) & (residual == 0) & (low == low.astype(np.float32)))

    def affine(self) -> tuple[Const, Const] | None:
        left, right = compose_affine(self.left), compose_affine(self.right)
        if left is None or right is None:
            return None
        scale, offset = (Const.of_fractions(spread(lambda a, b: a + b, left[i], right[i])) for i in (0, 1))
        return scale, offset


@dataclass(frozen=True, eq=False, kw_only=True)
class Product(Joined):
    """``left(x) * right(x)``."""

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        (a, ea), (b, eb) = self._approx(x, e)
        y, residual = product(a, b)
        return y, grow(np.abs(a) * eb + np.abs(b) * ea + ea * eb + np.abs(residual))

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        a, b = self._exact(x, index)
        return a * b

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        (a, b), (c, d) = self._interval(lo, hi)
        corner, residual = product(a, c)
        with np.errstate(all="ignore"):
            ends = np.stack(np.broadcast_arrays(corner, a * d, b * c, b * d))
        ends = np.where(np.isnan(ends), 0.0, ends)
        point = (a == b) & (c == d) & (residual == 0) & (corner == corner.astype(np.float32))
        return widen(ends.min(axis=0), ends.max(axis=0), point)

    def sign(self) -> FloatArray:
        return np.array([np.nan])


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice(Joined):
    """The larger (or smaller) of ``left(x)`` and ``right(x)``."""

    largest: bool

    def approx(self, x: FloatArray, e: FloatArray) -> Pair:
        (a, ea), (b, eb) = self._approx(x, e)
        first = a - b > ea + eb if self.largest else b - a > ea + eb
        second = b - a > ea + eb if self.largest else a - b > ea + eb
        y = np.maximum(a, b) if self.largest else np.minimum(a, b)
        return y, np.where(first, ea, np.where(second, eb, np.maximum(ea, eb)))

    def exact(self, x: Fraction, index: int, /) -> Fraction:
        return (max if self.largest else min)(self._exact(x, index))

    def interval(self, lo: FloatArray, hi: FloatArray) -> Pair:
        (a, b), (c, d) = self._interval(lo, hi)
        return (np.maximum(a, c), np.maximum(b, d)) if self.largest else (np.minimum(a, c), np.minimum(b, d))

    def sign(self) -> FloatArray:
        a, b = self._signs()
        return np.where(a == b, a, np.nan)


def combine(node: str, op_type: str, left: Sequence[Op], right: Sequence[Op]) -> Chain:
    """One chain for ONNX node ``node``, which joins two chains on the same tensor.

    Parameters
    ----------
    op_type : one of `JOINS`.
    left, right : operators of the two operands. Those at their beginning that are the same objects are evaluated once.

    Returns
    -------
    the common beginning, then one operator.
    """
    common = 0
    while common < min(len(left), len(right)) and left[common] is right[common]:
        common += 1
    head, a, b = tuple(left[:common]), tuple(left[common:]), tuple(right[common:])
    match op_type:
        case "Add":
            return *head, Sum(node=node, left=a, right=b)
        case "Sub":
            return *head, Sum(node=node, left=a, right=(*b, Mul(node=node, by=Const.of(-1.0))))
        case "Mul":
            return *head, Product(node=node, left=a, right=b)
        case "Div":
            return *head, Product(node=node, left=a, right=(*b, Reciprocal(node=node)))
        case "Max" | "Min":
            return *head, Choice(node=node, left=a, right=b, largest=op_type == "Max")
    raise ValueError(f"{node}: {op_type} joins no branches")
