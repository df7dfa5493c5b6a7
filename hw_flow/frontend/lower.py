"""Regions to the dataflow graph: exact integer weights, types and thresholds."""

from __future__ import annotations

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.regions import Integers, Plan, Region
from hw_flow.frontend.thresholds import LevelFunction, solve
from hw_flow.ir import MVAU, Graph, LabelSelect, Node, Tensor, Thresholding, Thresholds, smallest_datatype
from hw_flow.ir.tensor import FloatArray, IntArray

# The golden model multiplies in float64; accumulators beyond this would not be exact there.
_EXACT = 2**53

Shape = tuple[int, ...]


def lower(plan: Plan, name: str) -> Graph:
    """The integer graph of ``plan``."""
    shapes = _shapes(plan.regions)
    assert plan.source.dtype is not None
    tensors = {plan.source.name: _tensor(plan.source, shapes[0], plan.source.dtype)}
    nodes: list[Node] = []
    counts: dict[str, int] = {}
    for region, shape in zip(plan.regions, shapes[1:], strict=True):
        source = tensors[region.source.name]
        kind = "LabelSelect" if region.select else "MVAU" if region.linear else "Thresholding"
        label = f"{kind}_{counts.setdefault(kind, 0)}"
        counts[kind] += 1
        node, dtype = _node(region, source, shape, label)
        tensors[region.sink.name] = _tensor(region.sink, shape, dtype)
        nodes.append(node)
    return Graph(name, tuple(nodes), tensors, (plan.source.name,), (plan.regions[-1].sink.name,))


def ranges(weights: IntArray, low: int, high: int) -> tuple[IntArray, IntArray]:
    """Exact smallest and largest accumulator of each row for inputs from ``low`` to ``high``."""
    positive, negative = weights.clip(min=0).sum(axis=1), weights.clip(max=0).sum(axis=1)
    return positive * low + negative * high, positive * high + negative * low


def _node(region: Region, source: Tensor, shape: Shape, name: str) -> tuple[Node, str]:
    inputs, outputs = (source.name,), (region.sink.name,)
    if region.select:
        select = LabelSelect(name=name, inputs=inputs, outputs=outputs, source=region.nodes)
        return select, smallest_datatype(0, source.channels - 1)
    low, high = (np.array([end]) for end in source.limits)
    if region.linear is None:
        assert region.quantiser is not None
        low, high = np.repeat(low, source.elements), np.repeat(high, source.elements)
        found, dtype = _thresholds(region, low, high, shape, f"input '{source.name}'")
        return Thresholding(name=name, inputs=inputs, outputs=outputs, source=region.nodes, thresholds=found), dtype
    weights = region.linear.weights
    low, high = ranges(weights.values, *source.limits)
    if max(-int(low.min()), int(high.max())) >= _EXACT:
        raise FlowError(f"{region.linear.node}: accumulators reach {max(-int(low.min()), int(high.max())):,}, more than 53 bits; "
                        "quantise its input or its weights further")
    acc = smallest_datatype(int(low.min()), int(high.max()))
    thresholds: Thresholds | None = None
    dtype = acc
    if region.quantiser is not None:
        low, high = (np.tile(ends, region.linear.vectors) for ends in (low, high))
        thresholds, dtype = _thresholds(region, low, high, shape, region.linear.node)
    node = MVAU(name=name, inputs=inputs, outputs=outputs, source=region.nodes, weights=weights.values,
                weight_dtype=weights.dtype, acc_dtype=acc, thresholds=thresholds)
    return node, dtype


def _thresholds(region: Region, low: IntArray, high: IntArray, shape: Shape, where: str) -> tuple[Thresholds, str]:
    """Solve a region, then one row per channel (or one for all) instead of one per element."""
    assert region.quantiser is not None
    found, dtype = solve(LevelFunction((*region.start, *region.ops), region.quantiser), low, high, where)
    values, falling = found.values, found.descending
    if len(values) > 1:
        values, falling = values.reshape(-1, shape[-1], found.levels), falling.reshape(-1, shape[-1])
        if not (values == values[:1]).all() or not (falling == falling[:1]).all():
            raise FlowError(f"{region.quantiser.node}: the function before it differs between positions of one channel (frame "
                            f"{list(shape)}); use parameters per channel, the last axis")
        values, falling = values[0], falling[0]
        if (values == values[0]).all() and (falling == falling[0]).all():
            values, falling = values[:1], falling[:1]
    return Thresholds(np.ascontiguousarray(values), falling.copy(), found.base, found.step), dtype


def _shapes(regions: tuple[Region, ...]) -> list[Shape]:
    """Stream shape of each tensor of the chain: what the next matrix product reads, without axes of size 1."""
    last = regions[-1]
    shapes = [_squeeze(last.sink.frame)]
    for region in reversed(regions):
        after = shapes[0]
        if region.linear is not None:
            before = _squeeze(region.linear.frame)
            made = (*before[:-1], region.linear.weights.values.shape[0])
            if made != after:
                raise FlowError(f"{region.linear.node}: makes frames of {list(made)}, which are reshaped to {list(after)} before "
                                "the next layer; that cannot be compiled yet, use layers on flat frames")
        else:
            before = _squeeze(region.source.frame) if region.select else after
        shapes.insert(0, before)
    return shapes


def _squeeze(frame: Shape) -> Shape:
    return (*(size for size in frame[:-1] if size != 1), frame[-1])


def _tensor(integers: Integers, shape: Shape, dtype: str) -> Tensor:
    return Tensor(integers.name, shape, dtype, _per_channel(integers.scale, shape), _per_channel(integers.offset, shape))


def _per_channel(const: Const, shape: Shape) -> FloatArray:
    if const.size == 1:
        return np.asarray(const.value[0])
    rows = const.value.reshape(-1, shape[-1])
    return rows[0] if (rows == rows[0]).all() else const.value.reshape(shape)

