"""Foldings chosen for the user: for a target of cycles, fully unfolded, or by the default rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import gcd, inf

from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError
from hw_flow.folding.check import coupled
from hw_flow.folding.rules import input_lanes, interval_cycles, node_cycles, options, output_lanes, parallel_limits
from hw_flow.folding.values import Folding, FoldingPlan, NodeFolding
from hw_flow.ir import MVAU, VVAU, Graph, Node, Pool, SlidingWindow

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
    choices = {node.name: [fixed[node.name]] if node.name in fixed else _options(node, graph, target) for node in graph}
    _reachable(graph, choices, target)
    children: dict[str, list[Node]] = {node.name: [] for node in graph}
    for node in graph:
        parent = graph.producer(node.inputs[0])
        if parent is not None:
            children[parent.name].append(node)
    # Cheapest choice of the whole subtree below a node, for each of the node's own options.
    best: dict[str, list[tuple[float, dict[str, int]]]] = {}
    for node in reversed(graph.nodes):
        best[node.name] = []
        for option in choices[node.name]:
            cost = _overhead(node, option, graph)
            picks: dict[str, int] = {}
            for child in children[node.name]:
                below = [
                    (total + _converter(graph, node, option, child, choice), index)
                    for index, (choice, (total, _)) in enumerate(zip(choices[child.name], best[child.name], strict=True))
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
    return FoldingPlan({node.name: choices[node.name][picked[node.name]] for node in graph}, target_cycles=target)


def unfolded(graph: Graph) -> FoldingPlan:
    """Every node at full width: one cycle a vector or a window."""
    nodes = {}
    for node in graph:
        limits = parallel_limits(node, graph)
        full = {key: limit.values[-1] for key, limit in limits.items()}
        nodes[node.name] = NodeFolding(full.get("PE", 1), full.get("SIMD", 1),
                                       parallel_window=isinstance(node, SlidingWindow) and node.taps > 1)
    return FoldingPlan(nodes)


def default(graph: Graph, bit_products: int = DEFAULT_BIT_PRODUCTS) -> FoldingPlan:
    """The folding used where the user gives none; its note states the rule and the target it led to.

    The target is the smallest power of two, from 16 cycles a frame up, at which all matrices together
    compute at most ``bit_products`` one-bit products (PE * SIMD * weight bits * activation bits) a cycle.
    """
    target = _LEAST_DEFAULT_CYCLES
    slowest = max(node_cycles(node, option, graph) for node in graph for option in options(node, graph))
    while target < interval_cycles(graph, unfolded(graph)):
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
    if isinstance(node, SlidingWindow):
        return f"SIMD {folding.simd}" + " with a parallel window" * folding.parallel_window
    return f"PE {folding.pe} SIMD {folding.simd}" if isinstance(node, MVAU | VVAU | Pool) else f"PE {folding.pe}"


def parallel_bits(graph: Graph, folding: Folding) -> int:
    """One-bit products a cycle: the sum over matrices of PE * SIMD * weight bits * activation bits."""
    return sum(
        folding[node.name].pe * folding[node.name].simd * weight_bits(node) * graph.input_of(node).width
        for node in graph if isinstance(node, MVAU | VVAU)
    )


def weight_bits(node: MVAU | VVAU) -> int:
    """Bits of one weight of ``node``."""
    return int(DataType[node.weight_dtype].bitwidth())


def _options(node: Node, graph: Graph, target: int) -> list[NodeFolding]:
    """The legal foldings that meet ``target``, of an uncoupled node those with the least PE*SIMD; empty if none does."""
    fits = [choice for choice in options(node, graph) if node_cycles(node, choice, graph) <= target]
    if isinstance(node, SlidingWindow | VVAU | Pool):
        return fits
    least = min((choice.pe * choice.simd for choice in fits), default=0)
    return [choice for choice in fits if choice.pe * choice.simd == least]


def _reachable(graph: Graph, choices: Mapping[str, list[NodeFolding]], target: int) -> None:
    full = unfolded(graph)
    for node in graph:
        if not choices[node.name]:
            least = interval_cycles(graph, full)
            raise FlowError(f"{node.name}: {target} cycles a frame is out of reach, its least is"
                            f" {node_cycles(node, full[node.name], graph)} with {describe(node, full[node.name])};"
                            f" ask for {least} cycles or more")


def _overhead(node: Node, folding: NodeFolding, graph: Graph) -> float:
    """What lanes cost beside the multipliers, about in LUTs: streams, accumulators, comparators."""
    cost = _STREAM_BIT * input_lanes(node, folding) * graph.input_of(node).width
    if isinstance(node, SlidingWindow):
        cost += _STREAM_BIT * output_lanes(node, folding) * graph.output_of(node).width
    if isinstance(node, VVAU):
        cost += folding.pe * folding.simd * weight_bits(node) * graph.input_of(node).width
    if isinstance(node, MVAU | VVAU):
        parts = 1 if node.thresholds is None else 2
        cost += _SUM_BIT * folding.pe * int(DataType[node.acc_dtype].bitwidth()) * parts
    return cost


def _converter(graph: Graph, source: Node, out: NodeFolding, sink: Node, into: NodeFolding) -> float:
    """Cost of the width converter between two nodes, by the bits it holds: none, the wider beat, or the common multiple."""
    if not coupled(graph, source, out, sink, into):
        return inf
    left, right = output_lanes(source, out), input_lanes(sink, into)
    if left == right:
        return 0.0
    return _CONVERTER_BIT * graph.output_of(source).width * left * right / gcd(left, right)


def _cost_at(costs: list[tuple[float, dict[str, int]]], index: int) -> float:
    return costs[index][0]
