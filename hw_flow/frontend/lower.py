"""Regions to the dataflow graph: nodes, exact integer types, ranges and thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hw_flow.frontend.builder import Builder
from hw_flow.frontend.cores import Depthwise, Linear, Move, Pooling, Product, Sum
from hw_flow.frontend.regions import Plan, Region
from hw_flow.frontend.spans import Range, accumulator, padded, row_spans, shared
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


def lower(plan: Plan, name: str) -> Graph:
    """The integer graph of ``plan``."""
    assert plan.source.dtype is not None
    builder = _Lowering(plan.regions[-1].sink.name)
    builder.tensor(plan.source, plan.source.dtype)
    for region in plan.regions:
        builder.add(builder.renamed(region))
    return Graph(name, tuple(builder.nodes), builder.tensors, (plan.source.name,), (plan.regions[-1].sink.name,))


class _Lowering(Builder):
    """Adds regions one by one."""

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
            self.node(region, LabelSelect(name=self.name(LabelSelect), inputs=(source.name,), outputs=(region.sink.name,),
                                           source=region.nodes), smallest_datatype(0, source.channels - 1))
        else:
            source = self.tensors[region.source.name]
            found = self.solve(region, self.ranges[source.name], f"input '{source.name}'")
            assert found is not None
            if not (unchanged(found, self.ranges[source.name], source.dtype) and self.dropped(region)):
                self.function(region, found, source.name)

    def _linear(self, region: Region, core: Linear) -> None:
        source = self.tensors[region.source.name]
        if core.groups > 1:
            self._grouped(region, core, source)
            return
        if core.window is not None:
            source = self.window(region, core.window, source)
        matrix = core.matrix
        span = row_spans(matrix, self.ranges[source.name])
        node = MVAU(name=self.name(MVAU), inputs=(source.name,), outputs=(region.sink.name,), source=region.nodes,
                    weights=matrix, weight_dtype=narrowest(matrix), acc_dtype="")
        self.reduced(region, node, span, core.node)

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
            name = self.inner(f"{region.sink.name}_group", source, shape, source.dtype, span)
            self.nodes.append(Slice(name=self.name(Slice), inputs=(source.name,), outputs=(name,), source=region.nodes,
                                    begin=begin, end=end))
            part = self.tensors[name] if core.window is None else self.window(region, core.window, self.tensors[name])
            rows = slice(group * outputs, (group + 1) * outputs)
            matrix = np.ascontiguousarray(columns[rows, :, begin:end].reshape(outputs, -1))
            spans.append(row_spans(matrix, self.ranges[part.name]))
            parts.append(MVAU(name=self.name(MVAU), inputs=(part.name,), outputs=("",), source=region.nodes, weights=matrix,
                              weight_dtype=narrowest(matrix), acc_dtype="", thresholds=None))
        whole = tuple(np.concatenate(ends) for ends in zip(*spans, strict=True))
        span = whole[0], whole[1]
        acc = accumulator(*span, core.node)
        found = self.solve(region, span, core.node)
        if found is not None and unchanged(found, span, acc):
            found = None
        thresholds = None if found is None else found.thresholds
        dtype = acc if found is None or thresholds is None else found.dtype
        for group, node in enumerate(parts):
            shape = node.shape(self.tensors[node.inputs[0]].shape)
            name = self.inner(f"{region.sink.name}_part", source, shape, dtype, spans[group] if thresholds is None else None)
            own = thresholds
            if own is not None and len(own.values) > 1:
                rows = slice(group * outputs, (group + 1) * outputs)
                own = Thresholds(own.values[rows], own.descending[rows], own.base, own.step)
            self.nodes.append(replace(node, outputs=(name,), acc_dtype=acc, thresholds=own))
            made.append(name)
        concat = Concat(name=self.name(Concat), inputs=tuple(made), outputs=(region.sink.name,), source=region.nodes)
        if found is None or thresholds is not None:
            self.node(region, concat, dtype, span if found is None else None)
        else:
            name = self.inner(f"{region.sink.name}_acc", None, region.sink.shape, acc, span)
            self.nodes.append(replace(concat, outputs=(name,)))
            self.function(region, found, name)

    def _depthwise(self, region: Region, core: Depthwise) -> None:
        source = self.window(region, core.window, self.tensors[region.source.name])
        weights = core.weights.values
        low, high = self.ranges[source.name]
        if low.size > 1:
            low, high = (ends.reshape(-1, len(weights)).T for ends in (low, high))
        ends = np.stack([weights * low, weights * high])
        span = ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
        node = VVAU(name=self.name(VVAU), inputs=(source.name,), outputs=(region.sink.name,), source=region.nodes,
                    weights=weights, weight_dtype=core.weights.dtype, acc_dtype="")
        self.reduced(region, node, span, core.node)

    def _pooling(self, region: Region, core: Pooling) -> None:
        source = self.tensors[region.source.name]
        low, high = self.ranges[source.name]
        taps = core.window.taps if core.window is not None else source.elements // source.channels
        inputs = source.name
        dtype = source.dtype
        if core.window is not None:
            window = core.window if core.kind == "sum" else replace(core.window, pad_value=int(low.min()))
            around = self.window(region, window, source)
            inputs, dtype = around.name, around.dtype
            if core.kind == "sum" and any(window.pads):
                low, high = np.minimum(low, window.pad_value), np.maximum(high, window.pad_value)
        if core.kind == "sum":
            low, high = low * taps, high * taps
            dtype = accumulator(low, high, core.node)
        names = {"inputs": (inputs,), "outputs": (region.sink.name,), "source": region.nodes}
        node: Node = (GlobalPool(name=self.name(GlobalPool), kind=core.kind, **names) if core.window is None
                      else Pool(name=self.name(Pool), kind=core.kind, taps=taps, **names))
        self.node(region, node, dtype, (low, high))

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
            node = Add(name=self.name(Add), inputs=inputs, outputs=outputs, source=region.nodes, coefficients=core.coefficients)
        else:
            node = Multiply(name=self.name(Multiply), inputs=inputs, outputs=outputs, source=region.nodes)
        self.reduced(region, node, span, core.node)

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
        node = replace(core.by, name=self.name(type(core.by)), inputs=inputs, outputs=(region.sink.name,), source=region.nodes)
        self.node(region, node, dtype, span)
