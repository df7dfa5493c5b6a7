"""The streams of a graph: who reads each tensor, and what stands on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from hw_flow.errors import FlowError
from hw_flow.folding import Folding, NodeFolding, input_lanes, node_cycles, output_lanes, unfolded_fully
from hw_flow.ir import VVAU, Graph, Node, Pool, SlidingWindow, Tensor
from hw_flow.rtl.choose import constant_logic
from hw_flow.rtl.names import Namer
from hw_flow.rtl.wrappers import Module, dwc_module, fifo_module

OUTPUT = "output"
# Streams in a row that ready may pass through in one cycle: about a LUT each.
_READY_UNITS = 8


@dataclass(frozen=True)
class Reader:
    """One reader of a tensor.

    Attributes
    ----------
    tensor : what it reads.
    node : None for the graph's output.
    index : which of the node's inputs.
    key : names the depth of its FIFO and its monitor: the tensor, or ``tensor@node`` where others read it too.
    written, lanes : elements a beat where the tensor is written and where it is read.
    """

    tensor: Tensor
    node: Node | None
    index: int
    key: str
    written: int
    lanes: int

    @property
    def name(self) -> str:
        """Of the reader."""
        return self.node.name if self.node else OUTPUT


def readers(graph: Graph, folding: Folding, tensor: str) -> tuple[Reader, ...]:
    """Readers of ``tensor`` in the order of the nodes, the graph's output last."""
    pairs: list[tuple[Node | None, int]] = [
        (node, index) for node in graph for index, name in enumerate(node.inputs) if name == tensor]
    if tensor in graph.outputs:
        pairs.append((None, 0))
    written = written_lanes(graph, folding, tensor)
    found = []
    for node, index in pairs:
        name = node.name if node else OUTPUT
        # A node that reads a tensor twice needs no FIFO for either; the number only tells its streams apart.
        again = f":{index}" if node and node.inputs.index(tensor) != index else ""
        key = tensor if len(pairs) == 1 else f"{tensor}@{name}{again}"
        lanes = input_lanes(node, folding[node.name], index) if node else written
        found.append(Reader(graph.tensors[tensor], node, index, key, written, lanes))
    return tuple(found)


def written_lanes(graph: Graph, folding: Folding, tensor: str) -> int:
    """Elements a beat where ``tensor`` is written; a graph input comes as its first reader wants it."""
    producer = graph.producer(tensor)
    if producer is not None:
        return output_lanes(producer, folding[producer.name])
    consumers = graph.consumers(tensor)
    return input_lanes(consumers[0], folding[consumers[0].name]) if consumers else 1


def direct(graph: Graph, producer: Node, theirs: NodeFolding, node: Node, own: NodeFolding) -> bool:
    """Whether nothing need stand between two nodes: both are constant logic that takes a frame in one beat, in a graph without
    branches. Their pipelines then move as one, a frame in every cycle, and ready passes through both.
    """
    return (unfolded_fully(producer, theirs, graph) and unfolded_fully(node, own, graph) and _is_chain(graph)
            and node_cycles(producer, theirs, graph) == node_cycles(node, own, graph) == 1
            and constant_logic(producer, theirs, graph) and constant_logic(node, own, graph))


def wired(graph: Graph, folding: Folding, tensor: str) -> bool:
    """Whether the lone reader of ``tensor`` follows its producer `direct`; a FIFO is placed there only if a depth is given."""
    producer, consumers = graph.producer(tensor), graph.consumers(tensor)
    return (producer is not None and len(consumers) == 1
            and direct(graph, producer, folding[producer.name], consumers[0], folding[consumers[0].name]))


def wires(graph: Graph, folding: Folding) -> tuple[str, ...]:
    """Tensors that get no FIFO: those `wired`, but for the narrowest of each ``_READY_UNITS`` in a row, where one cuts ready."""
    found: list[str] = []
    passed: list[str] = []  # since ready was last cut
    for node in graph:
        tensor = node.outputs[0]
        if not wired(graph, folding, tensor):
            passed = []
            continue
        found.append(tensor)
        passed.append(tensor)
        if len(passed) == _READY_UNITS:
            narrowest = min(passed, key=lambda name: graph.tensors[name].width * graph.tensors[name].elements)
            found.remove(narrowest)
            passed = passed[passed.index(narrowest) + 1:]
    return tuple(found)


@lru_cache(maxsize=16)
def _is_chain(graph: Graph) -> bool:
    return all(len(node.inputs) == 1 for node in graph) and all(
        len(graph.consumers(tensor)) + (tensor in graph.outputs) <= 1 for tensor in graph.tensors)


def check_edges(graph: Graph, folding: Folding) -> None:
    """FlowError unless hardware can be wired: one input, one output, every tensor read, depthwise windows by their like."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise FlowError(f"graph '{graph.name}': {len(graph.inputs)} inputs and {len(graph.outputs)} outputs;"
                        " the rtl back end takes one of each")
    if not graph.nodes:
        raise FlowError(f"graph '{graph.name}': no node to build; all its operators run on the host")
    for tensor in (*graph.inputs, *(node.outputs[0] for node in graph)):
        taking = readers(graph, folding, tensor)
        if not taking:
            raise FlowError(f"graph '{graph.name}': '{tensor}' is read by nothing; remove the node that writes it")
        producer = graph.producer(tensor)
        if not isinstance(producer, SlidingWindow) or not producer.depthwise:
            continue
        for reader in taking:
            if not isinstance(reader.node, VVAU | Pool) or reader.lanes != reader.written:
                raise FlowError(f"{reader.name}: reads the depthwise window '{tensor}' of {reader.written} lanes with"
                                f" {reader.lanes}; only a VVAU or Pool with as many lanes takes it")


def edge_modules(reader: Reader, depths: Mapping[str, int], *, top: str, namer: Namer, gauge: bool = False) -> list[Module]:
    """FIFO and converter in front of ``reader``, the FIFO where beats are wide.

    A converter passes one narrow beat a cycle; behind it, a FIFO lets the reader take wide beats at full rate.
    """
    modules = []
    tensor, lanes, wanted, depth = reader.tensor, reader.written, reader.lanes, depths.get(reader.key, 0)
    name = reader.key.replace("@", "_").replace(":", "_")
    if wanted > lanes:
        modules.append(dwc_module(namer(f"{top}_dwc_{name}"), tensor, lanes, wanted))
        depth = -(-depth * lanes // wanted) + 1 if depth else 0
    if depth:
        modules.append(fifo_module(namer(f"{top}_fifo_{name}"), tensor, max(lanes, wanted), max(2, depth), gauge=gauge))
    if wanted < lanes:
        modules.append(dwc_module(namer(f"{top}_dwc_{name}"), tensor, lanes, wanted))
    return modules
