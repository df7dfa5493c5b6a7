"""The folding with the least resources for a target, or the fastest within a budget."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from math import inf

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.folding.check import coupled
from hw_flow.folding.optimise import Costs, Problem, cheapest, within
from hw_flow.folding.rules import input_lanes, interval_cycles, node_cycles, options, output_lanes
from hw_flow.folding.values import Folding, FoldingPlan, NodeFolding
from hw_flow.ir import MVAU, VVAU, Graph, Node, Pool, SlidingWindow

# What a block RAM of 18 kbit and a DSP block are worth in LUTs: see hw_flow.rtl.choose.
_WEIGHTS = (1.0, 64.0, 45.0)


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


def for_cycles(graph: Graph, target: int, fixed: Mapping[str, NodeFolding] | None = None, *, lean: bool = False) -> FoldingPlan:
    """The folding that needs least by the cost model and has no node slower than ``target`` cycles a frame.

    Nodes, FIFOs and width converters between neighbours count. The choice is the exact minimum of the model.

    Parameters
    ----------
    target : cycles a frame, at least 1.
    fixed : nodes whose folding is already decided.
    lean : each matrix gets the fewest products a cycle that meet the target, though other lanes may cost less elsewhere.

    Raises
    ------
    FlowError : the target is out of reach; the message says what is reachable.
    """
    if target < 1:
        raise FlowError(f"target of {target} cycles a frame; give at least 1")
    return replace(_Space(graph, fixed or {}, lean=lean).plan(target), target_cycles=target)


def for_rate(graph: Graph, fps: float, clock_mhz: float) -> FoldingPlan:
    """The cheapest folding that takes ``fps`` frames a second at ``clock_mhz``.

    Raises
    ------
    FlowError : the rate is out of reach at this clock.
    """
    if not (fps > 0 and clock_mhz > 0):
        raise FlowError(f"{fps:,.10g} frames a second at {clock_mhz:g} MHz; give positive numbers")
    target = int(clock_mhz * 1e6 / fps)
    if target < 1:
        raise FlowError(f"{fps:,.10g} frames a second at {clock_mhz:g} MHz leave less than a cycle a frame; give a faster clock")
    plan = for_cycles(graph, target)
    reached = clock_mhz * 1e6 / interval_cycles(graph, plan)
    return replace(plan, notes=(f"{fps:,.10g} frames a second at {clock_mhz:g} MHz allow {target:,} cycles a frame; this folding "
                                f"takes {reached:,.1f} frames a second", *plan.notes))


def for_latency(graph: Graph, target: int) -> FoldingPlan:
    """The slowest, and so cheapest, of the foldings of `for_cycles` whose first output comes within ``target`` cycles.

    The latency is that of the performance model (`hw_flow.fifo.predict`).

    Raises
    ------
    FlowError : the latency is out of reach; the message says what is reachable.
    """
    from hw_flow import fifo

    space = _Space(graph, {})
    plans: dict[int, FoldingPlan] = {}

    def late(cycles: int) -> bool:
        plans[cycles] = space.plan(cycles)
        return fifo.latency_cycles(graph, plans[cycles]) > target

    reachable = space.intervals()
    place = bisect_left(reachable, True, key=late)
    if place == 0:
        least = fifo.latency_cycles(graph, plans.get(reachable[0]) or space.plan(reachable[0]))
        raise FlowError(f"graph '{graph.name}': a latency of {target:,} cycles is out of reach; its least is {least:,}")
    plan = plans[reachable[place - 1]]
    note = f"the first output comes after {fifo.latency_cycles(graph, plan):,} cycles, {target:,} were allowed"
    return replace(plan, notes=(note, *plan.notes))


def for_budget(graph: Graph, budget: Budget) -> FoldingPlan:
    """The fastest folding within ``budget``, and of several as fast the cheapest.

    Where block RAMs or DSP blocks are limited, memories and multipliers may also be made of LUTs.

    Raises
    ------
    FlowError : even the smallest folding needs more.
    """
    space = _Space(graph, {}, budget)
    plans: dict[int, FoldingPlan | None] = {}

    def fits(cycles: int) -> bool:
        plans[cycles] = space.plan_within(cycles)
        return plans[cycles] is not None

    reachable = space.intervals()
    place = bisect_left(reachable, True, key=fits)
    if place == len(reachable):
        needs = space.needs(space.plan(reachable[-1]))
        raise FlowError(f"graph '{graph.name}': no folding fits into {budget}; the smallest needs about "
                        f"{Budget(*(round(part) for part in needs))}")
    plan = plans[reachable[place]]
    assert plan is not None
    used = Budget(*(round(part) for part in space.needs(plan)))
    return replace(plan, notes=(f"the fastest folding within {budget}; by the cost model it needs {used}", *plan.notes))


def bottleneck(graph: Graph, folding: Folding) -> str:
    """One sentence: which node sets the interval, why, and which comes next."""
    cycles = {node.name: node_cycles(node, folding[node.name], graph) for node in graph}
    slowest = max(graph, key=lambda node: cycles[node.name])
    others = sorted((name for name in cycles if name != slowest.name), key=lambda name: -cycles[name])
    text = f"{slowest.name} sets the interval of {cycles[slowest.name]:,} cycles a frame: {_work(slowest, graph)} with " \
           f"{describe(slowest, folding[slowest.name])}"
    return f"{text}; next is {others[0]} with {cycles[others[0]]:,}" if others else text


def describe(node: Node, folding: NodeFolding) -> str:
    """``PE 8 SIMD 4``, or ``PE 8`` where there is no SIMD."""
    if isinstance(node, SlidingWindow):
        return f"SIMD {folding.simd}" + " with a parallel window" * folding.parallel_window
    return f"PE {folding.pe} SIMD {folding.simd}" if isinstance(node, MVAU | VVAU | Pool) else f"PE {folding.pe}"


def _work(node: Node, graph: Graph) -> str:
    source, out = graph.input_of(node), graph.output_of(node)
    if isinstance(node, MVAU):
        return f"{source.elements // node.mw:,} x {node.mh} x {node.mw} products"
    if isinstance(node, VVAU):
        return f"{source.elements:,} products"
    return f"{max(source.elements, out.elements):,} elements"


class _Space:
    """All foldings of a graph with their costs."""

    def __init__(self, graph: Graph, fixed: Mapping[str, NodeFolding], budget: Budget | None = None, *,
                 lean: bool = False) -> None:
        from hw_flow.cost import edge_resources, node_resources

        self.graph, self.edge_cost, self.lean = graph, edge_resources, lean
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
        picks = cheapest(problem, _WEIGHTS)
        if picks is None:
            raise FlowError(f"graph '{self.graph.name}': no folding within {target} cycles a frame fits together; ask for more")
        return self._finish(kept, picks)

    def plan_within(self, target: int) -> FoldingPlan | None:
        """The cheapest folding for ``target`` within the budget, or None."""
        kept, problem = self._problem(target)
        limits = self.budget.limits
        free = cheapest(problem, _WEIGHTS)
        if free is None:
            return None
        plan = self._finish(kept, free)
        if all(need <= limit for need, limit in zip(self.needs(plan), limits, strict=True)):
            return plan
        picks = within(problem, _WEIGHTS, limits)
        return None if picks is None else self._finish(kept, picks)

    def needs(self, plan: Folding) -> tuple[float, ...]:
        """LUTs, block RAMs and DSP blocks of ``plan``."""
        from hw_flow.cost import total

        return astuple(total(self.graph, plan))

    def _variants(self, node: Node) -> list[NodeFolding]:
        found = options(node, self.graph)
        if self.budget.brams is not None:
            found = [replace(choice, ram_style=style) for choice in found for style in ("distributed", "block")]
        if self.budget.dsps is not None and isinstance(node, MVAU | VVAU):
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
            kept.append(min(rivals, key=lambda index: float(costs[index] @ np.array(_WEIGHTS))))
    return sorted(kept)
