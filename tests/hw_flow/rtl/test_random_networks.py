"""Random graphs with random foldings in Verilator, with the FIFOs that the flow chooses; the seeds are the names of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_flow import fifo
from tests.hw_flow.rtl.bench import bundle, check_all, graph_unit
from tests.hw_flow.rtl.random_networks import RandomNet


def _run(seeds: range, folder: Path) -> None:
    units, types = [], {}
    for seed in seeds:
        graph, folding = RandomNet(seed).folded()
        units.append(graph_unit(f"g{seed}", graph, folding, folder, fifo.depths(graph, folding)))
        types[f"g{seed}"] = graph.tensors["x"].dtype
    check_all(bundle(units, folder), units, types, seed=seeds.start, frames=8)


def test_random_networks(tmp_path: Path) -> None:
    _run(range(4), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 160, 10))
def test_more_random_networks(first: int, tmp_path: Path) -> None:
    _run(range(first, first + 10), tmp_path)
