"""The performance model, by hand and against Verilator."""

import numpy as np
import pytest

from hw_flow import fifo, folding, rtl
from hw_flow.backends.simulation import compile_model
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Thresholds
from tests.hw_flow.graphs import mlp
from tests.hw_flow.maps import Builder, convolutions, residual

FRAMES = 8


def branches():
    builder = Builder(np.random.default_rng(3))
    x = builder.input((5, 5, 4))
    arms = (builder.matrix(builder.window(x, (3, 3), pads=(1, 1, 1, 1)), 4), builder.matrix(x, 8), x)
    return builder.graph(builder.global_pool(builder.concat(*arms)))


def depthwise():
    builder = Builder(np.random.default_rng(4))
    window = builder.window(builder.input((6, 6, 4)), (3, 3), depthwise=True, stride=(2, 2), pads=(1, 1, 1, 1))
    return builder.graph(builder.matrix(builder.depthwise(window, 9), 6))


def shared():
    """Rows share their thresholds, but not the range that these are clipped to: the tables of all folds differ, and are deep."""
    builder = Builder(np.random.default_rng(5))
    x = builder.input((8,), "UINT4")
    steps = Thresholds(np.sort(builder.rng.integers(-150, 150, (1, 15)), axis=1), np.array([False]), 0)
    return builder.graph(builder.add(MVAU, (x,), "UINT4", weights=builder.rng.integers(-8, 8, (64, 8)), weight_dtype="INT4",
                                     acc_dtype="INT11", thresholds=steps))


def shifts():
    """Weights that are powers of two, in dense and depthwise units."""
    builder = Builder(np.random.default_rng(6))
    window = builder.window(builder.input((5, 5, 4), "UINT4"), (3, 3), depthwise=True)
    last = builder.matrix(builder.depthwise(window, 9, weights="POW4", dtype="UINT4"), 8, weights="POW3", dtype="INT4")
    return builder.graph(builder.matrix(last, 6, weights="POW4"))


def test_a_lone_matrix_by_hand():
    graph = mlp([16, 8], label=False)
    plan = {"MVAU_0": NodeFolding(2, 4)}
    found = fifo.predict(graph, plan, {})
    assert found.interval_cycles == 16
    # The last fold ends in cycle 15; 1 to buffer, 4 for 4 products of one bit, 1 in the output register.
    assert found.latency_cycles == 16 + 1 + 4 + 1
    assert found.peaks == {}


@pytest.mark.parametrize(("graph", "target"), [
    (mlp([24, 16, 12, 6], inputs="UINT4"), 40), (convolutions(6, (2, 4, 6), pool=True, label=5), 700), (depthwise(), 800),
    (residual(5, 4), 1000), (branches(), 500), (shared(), 512), (shifts(), 200),
], ids=["dense", "pool", "depthwise", "residual", "branches", "shared", "shifts"])
def test_the_model_is_exact(graph, target, tmp_path):
    plan = folding.for_cycles(graph, target)
    depths = fifo.depths(graph, plan)
    model = fifo.predict(graph, plan, depths, frames=FRAMES)
    design = rtl.emit(graph, plan, depths, tmp_path, "net")
    port, (low, high) = design.inputs[0], graph.tensors["x"].limits
    x = np.random.default_rng(0).integers(low, high, (FRAMES, port.beats * port.lanes), endpoint=True)
    run = compile_model(design).run({port.name: np.where(x == 0, 1, x) if port.bipolar else x})
    assert run.status == "done"
    assert (model.interval_cycles, model.latency_cycles) == (run.interval_cycles, run.latency_cycles)
    assert model.interval_cycles == folding.interval_cycles(graph, plan)
    assert model.peaks == {key: run.monitors[key].peak for key in model.peaks}


def test_frames_until_it_repeats():
    graph = mlp([16, 8, 4])
    plan = folding.for_cycles(graph, 16)
    found = fifo.predict(graph, plan, fifo.depths(graph, plan))
    assert 3 <= found.frames < 64
    assert set(np.diff(found.finished)[-2:]) == {found.interval_cycles}
