"""Sentences about a folding: what a node got, and which node sets the pace."""

from __future__ import annotations

from hw_flow.folding.rules import node_cycles
from hw_flow.folding.values import Folding, NodeFolding
from hw_flow.ir import MVAU, VVAU, Graph, Node, Pool, SlidingWindow


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
