"""Units of one generated wrapper for nodes on feature maps: wire order of their streams, times of their frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw_flow.folding import NodeFolding, input_lanes, node_cycles, output_lanes
from hw_flow.ir import VVAU, Graph, Node, Pool, SlidingWindow, Tensor
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.wrappers import node_module
from sim import SimResult, StreamPort
from tests.hw_flow.rtl.bench import Unit, bundle, check_all

FRAMES = 12
# Frames until the input no longer runs ahead of the output by more and more.
SETTLED = 3


@dataclass(frozen=True)
class Timed(Unit):
    """A wrapper that prints when each frame has left."""

    interval: int = 0

    def instance(self) -> list[str]:
        out = f"{self.ports[1].name}_t"
        return [*super().instance(), f"  int cycle_{self.name} = 0;", "  always @(posedge clk_i) begin",
                f"    cycle_{self.name} <= cycle_{self.name} + 1;",
                f"    if (rst_ni && {out}valid && {out}ready && {out}last)",
                f"      $display(\"done {self.name} %0d\", cycle_{self.name});",
                "  end"]


def node_unit(name: str, node: Node, source: Tensor, out: str, folding: NodeFolding, folder: Path, cut: bool = True) -> Timed:
    """The generated wrapper of ``node``, which reads ``source`` and writes elements of type ``out``."""
    sink = Tensor("y", node.shape(source.shape), out)
    graph = Graph("one", (node,), {"x": source, "y": sink}, ("x",), ("y",))
    module = node_module(node, graph, folding, name, cut)
    paths = []
    for file, text in module.texts.items():
        paths.append(folder / file)
        paths[-1].write_text(text)

    def golden(x: IntArray) -> IntArray:
        y = node.golden(_from_wire(node, x, source, folding).reshape(-1, *source.shape))
        return _to_wire(node, y, source, folding).reshape(len(x), -1)

    return Timed(name, module.name, tuple(paths), _port("in", source, input_lanes(node, folding)),
                 _port("out", sink, output_lanes(node, folding)), golden, axi=False, interval=node_cycles(node, folding, graph))


def run_units(units: Sequence[Timed], types: Mapping[str, str], folder: Path, seed: int) -> None:
    """Compare with the golden model under stalls and resets, and the interval with the folding's table."""
    result = check_all(bundle(units, folder), units, types, seed, FRAMES)
    times = done_cycles(result)
    wrong = {unit.name: (unit.interval, np.diff(times[unit.name]).tolist()) for unit in units
             if (np.diff(times[unit.name])[SETTLED:] != unit.interval).any()}
    assert not wrong, f"seed {seed}: intervals that differ from the table: {wrong}"


def done_cycles(result: SimResult) -> dict[str, IntArray]:
    """Per unit the cycles in which its frames ended."""
    times: dict[str, list[int]] = {}
    for line in result.log.splitlines():
        if line.startswith("done "):
            _, name, cycle = line.split()
            times.setdefault(name, []).append(int(cycle))
    return {name: np.array(cycles) for name, cycles in times.items()}


def _port(direction: str, tensor: Tensor, lanes: int) -> StreamPort:
    return StreamPort("", "in" if direction == "in" else "out", tensor.width, lanes, tensor.elements // lanes,
                      signed=tensor.signed, bipolar=tensor.dtype == "BIPOLAR")


def _to_wire(node: Node, y: IntArray, source: Tensor, folding: NodeFolding) -> IntArray:
    """The order in which a depthwise window sends: group by group of channels, all taps of each."""
    if not isinstance(node, SlidingWindow) or not node.depthwise:
        return y
    return np.moveaxis(y.reshape(len(y), -1, node.taps, source.channels // folding.simd, folding.simd), 3, 2)


def _from_wire(node: Node, x: IntArray, source: Tensor, folding: NodeFolding) -> IntArray:
    """The tensor for what such a window sends to the nodes behind it."""
    if not isinstance(node, VVAU | Pool):
        return x
    groups = source.channels // node.taps // folding.pe
    return np.moveaxis(x.reshape(len(x), -1, groups, node.taps, folding.pe), 3, 2)
