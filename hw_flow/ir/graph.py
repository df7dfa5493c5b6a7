"""The dataflow graph and its validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hw_flow.errors import FlowError
from hw_flow.ir.nodes import Node
from hw_flow.ir.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in topological order over named integer tensors.

    Attributes
    ----------
    name : identifier, safe for file and module names.
    nodes : operators, producers before consumers.
    tensors : every tensor by name.
    inputs, outputs : names of the tensors that enter and leave the accelerator.
    """

    name: str
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        validate(self)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def node(self, name: str) -> Node:
        """The node called ``name``; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def input_of(self, node: Node, index: int = 0) -> Tensor:
        """Tensor that ``node`` reads."""
        return self.tensors[node.inputs[index]]

    def output_of(self, node: Node, index: int = 0) -> Tensor:
        """Tensor that ``node`` writes."""
        return self.tensors[node.outputs[index]]

    def producer(self, tensor: str) -> Node | None:
        """Node that writes ``tensor``, or None for a graph input."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def consumers(self, tensor: str) -> tuple[Node, ...]:
        """Nodes that read ``tensor``."""
        return tuple(node for node in self.nodes if tensor in node.inputs)


def validate(graph: Graph) -> None:
    """Raise FlowError unless names are unique, edges are ordered and shapes agree."""
    written = set(graph.inputs)
    names: set[str] = set()
    for node in graph.nodes:
        if node.name in names:
            raise FlowError(f"{node.name}: two nodes of graph '{graph.name}' have this name; rename one")
        names.add(node.name)
        for tensor in node.inputs:
            if tensor not in written:
                raise FlowError(f"{node.name}: reads '{tensor}' before anything writes it; sort the nodes topologically")
        for tensor in (*node.inputs, *node.outputs):
            if tensor not in graph.tensors:
                raise FlowError(f"{node.name}: tensor '{tensor}' is not declared in graph '{graph.name}'")
        written.update(node.outputs)
        _check_shapes(graph, node)
    for tensor in graph.outputs:
        if tensor not in written:
            raise FlowError(f"graph '{graph.name}': output '{tensor}' is written by no node")


def _check_shapes(graph: Graph, node: Node) -> None:
    sink = graph.output_of(node)
    shape = node.shape(*(graph.tensors[name].shape for name in node.inputs))
    if sink.shape != shape:
        raise FlowError(f"{node.name}: output '{sink.name}' is declared {list(sink.shape)}, the node makes {list(shape)}")
