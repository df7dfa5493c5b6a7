"""All foldings of a graph with their costs, as a problem of `hw_flow.folding.optimise`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from functools import cached_property, lru_cache
from math import inf

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.folding.check import coupled
from hw_flow.folding.explain import bottleneck, describe
from hw_flow.folding.optimise import Costs, Problem, cheapest, within
from hw_flow.folding.rules import input_lanes, node_cycles, options, output_lanes
from hw_flow.folding.values import PRICES, Folding, FoldingPlan, NodeFolding
from hw_flow.ir import MVAU, VVAU, Graph, Multiply, Node, Requantise, SlidingWindow


@dataclass(frozen=True)
class Budget:
    """What a design may use, by the cost model; None for any number.

    Attributes
    ----------
    luts, brams, dsps : LUTs, block RAMs of 18 kbit, DSP blocks.
    """

    luts: int | None = None
    brams: int | None = None
    dsps: int | None = None

    @property
    def limits(self) -> tuple[float, ...]:
        """The limits, infinite for None."""
        return tuple(inf if limit is None else float(limit) for limit in astuple(self))

    def __str__(self) -> str:
        names = (("LUTs", self.luts), ("BRAMs", self.brams), ("DSPs", self.dsps))
        return ", ".join(f"{limit:,} {name}" for name, limit in names if limit is not None)


class Space:
    """All foldings of a graph with their costs."""

    def __init__(self, graph: Graph, fixed: Mapping[str, NodeFolding], budget: Budget | None = None, *,
                 lean: bool = False) -> None:
        from hw_flow.cost import edge_resources, node_resources
        from hw_flow.rtl.edges import direct

        self.graph, self.edge_cost, self.direct, self.lean = graph, edge_resources, direct, lean
        self.budget = budget or Budget()
        self.choices: list[list[NodeFolding]] = []
        self.costs: list[Costs] = []
        for node in graph:
            own = [fixed[node.name]] if node.name in fixed else self._variants(node)
            self.choices.append(own)
            self.costs.append(np.array([astuple(node_resources(node, choice, graph)) for choice in own]))
        self.cycles = [np.array([node_cycles(node, choice, graph) for choice in own])
                       for node, own in zip(graph, self.choices, strict=True)]
        self.fixed = fixed

    def intervals(self) -> list[int]:
        """Intervals that some choice of all nodes can have, ascending."""
        every = np.unique(np.concatenate(self.cycles))
        least = max(int(own.min()) for own in self.cycles)
        return [int(cycles) for cycles in every if cycles >= least]

    def plan(self, target: int) -> FoldingPlan:
        """The cheapest folding for ``target``."""
        kept, problem = self._problem(target)
        picks = cheapest(problem, PRICES)
        if picks is None:
            raise FlowError(f"graph '{self.graph.name}': no folding within {target} cycles a frame fits together; ask for more")
        return self._finish(kept, picks)

    def plan_within(self, target: int) -> FoldingPlan | None:
        """The cheapest folding for ``target`` within the budget, or None."""
        kept, problem = self._problem(target)
        limits = self.budget.limits
        free = cheapest(problem, PRICES)
        if free is None:
            return None
        plan = self._finish(kept, free)
        if all(need <= limit for need, limit in zip(self.needs(plan), limits, strict=True)):
            return plan
        picks = within(problem, PRICES, limits)
        return None if picks is None else self._finish(kept, picks)

    def needs(self, plan: Folding) -> tuple[float, ...]:
        """LUTs, block RAMs and DSP blocks of ``plan``."""
        from hw_flow.cost import total

        return astuple(total(self.graph, plan))

    def price(self, plan: Folding) -> float:
        """LUTs of ``plan``, and what the rest is worth in LUTs."""
        found = 0.0
        for node, known in zip(self.graph, self._node_prices, strict=True):
            own = plan[node.name]
            found += known[own]
            for index, name in enumerate(node.inputs):
                producer = self.graph.producer(name)
                if producer is not None and not self.direct(self.graph, producer, plan[producer.name], node, own):
                    found += self._edge_price(output_lanes(producer, plan[producer.name]), input_lanes(node, own, index),
                                              self.graph.tensors[name].width)
        return found

    def cycles_of(self, plan: Folding) -> int:
        """Cycles a frame of all nodes together."""
        return sum(node_cycles(node, plan[node.name], self.graph) for node in self.graph)

    @cached_property
    def _node_prices(self) -> list[dict[NodeFolding, float]]:
        return [dict(zip(own, (costs @ np.array(PRICES)).tolist(), strict=True))
                for own, costs in zip(self.choices, self.costs, strict=True)]

    @cached_property
    def _edge_price(self) -> Callable[[int, int, int], float]:
        return lru_cache(maxsize=None)(lambda *edge: float(np.dot(astuple(self.edge_cost(*edge)), PRICES)))

    def moves(self, plan: Folding) -> Iterator[dict[str, NodeFolding]]:
        """Other foldings of one node, or of a depthwise window and the node that reads it, that fit the rest of ``plan``."""
        for node, own in zip(self.graph, self.choices, strict=True):
            for choice in own:
                move = {node.name: choice}
                if isinstance(node, SlidingWindow) and node.depthwise:
                    move |= {reader.name: NodeFolding(choice.simd, node.taps if choice.parallel_window else 1)
                             for reader in self.graph.consumers(node.outputs[0])}
                changed = {**plan, **move}
                if choice != plan[node.name] and all(
                        self._fits(other, changed) for other in self.graph if set(move) & {other.name, *self._behind(other)}):
                    yield move

    def _behind(self, node: Node) -> list[str]:
        producer = self.graph.producer(node.inputs[0])
        return [] if producer is None else [producer.name]

    def _fits(self, node: Node, plan: Folding) -> bool:
        producer = self.graph.producer(node.inputs[0])
        return coupled(self.graph, producer, None if producer is None else plan[producer.name], node, plan[node.name])

    def _variants(self, node: Node) -> list[NodeFolding]:
        found = options(node, self.graph)
        if self.budget.brams is not None:
            found = [replace(choice, ram_style=style) for choice in found for style in ("distributed", "block")]
        if self.budget.dsps is not None and isinstance(node, MVAU | VVAU | Multiply | Requantise):
            found = [replace(choice, res_type=kind) for choice in found for kind in ("lut", "dsp")]
        return found

    def _problem(self, target: int) -> tuple[list[list[NodeFolding]], Problem]:
        kept, costs = [], []
        for node, own, cost, cycles in zip(self.graph, self.choices, self.costs, self.cycles, strict=True):
            good = np.flatnonzero((cycles <= target) | (node.name in self.fixed))
            if not len(good):
                self._refuse(node, target)
            if self.lean and isinstance(node, MVAU):
                products = np.array([own[index].pe * own[index].simd for index in good])
                good = good[products == products.min()]
            good = good[_worth(node, [own[index] for index in good], cost[good], limited=any(self._limited()))]
            kept.append([own[index] for index in good])
            costs.append(cost[good])
        numbers = {node.name: number for number, node in enumerate(self.graph)}
        pairs: dict[tuple[int, int], Costs] = {}
        for second, node in enumerate(self.graph):
            for index, tensor in enumerate(node.inputs):
                producer = self.graph.producer(tensor)
                if producer is not None:
                    edge = numbers[producer.name], second
                    table = self._edge(producer, kept[edge[0]], node, kept[second], index)
                    pairs[edge] = pairs[edge] + table if edge in pairs else table
                elif not index:
                    fits = [coupled(self.graph, None, None, node, choice) for choice in kept[second]]
                    costs[second] = np.where(np.array(fits)[:, None], costs[second], np.inf)
        return kept, Problem(costs, pairs)

    def _limited(self) -> list[bool]:
        return [limit < inf for limit in self.budget.limits]

    def _edge(self, producer: Node, theirs: list[NodeFolding], node: Node, own: list[NodeFolding], index: int) -> Costs:
        width = self.graph.tensors[node.inputs[index]].width
        table = np.zeros((len(theirs), len(own), 3))
        known: dict[tuple[int, int], tuple[float, ...]] = {}
        for a, left in enumerate(theirs):
            for b, right in enumerate(own):
                if index == 0 and not coupled(self.graph, producer, left, node, right):
                    table[a, b, 0] = inf
                    continue
                if self.direct(self.graph, producer, left, node, right):
                    continue
                lanes = output_lanes(producer, left), input_lanes(node, right, index)
                if lanes not in known:
                    known[lanes] = astuple(self.edge_cost(*lanes, width))
                table[a, b] = known[lanes]
        return table

    def _refuse(self, node: Node, target: int) -> None:
        fastest = max(int(own.min()) for own in self.cycles)
        own = self.cycles[list(self.graph).index(node)]
        choice = self.choices[list(self.graph).index(node)][int(own.argmin())]
        raise FlowError(f"{node.name}: {target} cycles a frame is out of reach, its least is {int(own.min())} with"
                        f" {describe(node, choice)}; ask for {fastest} cycles or more")

    def _finish(self, kept: list[list[NodeFolding]], picks: list[int]) -> FoldingPlan:
        nodes = {node.name: own[pick] for node, own, pick in zip(self.graph, kept, picks, strict=True)}
        return FoldingPlan(nodes, (bottleneck(self.graph, nodes),))


def _worth(node: Node, choices: list[NodeFolding], costs: Costs, *, limited: bool) -> list[int]:
    """Choices that no other with the same lanes on both sides is at least as cheap as."""
    best: dict[tuple[object, ...], list[int]] = {}
    for index, choice in enumerate(choices):
        best.setdefault((input_lanes(node, choice), output_lanes(node, choice), choice.pe, choice.simd), []).append(index)
    kept = []
    for rivals in best.values():
        if limited:
            kept += [index for index in rivals if not any(
                (costs[other] <= costs[index]).all() and ((costs[other] < costs[index]).any() or other < index)
                for other in rivals if other != index)]
        else:
            kept.append(min(rivals, key=lambda index: float(costs[index] @ np.array(PRICES))))
    return sorted(kept)
