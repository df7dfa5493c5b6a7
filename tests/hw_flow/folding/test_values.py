"""Legal values and cycles of a folding."""

import re

import numpy as np
import pytest

from hw_flow import folding
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import Reorder, Slice
from tests.hw_flow.graphs import mlp
from tests.hw_flow.maps import Builder, convolutions, residual


@pytest.mark.parametrize(("name", "wrong", "text"), [
    ("MVAU_0", NodeFolding(5, 8), "MVAU_0: PE 5 does not divide MH 64; legal values: 1, 2, 4, 8, 16, 32, 64"),
    ("MVAU_0", NodeFolding(4, 9), "MVAU_0: SIMD 9 does not divide MW 48; legal values: 1, 2, 3, 4, 6, 8, 12, 16, 24, 48"),
    ("MVAU_0", NodeFolding(0, 8), "MVAU_0: PE 0 does not divide MH 64; legal values: 1, 2, 4, 8, 16, 32, 64"),
    ("LabelSelect_0", NodeFolding(3), "LabelSelect_0: PE 3 does not divide channels 10; legal values: 1, 2, 5, 10"),
    ("LabelSelect_0", NodeFolding(2, 2), "LabelSelect_0: SIMD 2 on a LabelSelect, which has none; give its PE only"),
])
def test_illegal_values_are_refused_with_the_legal_ones(name, wrong, text):
    graph = mlp([48, 64, 10])
    plan = {**folding.for_cycles(graph, 64), name: wrong}
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        folding.check(graph, plan)


def test_missing_and_unknown_nodes():
    graph = mlp([48, 64, 10])
    plan = dict(folding.for_cycles(graph, 64))
    del plan["MVAU_1"]
    with pytest.raises(FlowError, match=r"^MVAU_1: no folding; give its PE and SIMD, or a target of cycles$"):
        folding.check(graph, plan)
    text = "MVAU_7: folding for a node that graph 'mlp' lacks; its nodes: MVAU_0, MVAU_1, LabelSelect_0"
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        folding.check(graph, {**plan, "MVAU_7": NodeFolding(1)})


def test_cycles():
    graph = mlp([48, 64, 10], inputs="UINT8")
    cycles = {
        name: folding.node_cycles(graph.node(name), own, graph)
        for name, own in (("MVAU_0", NodeFolding(16, 12)), ("Thresholding_0", NodeFolding(6)), ("LabelSelect_0", NodeFolding(2)))
    }
    assert cycles == {"MVAU_0": 16, "Thresholding_0": 8, "LabelSelect_0": 5}
    assert folding.divisors(36) == [1, 2, 3, 4, 6, 9, 12, 18, 36]


def depthwise_map(**values):
    builder = Builder(np.random.default_rng(0))
    window = builder.window(builder.input((6, 6, 8)), (3, 3), depthwise=True, **values)
    return builder.graph(builder.depthwise(window, 9))


def plan_of(**values):
    return {"SlidingWindow_0": NodeFolding(1, values.get("window", 4), parallel_window=values.get("parallel", False)),
            "VVAU_0": NodeFolding(*values.get("unit", (4, 1)))}


@pytest.mark.parametrize(("plan", "window", "unit", "lanes"), [
    (plan_of(), 288, 288, (4, 4, 4, 4)),
    (plan_of(window=2, unit=(2, 1)), 576, 576, (2, 2, 2, 2)),
    (plan_of(unit=(4, 9), parallel=True), 72, 32, (4, 36, 36, 4)),
    (plan_of(window=8, unit=(8, 9), parallel=True), 36, 16, (8, 72, 72, 8)),
])
def test_cycles_and_lanes_of_a_depthwise_layer(plan, window, unit, lanes):
    graph = depthwise_map()
    folding.check(graph, plan)
    nodes = list(graph)
    assert [folding.node_cycles(node, plan[node.name], graph) for node in nodes] == [window, unit]
    found = [f(node, plan[node.name]) for node in nodes for f in (folding.input_lanes, folding.output_lanes)]
    assert tuple(found) == lanes


