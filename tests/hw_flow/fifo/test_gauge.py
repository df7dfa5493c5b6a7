"""The gauge: depths checked and shrunk in one simulator."""

import pytest

from hw_flow import fifo, folding
from tests.hw_flow.maps import residual


@pytest.mark.parametrize("seed", [0])
def test_depths_are_confirmed_and_shrunk_without_building_again(tmp_path, seed):
    graph = residual(5, 4, seed=seed)
    plan = folding.for_cycles(graph, 1000)
    depths = fifo.depths(graph, plan)
    lines = []
    found = fifo.gauge(graph, plan, depths, tmp_path, seed=seed, progress=lines.append)
    assert found.interval_cycles == folding.interval_cycles(graph, plan) == found.predicted.interval_cycles
    assert found.latency_cycles == found.predicted.latency_cycles
    assert found.peaks == found.predicted.peaks
    assert set(found.depths) == set(depths)
    assert all(found.depths[key] <= depth for key, depth in depths.items())
    assert found.shrunk_bits < found.bits
    assert len(lines) == 1 + len(depths)
    # The limits that it found lock up nothing in the model either.
    assert fifo.predict(graph, plan, found.depths).interval_cycles == found.interval_cycles
