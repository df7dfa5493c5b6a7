"""Networks with branches in Verilator: forks, joins, converters and FIFOs together, with stalls and resets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_flow import fifo
from hw_flow.errors import FlowError
from hw_flow.ir import Lookup
from hw_flow.rtl import emit
from tests.hw_flow.rtl.bench import bundle, check_all, graph_unit
from tests.hw_flow.rtl.networks import Net, branches, convolutional, deep, residual


def test_networks_with_branches(tmp_path: Path) -> None:
    graphs = {"residual": residual(), "branches": branches()}
    units = [graph_unit(name, graph, folding, tmp_path, fifo.depths(graph, folding)) for name, (graph, folding) in graphs.items()]
    types = {name: graph.tensors["x"].dtype for name, (graph, _) in graphs.items()}
    result = check_all(bundle(units, tmp_path), units, types, seed=3, frames=16)
    assert {"t0", "t0@MVAU_0", "t0@Add_0", "t0@Add_0:read", "t1", "t1@MVAU_1"} <= set(result.monitors)


def test_a_convolutional_network(tmp_path: Path) -> None:
    graph, folding = convolutional()
    unit = graph_unit("cnn", graph, folding, tmp_path, deep(graph, 200))
    check_all(bundle([unit], tmp_path), [unit], {"cnn": "UINT4"}, seed=4, frames=12)


def test_bad_wiring_is_refused(tmp_path: Path) -> None:
    net = Net((4,), "INT4", 0)
    first = net.put(Lookup, ["x"], "INT4", 1, table=np.zeros((1, 16), dtype=np.int64), low=-8)
    net.put(Lookup, ["x"], "INT4", 1, table=np.zeros((1, 16), dtype=np.int64), low=-8)
    with pytest.raises(FlowError) as error:
        emit(net.graph(first), net.folding, {}, tmp_path, "net")
    assert str(error.value) == "graph 'net': 't1' is read by nothing; remove the node that writes it"
