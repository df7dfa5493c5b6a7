from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hw_flow.codesign.points import Point, dimensions, encode, neighbours, resolve, uniform_points
from hw_flow.codesign.problem import grade, load, parse
from hw_flow.codesign.seeds import seeds
from hw_flow.errors import FlowError
from tests.hw_flow.codesign.fakes import problem

GOOD: dict[str, Any] = {
    "name": "toy", "dataset": "digits", "model": {"features": [16, 8, 4]}, "weights": ["INT4"], "activations": ["UINT4"],
}


@pytest.mark.parametrize(("change", "message"), [
    ({"wieghts": ["INT4"]}, "p.yaml: wieghts: unknown key; legal keys: name, dataset, model, input, weights, activations, "
     "layers, objectives, training, hardware, simulation, search"),
    ({"search": {"trails": 3}}, "p.yaml: search.trails: unknown key; legal keys: trials, time_limit_s, workers, seed, sampler, "
     "executor"),
    ({"weights": ["INT9"]}, "p.yaml: weights: unknown type 'INT9'; legal values: BIPOLAR, TERNARY, INT2, INT3, INT4, INT5, INT6, "
     "INT7, INT8, POW3, POW4, CODE2, CODE3, CODE4"),
    ({"activations": ["POW4"]}, "p.yaml: activations: unknown type 'POW4'; legal values: BIPOLAR, TERNARY, INT2, INT3, INT4, "
     "INT5, INT6, INT7, INT8, UINT1, UINT2, UINT3, UINT4, UINT5, UINT6, UINT7, UINT8"),
    ({"layers": {1: {"weights": ["CODE5"]}}}, "p.yaml: layers.1.weights: unknown type 'CODE5'; legal values: BIPOLAR, TERNARY, "
     "INT2, INT3, INT4, INT5, INT6, INT7, INT8, POW3, POW4, CODE2, CODE3, CODE4"),
    ({"hardware": {"target": "xc9"}}, "p.yaml: hardware.target: unknown value 'xc9'; legal values: 'xc7'"),
    ({"layers": {5: {"weights": ["INT4"]}}}, "p.yaml: layers.5: the network has 2 layers; legal indices are 0 to 1"),
    ({"layers": {1: {"activations": ["UINT4"]}}}, "p.yaml: layers.1.activations: the last layer has no activation; "
     "remove the key"),
    ({"layers": {0: {"bits": 3}}}, "p.yaml: layers.0.bits: unknown key; legal keys: weights, activations"),
    ({"model": {"preset": "tfc", "features": [1, 2, 3]}}, "p.yaml: model: give either 'preset' or 'features', and not both"),
    ({"objectives": ["accuracy", "speed"]}, "p.yaml: objectives.1: unknown value 'speed'; legal values: 'accuracy', 'luts', "
     "'latency_cycles', 'interval_cycles'"),
    ({"objectives": ["luts", "latency_cycles"]}, "p.yaml: objectives: give accuracy and one or two of luts, latency_cycles, "
     "interval_cycles"),
    ({"search": {"trials": 0}}, "p.yaml: search.trials: input should be greater than or equal to 1, not 0"),
    ({"training": {"base_weights": "FLOAT32"}}, "p.yaml: training.base_weights: unknown type 'FLOAT32'; legal values: BIPOLAR, "
     "TERNARY, INT2, INT3, INT4, INT5, INT6, INT7, INT8, POW3, POW4, CODE2, CODE3, CODE4"),
])
def test_one_line_names_the_key_and_what_is_legal(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FlowError) as caught:
        parse({**GOOD, **change}, "p.yaml")
    assert str(caught.value) == message


