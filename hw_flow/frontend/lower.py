"""Regions to the dataflow graph: nodes, exact integer types, ranges and thresholds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hw_flow.frontend.activation import Solution, solve_region
from hw_flow.frontend.cores import Depthwise, Linear, Move, Pooling, Product, Sum
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.regions import Integers, Plan, Region
from hw_flow.frontend.spans import Range, accumulator, by_types, padded, row_spans, shared
from hw_flow.frontend.thresholds import LevelFunction
from hw_flow.frontend.unchanged import unchanged
from hw_flow.frontend.weights import narrowest
from hw_flow.ir import (
    MVAU,
    VVAU,
    Add,
    Concat,
    GlobalPool,
    Graph,
    LabelSelect,
    Multiply,
    Node,
    Pool,
    Slice,
    SlidingWindow,
    Tensor,
    Thresholds,
    smallest_datatype,
)
from hw_flow.ir.nodes import Shape
from hw_flow.ir.tensor import FloatArray


def lower(plan: Plan, name: str) -> Graph:
    """The integer graph of ``plan``."""
    assert plan.source.dtype is not None
    builder = _Builder(plan.regions[-1].sink.name)
    builder.tensor(plan.source, plan.source.dtype)
    for region in plan.regions:
        builder.add(builder.renamed(region))
    return Graph(name, tuple(builder.nodes), builder.tensors, (plan.source.name,), (plan.regions[-1].sink.name,))


@dataclass
class _Builder:
    """Adds regions one by one.

    Attributes
    ----------
    output : name of the graph's output.
    ranges : exact limits of each tensor, ``[1]`` or one per channel.
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
        self._declare(Tensor(made.name, made.shape, dtype, _per_channel(made.scale), _per_channel(made.offset)), span)

    def _declare(self, tensor: Tensor, span: Range | None) -> None:
        low, high = tensor.limits
        self.tensors[tensor.name] = tensor
        self.ranges[tensor.name] = span if span is not None else (np.array([low]), np.array([high]))

    def _inner(self, name: str, like: Tensor | None, shape: Shape, dtype: str, span: Range | None = None) -> str:
        """Declare a tensor that stands for no ONNX tensor; returns its name."""
        wanted, number = name, 1
        while wanted in self.tensors:
            number += 1
            wanted = f"{name}_{number}"
        made = Tensor(wanted, shape, dtype)
        self._declare(made if like is None or like.scale.ndim else replace(made, scale=like.scale, offset=like.offset), span)
        return wanted

    def _name(self, kind: type[Node]) -> str:
        return self._numbered(kind.__name__)

    def _numbered(self, kind: str) -> str:
        number = self.counts.setdefault(kind, 0)
        self.counts[kind] += 1
        return f"{kind}_{number}"

    # --- regions -----------------------------------------------------------------------------------------------------------

    def add(self, region: Region) -> None:
        """Add the nodes of ``region``."""
        core = region.core
        if isinstance(core, Linear):
            self._linear(region, core)
        elif isinstance(core, Depthwise):
            self._depthwise(region, core)
        elif isinstance(core, Pooling):
            self._pooling(region, core)
        elif isinstance(core, Move):
            self._move(region, core)
        elif isinstance(core, Sum | Product):
            self._joined(region, core)
        elif region.select:
            source = self.tensors[region.source.name]
            self._node(region, LabelSelect(name=self._name(LabelSelect), inputs=(source.name,), outputs=(region.sink.name,),
                                           source=region.nodes), smallest_datatype(0, source.channels - 1))
        else:
            source = self.tensors[region.source.name]
            found = self._solve(region, self.ranges[source.name], f"input '{source.name}'")
            assert found is not None
            if not (unchanged(found, self.ranges[source.name], source.dtype) and self._dropped(region)):
                self._function(region, found, source.name)

    def _node(self, region: Region, node: Node, dtype: str, span: Range | None = None) -> None:
        """Add the last node of ``region``."""
        self.nodes.append(node)
        self.tensor(region.sink, dtype, span)

    def _window(self, region: Region, window: SlidingWindow, source: Tensor) -> Tensor:
        """Add a window on ``source``; returns what it makes."""
        dtype = padded(source, window.pad_value) if any(window.pads) else source.dtype
        low, high = self.ranges[source.name]
        if any(window.pads):
            low, high = np.minimum(low, window.pad_value), np.maximum(high, window.pad_value)
        shape = window.shape(source.shape)
        span = (low, high) if low.size == 1 else (np.tile(low, window.taps), np.tile(high, window.taps))
        name = self._inner(f"{region.sink.name}_window", source, shape, dtype, span)
        self.nodes.append(replace(window, name=self._name(SlidingWindow), inputs=(source.name,), outputs=(name,),
                                  source=region.nodes))
        return self.tensors[name]

    def _linear(self, region: Region, core: Linear) -> None:
        source = self.tensors[region.source.name]
        if core.groups > 1:
            self._grouped(region, core, source)
            return
        if core.window is not None:
            source = self._window(region, core.window, source)
        matrix = core.matrix
        span = row_spans(matrix, self.ranges[source.name])
        node = MVAU(name=self._name(MVAU), inputs=(source.name,), outputs=(region.sink.name,), source=region.nodes,
                    weights=matrix, weight_dtype=narrowest(matrix), acc_dtype="")
        self._reduced(region, node, span, core.node)

    def _grouped(self, region: Region, core: Linear, source: Tensor) -> None:
        """One matrix unit per group, on the group's channels alone."""
        outputs, channels = len(core.matrix) // core.groups, source.channels // core.groups
        low, high = self.ranges[source.name]
        columns = core.matrix.reshape(len(core.matrix), -1, source.channels)
        made: list[str] = []
        spans: list[Range] = []
        parts: list[MVAU] = []
        for group in range(core.groups):
            begin, end = group * channels, (group + 1) * channels
            span = (low, high) if low.size == 1 else (low[begin:end], high[begin:end])
            shape = (*source.shape[:-1], channels)
            name = self._inner(f"{region.sink.name}_group", source, shape, source.dtype, span)
            self.nodes.append(Slice(name=self._name(Slice), inputs=(source.name,), outputs=(name,), source=region.nodes,
                                    begin=begin, end=end))
            part = self.tensors[name] if core.window is None else self._window(region, core.window, self.tensors[name])
            rows = slice(group * outputs, (group + 1) * outputs)
            matrix = np.ascontiguousarray(columns[rows, :, begin:end].reshape(outputs, -1))
            spans.append(row_spans(matrix, self.ranges[part.name]))
            parts.append(MVAU(name=self._name(MVAU), inputs=(part.name,), outputs=("",), source=region.nodes, weights=matrix,
                              weight_dtype=narrowest(matrix), acc_dtype="", thresholds=None))
        whole = tuple(np.concatenate(ends) for ends in zip(*spans, strict=True))
        span = whole[0], whole[1]
        acc = accumulator(*span, core.node)
        found = self._solve(region, span, core.node)
        if found is not None and unchanged(found, span, acc):
            found = None
        thresholds = None if found is None else found.thresholds
        dtype = acc if found is None or thresholds is None else found.dtype
        for group, node in enumerate(parts):
            shape = node.shape(self.tensors[node.inputs[0]].shape)
            name = self._inner(f"{region.sink.name}_part", source, shape, dtype, spans[group] if thresholds is None else None)
            own = thresholds
            if own is not None and len(own.values) > 1:
                rows = slice(group * outputs, (group + 1) * outputs)
                own = Thresholds(own.values[rows], own.descending[rows], own.base, own.step)
            self.nodes.append(replace(node, outputs=(name,), acc_dtype=acc, thresholds=own))
            made.append(name)
        concat = Concat(name=self._name(Concat), inputs=tuple(made), outputs=(region.sink.name,), source=region.nodes)
        if found is None or thresholds is not None:
            self._node(region, concat, dtype, span if found is None else None)
        else:
            name = self._inner(f"{region.sink.name}_acc", None, region.sink.shape, acc, span)
            self.nodes.append(replace(concat, outputs=(name,)))
            self._function(region, found, name)

    def _depthwise(self, region: Region, core: Depthwise) -> None:
        source = self._window(region, core.window, self.tensors[region.source.name])
        weights = core.weights.values
        low, high = self.ranges[source.name]
        if low.size > 1:
            low, high = (ends.reshape(-1, len(weights)).T for ends in (low, high))
        ends = np.stack([weights * low, weights * high])
        span = ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
        node = VVAU(name=self._name(VVAU), inputs=(source.name,), outputs=(region.sink.name,), source=region.nodes,
                    weights=weights, weight_dtype=core.weights.dtype, acc_dtype="")
        self._reduced(region, node, span, core.node)

    def _pooling(self, region: Region, core: Pooling) -> None:
        source = self.tensors[region.source.name]
        low, high = self.ranges[source.name]
        taps = core.window.taps if core.window is not None else source.elements // source.channels
        inputs = source.name
        dtype = source.dtype
        if core.window is not None:
            window = core.window if core.kind == "sum" else replace(core.window, pad_value=int(low.min()))
            around = self._window(region, window, source)
            inputs, dtype = around.name, around.dtype
            if core.kind == "sum" and any(window.pads):
                low, high = np.minimum(low, window.pad_value), np.maximum(high, window.pad_value)
        if core.kind == "sum":
            low, high = low * taps, high * taps
            dtype = accumulator(low, high, core.node)
        names = {"inputs": (inputs,), "outputs": (region.sink.name,), "source": region.nodes}
        node: Node = (GlobalPool(name=self._name(GlobalPool), kind=core.kind, **names) if core.window is None
                      else Pool(name=self._name(Pool), kind=core.kind, taps=taps, **names))
        self._node(region, node, dtype, (low, high))

    def _joined(self, region: Region, core: Sum | Product) -> None:
        inputs = tuple(source.name for source in region.sources)
        spans = [self.ranges[name] for name in inputs]
        channels = region.sink.channels
        spans = [(np.broadcast_to(low, channels), np.broadcast_to(high, channels)) for low, high in spans]
        if isinstance(core, Sum):
            ends = [np.sort(np.stack([factor * low, factor * high]), axis=0)
                    for factor, (low, high) in zip(core.coefficients, spans, strict=True)]
            span = ends[0][0] + ends[1][0], ends[0][1] + ends[1][1]
        else:
            corners = np.stack([a * b for a in spans[0] for b in spans[1]])
            span = corners.min(axis=0), corners.max(axis=0)
        outputs = (region.sink.name,)
        node: Add | Multiply
        if isinstance(core, Sum):
            node = Add(name=self._name(Add), inputs=inputs, outputs=outputs, source=region.nodes, coefficients=core.coefficients)
        else:
            node = Multiply(name=self._name(Multiply), inputs=inputs, outputs=outputs, source=region.nodes)
        self._reduced(region, node, span, core.node)

    def _move(self, region: Region, core: Move) -> None:
        inputs = tuple(source.name for source in region.sources)
        tensors = [self.tensors[name] for name in inputs]
        spans = [self.ranges[name] for name in inputs]
        dtype = shared(tensors)
        if isinstance(core.by, SlidingWindow):
            dtype, value = padded(tensors[0], core.by.pad_value), core.by.pad_value
            spans = [(np.minimum(low, value), np.maximum(high, value)) for low, high in spans]
        if isinstance(core.by, Concat):
            wide = [(np.broadcast_to(low, tensor.channels), np.broadcast_to(high, tensor.channels))
                    for tensor, (low, high) in zip(tensors, spans, strict=True)]
            span = np.concatenate([low for low, _ in wide]), np.concatenate([high for _, high in wide])
        elif isinstance(core.by, Slice) and spans[0][0].size > 1:
            part = slice(core.by.begin, core.by.end)
            span = spans[0][0][part], spans[0][1][part]
        else:
            span = np.array([spans[0][0].min()]), np.array([spans[0][1].max()])
        node = replace(core.by, name=self._name(type(core.by)), inputs=inputs, outputs=(region.sink.name,), source=region.nodes)
        self._node(region, node, dtype, span)

    # --- functions -----------------------------------------------------------------------------------------------------------

    def _solve(self, region: Region, span: Range, where: str) -> Solution | None:
        """The function of a region on integers within ``span``, or None if they leave as they are."""
        if region.quantiser is None:
            return None
        low, high = (np.broadcast_to(ends, region.sink.channels) for ends in span)
        return solve_region(LevelFunction((*region.start, *region.ops), region.quantiser), low, high, where)

    def _dropped(self, region: Region) -> bool:
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

    def _reduced(self, region: Region, node: MVAU | VVAU | Add | Multiply, span: Range, where: str) -> None:
        """Add ``node``, whose exact results lie within ``span``, with the function of ``region`` in it or behind it."""
        acc = accumulator(*span, where)
        if isinstance(node, MVAU | VVAU):
            node = replace(node, acc_dtype=acc)
        else:
            # A join knows its inputs by their types alone, not by the ranges that they keep to.
            acc = accumulator(*by_types(node, [self.tensors[name].limits for name in node.inputs]), where)
        found = self._solve(region, span, where)
        if found is None or unchanged(found, span, acc):
            self._node(region, node, acc, span)
        elif found.thresholds is not None:
            self._node(region, replace(node, thresholds=found.thresholds), found.dtype)
        else:
            name = self._inner(f"{region.sink.name}_acc", None, region.sink.shape, acc, span)
            self.nodes.append(replace(node, outputs=(name,)))
            self._function(region, found, name)

    def _function(self, region: Region, found: Solution, source: str) -> None:
        """Add the nodes of their own that compute the function of ``region`` on tensor ``source``."""
        inputs = [source]
        if found.parts:
            inputs = [self._inner(f"{region.sink.name}_part", None, region.sink.shape, part.dtype) for part in found.parts]
            for part, name in zip(found.parts, inputs, strict=True):
                self.nodes.append(part.node(self._numbered(part.kind), (source,), (name,), region.nodes))
        node = found.node(self._numbered(found.kind), tuple(inputs), (region.sink.name,), region.nodes)
        span = None if found.span is None else (np.array([found.span[0]]), np.array([found.span[1]]))
        self._node(region, node, found.dtype, span)


def _per_channel(const: Const) -> FloatArray:
    return np.asarray(const.value[0]) if const.size == 1 else const.value
