"""Unrolled matrix units in Verilator against the golden model: types, thresholds, sparse weights, stalls, interval 1."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hw_flow import fifo
from hw_flow.errors import FlowError
from hw_flow.fifo import predict
from hw_flow.folding import FoldingPlan, NodeFolding, levels_at, pipelined
from hw_flow.folding.values import Style
from hw_flow.ir import MVAU, Graph, Tensor, Thresholding, Thresholds
from hw_flow.rtl.constant import unit_logic
from hw_flow.rtl.emit import emit
from hw_flow.rtl.lint import run_slang, run_verilator
from tests.hw_flow.rtl.bench import bundle, check_all, graph_unit, matrix_graph

FRAMES = 24

# name: (MH, MW, weights, activations, output or None for sums, more)
Case = tuple[int, int, str, str, str | None, dict[str, object]]
CASES: dict[str, Case] = {
    "xnor": (5, 36, "BIPOLAR", "BIPOLAR", None, {}),
    "xnor_act": (8, 21, "BIPOLAR", "BIPOLAR", "BIPOLAR", {"descending": True}),
    "ternary": (9, 12, "TERNARY", "UINT2", "UINT2", {}),
    "ternary_in": (4, 9, "TERNARY", "TERNARY", "TERNARY", {"descending": True}),
    "sparse": (6, 24, "INT4", "INT3", None, {"zeros": 0.85}),
    "int4": (4, 7, "INT4", "UINT4", "INT4", {"vectors": 3}),
    "int8": (2, 5, "INT8", "INT8", None, {}),
    "one": (1, 1, "INT2", "UINT1", "UINT1", {}),
}
MORE: dict[str, Case] = {
    "xnor_large": (16, 64, "BIPOLAR", "BIPOLAR", "UINT2", {}),
    "binary_wide": (3, 11, "BIPOLAR", "UINT8", "UINT8", {"descending": True}),
    "empty": (4, 6, "INT3", "INT2", "INT3", {"zeros": 1.0}),
    "empty_raw": (2, 6, "INT3", "BIPOLAR", None, {"zeros": 1.0}),
    "int5": (5, 9, "INT5", "INT5", "UINT5", {}),
    "int6": (4, 10, "INT6", "TERNARY", "INT6", {"descending": True}),
    "int7": (3, 8, "INT7", "UINT3", None, {"zeros": 0.4}),
    "int8_act": (2, 6, "INT8", "INT8", "INT8", {}),
    "unsigned": (4, 10, "UINT2", "UINT3", "UINT3", {}),
    "signed_in": (6, 10, "TERNARY", "INT4", None, {"vectors": 2}),
}


def _graph(rng: np.random.Generator, case: Case) -> Graph:
    mh, mw, weights, acts, out, more = case
    options = dict(more)
    zeros = float(options.pop("zeros", 0.0))  # type: ignore[arg-type]
    graph = matrix_graph(rng, mh, mw, weights, acts, out, **options)  # type: ignore[arg-type]
    matrix = graph.nodes[0].weights  # type: ignore[attr-defined]
    matrix[rng.random(matrix.shape) < zeros] = 0
    return graph


def _run(cases: dict[str, Case], folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    units = [graph_unit(name, _graph(rng, case), {"MVAU_0": NodeFolding(case[0], case[1], style="constant")}, folder)
             for name, case in cases.items()]
    result = check_all(bundle(units, folder), units, {name: case[3] for name, case in cases.items()}, seed, FRAMES)
    for unit in units:
        # The source always has a beat and the sink takes all: a unit that takes one in every cycle never stalls.
        assert result.streams[unit.ports[0].name].stalls == 0, unit.name


def test_types(tmp_path: Path) -> None:
    _run(CASES, tmp_path, seed=21)


@pytest.mark.slow
def test_more_types(tmp_path: Path) -> None:
    _run(MORE, tmp_path, seed=22)


PIPELINES: tuple[dict[str, int], ...] = ({}, {"pipeline_levels": 1}, {"pipeline_levels": 3}, {"pipeline_stages": 1})


@pytest.mark.parametrize("pipelines", [PIPELINES[:1] * 3, PIPELINES[1:]])
def test_whole_network_unrolled(tmp_path: Path, pipelines: tuple[dict[str, int], ...]) -> None:
    rng = np.random.default_rng(23)
    sizes, types = (16, 12, 10, 5), ("UINT3", "UINT2", "UINT2")
    tensors = {"t0": Tensor("t0", (16,), "UINT3")}
    nodes = []
    for index, (mw, mh) in enumerate(pairwise(sizes)):
        matrix = rng.integers(-1, 2, (mh, mw))
        last = index == 2
        steps = None if last else Thresholds(np.sort(rng.integers(-6, 9, (mh, 3)), axis=1), np.zeros(mh, dtype=bool), 0)
        nodes.append(MVAU(name=f"MVAU_{index}", inputs=(f"t{index}",), outputs=(f"t{index + 1}",), weights=matrix,
                          weight_dtype="TERNARY", acc_dtype="INT8", thresholds=steps))
        tensors[f"t{index + 1}"] = Tensor(f"t{index + 1}", (mh,), "INT8" if last else types[index + 1])
    graph = Graph("mlp", tuple(nodes), tensors, ("t0",), ("t3",))
    folding = {node.name: NodeFolding(node.mh, node.mw, style="constant", **own)  # type: ignore[arg-type]
               for node, own in zip(nodes, pipelines, strict=True)}
    unit = graph_unit("mlp", graph, folding, tmp_path)
    result = check_all(bundle([unit], tmp_path), [unit], {"mlp": "UINT3"}, 23, FRAMES)
    assert result.streams[unit.ports[0].name].stalls == 0
    # The performance model knows the depth of the logic, whatever is asked for.
    assert predict(graph, folding, {}).latency_cycles == result.latency_cycles


def _pixels(rng: np.random.Generator, pixels: int, neurons: int, classes: int) -> tuple[Graph, dict[str, NodeFolding]]:
    """Pixels made one bit each, neurons of six of them, and ternary sums."""
    first = np.zeros((neurons, pixels), dtype=np.int64)
    for row in first:
        row[rng.choice(pixels, 6, replace=False)] = rng.choice([-1, 1], 6)
    last = rng.choice([-1, 0, 1], (classes, neurons))
    tensors = {"x": Tensor("x", (pixels,), "UINT8"), "a": Tensor("a", (pixels,), "UINT1"), "b": Tensor("b", (neurons,), "UINT1"),
               "y": Tensor("y", (classes,), "INT8")}
    steps = [Thresholds(rng.integers(low, high, (count, 1)), np.zeros(count, dtype=bool), 0)
             for low, high, count in ((1, 256, pixels), (-3, 4, neurons))]
    graph = Graph("pixels", (
        Thresholding(name="Thresholding_0", inputs=("x",), outputs=("a",), thresholds=steps[0]),
        MVAU(name="MVAU_0", inputs=("a",), outputs=("b",), weights=first, weight_dtype="TERNARY", acc_dtype="INT4",
             thresholds=steps[1]),
        MVAU(name="MVAU_1", inputs=("b",), outputs=("y",), weights=last, weight_dtype="TERNARY", acc_dtype="INT8"),
    ), tensors, ("x",), ("y",))
    return graph, {"Thresholding_0": NodeFolding(pixels), "MVAU_0": NodeFolding(neurons, pixels),
                   "MVAU_1": NodeFolding(classes, neurons)}


def test_nothing_stands_between_unrolled_units(tmp_path: Path) -> None:
    graph, folding = _pixels(np.random.default_rng(28), 60, 20, 4)
    depths = fifo.depths(graph, folding)
    assert depths == {"a": 0, "b": 0}
    assert fifo.completes(graph, folding, depths).done
    unit = graph_unit("pixels", graph, folding, tmp_path, depths)
    result = check_all(bundle([unit], tmp_path), [unit], {"pixels": "UINT8"}, 28, FRAMES)
    found = fifo.predict(graph, folding, depths)
    assert (found.interval_cycles, found.latency_cycles) == (result.interval_cycles, result.latency_cycles)
    assert found.interval_cycles == 1
    assert result.streams[unit.ports[0].name].stalls == 0
    stages = [unit_logic(node, graph, folding[node.name]).pipeline.stages for node in graph]  # type: ignore[arg-type]
    assert found.latency_cycles == sum(stages) + 1 + 1  # the output register, and the cycle itself


def test_a_depth_that_is_asked_for(tmp_path: Path) -> None:
    graph, folding = _pixels(np.random.default_rng(29), 12, 5, 3)
    without, one = (emit(graph, folding, depths, tmp_path / str(len(depths)), "net") for depths in ({}, {"b": 4}))
    assert [instance.kind for instance in without.instances] == ["thresholding", "mvau", "mvau"]
    assert [instance.kind for instance in one.instances] == ["thresholding", "mvau", "fifo", "mvau"]
    assert fifo.predict(graph, folding, {"b": 4}).latency_cycles == 1 + fifo.predict(graph, folding, {}).latency_cycles
    folded = {**folding, "MVAU_1": NodeFolding(1, 5)}
    assert fifo.depths(graph, folded)["a"] == 0
    assert fifo.depths(graph, folded)["b"] >= 2


def test_ready_passes_through_eight_streams_at_most(tmp_path: Path) -> None:
    widths = (6, 5, 5, 4, 5, 5, 3, 5, 5, 5, 5, 4)
    tensors = {f"t{index}": Tensor(f"t{index}", (width,), "UINT1") for index, width in enumerate(widths)}
    nodes = [MVAU(name=f"MVAU_{index}", inputs=(f"t{index}",), outputs=(f"t{index + 1}",),
                  weights=np.ones((mh, mw), dtype=np.int64),
                  weight_dtype="UINT1", acc_dtype="UINT4", thresholds=Thresholds(np.array([[2]]), np.array([False]), 0))
             for index, (mw, mh) in enumerate(pairwise(widths))]
    graph = Graph("long", tuple(nodes), tensors, ("t0",), ("t11",))
    folding = {node.name: NodeFolding(node.mh, node.mw, style="constant") for node in nodes}
    depths = fifo.depths(graph, folding)
    assert [name for name, depth in depths.items() if depth] == ["t6"]  # the narrowest
    assert fifo.predict(graph, folding, depths).interval_cycles == 1
    emit(graph, folding, {}, tmp_path, "long")  # whose FIFOs someone has left out: a register cuts ready
    cut = [node.name for node in nodes if "OutputRegister(1'b1)" in (tmp_path / f"long_{node.name.lower()}.sv").read_text()]
    assert cut == ["MVAU_5", "MVAU_10"]


def test_pipelines_that_a_folding_asks_for() -> None:
    graph = matrix_graph(np.random.default_rng(27), 6, 24, "INT3", "UINT2", "UINT2")
    node = graph.nodes[0]
    assert isinstance(node, MVAU)
    depth = unit_logic(node, graph, NodeFolding(6, 24)).pipeline.depth
    latency = {}
    for levels in (1, 2, 3, depth):
        own = NodeFolding(6, 24, style="constant", pipeline_levels=levels)
        assert unit_logic(node, graph, own).pipeline.stages == -(-depth // levels)
        latency[levels] = predict(graph, {"MVAU_0": own}, {}).latency_cycles
    assert [latency[levels] - latency[depth] for levels in latency] == [-(-depth // levels) - 1 for levels in latency]
    assert unit_logic(node, graph, NodeFolding(6, 24, pipeline_stages=2)).pipeline.stages == 2
    plan = pipelined(graph, FoldingPlan({"MVAU_0": NodeFolding(6, 24)}), 5)
    assert plan["MVAU_0"].pipeline_levels == 5
    assert pipelined(graph, plan, 7) == plan
    assert pipelined(graph, FoldingPlan({"MVAU_0": NodeFolding(6, 12)}), 5)["MVAU_0"].pipeline_levels == 0
    assert [levels_at(clock) for clock in (50, 100, 200, 300, 1000)] == [13, 5, 2, 1, 1]


@pytest.mark.parametrize(("style", "constant"), [("auto", True), ("memory", False), ("constant", True)])
def test_style(tmp_path: Path, style: Style, constant: bool) -> None:
    graph = matrix_graph(np.random.default_rng(26), 2, 3, "INT2", "UINT2", "UINT2")
    design = emit(graph, {"MVAU_0": NodeFolding(2, 3, style=style)}, {}, tmp_path, "style")
    assert any(file.endswith("_logic.sv") for file in design.files) == constant
    folded = emit(graph, {"MVAU_0": NodeFolding(2, 1)}, {}, tmp_path, "style")
    assert not any(file.endswith("_logic.sv") for file in folded.files)


def test_lint_of_generated_logic(tmp_path: Path) -> None:
    rng = np.random.default_rng(24)
    for name in ("xnor_act", "ternary", "sparse"):
        case = CASES[name]
        design = emit(_graph(rng, case), {"MVAU_0": NodeFolding(case[0], case[1], style="constant")}, {}, tmp_path / name, name)
        assert run_verilator(design.top, list(design.paths)) == []
        assert run_slang(design.top, list(design.paths)) == []


def test_output_too_narrow(tmp_path: Path) -> None:
    graph = matrix_graph(np.random.default_rng(25), 2, 3, "INT2", "UINT2", "UINT2")
    graph = Graph("narrow", graph.nodes, {**graph.tensors, "y": Tensor("y", (2,), "UINT1")}, ("x",), ("y",))
    text = "MVAU_0: thresholds give 0 to 3, which UINT1 cannot represent; declare output 'y' wider"
    with pytest.raises(FlowError, match=f"^{text}$"):
        emit(graph, {"MVAU_0": NodeFolding(2, 3, style="constant")}, {}, tmp_path, "narrow")
