"""Synthesis in parts of a design with a fork and a join."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hw_flow.folding import NodeFolding
from hw_flow.ir import Add, Graph, Lookup, Tensor, Thresholds
from hw_flow.rtl import emit
from hw_flow.synth import synthesise


def test_forks_joins_and_tables_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    tensors = {"x": Tensor("x", (3, 4), "INT4"), "t": Tensor("t", (3, 4), "INT3"), "y": Tensor("y", (3, 4), "UINT2")}
    graph = Graph("g", (
        Lookup(name="Lookup_0", inputs=("x",), outputs=("t",), table=rng.integers(-4, 4, (4, 16)), low=-8),
        Add(name="Add_0", inputs=("x", "t"), outputs=("y",), coefficients=(2, -3),
            thresholds=Thresholds(np.sort(rng.integers(-9, 9, (4, 3)), axis=1), np.zeros(4, dtype=bool), 0)),
    ), tensors, ("x",), ("y",))
    design = emit(graph, {"Lookup_0": NodeFolding(2), "Add_0": NodeFolding(4)}, {"x@Add_0": 4}, tmp_path, "g")
    found = synthesise(design, "xc7", delay=True)
    assert {name: part.luts > 0 for name, part in found.by_kind().items()} == dict.fromkeys(
        ("fork", "lookup", "dwc", "fifo", "add"), True)
    assert set(found.by_layer()) == {"fork_x", "Lookup_0", "dwc_t", "dwc_x_add_0", "fifo_x_add_0", "Add_0"}
    # Timing goes around the memories, which are black boxes here.
    delays = {name: part.delay_ns for name, part in found.layers.items()}
    assert all(delay is not None and 0 < delay < 5 for delay in delays.values()), delays
