"""What a folding is: PE and SIMD of a node, their legal values, and the cycles that follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hw_flow.errors import FlowError
from hw_flow.ir import MVAU, Graph, LabelSelect, Node

RamStyle = Literal["auto", "distributed", "block"]
ResType = Literal["auto", "lut", "dsp"]


@dataclass(frozen=True)
class NodeFolding:
    """How far one node is folded in time.

    Attributes
    ----------
    pe : output elements computed side by side (input elements for a LabelSelect).
    simd : input elements multiplied side by side; only an MVAU has it.
    ram_style : where weights live.
    res_type : what multiplies.
    """

    pe: int
    simd: int = 1
    ram_style: RamStyle = "auto"
    res_type: ResType = "auto"


Folding = Mapping[str, NodeFolding]


@dataclass(frozen=True)
class FoldingPlan(Mapping[str, NodeFolding]):
    """A folding for every node of a graph, and what was decided on the user's behalf.

    Attributes
    ----------
    nodes : folding by node name.
    notes : one sentence per automatic choice or ignored entry.
    target_cycles : interval that the choice aimed at, or None where it was given by hand.
    """

    nodes: Mapping[str, NodeFolding]
    notes: tuple[str, ...] = field(default=())
    target_cycles: int | None = None

    def __getitem__(self, name: str) -> NodeFolding:
        return self.nodes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


def vectors(node: Node, graph: Graph) -> int:
    """Vectors of channels in one frame of the node's input."""
    source = graph.input_of(node)
    return source.elements // source.channels


def parallel_limits(node: Node, graph: Graph) -> dict[str, tuple[str, int]]:
    """Per parameter (``PE``, ``SIMD``) the dimension it must divide, as (name, size)."""
    if isinstance(node, MVAU):
        return {"PE": ("MH", node.mh), "SIMD": ("MW", node.mw)}
    return {"PE": ("channels", graph.input_of(node).channels)}


def node_cycles(node: Node, folding: NodeFolding, graph: Graph) -> int:
    """Interval of ``node`` in cycles a frame: (MW/SIMD)*(MH/PE)*vectors, or elements/PE."""
    if isinstance(node, MVAU):
        return (node.mw // folding.simd) * (node.mh // folding.pe) * vectors(node, graph)
    return graph.input_of(node).elements // folding.pe


def interval_cycles(graph: Graph, folding: Folding) -> int:
    """Steady interval of the whole graph in cycles a frame: that of its slowest node."""
    return max(node_cycles(node, folding[node.name], graph) for node in graph)


def input_lanes(node: Node, folding: NodeFolding) -> int:
    """Elements in one beat of the node's input stream."""
    return folding.simd if isinstance(node, MVAU) else folding.pe


def output_lanes(node: Node, folding: NodeFolding) -> int:
    """Elements in one beat of the node's output stream."""
    return 1 if isinstance(node, LabelSelect) else folding.pe


def divisors(number: int) -> list[int]:
    """All divisors in ascending order."""
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return small + [number // d for d in reversed(small) if d * d != number]


def check(graph: Graph, folding: Folding) -> None:
    """Raise FlowError unless every node has a folding and every PE and SIMD divides its dimension."""
    for name in folding:
        if all(node.name != name for node in graph):
            raise FlowError(f"{name}: folding for a node that graph '{graph.name}' lacks; its nodes: {node_names(graph)}")
    for node in graph:
        if node.name not in folding:
            needs = " and ".join(parallel_limits(node, graph))
            raise FlowError(f"{node.name}: no folding; give its {needs}, or a target of cycles")
        check_node(node, folding[node.name], graph)


def check_node(node: Node, folding: NodeFolding, graph: Graph) -> None:
    """Raise FlowError naming the legal values if ``folding`` is illegal for ``node``."""
    for key, (dimension, size) in parallel_limits(node, graph).items():
        value = folding.pe if key == "PE" else folding.simd
        if value < 1 or size % value:
            legal = ", ".join(map(str, divisors(size)))
            raise FlowError(f"{node.name}: {key} {value} does not divide {dimension} {size}; legal values: {legal}")
    if not isinstance(node, MVAU) and folding.simd != 1:
        raise FlowError(f"{node.name}: SIMD {folding.simd} on a {type(node).__name__}, which has none; give its PE only")


def node_names(graph: Graph) -> str:
    """Names of the graph's nodes for a message."""
    return ", ".join(node.name for node in graph)
