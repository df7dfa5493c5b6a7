"""FIFO depths: they keep the interval, lock nothing up and hold little."""

import numpy as np
import pytest

from hw_flow import fifo, folding
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from tests.hw_flow.graphs import mlp
from tests.hw_flow.maps import convolutions, residual


@pytest.mark.parametrize("seed", range(30))
def test_depths_never_throttle_the_interval(seed):
    rng = np.random.default_rng(seed)
    dims = [int(rng.choice([4, 6, 8, 12, 16, 24])) for _ in range(rng.integers(3, 6))]
    graph = mlp(dims, inputs="UINT4" if seed % 2 else None)
    plan = {}
    for node in graph:
        limits = folding.parallel_limits(node, graph).values()
        plan[node.name] = NodeFolding(*(int(rng.choice(limit.values)) for limit in limits))
    depths = fifo.depths(graph, plan)
    found = fifo.predict(graph, plan, depths)
    assert found.interval_cycles == folding.interval_cycles(graph, plan), (seed, dims, plan, depths)
    assert fifo.completes(graph, plan, depths).done


def test_never_more_than_two_frames():
    graph = mlp([64, 64, 64, 64, 10])
    plan = folding.for_cycles(graph, 64)
    for name, depth in fifo.depths(graph, plan).items():
        producer = graph.producer(name)
        assert 2 <= depth <= 2 * graph.tensors[name].elements // plan[producer.name].pe


def test_graph_inputs_and_outputs_have_none():
    graph = mlp([16, 8, 4], inputs="UINT8")
    assert list(fifo.depths(graph, folding.default(graph))) == ["q", "t0", "t1"]


def test_each_reader_of_a_branch_has_a_depth_of_its_own():
    graph = residual(6, 4)
    plan = folding.for_cycles(graph, 1296)
    found = fifo.depths(graph, plan)
    assert list(found) == ["x@SlidingWindow_0", "t0", "t1", "t2", "t3", "x@Add_0", "t4"]
    # The short cut waits for two windows: each is a row and a position behind.
    assert found["x@Add_0"] * plan["SlidingWindow_0"].simd >= 2 * (6 + 1) * 4


@pytest.mark.parametrize("graph", [convolutions(7, (2, 4, 6), pool=True, label=5), residual(6, 4, blocks=2)], ids=["pool", "add"])
@pytest.mark.parametrize("target", [600, 2000, 10_000])
def test_maps_keep_the_interval(graph, target):
    plan = folding.for_cycles(graph, target)
    found = fifo.depths(graph, plan)
    assert fifo.completes(graph, plan, found).done
    assert fifo.predict(graph, plan, found).interval_cycles == folding.interval_cycles(graph, plan)


def test_small_fifos_lock_up_and_are_found_out():
    graph = residual(6, 4)
    plan = folding.for_cycles(graph, 1296)
    found = fifo.depths(graph, plan)
    played = fifo.completes(graph, plan, {**found, "x@Add_0": found["x@Add_0"] // 2})
    assert not played.done
    assert {"Add_0", "SlidingWindow_0", "x@Add_0 (FIFO)"} <= set(played.stuck)
    with pytest.raises(FlowError, match=r"^.*: no progress in frame 0; the FIFOs are too small, give deeper ones$"):
        fifo.predict(graph, plan, {**found, "x@Add_0": found["x@Add_0"] // 2})


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_shallow_fifos_of_a_chain_complete_though_slower(depth):
    graph = convolutions(6, (2, 4, 6), pool=True)
    plan = folding.for_cycles(graph, 1000)
    found = dict.fromkeys(fifo.depths(graph, plan), depth)
    assert fifo.completes(graph, plan, found).done
    assert fifo.predict(graph, plan, found).interval_cycles >= folding.interval_cycles(graph, plan)


def test_depths_hold_fewer_bits_than_by_finns_rule():
    graph = residual(8, 4, blocks=2)
    plan = folding.for_cycles(graph, 2000)
    ours = fifo.fifo_bits(graph, plan, fifo.depths(graph, plan))
    theirs = fifo.finn_bits(graph, plan)
    assert set(ours) == set(theirs)
    assert sum(ours.values()) < sum(theirs.values())
