from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_flow.codesign.points import Point
from hw_flow.codesign.problem import parse

PROBLEM: dict[str, Any] = {
    "name": "small", "dataset": "digits", "model": {"features": [64, 8, 10]},
    "weights": ["BIPOLAR", "TERNARY", "INT3"], "activations": ["BIPOLAR", "UINT2"],
    "training": {"base_epochs": 10, "base_learning_rate": 0.02, "epochs": 4},
    "hardware": {"target_cycles": 128}, "simulation": {"samples": 8},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    from hw_flow.codesign.evaluate import prepare

    directory = tmp_path_factory.mktemp("search")
    made = prepare({"problem": PROBLEM, "directory": str(directory)})
    assert made["checkpoint"] == "base"
    assert 0.4 < made["val"] <= 1.0
    return directory, made


def test_point_is_trained_built_simulated_and_synthesised(base: tuple[Path, dict[str, Any]]) -> None:
    from hw_flow.codesign.evaluate import evaluate

    directory, made = base
    point = Point("UINT4", ("INT3", "TERNARY"), ("UINT2",))
    result = evaluate({"problem": PROBLEM, "directory": str(directory), "base": made, "key": "abc", "point": point.to_json()})
    metrics = result["metrics"]
    assert metrics["interval_cycles"]["value"] == 128
    assert metrics["latency_cycles"]["value"] > 128
    assert metrics["luts"]["value"] == sum(layer["luts"] for layer in result["layers"].values()) > 100
    assert metrics["dsp"]["value"] == 0
    assert metrics["luts"]["source"].startswith("yosys-")
    assert metrics["interval_cycles"]["source"].startswith("verilator-")
    assert result["bit_exact"]["samples"] == 8
    assert result["bit_exact"]["mismatches"] == 0
    assert (directory / "models" / "abc" / "model.json").exists()
    assert _by_synth(directory / "models" / "abc" / "model.onnx", directory / "build") == {
        **{name: metrics[name]["value"] for name in ("luts", "ff", "bram18", "dsp")},
        "layers": {layer: figures["luts"] for layer, figures in result["layers"].items()},
    }


def test_a_codebook_is_trained_built_simulated_and_synthesised(base: tuple[Path, dict[str, Any]]) -> None:
    from hw_flow.codesign.evaluate import evaluate
    from hw_flow.frontend import compile_qonnx
    from hw_flow.ir import MVAU
    from hw_flow.rtl.wrappers.weights import power_bits

    directory, made = base
    problem = {**PROBLEM, "weights": ["POW4", "CODE2"]}
    point = Point("UINT4", ("POW4", "CODE2"), ("UINT4",))
    result = evaluate({"problem": problem, "directory": str(directory), "base": made, "key": "pow", "point": point.to_json()})
    assert result["bit_exact"]["mismatches"] == 0
    assert result["metrics"]["interval_cycles"]["value"] == 128
    assert result["metrics"]["luts"]["value"] == sum(layer["luts"] for layer in result["layers"].values())
    assert result["metrics"]["accuracy"]["value"] > 0.5
    first, second = (node for node in compile_qonnx(directory / "models" / "pow" / "model.onnx").graph if isinstance(node, MVAU))
    assert power_bits(first) == 4
    assert len(np.unique(second.weights)) <= 4


def _by_synth(model: Path, build: Path) -> dict[str, Any]:
    """What ``bitwright synth`` says about the same network and folding, under another name."""
    from hw_flow import api
    from hw_flow.backends.synthesis import synthesise
    from hw_flow.steps import Steps

    folding = {f"MVAU_{index}": {"ram_style": "distributed", "resType": "lut"} for index in range(2)}
    api.build(model, build / "first", target_cycles=128, name="first")
    chosen = json.loads((build / "first" / "folding.json").read_text())
    for name, fields in folding.items():
        chosen[name].update(fields)
    (build / "folding.json").write_text(json.dumps(chosen))
    made = api.build(model, build / "second", folding=build / "folding.json", name="second")
    found = synthesise(made, "xc7", steps=Steps())
    return {
        **{name: found.total[name].value for name in ("luts", "ff", "bram18", "dsp")},
        "layers": {layer: figures["luts"].value for layer, figures in found.layers.items()},
    }


def test_wrong_hardware_is_fatal(base: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    from hw_flow.backends import simulation
    from hw_flow.codesign.evaluate import evaluate
    from hw_flow.codesign.executor import FatalError

    directory, made = base
    monkeypatch.setattr(simulation, "difference", lambda *_: "MVAU_1: frame 0, element [3]: hardware 1, golden model 0")
    point = Point("UINT4", ("INT3", "TERNARY"), ("UINT2",))
    with pytest.raises(FatalError, match=r"^hardware is not bit-exact: MVAU_1: frame 0"):
        evaluate({"problem": PROBLEM, "directory": str(directory), "base": made, "key": "x", "point": point.to_json()})


def test_parts_are_shared_by_layers_of_one_shape_whatever_their_weights(tmp_path: Path) -> None:
    from hw_flow import rtl
    from hw_flow.folding import NodeFolding
    from hw_flow.ir import MVAU, Graph, Tensor, Thresholds
    from hw_flow.synth.parts import datapath_jobs
    from hw_flow.synth.runner import cache_key

    rng = np.random.default_rng(7)

    def layer(index: int) -> MVAU:
        levels = np.sort(rng.integers(-20, 20, (8, 3)), axis=1)
        levels[0] = (-20, 0, 20)
        weights = rng.choice(np.array([-1, 1]), (8, 8)) * 2 + rng.integers(0, 2, (8, 8))
        weights[0] = 3
        return MVAU(
            name=f"MVAU_{index}", inputs=(f"t{index}",), outputs=(f"t{index + 1}",), weights=weights, weight_dtype="INT3",
            acc_dtype="INT8", thresholds=Thresholds(levels, np.zeros(8, dtype=bool), 0),
        )

    tensors = {f"t{index}": Tensor(f"t{index}", (8,), "UINT2") for index in range(3)}
    graph = Graph("pair", (layer(0), layer(1)), tensors, ("t0",), ("t2",))
    design = rtl.emit(graph, {node.name: NodeFolding(2, 2) for node in graph}, {}, tmp_path / "rtl", "pair")
    units = [instance for instance in design.instances if instance.kind == "mvau"]
    jobs = datapath_jobs(design, "xc7", nodsp=True, delay=False, liberty=None, timeout_s=60)
    keys = {cache_key(jobs[unit.name]) for unit in units}
    assert len(units) == 2
    assert len(keys) == 1


def test_hash_depends_on_what_is_measured_only() -> None:
    from hw_flow.codesign.points import digest

    point = Point("UINT4", ("INT3", "TERNARY"), ("UINT2",))
    own = digest(parse(PROBLEM), point, "1")
    assert digest(parse({**PROBLEM, "search": {"trials": 99, "workers": 7}}), point, "1") == own
    assert digest(parse({**PROBLEM, "name": "other", "weights": ["INT3", "INT4"]}), point, "1") == own
    assert digest(parse({**PROBLEM, "training": {"epochs": 5}}), point, "1") != own
    assert digest(parse({**PROBLEM, "search": {"seed": 2}}), point, "1") != own
    assert digest(parse(PROBLEM), point, "2") != own
