"""Cut a cleaned model into a host part, regions that hardware computes, and another host part.

The graph is walked once. Every ONNX tensor gets a lazy expression: integers of a stream, the order in which the ONNX frame shows
them, and element-wise operators after them. A quantiser closes a region; so does every operator that moves, joins or multiplies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper

from hw_flow.errors import FlowError
from hw_flow.frontend.context import Context
from hw_flow.frontend.entry import entry, stream_order
from hw_flow.frontend.joins import concat, join
from hw_flow.frontend.linear import linear
from hw_flow.frontend.pools import global_pool, pool
from hw_flow.frontend.reference import Reference
from hw_flow.frontend.regions import Integers, Plan, Region
from hw_flow.frontend.select import select
from hw_flow.frontend.site import Site, UnevenError
from hw_flow.frontend.support import GLOBAL_POOLS, LAYOUT, LINEAR, MOVES, POOLS, QUANTISERS, TAIL
from hw_flow.frontend.translate import elementwise, quantiser
from hw_flow.frontend.values import Value, arranged
from hw_flow.frontend.views import depth_to_space, gather, layout, pad, resize, slices, split

T = TypeVar("T")


@dataclass
class Planner:
    """Walks the graph once; ``declared`` is the integer input without its order, if there is one."""

    model: ModelWrapper
    reference: Reference
    declared: Integers | None

    def plan(self) -> Plan:
        """The cut of the whole model."""
        self.context = context = Context(self.model, self.reference)
        self._check()
        position, source = (0, self._declared_stream()) if self.declared is not None else entry(context)
        context.names.add(source.name)
        context.values[source.tensor] = Value.of(source)
        self.host: dict[str, FlowError] = {}
        needed = self._needed()
        for node in context.moving[position:]:
            self._visit(node, needed.get(node.name))
        return self._finish(source, tuple(node.name for node in context.moving[:position]))

    def _declared_stream(self) -> Integers:
        assert self.declared is not None
        shape, order = stream_order(self.context, self.declared.tensor)
        return replace(self.declared, shape=shape, order=order)

    def _check(self) -> None:
        context = self.context
        for node in context.moving:
            if node.op_type in QUANTISERS and len(context.operands(node)) > 1:
                raise FlowError(f"{node.name} ({node.op_type}): activation without scale: its scale, zero point or bit width is "
                                "computed at run time; export the network with fixed quantisers")
        if not context.moving:
            raise FlowError(f"graph output '{self.reference.sink}' does not depend on the input; export the network again")

    def _needed(self) -> dict[str, str]:
        """For each node that cannot be left to the host, the integer operator behind it (or itself)."""
        reached: dict[str, str] = {}
        found: dict[str, str] = {}
        for node in reversed(self.context.moving):
            name = next((reached[out] for out in node.output if out in reached), None)
            if node.op_type in LINEAR | QUANTISERS:
                name = node.name
            if name is not None:
                found[node.name] = name
                reached.update(dict.fromkeys(self.context.operands(node), name))
        return found

    # --- one node ----------------------------------------------------------------------------------------------------------

    def _visit(self, node: onnx.NodeProto, needed: str | None) -> None:
        context = self.context
        on_host = next((self.host[name] for name in context.operands(node) if name in self.host), None)
        regions, names, values = len(context.regions), set(context.names), dict(context.values)
        if node.op_type in TAIL:
            found = select(context, node) if node.op_type in ("TopK", "ArgMax") else None
            if found is not None:
                context.values[found.base.tensor] = found
                return
            on_host = on_host or FlowError(
                f"{node.name} ({node.op_type}): stands before {needed}, so it would have to run in hardware, which it cannot; "
                "move it to the end")
            if needed is not None:
                raise on_host
        if on_host is None:
            try:
                context.values.update(self._values(node))
                return
            except FlowError as error:
                if needed is not None:
                    raise
                del context.regions[regions:]
                context.names, context.values = names, values
                on_host = error
            except (ValueError, IndexError, KeyError, TypeError, OverflowError, ZeroDivisionError) as error:
                line = " ".join(str(error).split())[:120]
                raise FlowError(f"{node.name} ({node.op_type}): its attributes do not fit its shapes ({line}); check the "
                                "export") from error
        self.host.update(dict.fromkeys(filter(None, node.output), on_host))

    def _values(self, node: onnx.NodeProto) -> dict[str, Value]:
        """The values that ``node`` writes, in hardware."""
        context, operator = self.context, node.op_type
        if operator in MOVES:
            context.settled(context.operands(node)[0])
        if operator == "Split":
            return split(context, node)
        return {node.output[0]: self._value(node, context.operands(node))}

    def _value(self, node: onnx.NodeProto, operands: list[str]) -> Value:
        context, operator = self.context, node.op_type
        value = context.values[operands[0]]
        if operator in LINEAR:
            return linear(context, node)
        if operator in QUANTISERS:
            return self._quantised(node, value)
        if operator in LAYOUT:
            return layout(context, node, value)
        if operator in POOLS:
            return pool(context, node)
        if operator in GLOBAL_POOLS:
            return global_pool(context, node)
        match operator:
            case "Concat":
                return concat(context, node)
            case "Pad":
                return pad(context, node)
            case "Slice":
                return slices(context, node)
            case "Gather" | "Tile":
                return gather(context, node)
            case "DepthToSpace" | "SpaceToDepth":
                return depth_to_space(context, node)
            case "Resize" | "Upsample":
                return resize(context, node)
        if len(operands) > 1:
            return join(context, node)
        value, ops = self._translated(node, value, elementwise)
        return value.then(node.name, ops)

    def _translated(self, node: onnx.NodeProto, value: Value, rule: Callable[[Site], T]) -> tuple[Value, T]:
        """What ``rule`` makes of ``node`` on ``value``, brought into another order if it needs one."""
        context, tensor = self.context, self.context.operands(node)[0]
        try:
            return value, rule(context.site(node, value))
        except UnevenError as error:
            regions, names = len(context.regions), set(context.names)
            for axis in sorted({0, len(value.frame) - 1}):
                try:
                    found = context.stream(tensor, value, arranged(value.frame, axis))
                    return found, rule(context.site(node, found))
                except FlowError:
                    del context.regions[regions:]
                    context.names = names
            raise error from None

    def _quantised(self, node: onnx.NodeProto, value: Value) -> Value:
        value, last = self._translated(node, value, quantiser)
        return self.context.quantised(node.output[0], value, last, (node.name,))

    # --- the end -------------------------------------------------------------------------------------------------------------

    def _finish(self, source: Integers, before: tuple[str, ...]) -> Plan:
        context = self.context
        value = context.values.get(self.reference.sink)
        crossing = self._crossing() if value is None else value.base
        regions = merged(context.regions, crossing)
        if not regions:
            node = context.moving[-1]
            raise FlowError(f"{node.name} ({node.op_type}): nothing before it can be computed in hardware; "
                            "a layer with integer weights after a quantiser is needed")
        return Plan(source, tuple(regions), before, self._after(crossing), tuple(context.notes), source.quantiser)

    def _crossing(self) -> Integers:
        """The one tensor of the graph that the host's part reads."""
        context, bases = self.context, {}
        needed = {self.reference.sink}
        for node in reversed(context.moving):
            if not needed.isdisjoint(node.output):
                for name in context.operands(node):
                    if name in context.values:
                        bases[context.values[name].base.name] = context.values[name].base
                    else:
                        needed.add(name)
        if len(bases) > 1:
            raise next(iter(self.host.values()))
        return next(iter(bases.values()))

    def _after(self, crossing: Integers) -> tuple[str, ...]:
        """Nodes from ``crossing`` to the network's output."""
        needed, nodes = {self.reference.sink} - {crossing.tensor}, []
        for node in reversed(self.context.moving):
            if not needed.isdisjoint(node.output):
                nodes.append(node.name)
                needed.update(name for name in self.context.operands(node) if name != crossing.tensor)
        return tuple(reversed(nodes))


def merged(regions: Sequence[Region], crossing: Integers) -> list[Region]:
    """Regions that lead to ``crossing``, with functions merged into what only they read."""
    kept: list[Region] = []
    needed = {crossing.name}
    for region in reversed(regions):
        if region.sink.name in needed:
            kept.insert(0, region)
            needed.update(source.name for source in region.sources)
    readers = Counter(source.name for region in kept for source in region.sources)
    readers[crossing.name] += 1
    made: dict[str, Region] = {}
    for region in kept:
        before = made.get(region.source.name)
        if before is not None and region.core is None and readers[region.source.name] == 1 and _joins(before, region):
            del made[region.source.name]
            inner = () if before.quantiser is None else (before.quantiser,)
            region = replace(before, nodes=(*before.nodes, *region.nodes), sink=region.sink,  # noqa: PLW2901 - the merged one
                             ops=(*before.ops, *inner, *region.ops), quantiser=region.quantiser)
        made[region.sink.name] = region
    return list(made.values())


def _joins(before: Region, region: Region) -> bool:
    """Whether one node can compute both functions."""
    if region.quantiser is None:
        return False
    if before.quantiser is None:
        return before.core is not None and before.core.activates
    return not any(np.isnan(op.sign()).any() for op in region.ops)
