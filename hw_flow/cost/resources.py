"""LUTs, block RAMs and DSP blocks of nodes and of what stands between them; source ``model``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw_flow.cost.features import dsp_products, edge_features, features, memories
from hw_flow.cost.model import DEFAULT_COEFFICIENTS, luts
from hw_flow.folding import PRICES, Folding, NodeFolding, input_lanes, output_lanes
from hw_flow.ir import Graph, Node
from hw_flow.rtl.choose import blocks, fifo_style
from hw_flow.rtl.edges import wires

# Depths are not known while a folding is chosen; most FIFOs hold a LUT RAM's worth at most.
_LIKELY_DEPTH = 32


@dataclass(frozen=True)
class Resources:
    """What part of a design needs.

    Attributes
    ----------
    luts : of a 6-input architecture.
    brams : block RAMs of 18 kbit.
    dsps : DSP blocks; rows of a matrix may share them.
    """

    luts: float = 0.0
    brams: float = 0.0
    dsps: float = 0.0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.luts + other.luts, self.brams + other.brams, self.dsps + other.dsps)

    @property
    def price(self) -> float:
        """One number: LUTs, and what the rest is worth in LUTs."""
        return self.luts * PRICES[0] + self.brams * PRICES[1] + self.dsps * PRICES[2]


def node_resources(node: Node, folding: NodeFolding, graph: Graph,
                   coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> Resources:
    """Resources of ``node`` without its FIFOs."""
    brams = sum(blocks(words, width) for style, words, width in memories(node, folding, graph) if style == "block")
    return Resources(luts(features(node, folding, graph), coefficients), brams, dsp_products(node, folding, graph))


def edge_resources(written: int, lanes: int, width: int, depth: int = _LIKELY_DEPTH,
                   coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> Resources:
    """A FIFO of ``depth`` beats and the converter, from ``written`` elements of ``width`` bits a beat to ``lanes``."""
    counts = edge_features(written, lanes, width, depth)
    bits = max(written, lanes) * width
    brams = blocks(depth, bits) if depth and fifo_style(depth, bits) == "block" else 0
    return Resources(sum(luts(own, coefficients) for own in counts.values()), brams)


def total(graph: Graph, folding: Folding) -> Resources:
    """Resources of all nodes, and of the streams between them."""
    found, uncut = Resources(), wires(graph, folding)
    for node in graph:
        found += node_resources(node, folding[node.name], graph)
        for index, name in enumerate(node.inputs):
            producer = graph.producer(name)
            if producer is not None and name not in uncut:
                found += edge_resources(output_lanes(producer, folding[producer.name]),
                                        input_lanes(node, folding[node.name], index), graph.tensors[name].width)
    return found
