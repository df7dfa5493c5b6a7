"""Integer tensors, regions and the plan of a network: what the planner finds and everything else reads."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm, prod

import numpy as np

from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, Fractions, Mul, Op, spread
from hw_flow.frontend.quantisers import Quantiser
from hw_flow.frontend.weights import Weights


@dataclass(frozen=True, eq=False)
class Integers:
    """A tensor that holds integers: the real value of element ``k`` is ``k * scale + offset``."""

    name: str
    frame: tuple[int, ...]
    scale: Const
    offset: Const
    dtype: str | None = None


@dataclass(frozen=True, eq=False)
class Linear:
    """A matrix product of a region, on frames ``[..., MW]``."""

    node: str
    weights: Weights
    frame: tuple[int, ...]

    @property
    def vectors(self) -> int:
        """Vectors of a frame, which share the matrix."""
        return prod(self.frame[:-1])


@dataclass(frozen=True, eq=False)
class Region:
    """What one node of the graph computes, in terms of the ONNX file.

    Attributes
    ----------
    nodes : ONNX node names, in order.
    source, sink : integer tensors before and after.
    pre : affine operators before the matrix product, as the file has them.
    linear : the matrix product, or None.
    start : exact operators from the integer (accumulator) to the real value that ``ops`` take.
    ops : element-wise operators after the matrix product.
    quantiser : the last operator, or None if the accumulators leave as they are.
    select : the region is an index-of-the-largest.
    """

    nodes: tuple[str, ...]
    source: Integers
    sink: Integers
    pre: tuple[Op, ...] = ()
    linear: Linear | None = None
    start: tuple[Op, ...] = ()
    ops: tuple[Op, ...] = ()
    quantiser: Quantiser | None = None
    select: bool = False


@dataclass(frozen=True, eq=False)
class Plan:
    """The cut: host nodes before, regions, host nodes after, and remarks for the user."""

    source: Integers
    regions: tuple[Region, ...]
    host_pre: tuple[str, ...]
    host_post: tuple[str, ...]
    notes: tuple[str, ...]
    entry: Quantiser | None = None


def restore(source: Integers, node: str) -> tuple[Op, ...]:
    """Operators from the integers of ``source`` to their real values."""
    ops: list[Op] = []
    if not source.scale.is_(1):
        ops.append(Mul(node=node, by=source.scale))
    if not source.offset.is_(0):
        ops.append(Add(node=node, by=source.offset))
    return tuple(ops)


def accumulate(linear: Linear, scale: Fraction, offset: Fractions) -> tuple[Op, ...]:
    """Operators from the integer accumulators of ``linear`` to real values, per element of its output frame."""
    weights = linear.weights
    per_row = weights.scale.fractions() * (linear.vectors if weights.scale.size > 1 else 1)
    scales = tuple(scale * number for number in per_row)
    ops: list[Op] = []
    if any(number != 1 for number in scales):
        ops.append(Mul(node=linear.node, by=Const.of_fractions(scales)))
    if any(offset):
        denominator = lcm(*(number.denominator for number in offset))
        whole = np.array([int(number * denominator) for number in offset], dtype=object)
        columns = np.broadcast_to(whole, (linear.vectors * weights.values.shape[1],)).reshape(linear.vectors, -1)
        sums = columns @ weights.values.T.astype(object)
        plus = tuple(Fraction(int(number), denominator) for number in sums.ravel())
        ops.append(Add(node=linear.node, by=Const.of_fractions(spread(lambda a, b: a * b, plus, per_row))))
    return tuple(ops)
