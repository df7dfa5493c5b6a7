"""Foldings chosen for the user: for a target of cycles, fully unfolded, or by the default rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import gcd

from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError
from hw_flow.folding.values import (
    Folding,
    FoldingPlan,
    NodeFolding,
    divisors,
    input_lanes,
    interval_cycles,
    node_cycles,
    output_lanes,
    parallel_limits,
    vectors,
)
from hw_flow.ir import MVAU, Graph, Node

# Default rule: one-bit products computed in one cycle; FINN's TFC w1a1 at 64 cycles uses 992.
DEFAULT_BIT_PRODUCTS = 1024
_LEAST_DEFAULT_CYCLES = 16
# What lanes cost beside multipliers, in LUTs on xc7, fitted to Yosys' results for a 64-32-32-10 network with 2-bit weights:
# a bit of the input stream (FIFO, replay buffer), a bit of an accumulator (and as much for its comparator), a bit in a converter.
_STREAM_BIT, _SUM_BIT, _CONVERTER_BIT = 1.5, 1.0, 1.0


def for_cycles(graph: Graph, target: int, fixed: Mapping[str, NodeFolding] | None = None) -> FoldingPlan:
    """The folding with the least parallel hardware whose every node needs at most ``target`` cycles a frame.

    Each matrix gets the smallest PE*SIMD that meets the target. Among equals the choice is the one whose
    streams, accumulators and comparators cost least; neighbours with the same lanes need no converter,
    lanes that divide each other a small one, others a big one. Exact on chains and trees; at a join
    of several streams only the first counts.

    Parameters
    ----------
    target : cycles a frame, at least 1.
    fixed : nodes whose folding is already decided.

    Raises
    ------
    FlowError : the target is out of reach; the message says what is reachable.
    """
    if target < 1:
        raise FlowError(f"target of {target} cycles a frame; give at least 1")
    fixed = fixed or {}
    options = {node.name: [fixed[node.name]] if node.name in fixed else _options(node, graph, target) for node in graph}
    _reachable(graph, options, target)
    children: dict[str, list[Node]] = {node.name: [] for node in graph}
    for node in graph:
        parent = graph.producer(node.inputs[0])
        if parent is not None:
            children[parent.name].append(node)
    # Cheapest choice of the whole subtree below a node, for each of the node's own options.
    best: dict[str, list[tuple[float, dict[str, int]]]] = {}
    for node in reversed(graph.nodes):
        best[node.name] = []
        for option in options[node.name]:
            cost = _overhead(node, option, graph)
            picks: dict[str, int] = {}
            for child in children[node.name]:
                below = [
                    (total + _converter(graph, node, option, child, choice), index)
                    for index, (choice, (total, _)) in enumerate(zip(options[child.name], best[child.name], strict=True))
                ]
                least, index = min(below)
                cost += least
                picks |= {child.name: index, **best[child.name][index][1]}
            best[node.name].append((cost, picks))
    picked: dict[str, int] = {}
    for node in graph:
        if graph.producer(node.inputs[0]) is None:
            index = min(range(len(best[node.name])), key=partial(_cost_at, best[node.name]))
            picked |= {node.name: index, **best[node.name][index][1]}
    return FoldingPlan({node.name: options[node.name][picked[node.name]] for node in graph}, target_cycles=target)


def unfolded(graph: Graph) -> FoldingPlan:
    """Every node at full width: PE = MH and SIMD = MW, one cycle a vector."""
    nodes = {}
    for node in graph:
        limits = parallel_limits(node, graph)
        nodes[node.name] = NodeFolding(limits["PE"][1], limits["SIMD"][1] if "SIMD" in limits else 1)
    return FoldingPlan(nodes)


def default(graph: Graph, bit_products: int = DEFAULT_BIT_PRODUCTS) -> FoldingPlan:
    """The folding used where the user gives none; its note states the rule and the target it led to.

    The target is the smallest power of two, from 16 cycles a frame up, at which all matrices together
    compute at most ``bit_products`` one-bit products (PE * SIMD * weight bits * activation bits) a cycle.
    """
    target = _LEAST_DEFAULT_CYCLES
    slowest = interval_cycles(graph, {node.name: NodeFolding(1) for node in graph})
    while target < max((vectors(node, graph) for node in graph), default=1):
        target *= 2
    plan = for_cycles(graph, target)
    while parallel_bits(graph, plan) > bit_products and target < slowest:
        target *= 2
        plan = for_cycles(graph, target)
    note = (f"no folding given: target of {target} cycles a frame, the smallest power of two from {_LEAST_DEFAULT_CYCLES} up"
            f" with at most {bit_products:,} one-bit products a cycle ({parallel_bits(graph, plan):,});"
            " choose with --target-cycles or --folding")
    return replace(plan, notes=(note,))


def complete(graph: Graph, given: Mapping[str, NodeFolding]) -> FoldingPlan:
    """Fold the nodes that ``given`` leaves out so that they keep the interval of those it names."""
    missing = [node for node in graph if node.name not in given]
    if not missing:
        return FoldingPlan({node.name: given[node.name] for node in graph})
    target = max(node_cycles(node, given[node.name], graph) for node in graph if node.name in given)
    plan = for_cycles(graph, target, given)
    notes = tuple(f"{node.name}: no folding given, {describe(node, plan[node.name])} chosen to keep {target} cycles a frame"
                  for node in missing)
    return FoldingPlan(plan.nodes, notes)


def describe(node: Node, folding: NodeFolding) -> str:
    """``PE 8 SIMD 4``, or ``PE 8`` where there is no SIMD."""
    return f"PE {folding.pe} SIMD {folding.simd}" if isinstance(node, MVAU) else f"PE {folding.pe}"


def parallel_bits(graph: Graph, folding: Folding) -> int:
    """One-bit products a cycle: the sum over matrices of PE * SIMD * weight bits * activation bits."""
    return sum(
        folding[node.name].pe * folding[node.name].simd * weight_bits(node) * graph.input_of(node).width
        for node in graph if isinstance(node, MVAU)
    )


def weight_bits(node: MVAU) -> int:
    """Bits of one weight of ``node``."""
    return int(DataType[node.weight_dtype].bitwidth())


def _options(node: Node, graph: Graph, target: int) -> list[NodeFolding]:
    """The legal foldings with the least PE*SIMD that meet ``target``; empty if none does."""
    limits = parallel_limits(node, graph)
    simds = divisors(limits["SIMD"][1]) if "SIMD" in limits else [1]
    fits = [candidate for pe in divisors(limits["PE"][1]) for simd in simds
            if node_cycles(node, candidate := NodeFolding(pe, simd), graph) <= target]
    least = min((f.pe * f.simd for f in fits), default=0)
    return [f for f in fits if f.pe * f.simd == least]


def _reachable(graph: Graph, options: Mapping[str, list[NodeFolding]], target: int) -> None:
    full = unfolded(graph)
    for node in graph:
        if not options[node.name]:
            least = interval_cycles(graph, full)
            raise FlowError(f"{node.name}: {target} cycles a frame is out of reach, its least is"
                            f" {node_cycles(node, full[node.name], graph)} with {describe(node, full[node.name])};"
                            f" ask for {least} cycles or more")


def _overhead(node: Node, folding: NodeFolding, graph: Graph) -> float:
    """What lanes cost beside the multipliers, about in LUTs: streams, accumulators, comparators."""
    cost = _STREAM_BIT * input_lanes(node, folding) * graph.input_of(node).width
    if isinstance(node, MVAU):
        parts = 1 if node.thresholds is None else 2
        cost += _SUM_BIT * folding.pe * int(DataType[node.acc_dtype].bitwidth()) * parts
    return cost


def _converter(graph: Graph, source: Node, out: NodeFolding, sink: Node, into: NodeFolding) -> float:
    """Cost of the width converter between two nodes, by the bits it holds: none, the wider beat, or the common multiple."""
    left, right = output_lanes(source, out), input_lanes(sink, into)
    if left == right:
        return 0.0
    return _CONVERTER_BIT * graph.output_of(source).width * left * right / gcd(left, right)


def _cost_at(costs: list[tuple[float, dict[str, int]]], index: int) -> float:
    return costs[index][0]
