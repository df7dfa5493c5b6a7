"""FIFO depths against a cycle-by-cycle model of the kernels' firing rules."""

import numpy as np
import pytest

from hw_flow import fifo, folding
from hw_flow.folding import NodeFolding
from tests.hw_flow.graphs import mlp


def measured_interval(graph, plan, depths, frames=24):
    """Run the chain beat by beat as early as data and FIFO space allow; returns the last frames' interval.

    Elements stand for beats of all widths: FIFOs hold ``depth`` beats of the producer.
    """
    nodes = list(graph)
    stored = [0] * (len(nodes) + 1)
    room = [10**9] + [depths[node.inputs[0]] * folding.output_lanes(nodes[i], plan[nodes[i].name])
                      for i, node in enumerate(nodes[1:])] + [10**9]
    stored[0] = frames * graph.input_of(nodes[0]).elements
    state = [0] * len(nodes)
    done = []
    for cycle in range(100_000):
        before = list(stored)
        for i, node in enumerate(nodes):
            own = plan[node.name]
            reads, lanes_in, lanes_out = step_of(node, own, state[i], graph)
            period = folding.node_cycles(node, own, graph)
            writes = writes_at(node, own, state[i], graph)
            if reads and before[i] < lanes_in:
                continue
            if writes and before[i + 1] + lanes_out > room[i + 1]:
                continue
            if reads:
                stored[i] -= lanes_in
            if writes:
                stored[i + 1] += lanes_out
            state[i] += 1
            if state[i] == period:
                state[i] = 0
                if i == len(nodes) - 1:
                    done.append(cycle)
        if len(done) == frames:
            return int(np.median(np.diff(done[frames // 2:])))
    raise AssertionError("deadlock")


def step_of(node, own, phase, graph):
    if node.name.startswith("MVAU"):
        return phase < node.mw // own.simd, own.simd, own.pe
    return True, own.pe, folding.output_lanes(node, own)


def writes_at(node, own, phase, graph):
    if node.name.startswith("MVAU"):
        return (phase + 1) % (node.mw // own.simd) == 0
    if node.name.startswith("LabelSelect"):
        return (phase + 1) * own.pe == graph.input_of(node).channels
    return True


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
    assert measured_interval(graph, plan, depths) == folding.interval_cycles(graph, plan), (seed, dims, plan, depths)


def test_never_more_than_a_frame_and_the_slack():
    graph = mlp([64, 64, 64, 64, 10])
    plan = folding.for_cycles(graph, 64)
    for name, depth in fifo.depths(graph, plan).items():
        producer = graph.producer(name)
        assert 1 <= depth <= graph.tensors[name].elements // plan[producer.name].pe + fifo.SLACK


def test_graph_inputs_and_outputs_have_none():
    graph = mlp([16, 8, 4], inputs="UINT8")
    assert list(fifo.depths(graph, folding.default(graph))) == ["q", "t0", "t1"]


def test_latency_of_a_lone_matrix():
    graph = mlp([16, 8], label=False)
    # The last fold of a matrix ends with its last cycle; the output beat follows.
    assert fifo.latency_cycles(graph, {"MVAU_0": NodeFolding(2, 4)}) == 17
