"""LUTs, block RAMs and DSP blocks of nodes and of what stands between them; source ``model``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

from hw_flow.cost.features import dsp_products, features, memories
from hw_flow.cost.model import DEFAULT_COEFFICIENTS, luts
from hw_flow.folding import Folding, NodeFolding, input_lanes, output_lanes
from hw_flow.ir import Graph, Node
from hw_flow.rtl.choose import blocks

# A bit of a converter's register with its multiplexer, and of a FIFO of 32 beats with its registers.
_CONVERTER_BIT, _FIFO_BIT, _FIFO = 1.0, 1.0, 12.0


@dataclass(frozen=True)
class Resources:
    """What part of a design needs.

    Attributes
    ----------
    luts : of a 6-input architecture.
    brams : block RAMs of 18 kbit.
    dsps : DSP blocks, one a product.
    """

    luts: float = 0.0
    brams: float = 0.0
    dsps: float = 0.0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.luts + other.luts, self.brams + other.brams, self.dsps + other.dsps)

    def weighted(self, weights: Resources) -> float:
        """One number: each count times that of ``weights``."""
        return self.luts * weights.luts + self.brams * weights.brams + self.dsps * weights.dsps


def node_resources(node: Node, folding: NodeFolding, graph: Graph,
                   coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> Resources:
    """Resources of ``node`` without its FIFOs."""
    brams = sum(blocks(words, width) for style, words, width in memories(node, folding, graph) if style == "block")
    return Resources(luts(features(node, folding, graph), coefficients), brams, dsp_products(node, folding, graph))


def edge_resources(lanes: int, wanted: int, width: int) -> Resources:
    """A shallow FIFO of the wider beats and the converter, from ``lanes`` elements of ``width`` bits a beat to ``wanted``."""
    fifo = _FIFO + _FIFO_BIT * max(lanes, wanted) * width
    # Whole parts of a beat need a multiplexer only, others a register of a common multiple.
    held = 0 if lanes == wanted else lanes * wanted // gcd(lanes, wanted)
    return Resources(fifo + _CONVERTER_BIT * held * width)


def total(graph: Graph, folding: Folding) -> Resources:
    """Resources of all nodes, and of the streams between them."""
    found = Resources()
    for node in graph:
        found += node_resources(node, folding[node.name], graph)
        for index, name in enumerate(node.inputs):
            producer = graph.producer(name)
            if producer is not None:
                found += edge_resources(output_lanes(producer, folding[producer.name]),
                                        input_lanes(node, folding[node.name], index), graph.tensors[name].width)
    return found
