"""From FINN's hardware graph to ours, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hw_flow.backends.finn import elements, functions, matrices, windows
from hw_flow.backends.finn.hardware import HardwareGraph, HardwareNode
from hw_flow.backends.finn.levels import IDENTITY, SIGN, Levels
from hw_flow.backends.finn.made import Made, Maker
from hw_flow.errors import FlowError
from hw_flow.folding import FoldingPlan, NodeFolding
from hw_flow.ir import Graph, Node, Tensor

# Nodes that leave every element as it is, and where FINN keeps a stream of its own.
_WIRES = ("Reshape", "Squeeze", "Unsqueeze", "DuplicateStreams", "ReplicateStream", "StreamingFIFO",
          "StreamingDataWidthConverter")
# Nodes through which a bit stays a bit.
_CARRIERS = (*_WIRES, "ConvolutionInputGenerator", "Pool", "FMPadding", "Concat", "Split", "InnerShuffle", "OuterShuffle",
             "Shuffle", "UpsampleNearestNeighbour", "Crop", "SelectToken")


@dataclass(frozen=True)
class Placed:
    """Where a node of FINN's went.

    Attributes
    ----------
    finn, op_type : the node's name and operator.
    node : our node's name, or None where a wire or a fork does.
    """

    finn: str
    op_type: str
    node: str | None


@dataclass(frozen=True, eq=False)
class Imported:
    """Our graph of FINN's accelerator.

    Attributes
    ----------
    graph, folding : what our emitter takes.
    levels : by tensor of ours, how its integers stand for FINN's.
    names : FINN's tensor that each tensor of ours carries, in the same order of elements.
    placed : every node of FINN's, in order.
    """

    graph: Graph
    folding: FoldingPlan
    levels: Mapping[str, Levels]
    names: Mapping[str, str]
    placed: tuple[Placed, ...]


def import_graph(hardware: HardwareGraph, name: str) -> Imported:
    """Our graph, folding and integers for ``hardware``.

    Raises
    ------
    FlowError : a node that our kernels have no counterpart of.
    """
    if len(hardware.inputs) != 1 or len(hardware.outputs) != 1:
        raise FlowError(f"{name}: FINN's accelerator has {len(hardware.inputs)} inputs and {len(hardware.outputs)} outputs; the "
                        "simulation takes one of each")
    return Importer(hardware, name).run()


@dataclass
class Importer:
    """Collects our nodes while FINN's are read in order."""

    hardware: HardwareGraph
    name: str
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)  # our tensor for one of FINN's
    folding: dict[str, NodeFolding] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def run(self) -> Imported:
        """Read every node."""
        source = self.hardware.inputs[0]
        levels = SIGN if self._signs(source) else IDENTITY
        shape = self.hardware.shapes[source][1:]
        self._tensor(source, shape, "BIPOLAR" if levels is SIGN else self.hardware.dtypes[source], levels)
        for node in self.hardware.nodes:
            if node.kind in _WIRES:
                for output in node.outputs:
                    self.where[output] = self.where[node.streams[0]]
                self.placed.append(Placed(node.name, node.op_type, None))
                continue
            make = MAKERS.get(node.kind)
            if make is None:
                raise FlowError(f"{node.name} ({node.op_type}): no kernel of ours stands in for it; end the network before it")
            for made in make(self, node):
                self._add(made, node)
        outputs = tuple(self.where[name] for name in self.hardware.outputs)
        graph = Graph(self.name, tuple(self.nodes), self.tensors, (self.where[source],), outputs)
        plan = FoldingPlan(self.folding, tuple(self.notes))
        return Imported(graph, plan, self.levels, self.names, tuple(self.placed))

    def _add(self, made: Made, node: HardwareNode) -> None:
        shapes = [self.tensors[name].shape for name in made.node.inputs]
        self.nodes.append(made.node)
        self.folding[made.node.name] = made.folding
        self._tensor(made.finn, made.node.shape(*shapes), made.dtype, made.levels, made.node.outputs[0])
        self.placed.append(Placed(node.name, node.op_type, made.node.name))

    def _tensor(self, finn: str, shape: tuple[int, ...], dtype: str, levels: Levels, name: str | None = None) -> None:
        own = name or finn
        self.tensors[own] = Tensor(own, shape or (1,), dtype)
        self.levels[own], self.names[own], self.where[finn] = levels, finn, own

    def source(self, node: HardwareNode, index: int = 0) -> Tensor:
        """Our tensor behind a stream that ``node`` reads."""
        return self.tensors[self.where[node.streams[index]]]

    def named(self, kind: str) -> str:
        """The next name for a node of ``kind``."""
        number = self.counts.get(kind, 0)
        self.counts[kind] = number + 1
        return f"{kind}_{number}"

    def _signs(self, tensor: str) -> bool:
        """Whether only XNOR units read the bits of ``tensor``, so that they can be -1 and 1."""
        if self.hardware.dtypes[tensor] != "BINARY":
            return False
        readers = self.hardware.readers(tensor)
        return bool(readers) and all(
            bool(node.number("binaryXnorMode")) if node.kind == "MVAU" else
            node.kind in _CARRIERS and all(self._signs(output) for output in node.outputs) for node in readers)

    def bits(self, tensor: str) -> tuple[str, Levels]:
        """Type and levels of a tensor that holds FINN's values themselves, or its bits as signs."""
        return ("BIPOLAR", SIGN) if self._signs(tensor) else (self.hardware.dtypes[tensor], IDENTITY)


MAKERS: Mapping[str, Maker] = {
    "MVAU": matrices.mvau, "VVAU": matrices.vvau, "Thresholding": matrices.thresholding,
    "ConvolutionInputGenerator": windows.window, "FMPadding": windows.padding, "Pool": windows.pool,
    "GlobalAccPool": windows.global_pool, "LabelSelect": elements.label, "Concat": elements.concat, "Split": elements.split,
    "InnerShuffle": elements.shuffle, "OuterShuffle": elements.shuffle, "Shuffle": elements.shuffle,
    "UpsampleNearestNeighbour": elements.upsample, "Crop": elements.crop, "SelectToken": elements.token,
    "Requant": functions.requant, "Lookup": functions.embedding,
    **{f"Elementwise{kind}": elements.elementwise for kind in ("Add", "Sub", "Mul", *functions.OPERATIONS)},
}
