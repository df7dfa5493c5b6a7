"""Whether a compiled project computes what QONNX does, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hw_flow.backends.hls4ml.netlist import Netlist
from hw_flow.ir import LabelSelect, execute
from hw_flow.ir.tensor import FloatArray, IntArray

if TYPE_CHECKING:
    from hw_flow.ir import Graph


@dataclass(frozen=True, eq=False)
class Checked:
    """What a run of the C simulation showed.

    Attributes
    ----------
    outputs : integers of the graph's output, by name, ``[N, *shape]``.
    golden : every tensor of the graph by the golden model.
    seen : every tensor that hls4ml holds, as integers of the graph.
    fault : None if every layer equals the golden model, else which one first does not, and how.
    fault_node : its ONNX node.
    wrong_frames : frames with a difference in any layer.
    layers_equal : elements that differ, by node, in order.
    """

    outputs: Mapping[str, IntArray]
    golden: Mapping[str, IntArray]
    seen: Mapping[str, IntArray]
    fault: str | None
    fault_node: str | None
    wrong_frames: int
    differences: Mapping[str, int]


def frames_for(netlist: Netlist, integers: Mapping[str, IntArray]) -> FloatArray:
    """What hls4ml is fed for integers of the graph's input: ``[N, elements]``."""
    values = integers[netlist.source]
    return netlist.wires[netlist.source].seen(values).reshape(len(values), -1)


def check(graph: Graph, netlist: Netlist, integers: Mapping[str, IntArray], found: Mapping[str, FloatArray]) -> Checked:
    """Compare the layers in ``found`` (see `runner.run`) with the golden model on the same integers."""
    golden = execute(graph, integers)
    frames = len(integers[netlist.source])
    seen: dict[str, IntArray] = {}
    fault, fault_node = None, None
    wrong = np.zeros(frames, dtype=bool)
    differences: dict[str, int] = {}
    for node in graph:
        name = node.outputs[0]
        wire = netlist.wires.get(name)
        key = "output" if name == netlist.sink else f"layer/{wire.layer}" if wire is not None else ""
        if wire is None or key not in found:
            continue
        values = wire.values(found[key].reshape(frames, *wire.shape)).reshape(golden[name].shape)
        seen[name] = values
        differs = values != golden[name]
        differences[node.name] = int(differs.sum())
        wrong |= differs.reshape(frames, -1).any(axis=1)
        if fault is None and differs.any():
            frame, *element = (int(index) for index in np.argwhere(differs)[0])
            where = (frame, *element)
            fault_node = node.source[-1] if node.source else node.name
            fault = (f"{fault_node} ({node.name}): frame {frame}, element {', '.join(map(str, element))}: hls4ml gives "
                     f"{int(values[where])}, QONNX {int(golden[name][where])} ({int(differs.sum())} of {differs.size} differ)")
    outputs = {netlist.sink: seen[netlist.sink]}
    last = graph.nodes[-1]
    if isinstance(last, LabelSelect):
        outputs = {last.outputs[0]: last.golden(seen[netlist.sink])}
    return Checked(outputs, golden, seen, fault, fault_node, int(wrong.sum()), differences)