def test_missing_key_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"^p\.yaml: weights: this key is missing; add it$"):
        parse({key: value for key, value in GOOD.items() if key != "weights"}, "p.yaml")
    with pytest.raises(FlowError, match=r"absent\.yaml: cannot be read \(No such file or directory\); give the path"):
        load(tmp_path / "absent.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1,\nb: 2")
    with pytest.raises(FlowError, match=r"bad\.yaml:2: not YAML \(.*\); correct this line$"):
        load(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(FlowError, match=r"list\.yaml:1: holds no mapping; start from benchmarks/search_digits\.yaml"):
        load(tmp_path / "list.yaml")


@pytest.mark.parametrize(("lines", "message"), [
    ("wieghts: [INT4]", "{path}:6: wieghts: unknown key; legal keys: name, "),
    ("search:\n  trials: 3\n  trails: 3", "{path}:8: search.trails: unknown key; legal keys: trials, "),
    ("layers:\n  0: {{weights: [INT4]}}\n  5: {{weights: [INT4]}}", "{path}:8: layers.5: the network has 2 layers; "),
    ("objectives:\n- accuracy\n- speed", "{path}:8: objectives.1: unknown value 'speed'; legal values: "),
    ("training:\n  base_weights: INT99", "{path}:7: training.base_weights: unknown type 'INT99'; legal values: "),
    ("search:\n  trials: 0", "{path}:7: search.trials: input should be greater than or equal to 1, not 0"),
])
def test_fault_of_a_file_is_named_with_its_line(tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "p.yaml"
    good = "name: toy\ndataset: digits\nmodel: {features: [16, 8, 4]}\nweights: [INT4]\nactivations: [UINT4]\n"
    path.write_text(good + lines.replace("{{", "{").replace("}}", "}"))
    with pytest.raises(FlowError) as caught:
        load(path)
    assert str(caught.value).startswith(message.format(path=path))
    path.write_bytes(b"name: \xff")
    with pytest.raises(FlowError, match=r"p\.yaml: is not text \(invalid start byte\); give a YAML file$"):
        load(path)


def test_grades_run_from_coarse_to_fine() -> None:
    order = ["BIPOLAR", "TERNARY", "INT2", "CODE2", "POW3", "INT3", "CODE3", "POW4", "INT4", "CODE4", "INT8"]
    assert sorted(sorted(order), key=grade) == order


def test_points_survive_the_study_encoding() -> None:
    toy = problem()
    space = dimensions(toy)
    assert [d.name for d in space] == ["input", "0.weights", "0.activations", "1.weights", "1.activations", "2.weights"]
    point = Point("UINT4", ("INT3", "BIPOLAR", "INT8"), ("UINT2", "BIPOLAR"))
    assert resolve(space, encode(space, point)) == point
    assert Point.from_json(point.to_json()) == point
    assert point.label == "u4 | i3 B i8 | u2 B"
    assert not point.uniform
    assert Point("UINT4", ("POW3", "CODE4"), ("INT2",)).label == "u4 | p3 c4 | i2"


def test_codebooks_are_candidates_with_neighbours_of_their_width() -> None:
    toy = parse({**GOOD, "weights": ["INT4", "CODE4", "POW4", "INT3"], "layers": {1: {"weights": ["CODE2"]}}})
    space = dimensions(toy)
    assert [d.candidates for d in space if d.name.endswith("weights")] == [("INT3", "POW4", "INT4", "CODE4"), ("CODE2",)]
    params = encode(space, Point("UINT4", ("INT4", "CODE2"), ("UINT4",)))
    assert [resolve(space, step).weights[0] for step in neighbours(space, params)] == ["POW4", "CODE4"]


@pytest.mark.parametrize(("weights", "best", "coarse"), [
    (["INT8", "INT4", "POW4", "INT3", "POW3"], "INT8", "INT3"),
    (["POW4", "CODE3", "POW3", "TERNARY", "BIPOLAR"], "POW4", "TERNARY"),
    (["POW4", "INT4", "POW3", "INT3"], "POW4", "POW3"), (["CODE4", "POW4", "POW3"], "CODE4", "POW3"),
    (["CODE4", "CODE3", "CODE2", "INT2"], "CODE4", "CODE2"), (["INT4", "POW4", "CODE4"], "CODE4", None),
])
def test_sensitivity_steps_down_by_width(weights: list[str], best: str, coarse: str | None) -> None:
    toy = parse({**GOOD, "weights": weights, "activations": ["UINT4"]})
    measured = {point: (0.9 if dtype == best else 0.5, 100.0) for dtype, point in uniform_points(toy).items()}
    found = {tag: point.weights for tag, point in seeds(toy, measured)}
    assert found.get("sensitivity:0") == (None if coarse is None else (coarse, best))


def test_uniform_points_pair_weights_with_activations_of_their_width() -> None:
    found = uniform_points(problem())
    assert {dtype: set(point.activations) for dtype, point in found.items()} == {
        "BIPOLAR": {"BIPOLAR"}, "TERNARY": {"UINT2"}, "INT3": {"UINT4"}, "INT4": {"UINT4"}, "INT8": {"UINT8"},
    }
    assert all(point.uniform for point in found.values())


@pytest.mark.parametrize("name", ["search_digits", "search_demo"])
def test_shipped_problems_load(name: str) -> None:
    path = Path(__file__).parents[3] / "benchmarks" / f"{name}.yaml"
    assert load(path).depth == 4
