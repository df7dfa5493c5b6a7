"""A small convolutional network, emitted as a whole, in Verilator against the golden model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_flow.folding import NodeFolding, interval_cycles
from hw_flow.ir import MVAU, VVAU, GlobalPool, Graph, Node, Pool, SlidingWindow, Tensor, Thresholds
from tests.hw_flow.rtl.bench import bundle, check_all, graph_unit

F = NodeFolding
FOLDINGS = {
    "serial": (F(1, 3), F(4, 9), F(1, 2), F(2, 1), F(1, 4), F(4, 1), F(1, 4), F(3, 2), F(2), F(1, 3)),
    "whole": (F(1, 3, parallel_window=True), F(8, 27), F(1, 8, parallel_window=True), F(8, 4), F(1, 2, parallel_window=True),
              F(2, 9), F(1, 8), F(12, 4), F(4), F(5, 12)),
}


def _network(rng: np.random.Generator) -> Graph:
    """Padded convolution, max pool, depthwise convolution, strided pointwise convolution, average pool, dense layer."""
    tensors = {"t0": Tensor("t0", (8, 8, 3), "UINT4")}
    nodes: list[Node] = []

    def add(operator: type[Node], dtype: str, **more: Any) -> None:
        source, sink = f"t{len(nodes)}", f"t{len(nodes) + 1}"
        number = sum(type(node) is operator for node in nodes)
        node = operator(name=f"{operator.__name__}_{number}", inputs=(source,), outputs=(sink,), **more)
        tensors[sink] = Tensor(sink, node.shape(tensors[source].shape), dtype)
        nodes.append(node)

    def matrix(rows: int, columns: int) -> dict[str, Any]:
        return {"weights": rng.integers(-4, 4, (rows, columns)), "weight_dtype": "INT3", "acc_dtype": "INT16"}

    def levels(rows: int, count: int, reach: int, base: int) -> Thresholds:
        return Thresholds(np.sort(rng.integers(-reach, reach, (rows, count)), axis=1), np.zeros(rows, dtype=bool), base, 1)

    add(SlidingWindow, "UINT4", kernel=(3, 3), pads=(1, 1, 1, 1))
    add(MVAU, "UINT2", **matrix(8, 27), thresholds=levels(8, 3, 100, 0))
    add(SlidingWindow, "UINT2", kernel=(2, 2), stride=(2, 2), depthwise=True)
    add(Pool, "UINT2", kind="max", taps=4)
    add(SlidingWindow, "UINT2", kernel=(3, 3), pads=(1, 1, 1, 1), depthwise=True)
    add(VVAU, "INT3", **matrix(8, 9), thresholds=levels(8, 7, 30, -4))
    add(SlidingWindow, "INT3", kernel=(1, 1), stride=(2, 2))
    add(MVAU, "INT4", **matrix(12, 8), thresholds=levels(12, 15, 60, -8))
    add(GlobalPool, "INT8", kind="sum")
    add(MVAU, "INT16", **matrix(5, 12))
    return Graph("network", tuple(nodes), tensors, ("t0",), (f"t{len(nodes)}",))


@pytest.mark.slow
def test_a_network_in_two_foldings(tmp_path: Path) -> None:
    graph = _network(np.random.default_rng(61))
    names = [node.name for node in graph]
    foldings = {name: dict(zip(names, plan, strict=True)) for name, plan in FOLDINGS.items()}
    depths = {name: 64 for name in graph.tensors if name not in (*graph.inputs, *graph.outputs)}
    units = [graph_unit(name, graph, folding, tmp_path, depths) for name, folding in foldings.items()]
    result = check_all(bundle(units, tmp_path), units, {unit.name: "UINT4" for unit in units}, seed=61, frames=12)
    # The harness times the first design; with FIFOs its interval is that of its slowest node.
    assert result.interval_cycles == interval_cycles(graph, foldings["serial"])