@pytest.mark.parametrize(("plan", "text"), [
    (plan_of(window=3), "SlidingWindow_0: SIMD 3 does not divide channels 8; legal values: 1, 2, 4, 8"),
    (plan_of(unit=(4, 3)), "VVAU_0: SIMD 3 of taps 9; legal values: 1, 9"),
    (plan_of(unit=(2, 1)), "VVAU_0: PE 2 SIMD 1 behind SlidingWindow_0 with SIMD 4 and no parallel window; give PE 4 SIMD 1"),
    (plan_of(parallel=True), "VVAU_0: PE 4 SIMD 1 behind SlidingWindow_0 with SIMD 4 and a parallel window; give PE 4 SIMD 9"),
    ({**plan_of(), "SlidingWindow_0": NodeFolding(2, 4)},
     "SlidingWindow_0: PE 2 on a SlidingWindow, which has none; give its SIMD only"),
    ({**plan_of(), "VVAU_0": NodeFolding(4, 1, parallel_window=True)},
     "VVAU_0: parallel_window on a VVAU, which has none; leave it out"),
    ({**plan_of(), "VVAU_0": NodeFolding(4, 1, style="constant")},
     "VVAU_0: style 'constant' on a VVAU; only an MVAU and a Thresholding become constant logic"),
])
def test_illegal_depthwise_foldings(plan, text):
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        folding.check(depthwise_map(), plan)


def test_a_dense_parallel_window_needs_all_channels():
    graph = convolutions(6, (4, 8))
    plan = {"SlidingWindow_0": NodeFolding(1, 2, parallel_window=True), "MVAU_0": NodeFolding(8, 36, style="constant")}
    text = ("SlidingWindow_0: parallel_window with SIMD 2; in front of a dense node it needs SIMD 4, all channels")
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        folding.check(graph, plan)
    plan["SlidingWindow_0"] = NodeFolding(1, 4, parallel_window=True)
    folding.check(graph, plan)
    assert folding.interval_cycles(graph, plan) == 36
    with pytest.raises(FlowError, match=r"^MVAU_0: style 'constant' with PE 4 SIMD 36; constant logic needs PE 8 SIMD 36$"):
        folding.check(graph, {**plan, "MVAU_0": NodeFolding(4, 36, style="constant")})


def test_a_reducing_node_without_a_window_takes_all_channels():
    builder = Builder(np.random.default_rng(0))
    graph = builder.graph(builder.pool(builder.input((4, 4, 12)), 3))
    with pytest.raises(FlowError, match=r"^Pool_0: PE 2 without a depthwise window in front; legal values: 4$"):
        folding.check(graph, {"Pool_0": NodeFolding(2)})
    folding.check(graph, {"Pool_0": NodeFolding(4, 3)})


def test_a_depthwise_window_goes_to_a_reducing_node():
    builder = Builder(np.random.default_rng(0))
    window = builder.window(builder.input((4, 4, 2)), (2, 2), depthwise=True)
    text = r"^Thresholding_0: reads the depthwise window of 't0', which only a VVAU or a Pool takes$"
    graph = builder.graph(builder.threshold(window))
    with pytest.raises(FlowError, match=text):
        folding.check(graph, folding.unfolded(graph))


def test_limits_of_joins_and_orders():
    builder = Builder(np.random.default_rng(0))
    x = builder.input((2, 4, 12))
    part = builder.add(Slice, (x,), "UINT2", begin=4, end=12)
    joined = builder.concat(part, x)
    turned = builder.add(Reorder, (joined,), "UINT2", out_shape=(4, 2, 20), counts=(4, 2, 20), strides=(20, 80, 1))
    every = builder.add(Reorder, (turned,), "UINT2", out_shape=(160,), counts=(20, 8), strides=(1, 20))
    graph = builder.graph(every)
    values = {node.name: folding.parallel_limits(node, graph)["PE"].values for node in graph}
    assert values == {"Slice_0": (1, 2, 4), "Concat_0": (1, 2, 4), "Reorder_0": (1, 2, 4, 5, 10, 20), "Reorder_1": (1,)}
    cycles = [folding.node_cycles(node, NodeFolding(1), graph) for node in graph]
    assert cycles == [96, 160, 160, 160]


def test_unfolded_maps_take_one_cycle_a_position():
    graph = convolutions(8, (2, 4, 4), pool=True)
    plan = folding.unfolded(graph)
    folding.check(graph, plan)
    assert plan["SlidingWindow_1"] == NodeFolding(1, 4, parallel_window=True)
    assert plan["Pool_0"] == NodeFolding(4, 4)
    assert folding.interval_cycles(graph, plan) == 64


@pytest.mark.parametrize("target", [36, 100, 1000, 10_000])
def test_maps_meet_a_target(target):
    for graph in (convolutions(6, (4, 8, 8), pool=True, label=5), residual(6, 4), depthwise_map()):
        plan = folding.for_cycles(graph, target)
        folding.check(graph, plan)
        assert folding.interval_cycles(graph, plan) <= target
