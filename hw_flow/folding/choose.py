"""Foldings chosen for the user where he gives none or only some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from qonnx.core.datatype import DataType

from hw_flow.folding.explain import describe
from hw_flow.folding.rules import interval_cycles, node_cycles, options, parallel_limits
from hw_flow.folding.solve import for_cycles
from hw_flow.folding.values import Folding, FoldingPlan, NodeFolding
from hw_flow.ir import MVAU, VVAU, Graph, SlidingWindow

# Default rule: one-bit products computed in one cycle; FINN's TFC w1a1 at 64 cycles uses 992.
DEFAULT_BIT_PRODUCTS = 1024
_LEAST_DEFAULT_CYCLES = 16


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
    # No folding computes all products of a frame in fewer cycles than this, so the solver need not be asked.
    least = max(interval_cycles(graph, unfolded(graph)), bit_products_of_frame(graph) / bit_products)
    while target < least and target < slowest:
        target *= 2
    plan = for_cycles(graph, target, lean=True)
    while parallel_bits(graph, plan) > bit_products and target < slowest:
        target *= 2
        plan = for_cycles(graph, target, lean=True)
    note = (f"no folding given: target of {target} cycles a frame, the smallest power of two from {_LEAST_DEFAULT_CYCLES} up"
            f" with at most {bit_products:,} one-bit products a cycle ({parallel_bits(graph, plan):,});"
            " choose with --target-cycles or --folding")
    return replace(plan, notes=(note, *plan.notes))


def complete(graph: Graph, given: Mapping[str, NodeFolding]) -> FoldingPlan:
    """Fold the nodes that ``given`` leaves out so that they keep the interval of those it names, or the least that they can."""
    missing = [node for node in graph if node.name not in given]
    if not missing:
        return FoldingPlan({node.name: given[node.name] for node in graph})
    target = max(min(node_cycles(node, choice, graph) for choice in ([given[node.name]] if node.name in given
                                                                     else options(node, graph))) for node in graph)
    plan = for_cycles(graph, target, given)
    notes = tuple(f"{node.name}: no folding given, {describe(node, plan[node.name])} chosen to keep {target} cycles a frame"
                  for node in missing)
    return FoldingPlan(plan.nodes, notes)


def parallel_bits(graph: Graph, folding: Folding) -> int:
    """One-bit products a cycle: the sum over matrices of PE * SIMD * weight bits * activation bits."""
    return sum(
        folding[node.name].pe * folding[node.name].simd * weight_bits(node) * graph.input_of(node).width
        for node in graph if isinstance(node, MVAU | VVAU)
    )


def bit_products_of_frame(graph: Graph) -> int:
    """One-bit products of all matrices in a frame."""
    return sum(node_cycles(node, NodeFolding(1, 1), graph) * weight_bits(node) * graph.input_of(node).width
               for node in graph if isinstance(node, MVAU | VVAU))


def weight_bits(node: MVAU | VVAU) -> int:
    """Bits of one weight of ``node``."""
    return int(DataType[node.weight_dtype].bitwidth())
