"""Nodes and tensors of a graph while it is put together: names, types, ranges, and the functions of regions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hw_flow.frontend.activation import Solution, solve_region
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.regions import Integers, Region
from hw_flow.frontend.spans import Range, accumulator, by_types, padded
from hw_flow.frontend.thresholds import LevelFunction
from hw_flow.frontend.unchanged import unchanged
from hw_flow.ir import MVAU, VVAU, Add, Multiply, Node, SlidingWindow, Tensor
from hw_flow.ir.nodes import Shape
from hw_flow.ir.tensor import FloatArray


@dataclass
class Builder:
    """A graph that grows node by node.

    Attributes
    ----------
    output : name of the graph's output.
    nodes, tensors : what there is by now.
    ranges : exact limits of each tensor, ``[1]`` or one per channel.
    counts : nodes of each kind.
    same : for a tensor that a function left as it was, the one that stands for it.
    """

    output: str
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)

    def renamed(self, region: Region) -> Region:
        """``region`` on the tensors that stand for its sources."""
        return replace(region, sources=tuple(replace(source, name=self.same.get(source.name, source.name))
                                             for source in region.sources))

    def tensor(self, made: Integers, dtype: str, span: Range | None = None) -> None:
        """Declare a tensor that stands for an ONNX tensor."""
        self.declare(Tensor(made.name, made.shape, dtype, _per_channel(made.scale), _per_channel(made.offset)), span)

    def declare(self, tensor: Tensor, span: Range | None) -> None:
        """Add ``tensor``; without ``span`` its type says what it can hold."""
        low, high = tensor.limits
        self.tensors[tensor.name] = tensor
        self.ranges[tensor.name] = span if span is not None else (np.array([low]), np.array([high]))

    def inner(self, name: str, like: Tensor | None, shape: Shape, dtype: str, span: Range | None = None) -> str:
        """Declare a tensor that stands for no ONNX tensor; returns its name."""
        wanted, number = name, 1
        while wanted in self.tensors:
            number += 1
            wanted = f"{name}_{number}"
        made = Tensor(wanted, shape, dtype)
        self.declare(made if like is None or like.scale.ndim else replace(made, scale=like.scale, offset=like.offset), span)
        return wanted

    def name(self, kind: type[Node]) -> str:
        """The next name of a node of ``kind``."""
        return self.numbered(kind.__name__)

    def numbered(self, kind: str) -> str:
        """The next name of a node of that kind."""
        number = self.counts.setdefault(kind, 0)
        self.counts[kind] += 1
        return f"{kind}_{number}"

    def node(self, region: Region, node: Node, dtype: str, span: Range | None = None) -> None:
        """Add the last node of ``region``."""
        self.nodes.append(node)
        self.tensor(region.sink, dtype, span)

    def window(self, region: Region, window: SlidingWindow, source: Tensor) -> Tensor:
        """Add a window on ``source``; returns what it makes."""
        dtype = padded(source, window.pad_value) if any(window.pads) else source.dtype
        low, high = self.ranges[source.name]
        if any(window.pads):
            low, high = np.minimum(low, window.pad_value), np.maximum(high, window.pad_value)
        shape = window.shape(source.shape)
        span = (low, high) if low.size == 1 else (np.tile(low, window.taps), np.tile(high, window.taps))
        name = self.inner(f"{region.sink.name}_window", source, shape, dtype, span)
        self.nodes.append(replace(window, name=self.name(SlidingWindow), inputs=(source.name,), outputs=(name,),
                                  source=region.nodes))
        return self.tensors[name]

    def solve(self, region: Region, span: Range, where: str) -> Solution | None:
        """The function of a region on integers within ``span``, or None if they leave as they are."""
        if region.quantiser is None:
            return None
        low, high = (np.broadcast_to(ends, region.sink.channels) for ends in span)
        return solve_region(LevelFunction((*region.start, *region.ops), region.quantiser), low, high, where)

    def dropped(self, region: Region) -> bool:
        """Let the source of ``region`` stand for its sink; not where the network's input would be its output."""
        source, sink = region.source.name, region.sink.name
        if sink != self.output:
            self.same[sink] = source
            return True
        index = next((index for index, node in enumerate(self.nodes) if source in node.outputs), None)
        if index is None or any(source in node.inputs for node in self.nodes):
            return False
        self.nodes[index] = replace(self.nodes[index], outputs=(sink,))
        self.tensor(region.sink, self.tensors.pop(source).dtype, self.ranges.pop(source))
        return True

    def reduced(self, region: Region, node: MVAU | VVAU | Add | Multiply, span: Range, where: str) -> None:
        """Add ``node``, whose exact results lie within ``span``, with the function of ``region`` in it or behind it."""
        acc = accumulator(*span, where)
        if isinstance(node, MVAU | VVAU):
            node = replace(node, acc_dtype=acc)
        else:
            # A join knows its inputs by their types alone, not by the ranges that they keep to.
            acc = accumulator(*by_types(node, [self.tensors[name].limits for name in node.inputs]), where)
        found = self.solve(region, span, where)
        if found is None or unchanged(found, span, acc):
            self.node(region, node, acc, span)
        elif found.thresholds is not None:
            self.node(region, replace(node, thresholds=found.thresholds), found.dtype)
        else:
            name = self.inner(f"{region.sink.name}_acc", None, region.sink.shape, acc, span)
            self.nodes.append(replace(node, outputs=(name,)))
            self.function(region, found, name)

    def function(self, region: Region, found: Solution, source: str) -> None:
        """Add the nodes of their own that compute the function of ``region`` on tensor ``source``."""
        inputs = [source]
        if found.parts:
            inputs = [self.inner(f"{region.sink.name}_part", None, region.sink.shape, part.dtype) for part in found.parts]
            for part, name in zip(found.parts, inputs, strict=True):
                self.nodes.append(part.node(self.numbered(part.kind), (source,), (name,), region.nodes))
        node = found.node(self.numbered(found.kind), tuple(inputs), (region.sink.name,), region.nodes)
        span = None if found.span is None else (np.array([found.span[0]]), np.array([found.span[1]]))
        self.node(region, node, found.dtype, span)


def _per_channel(const: Const) -> FloatArray:
    return np.asarray(const.value[0]) if const.size == 1 else const.value
