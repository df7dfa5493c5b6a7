"""Is a folding legal? Every refusal lists the legal values."""

from __future__ import annotations

from hw_flow.errors import FlowError
from hw_flow.folding.rules import parallel_limits, unfolded_fully
from hw_flow.folding.values import Folding, NodeFolding
from hw_flow.ir import MVAU, VVAU, Graph, Node, Pool, SlidingWindow, Thresholding


def check(graph: Graph, folding: Folding) -> None:
    """Raise FlowError unless every node has a legal folding and coupled neighbours fit each other."""
    for name in folding:
        if all(node.name != name for node in graph):
            raise FlowError(f"{name}: folding for a node that graph '{graph.name}' lacks; its nodes: {node_names(graph)}")
    for node in graph:
        if node.name not in folding:
            needs = " and ".join(parallel_limits(node, graph))
            raise FlowError(f"{node.name}: no folding; give its {needs}, or a target of cycles")
        check_node(node, folding[node.name], graph)
    for node in graph:
        _check_edge(node, folding, graph)
    _check_ends(graph)


def check_node(node: Node, folding: NodeFolding, graph: Graph) -> None:
    """Raise FlowError naming the legal values if ``folding`` is illegal for ``node`` on its own."""
    kind = type(node).__name__
    limits = parallel_limits(node, graph)
    for key, limit in limits.items():
        value = folding.pe if key == "PE" else folding.simd
        if value not in limit.values:
            legal = ", ".join(map(str, limit.values))
            raise FlowError(f"{node.name}: {key} {value} does not divide {limit.dimension} {limit.size}; legal values: {legal}"
                            if value < 1 or limit.size % value else
                            f"{node.name}: {key} {value} of {limit.dimension} {limit.size}; legal values: {legal}")
    if "SIMD" not in limits and folding.simd != 1:
        raise FlowError(f"{node.name}: SIMD {folding.simd} on a {kind}, which has none; give its PE only")
    if "PE" not in limits and folding.pe != 1:
        raise FlowError(f"{node.name}: PE {folding.pe} on a {kind}, which has none; give its SIMD only")
    if folding.parallel_window:
        if not isinstance(node, SlidingWindow):
            raise FlowError(f"{node.name}: parallel_window on a {kind}, which has none; leave it out")
        channels = graph.input_of(node).channels
        if not node.depthwise and folding.simd != channels:
            raise FlowError(f"{node.name}: parallel_window with SIMD {folding.simd}; in front of a dense node it needs SIMD "
                            f"{channels}, all channels")
    for key, value in (("pipeline_levels", folding.pipeline_levels), ("pipeline_stages", folding.pipeline_stages)):
        if value and folding.style == "memory":
            raise FlowError(f"{node.name}: {key} {value} with style 'memory', which is no constant logic; leave one out")
        if value and not unfolded_fully(node, folding, graph):
            raise FlowError(f"{node.name}: {key} {value} on a {kind} that is no constant logic; only an MVAU with PE = MH and "
                            "SIMD = MW and a Thresholding with PE = channels become that")
        if value < 0:
            raise FlowError(f"{node.name}: {key} {value}; give at least 1, or 0 for the default")
    if folding.pipeline_levels and folding.pipeline_stages:
        raise FlowError(f"{node.name}: pipeline_levels and pipeline_stages contradict each other; give one")
    if folding.style == "constant":
        if not isinstance(node, MVAU | Thresholding):
            raise FlowError(f"{node.name}: style 'constant' on a {kind}; only an MVAU and a Thresholding become constant logic")
        if isinstance(node, Thresholding) and not unfolded_fully(node, folding, graph):
            raise FlowError(f"{node.name}: style 'constant' with PE {folding.pe}; constant logic needs PE "
                            f"{graph.input_of(node).channels}")
        if isinstance(node, MVAU) and not unfolded_fully(node, folding, graph):
            raise FlowError(f"{node.name}: style 'constant' with PE {folding.pe} SIMD {folding.simd}; constant logic needs PE "
                            f"{node.mh} SIMD {node.mw}")


def coupled(graph: Graph, producer: Node | None, theirs: NodeFolding | None, node: Node, own: NodeFolding) -> bool:
    """Whether ``node`` can read what ``producer`` (None for a graph input) writes, in the order in which it is on the wire.

    A depthwise window streams the taps of a group of SIMD channels after those of another; the reducing node takes exactly
    such groups. Any other producer writes all channels of a tap before the next tap.
    """
    if isinstance(producer, SlidingWindow) and producer.depthwise:
        assert theirs is not None
        taps = producer.taps if theirs.parallel_window else 1
        return isinstance(node, VVAU | Pool) and (own.pe, own.simd) == (theirs.simd, taps)
    if isinstance(node, VVAU | Pool) and node.taps > 1:
        return own.pe == graph.output_of(node).channels
    return True


def _check_edge(node: Node, folding: Folding, graph: Graph) -> None:
    producer, own = graph.producer(node.inputs[0]), folding[node.name]
    if coupled(graph, producer, None if producer is None else folding[producer.name], node, own):
        return
    if not isinstance(node, VVAU | Pool):
        raise FlowError(f"{node.name}: reads the depthwise window of {node.inputs[0]!r}, which only a VVAU or a Pool takes")
    if producer is None or not isinstance(producer, SlidingWindow) or not producer.depthwise:
        raise FlowError(f"{node.name}: PE {own.pe} without a depthwise window in front; legal values: "
                        f"{graph.output_of(node).channels}")
    theirs = folding[producer.name]
    taps = producer.taps if theirs.parallel_window else 1
    window = "a parallel window" if theirs.parallel_window else "no parallel window"
    raise FlowError(f"{node.name}: PE {own.pe} SIMD {own.simd} behind {producer.name} with SIMD {theirs.simd} and {window}; "
                    f"give PE {theirs.simd} SIMD {taps}")


def _check_ends(graph: Graph) -> None:
    for node in graph:
        if isinstance(node, SlidingWindow) and node.depthwise and node.outputs[0] in graph.outputs:
            raise FlowError(f"{node.name}: a depthwise window is an output of graph '{graph.name}'; only a VVAU or a Pool takes "
                            "it")


def node_names(graph: Graph) -> str:
    """Names of the graph's nodes for a message."""
    return ", ".join(node.name for node in graph)
