"""Integer tensors, regions and the plan of a network: what the planner finds and everything else reads."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import prod

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.frontend.cores import Core
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, Fractions, Mul, Op
from hw_flow.frontend.quantisers import Quantiser
from hw_flow.ir.nodes import Shape
from hw_flow.ir.tensor import FloatArray, IntArray

# Orders of larger frames are counted anew each time.
_CACHED = 1 << 22


@dataclass(frozen=True, eq=False)
class Integers:
    """A tensor of the graph: integers that stand for an ONNX tensor.

    The real value of integer ``k`` is ``k * scale + offset``, then taken through ``after``.

    Attributes
    ----------
    name : of the graph's tensor.
    tensor : name of the ONNX tensor; two tensors of the graph may hold the same one in different orders.
    shape : frame of the stream, channels last.
    order : int64 ``[*frame]``, position in the flat stream of each element of the ONNX tensor's frame.
    scale, offset : ``[1]`` or one element per channel.
    dtype : QONNX DataType name where the file says it.
    after : what else the real value went through, for raw accumulators behind a pool.
    quantiser : what made the integers, if a quantiser did.
    stored : frame of the ONNX tensor where ``order`` is that of its broadcast.
    """

    name: str
    tensor: str
    shape: Shape
    order: IntArray
    scale: Const
    offset: Const
    dtype: str | None = None
    after: tuple[Op, ...] = ()
    quantiser: Quantiser | None = None
    stored: Shape | None = None

    @property
    def frame(self) -> Shape:
        """Frame of the ONNX tensor (or of its broadcast), without the batch."""
        return self.order.shape

    @property
    def channels(self) -> int:
        """Channels of the stream."""
        return self.shape[-1]

    @cached_property
    def meaning(self) -> tuple[Op, ...]:
        """Operators from integers to real values."""
        return (*restore(self.scale, self.offset, self.tensor), *self.after)

    @property
    def limits(self) -> tuple[int, int] | None:
        """Smallest and largest integer, where they are known before the graph is made."""
        if self.quantiser is not None:
            return self.quantiser.low, self.quantiser.high
        if self.dtype is None:
            return None
        kind = DataType[self.dtype]
        return int(kind.min()), int(kind.max())

    @cached_property
    def straight(self) -> bool:
        """Whether the stream has the order of the ONNX frame."""
        return in_order(self.order)

    def to_frame(self, stream: np.ndarray) -> np.ndarray:
        """``[N, *shape]`` as ``[N, *frame]``."""
        flat = stream.reshape(len(stream), -1)
        if self.stored is not None:
            first = self.order[tuple(slice(size) for size in self.stored)]
            return flat[:, first.ravel()].reshape(len(stream), *self.stored)
        return (flat if self.straight else flat[:, self.order.ravel()]).reshape(len(stream), *self.frame)

    def to_stream(self, values: np.ndarray) -> np.ndarray:
        """``[N, *frame]`` as ``[N, *shape]``."""
        if self.stored is not None:
            values = np.broadcast_to(values, (len(values), *self.frame))
        flat = values.reshape(len(values), -1)
        if not self.straight:
            flat, source = np.empty_like(flat), flat
            flat[:, self.order.ravel()] = source
        return flat.reshape(len(values), *self.shape)

    def real(self, level: IntArray) -> tuple[FloatArray, FloatArray]:
        """Real values of integers ``[B, C]`` and their error bounds."""
        value, error = level.astype(np.float64), np.zeros(level.shape)
        for op in self.meaning:
            value, error = op.approx(value, error)
        return value, error

    def dequantise(self, level: IntArray) -> np.ndarray:
        """Real values of ``[N, *shape]`` as QONNX's float32 has them."""
        columns = level.reshape(-1, self.channels)
        if self.quantiser is not None:
            values = self.quantiser.dequantise(columns)
        elif self.after:
            values = self.real(columns)[0].astype(np.float32)
        else:
            values = (columns * self.scale.value + self.offset.value).astype(np.float32)
        return values.reshape(level.shape)


@dataclass(frozen=True, eq=False)
class Region:
    """What one step of the graph computes, in terms of the ONNX file.

    A region without a core is element-wise and has one source. It becomes one node of the graph, or several (a window and what
    reduces it).

    Attributes
    ----------
    nodes : ONNX node names, in order.
    sources, sink : integer tensors before and after.
    pre : per source, the operators before the core, as the file has them.
    core : the linear operator, pool, join or move, or None.
    start : exact operators from the integer (accumulator) to the real value that ``ops`` take.
    ops : element-wise operators after the core.
    quantiser : the last operator, or None if the accumulators leave as they are.
    select : the region is an index-of-the-largest.
    """

    nodes: tuple[str, ...]
    sources: tuple[Integers, ...]
    sink: Integers
    pre: tuple[tuple[Op, ...], ...] = ()
    core: Core | None = None
    start: tuple[Op, ...] = ()
    ops: tuple[Op, ...] = ()
    quantiser: Quantiser | None = None
    select: bool = False

    @property
    def source(self) -> Integers:
        """The only source, or the first."""
        return self.sources[0]

    def integers(self, *sources: IntArray) -> IntArray:
        """Exact integers ``[N, *shape]`` that the element-wise part starts from, by the file's parameters."""
        return sources[0] if self.core is None else self.core.integers(*sources)


@dataclass(frozen=True, eq=False)
class Plan:
    """The cut: host nodes before, regions, host nodes after, and remarks for the user."""

    source: Integers
    regions: tuple[Region, ...]
    host_pre: tuple[str, ...]
    host_post: tuple[str, ...]
    notes: tuple[str, ...]
    entry: Quantiser | None = None


def in_order(order: IntArray) -> bool:
    """Whether ``order`` counts 0, 1, 2, ..."""
    count = counting(order.shape)
    if order.flags.c_contiguous and order.ctypes.data == count.ctypes.data:
        return True
    return bool(np.array_equal(order, count))


def counting(frame: Shape) -> IntArray:
    """The order 0, 1, 2, ... of a frame; read only."""
    size = prod(frame)
    return (_count(size) if size <= _CACHED else np.arange(size, dtype=np.int64)).reshape(frame)


@lru_cache(maxsize=4)
def _count(size: int) -> IntArray:
    count = np.arange(size, dtype=np.int64)
    count.flags.writeable = False
    return count


def restore(scale: Const, offset: Const, node: str) -> tuple[Op, ...]:
    """Operators of ``k * scale + offset``."""
    ops: list[Op] = []
    if not scale.is_(1):
        ops.append(Mul(node=node, by=scale))
    if not offset.is_(0):
        ops.append(Add(node=node, by=offset))
    return tuple(ops)


def take(numbers: Fractions, channels: IntArray) -> Fractions:
    """Elements of a per-channel parameter; one for all channels stays one."""
    return numbers if len(numbers) == 1 else tuple(numbers[index] for index in channels.tolist())


def constant(numbers: Fractions | Fraction) -> Const:
    """A Const from rationals."""
    return Const.of_fractions((numbers,) if isinstance(numbers, Fraction) else numbers)
