"""The folding with the least resources for a target, or the fastest within a budget."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isfinite

from hw_flow.errors import FlowError
from hw_flow.folding.explain import bottleneck
from hw_flow.folding.rules import interval_cycles
from hw_flow.folding.space import Budget, Space
from hw_flow.folding.values import Folding, FoldingPlan, NodeFolding
from hw_flow.ir import Graph

# Runs of the performance model with which a search for a latency may look for something cheaper.
_LATENCY_RUNS = 200


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
    target = checked_target(target)
    return replace(Space(graph, fixed or {}, lean=lean).plan(target), target_cycles=target)


def checked_target(target: int) -> int:
    """``target`` cycles a frame; FlowError if there are none."""
    if target < 1:
        raise FlowError(f"target of {target} cycles a frame; give at least 1")
    return target


def cycles_at(fps: float, clock_mhz: float) -> int:
    """Cycles a frame at ``fps`` frames a second; FlowError if there are none."""
    if not (fps > 0 and clock_mhz > 0):
        raise FlowError(f"{fps:,.10g} frames a second at {clock_mhz:g} MHz; give positive numbers")
    allowed = clock_mhz * 1e6 / fps
    if not isfinite(allowed):
        raise FlowError(f"{fps:,.10g} frames a second at {clock_mhz:g} MHz leave no finite number of cycles a frame; give others")
    if allowed < 1:
        raise FlowError(f"{fps:,.10g} frames a second at {clock_mhz:g} MHz leave less than a cycle a frame; give a faster clock")
    return int(allowed)


def for_rate(graph: Graph, fps: float, clock_mhz: float) -> FoldingPlan:
    """The cheapest folding that takes ``fps`` frames a second at ``clock_mhz``.

    Raises
    ------
    FlowError : the rate is out of reach at this clock.
    """
    target = cycles_at(fps, clock_mhz)
    plan = for_cycles(graph, target)
    reached = clock_mhz * 1e6 / interval_cycles(graph, plan)
    return replace(plan, notes=(f"{fps:,.10g} frames a second at {clock_mhz:g} MHz allow {target:,} cycles a frame; this folding "
                                f"takes {reached:,.1f} frames a second", *plan.notes))


def for_latency(graph: Graph, target: int) -> FoldingPlan:
    """A cheap folding whose first output comes within ``target`` cycles in the performance model (`hw_flow.fifo`).

    It starts from the slowest folding of `for_cycles` that is early enough, or else from the fastest one, made earlier node by
    node; then each node takes its cheapest folding that keeps the latency, until none does. Latency is no sum over nodes, so this
    is a local optimum: of the smallest graphs of tests/, compared with exhaustive search, it costs at most 5 % more.

    Raises
    ------
    FlowError : the latency is out of reach of this search; the message says what it reached.
    """
    from hw_flow import fifo

    space = Space(graph, {})
    plans: dict[int, FoldingPlan] = {}

    def latency(plan: Folding) -> int:
        return fifo.latency_cycles(graph, plan)

    def late(cycles: int) -> bool:
        plans[cycles] = space.plan(cycles)
        return latency(plans[cycles]) > target

    reachable = space.intervals()
    place = bisect_left(reachable, True, key=late)
    start: Folding = plans[reachable[place - 1]] if place else _earlier(space, space.plan(reachable[0]), latency, target)
    if not place and latency(start) > target:
        raise FlowError(f"graph '{graph.name}': a latency of {target:,} cycles is out of reach; the least found is"
                        f" {latency(start):,}")
    nodes = _cheaper(space, start, latency, target)
    note = f"the first output comes after {latency(nodes):,} cycles, {target:,} were allowed"
    return FoldingPlan(nodes, (note, bottleneck(graph, nodes)))


def _earlier(space: Space, plan: Folding, latency: Callable[[Folding], int], target: int) -> Folding:
    """``plan`` with moves that bring the first output earlier, the best of each round, until it is early enough or none does."""
    found, reached, left = dict(plan), latency(plan), _LATENCY_RUNS
    while reached > target and left > 0:
        # What saves most cycles of its nodes is tried first.
        moves = sorted(space.moves(found), key=lambda move: space.cycles_of({**found, **move}))[:left]
        left -= len(moves)
        trials = [(latency({**found, **move}), move) for move in moves]
        best, move = min(trials, key=lambda trial: trial[0], default=(reached, {}))
        if best >= reached:
            break
        found, reached = {**found, **move}, best
    return found


def _cheaper(space: Space, plan: Folding, latency: Callable[[Folding], int], target: int) -> Folding:
    """``plan`` with moves that cost less and keep the first output early enough, as long as there are any."""
    found, price, left = dict(plan), space.price(plan), _LATENCY_RUNS
    while left > 0:
        priced = sorted(((space.price({**found, **move}), number, move) for number, move in enumerate(space.moves(found))),
                        key=lambda trial: trial[:2])
        for cost, _, move in priced:
            if cost >= price or left <= 0:
                return found
            left -= 1
            if latency({**found, **move}) <= target:
                found, price = {**found, **move}, cost
                break
        else:
            return found
    return found


def for_budget(graph: Graph, budget: Budget) -> FoldingPlan:
    """The fastest folding within ``budget``, and of several as fast the cheapest.

    Where block RAMs or DSP blocks are limited, memories and multipliers may also be made of LUTs.

    Raises
    ------
    FlowError : even the smallest folding needs more.
    """
    space = Space(graph, {}, budget)
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
