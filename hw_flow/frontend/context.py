"""What the rules of the planner share: the ONNX graph, and the regions found so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper

from hw_flow.errors import FlowError
from hw_flow.frontend.clean import shapes
from hw_flow.frontend.cores import Core, Move
from hw_flow.frontend.implied import MAX_LEVELS, implied_quantiser, rising_quantiser
from hw_flow.frontend.quantisers import Quantiser
from hw_flow.frontend.reference import Reference
from hw_flow.frontend.regions import Integers, Region, constant, counting, in_order, take
from hw_flow.frontend.site import Site
from hw_flow.frontend.values import Value, reorder
from hw_flow.ir.joins import Slice
from hw_flow.ir.nodes import Shape
from hw_flow.ir.tensor import IntArray


@dataclass
class Context:
    """State of one planning; ``values`` holds the ONNX tensors that hardware can hold."""

    model: ModelWrapper
    reference: Reference
    notes: list[str] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @property
    def static(self) -> Mapping[str, np.ndarray]:
        """Tensors that do not depend on the input."""
        return self.reference.static

    @cached_property
    def moving(self) -> tuple[onnx.NodeProto, ...]:
        """Nodes that depend on the input, in order."""
        return tuple(node for node in self.model.graph.node if node.output[0] not in self.static)

    @cached_property
    def first_reader(self) -> dict[str, onnx.NodeProto]:
        """For each tensor the first node that depends on the input and reads it."""
        return {name: node for node in reversed(self.moving) for name in node.input}

    @cached_property
    def _position(self) -> dict[str, int]:
        return {node.name: index for index, node in enumerate(self.moving)}

    def frame(self, tensor: str) -> Shape:
        """Shape of an ONNX tensor, without the batch."""
        return self._frames[tensor]

    @cached_property
    def _frames(self) -> dict[str, Shape]:
        return {name: tuple(shape[1:]) for name, shape in shapes(self.model).items()}

    def operands(self, node: onnx.NodeProto) -> list[str]:
        """Inputs of ``node`` that depend on the network's input."""
        return [name for name in node.input if name and name not in self.static]

    def site(self, node: onnx.NodeProto, value: Value | None = None) -> Site:
        """``node`` around its first moving operand."""
        source = self.operands(node)[0]
        lanes = None if value is None else lambda: value.lanes
        return Site(node, self.static, self.frame(source), self.frame(node.output[0]), lanes)

    def sorted(self, *names: Sequence[str]) -> tuple[str, ...]:
        """Node names of all lists once, in the graph's order."""
        return tuple(sorted({name for part in names for name in part}, key=self._position.__getitem__))

    def name(self, wanted: str) -> str:
        """``wanted``, or with a number if a tensor of the graph has that name."""
        name, number = wanted, 1
        while name in self.names:
            number += 1
            name = f"{wanted}_{number}"
        self.names.add(name)
        return name

    def emit(self, core: Core, sources: Sequence[Value], nodes: Sequence[str], sink: Integers) -> Value:
        """Add the region of a core; returns the value that it makes."""
        names = self.sorted(nodes, *(value.nodes for value in sources))
        pre = tuple(value.ops for value in sources)
        self.regions.append(Region(names, tuple(value.base for value in sources), sink, pre, core, sink.meaning))
        return Value.of(sink)

    def stream(self, tensor: str, value: Value, elements: IntArray) -> Value:
        """``value`` as a stream of its own: itself if it is one in the order asked for, else behind a Slice or Reorder.

        Parameters
        ----------
        tensor : ONNX tensor that ``value`` stands for.
        elements : int64 ``[*shape]``, flat ONNX element for each position of the stream wanted.
        """
        base, index = value.base, value.order.ravel()[elements]
        if base.shape == index.shape and in_order(index):
            return value
        name = self.name(tensor)
        whole = counting(base.shape)
        begin, end = int(index.flat[0]), int(index.flat[0]) + index.shape[-1]
        move: Move
        if end <= base.channels and index.shape[:-1] == base.shape[:-1] and np.array_equal(whole[..., begin:end], index):
            move = Move(tensor, Slice(name=name, inputs=(base.name,), outputs=(name,), begin=begin, end=end))
        else:
            move = Move(tensor, reorder(name, base, index, value.nodes[-1] if value.nodes else tensor))
        order = np.empty(elements.size, dtype=np.int64)
        order[elements.ravel()] = np.arange(elements.size)
        stored = None if self.frame(tensor) == value.frame else self.frame(tensor)
        sink = Integers(name, tensor, index.shape, order.reshape(value.frame), base.scale, base.offset, base.dtype, stored=stored)
        return self.emit(move, [value], (), self.carried(sink, value, index))

    def settled(self, tensor: str, *, always: bool = False) -> Value:
        """The value of ONNX tensor ``tensor``; as integers of its own if operators keep it on a grid that the file leaves out.

        ``always`` makes such integers also where the real values are affine in those of the base.
        """
        value = self.values[tensor]
        base = value.base
        limits = base.limits
        if (value.affine is not None and not always) or limits is None or not (value.ops or base.after):
            return value
        x, images = _levels(base, limits)
        found = implied_quantiser(base.meaning, value.ops, x, images, value.nodes[-1] if value.nodes else tensor)
        if found is not None:
            self.values[tensor] = self.quantised(tensor, value, found)
        return self.values[tensor]

    def risen(self, tensor: str) -> Value:
        """The value of ``tensor`` as integers that rise with it: negated on channels of negative scale. Itself if not affine."""
        value = self.values[tensor]
        base, limits = value.base, value.base.limits
        if value.affine is None or limits is None or limits[1] - limits[0] >= MAX_LEVELS:
            return value
        x, images = _levels(base, limits)
        found = rising_quantiser(value.affine, value.ops, x, images, value.nodes[-1] if value.nodes else tensor)
        if found is not None:
            self.values[tensor] = self.quantised(tensor, value, found)
        return self.values[tensor]

    def integer(self, node: onnx.NodeProto, tensor: str) -> Value:
        """The value of ``tensor`` with real values affine in its integers; FlowError, naming ``node``, if there is none."""
        value = self.settled(tensor)
        if value.affine is None:
            culprit = value.culprit()
            raise FlowError(f"{node.name} ({node.op_type}): missing quantiser: {culprit} makes its input '{tensor}' "
                            f"non-integer; insert a Quant node between {culprit} and {node.name}")
        return value

    def quantised(self, tensor: str, value: Value, last: Quantiser, nodes: tuple[str, ...] = ()) -> Value:
        """``value`` behind the quantiser ``last``, whose ONNX nodes are ``nodes``."""
        base = value.base
        sink = Integers(self.name(tensor), tensor, base.shape, value.order, last.scale, last.offset, last.dtype, (), last)
        self.regions.append(Region((*value.nodes, *nodes), (base,), sink, start=base.meaning, ops=value.ops, quantiser=last))
        return Value.of(sink)

    def carried(self, sink: Integers, value: Value, index: IntArray) -> Integers:
        """``sink`` with the meaning of ``value``, whose elements ``index`` it holds."""
        channels = index.reshape(-1, index.shape[-1]) % value.base.channels
        same = bool((channels == channels[0]).all())
        found = value.affine
        if found is not None and (same or len(found[0]) == len(found[1]) == 1):
            scale, offset = (constant(take(numbers, channels[0])) for numbers in found)
            quantiser = value.base.quantiser if not value.ops and _plain(value.base) else None
            return replace(sink, scale=scale, offset=offset, quantiser=quantiser)
        if found is None and all(op.size == 1 for op in value.chain):
            return replace(sink, scale=value.base.scale, offset=value.base.offset, after=(*value.base.after, *value.ops))
        raise FlowError(f"{value.nodes[-1] if value.nodes else sink.tensor}: moves elements of '{value.base.tensor}' between "
                        "channels that have different functions; insert a Quant node with one scale before it")


def _levels(base: Integers, limits: tuple[int, int]) -> tuple[IntArray, np.ndarray]:
    """All integers ``[L]`` of ``base``, and what QONNX has for them, float32 ``[L, C]``."""
    x = np.arange(limits[0], limits[1] + 1) if base.dtype != "BIPOLAR" else np.array([-1, 1])
    return x, base.dequantise(np.repeat(x[:, None], base.channels, axis=1))


def _plain(base: Integers) -> bool:
    return base.quantiser is not None and base.quantiser.size == 1

