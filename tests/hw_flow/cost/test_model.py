from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hw_flow.cost import calibrate, estimate, features, luts, samples
from hw_flow.cost.coefficients import FITTED, PRIOR
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph, LabelSelect, Node, Tensor, Thresholding, Thresholds


def graph() -> Graph:
    nodes: tuple[Node, ...] = (
        Thresholding(name="Thresholding_0", inputs=("x",), outputs=("a",),
                     thresholds=Thresholds(np.array([[1, 2, 3]]), np.zeros(1, dtype=bool), base=0)),
        MVAU(name="MVAU_0", inputs=("a",), outputs=("b",), weights=np.ones((32, 64), dtype=np.int64), weight_dtype="INT2",
             acc_dtype="INT9", thresholds=Thresholds(np.zeros((32, 1), dtype=np.int64), np.zeros(32, dtype=bool), -1, 2)),
        MVAU(name="MVAU_1", inputs=("b",), outputs=("c",), weights=np.ones((10, 32), dtype=np.int64), weight_dtype="BIPOLAR",
             acc_dtype="INT7"),
        LabelSelect(name="LabelSelect_0", inputs=("c",), outputs=("y",)),
    )
    tensors = (Tensor("x", (64,), "UINT8"), Tensor("a", (64,), "UINT2"), Tensor("b", (32,), "BIPOLAR"),
               Tensor("c", (10,), "INT7"), Tensor("y", (1,), "UINT4"))
    return Graph("net", nodes, {tensor.name: tensor for tensor in tensors}, ("x",), ("y",))


FOLDING = {"Thresholding_0": NodeFolding(8), "MVAU_0": NodeFolding(4, 16), "MVAU_1": NodeFolding(1, 32),
           "LabelSelect_0": NodeFolding(1)}


class Strange(Node):
    """An operator that the model does not know."""

    def shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        return shapes[0]

    def golden(self, *frames: np.ndarray) -> np.ndarray:
        return frames[0]


def test_features_count_what_the_folding_makes() -> None:
    g = graph()
    matrix = features(g.nodes[1], FOLDING["MVAU_0"], g)
    assert matrix == {"control.MVAU": 1, "stream": 2 * 16 + 4, "accumulator": 4 * 9, "bit_products": 4 * 16 * 2 * 2,
                      "weights": 128, "replay": 32, "compare": 4 * 9, "table": 4 * 9}
    binary = features(g.nodes[2], FOLDING["MVAU_1"], g)
    assert binary["xnor"] == 32
    assert "bit_products" not in binary
    wide = features(g.nodes[1], NodeFolding(4, 16, res_type="dsp", ram_style="block"), g)
    assert wide["dsp_tree"] == 4 * 16 * 4
    assert "weights" not in wide
    assert "bit_products" not in wide


def test_estimate_of_a_graph() -> None:
    found = estimate(graph(), FOLDING)
    assert found.source == "model"
    assert found.cycles == {"Thresholding_0": 8, "MVAU_0": 32, "MVAU_1": 10, "LabelSelect_0": 10}
    assert set(found.luts) == set(found.cycles)
    assert all(value > 0 for value in found.luts.values())


def test_more_parallel_costs_more() -> None:
    g = graph()
    sizes = [luts(features(g.nodes[1], NodeFolding(pe, simd), g)) for pe, simd in ((1, 4), (2, 8), (8, 16), (32, 64))]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_calibration_finds_the_coefficients_that_made_the_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = {"control.MVAU": 60.0, "bit_products": 1.25, "accumulator": 0.5}
    pairs = []
    for _ in range(2000):
        counts = {name: float(rng.integers(1, 200)) for name in truth} | {"control.MVAU": 1.0}
        pairs.append((counts, sum(truth[name] * count for name, count in counts.items())))
    found = calibrate(pairs)
    assert {name: found.coefficients[name] for name in truth} == pytest.approx(truth, rel=0.1)
    assert found.coefficients["xnor"] == PRIOR["xnor"]
    assert (found.samples, found.error) == (2000, pytest.approx(0, abs=0.02))


def test_what_is_held_stays() -> None:
    truth = {"control.MVAU": 60.0, "shift": 0.7}
    pairs = [({"control.MVAU": 1.0, "shift": count}, 60.0 + 0.7 * count) for count in (50.0, 200.0, 900.0)] * 20
    found = calibrate(pairs, {"control.MVAU": 60.0}).coefficients
    assert found == pytest.approx({**PRIOR, **truth}, rel=0.01)
    assert calibrate(pairs, {"control.MVAU": 1.0}).coefficients["shift"] > 0.75
    assert calibrate(pairs, {"control.MVAU": 1e4}).coefficients["shift"] == 0


def test_samples_of_a_synthesised_graph() -> None:
    g = graph()
    pairs = samples(g, FOLDING, {"MVAU_0": 300, "LabelSelect_0": 40, "fifo_b": 9})
    assert pairs == [(features(g.node("MVAU_0"), FOLDING["MVAU_0"], g), 300),
                     (features(g.node("LabelSelect_0"), FOLDING["LabelSelect_0"], g), 40)]


def test_bad_input() -> None:
    with pytest.raises(FlowError, match=r"^cost calibration needs at least one synthesised node with LUTs$"):
        calibrate([])
    g = graph()
    strange = Strange(name="Strange_0", inputs=("x",), outputs=("y",))
    with pytest.raises(FlowError, match=r"^Strange_0: no cost model for Strange; synthesise it instead$"):
        features(strange, NodeFolding(1), g)


def test_the_coefficients_are_those_of_the_benchmark() -> None:
    record = json.loads((Path(__file__).parents[3] / "benchmarks" / "results" / "lut_model.json").read_text())["data"]
    assert record["coefficients"] == FITTED
    first, second = ([(sample["features"], sample["luts"]) for sample in record["samples"]
                      if (sample["kind"] in record["second"]) is later] for later in (False, True))
    found = calibrate(first)
    held = {name: found.coefficients[name] for counts, _ in first for name in counts}
    then = calibrate(second, held)
    assert {name for name, value in then.coefficients.items() if value != found.coefficients[name]} == {"shift"}
    assert then.coefficients == pytest.approx(FITTED, rel=0.01, abs=0.001)
    assert found.error < 0.25
    assert then.error < 0.25
