"""Per operator: the legal foldings, the lanes of its streams, and the cycles of a frame.

A node without an entry of its own is element-wise: PE divides the channels, PE elements enter and leave a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from math import gcd

from hw_flow.folding.values import Folding, NodeFolding, divisors
from hw_flow.ir import MVAU, VVAU, Concat, Graph, LabelSelect, Node, Pool, Reorder, Slice, SlidingWindow, Thresholding


@dataclass(frozen=True)
class Limit:
    """Legal values of one parameter.

    Attributes
    ----------
    dimension : what it divides, as FINN calls it.
    size : of that dimension.
    values : the legal ones in ascending order.
    """

    dimension: str
    size: int
    values: tuple[int, ...]


def vectors(node: Node, graph: Graph) -> int:
    """Matrix-vector products in one frame for an MVAU, else positions of the input."""
    source = graph.input_of(node)
    return source.elements // (node.mw if isinstance(node, MVAU) else source.channels)


def parallel_limits(node: Node, graph: Graph) -> dict[str, Limit]:
    """Legal values of ``PE`` and ``SIMD``; a parameter that the operator lacks is absent."""
    return _limits(node, graph)


def node_cycles(node: Node, folding: NodeFolding, graph: Graph) -> int:
    """Steady interval of ``node`` on its own, in cycles a frame."""
    return _cycles(node, folding, graph)


def input_lanes(node: Node, folding: NodeFolding, index: int = 0) -> int:
    """Elements in one beat of the node's input stream number ``index``; all its inputs have the same."""
    assert 0 <= index < len(node.inputs)
    match node:
        case MVAU() | SlidingWindow():
            return folding.simd
        case VVAU() | Pool():
            return folding.pe * folding.simd
        case _:
            return folding.pe


def output_lanes(node: Node, folding: NodeFolding) -> int:
    """Elements in one beat of the node's output stream."""
    match node:
        case LabelSelect():
            return 1
        case SlidingWindow():
            return folding.simd * (node.taps if folding.parallel_window else 1)
        case _:
            return folding.pe


def interval_cycles(graph: Graph, folding: Folding) -> int:
    """Steady interval of the whole graph in cycles a frame: that of its slowest node."""
    return max((node_cycles(node, folding[node.name], graph) for node in graph), default=1)


def unfolded_fully(node: Node, folding: NodeFolding, graph: Graph) -> bool:
    """Whether ``node`` applies the same constants in every cycle, so that it can be constant logic: all of its matrix, or all
    channels of its thresholds.
    """
    match node:
        case MVAU():
            return (folding.pe, folding.simd) == (node.mh, node.mw)
        case Thresholding():
            return folding.pe == graph.input_of(node).channels
        case _:
            return False


def options(node: Node, graph: Graph) -> list[NodeFolding]:
    """Every legal (PE, SIMD, parallel window) of ``node`` on its own; memories, multipliers and style stay automatic."""
    limits = parallel_limits(node, graph)
    found = [NodeFolding(pe, simd) for pe in (limits["PE"].values if "PE" in limits else (1,))
             for simd in (limits["SIMD"].values if "SIMD" in limits else (1,))]
    if isinstance(node, SlidingWindow) and node.taps > 1:
        channels = graph.input_of(node).channels
        found += [NodeFolding(1, f.simd, parallel_window=True) for f in found if node.depthwise or f.simd == channels]
    return found


def _divide(dimension: str, size: int) -> Limit:
    return Limit(dimension, size, tuple(divisors(size)))


@singledispatch
def _limits(node: Node, graph: Graph) -> dict[str, Limit]:
    return {"PE": _divide("channels", graph.input_of(node).channels)}


@_limits.register
def _(node: MVAU, _graph: Graph) -> dict[str, Limit]:
    return {"PE": _divide("MH", node.mh), "SIMD": _divide("MW", node.mw)}


@_limits.register(VVAU)
@_limits.register(Pool)
def _(node: VVAU | Pool, graph: Graph) -> dict[str, Limit]:
    channels = graph.output_of(node).channels
    return {"PE": _divide("channels", channels), "SIMD": Limit("taps", node.taps, tuple(sorted({1, node.taps})))}


@_limits.register
def _(node: SlidingWindow, graph: Graph) -> dict[str, Limit]:
    return {"SIMD": _divide("channels", graph.input_of(node).channels)}


@_limits.register
def _(node: Concat, graph: Graph) -> dict[str, Limit]:
    return {"PE": _divide("the channels of every input,", gcd(*(graph.tensors[name].channels for name in node.inputs)))}


@_limits.register
def _(node: Slice, graph: Graph) -> dict[str, Limit]:
    return {"PE": _divide("begin, end and channels,", gcd(node.begin, node.end, graph.input_of(node).channels))}


@_limits.register
def _(node: Reorder, graph: Graph) -> dict[str, Limit]:
    if not node.counts or node.strides[-1] != 1:
        return {"PE": _divide("runs of", 1)}
    run = gcd(node.counts[-1], *node.strides[:-1], node.offset, graph.input_of(node).elements)
    return {"PE": _divide("runs of", run)}


@singledispatch
def _cycles(node: Node, folding: NodeFolding, graph: Graph) -> int:
    return graph.input_of(node).elements // folding.pe


@_cycles.register
def _(node: MVAU, folding: NodeFolding, graph: Graph) -> int:
    return vectors(node, graph) * (node.mw // folding.simd) * (node.mh // folding.pe)


@_cycles.register(VVAU)
@_cycles.register(Pool)
def _(node: VVAU | Pool, folding: NodeFolding, graph: Graph) -> int:
    return graph.input_of(node).elements // (folding.pe * folding.simd)


@_cycles.register
def _(node: SlidingWindow, folding: NodeFolding, graph: Graph) -> int:
    if folding.parallel_window:
        from hw_flow.rtl.window import Geometry  # which imports this package

        return Geometry.of(node, graph.input_of(node).shape, folding.simd).parallel_cycles()
    return max(graph.input_of(node).elements // folding.simd, graph.output_of(node).elements // output_lanes(node, folding))


@_cycles.register
def _(node: Concat, folding: NodeFolding, graph: Graph) -> int:
    return graph.output_of(node).elements // folding.pe


@_cycles.register
def _(node: Reorder, folding: NodeFolding, graph: Graph) -> int:
    return max(graph.input_of(node).elements, graph.output_of(node).elements) // folding.pe
