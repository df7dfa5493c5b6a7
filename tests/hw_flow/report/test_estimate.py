"""Estimates by back end: they agree with what they are made of, and say what they leave out."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from hw_flow import cost, folding, frontend
from hw_flow.backends import BuildOptions
from hw_flow.backends.finn.environment import check_environment
from hw_flow.cli.entry import run
from hw_flow.errors import FlowError
from hw_flow.report.align import FIFOS_AND_CONVERTERS
from hw_flow.report.estimate import Estimates, by_formula, estimate, subjects
from hw_flow.synth.parsers import parse
from tests.hw_flow.tiny import tiny, tiny_folding


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("estimate") / "net.onnx")


@pytest.fixture(scope="module")
def result(model: Path) -> Estimates:
    return estimate(model, BuildOptions(target_cycles=12))


def finn_is_there() -> bool:
    try:
        check_environment()
    except FlowError:
        return False
    return True


def test_every_back_end_has_an_answer(result: Estimates) -> None:
    assert list(result.backends) == ["rtl", "finn", "hls4ml"]
    finn = "finn-plus-1.6.1" if finn_is_there() else "finn-formula"
    assert {name: (own.status, own.source) for name, own in result.backends.items()} == {
        "rtl": ("ok", "model"), "finn": ("ok", finn), "hls4ml": ("ok", "model")}


@pytest.mark.skipif(not finn_is_there(), reason="FINN+ is not installed")
def test_finn_estimates_its_own_graph_at_the_same_folding(model: Path, result: Estimates) -> None:
    own = result.backends["finn"]
    units = {name: row for name, row in own.layers.items() if name.startswith("MVAU_")}
    ours = result.backends["rtl"].layers
    assert [row["cycles"].value for row in units.values()] == [
        row["cycles"].value for name, row in ours.items() if name.startswith("MVAU_")]
    assert {"luts", "bram18", "dsp", "macs"} <= next(iter(units.values())).keys()
    assert own.total["bram18"].value == sum(row["bram18"].value for row in own.layers.values() if "bram18" in row)
    # Asked again, nothing runs.
    begin = time.monotonic()
    again = estimate(model, BuildOptions(target_cycles=12), ["finn"])
    assert again.backends == {"finn": own}
    assert time.monotonic() - begin < 5


def test_formulas_stand_in_where_finn_cannot_be_asked(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise FlowError("net.onnx: FINN: no")

    monkeypatch.setattr("hw_flow.backends.finn.estimate.estimate", refused)
    own = estimate(model, BuildOptions(target_cycles=12), ["finn"]).backends["finn"]
    assert (own.status, own.source) == ("ok", "finn-formula")
    assert own.notes[0] == "FINN's published formulas for our graph, not a run of FINN+: net.onnx: FINN: no"
    assert set(own.total) == {"interval_cycles", "latency_cycles", "luts", "dsp"}


def test_an_unknown_back_end(model: Path) -> None:
    with pytest.raises(FlowError, match="back end 'spade' is not known; choose of rtl, finn, hls4ml"):
        estimate(model, backends=["spade"])


def test_every_figure_names_its_source(result: Estimates) -> None:
    for own in result.backends.values():
        for row in (own.total, *own.layers.values()):
            assert all(figure.source == own.source for figure in row.values())


def test_our_estimate_is_that_of_the_model(model: Path, result: Estimates) -> None:
    graph = frontend.compile_qonnx(model).graph
    plan = folding.for_cycles(graph, 12)
    own = result.backends["rtl"]
    whole = cost.total(graph, plan)
    assert own.total["luts"].value == round(whole.luts)
    assert own.total["interval_cycles"].value == folding.interval_cycles(graph, plan)
    assert result.folding == {name: {"PE": each.pe, "SIMD": each.simd} for name, each in plan.items()}
    parts = sum(row["luts"].value for row in own.layers.values())
    assert abs(parts - own.total["luts"].value) <= len(own.layers)  # each is rounded


def test_fifos_are_among_the_layers(model: Path, tmp_path: Path) -> None:
    own = estimate(model, BuildOptions(folding=tiny_folding(tmp_path / "folding.json")), ["rtl"]).backends["rtl"]
    assert own.layers[FIFOS_AND_CONVERTERS]["luts"].value > 0


def test_finn_s_formula_has_the_interval_of_its_slowest_node(model: Path) -> None:
    graph = frontend.compile_qonnx(model).graph
    own = by_formula(graph, folding.for_cycles(graph, 12))
    units = {name: row for name, row in own.layers.items() if name.startswith("MVAU_")}
    assert own.total["interval_cycles"].value == max(row["cycles"].value for row in own.layers.values())
    assert own.total["luts"].value == sum(row["luts"].value for row in units.values())
    assert "bram18" not in own.total
    assert own.notes[0] == "FIFOs and width converters are in none of the figures"


def test_hls4ml_s_interval_is_that_of_its_legal_reuse_factors(model: Path, tmp_path: Path) -> None:
    own = estimate(model, BuildOptions(folding=tiny_folding(tmp_path / "folding.json")), ["hls4ml"]).backends["hls4ml"]
    # 8 x 6 in at most 12 cycles: 12 is illegal there, 8 is not.
    assert {name: row["cycles"].value for name, row in own.layers.items()} == {"MVAU_0": 8, "MVAU_1": 12}
    assert own.total["interval_cycles"].value == 12
    assert set(own.total) == {"interval_cycles"}
    assert own.notes[0] == "reuse factors with at least the multipliers of this folding: MVAU_0 8, MVAU_1 12"


def test_what_real_reports_say_of_reuse_factors_and_intervals() -> None:
    data = os.environ.get("BITWRIGHT_DATA")
    if data is None:
        pytest.skip("BITWRIGHT_DATA is not set")
    folder = Path(data) / "reports" / "06_hls4ml_2017_reuse_1_2_4"
    intervals = {factor: parse(next(folder.glob(f"*reuse{factor}__*__myproject_csynth.xml"))).total["interval_cycles"].value
                 for factor in (1, 2, 4)}
    assert intervals == {1: 1, 2: 2, 4: 7}


def test_estimates_can_be_compared(result: Estimates) -> None:
    assert [(subject.name, [report.stage for report in subject.reports]) for subject in subjects(result)] == [
        ("rtl", ["estimate"]), ("finn", ["estimate"]), ("hls4ml", ["estimate"])]


def test_the_verb(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", str(model), "--target-cycles", "12", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["backends"]) == {"rtl", "finn", "hls4ml"}
    assert run(["estimate", str(model), "--target-cycles", "12"]) == 0
    text = capsys.readouterr().out
    assert "finn-plus-1.6.1" in text or "finn-formula" in text
    assert "hls4ml states no LUTs before an HLS compiler has run" in text


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"none\.onnx"):
        estimate(tmp_path / "none.onnx")


@pytest.mark.shared_data
def test_the_formula_lies_near_what_finn_plus_said(models_dir: Path, tmp_path: Path) -> None:
    # FINN+ 1.6's published record of TFC 1W1A, folded as in FINN's examples: 64 cycles, 8,362 LUT.
    path = models_dir / "zoo" / "TFC_1W1A.onnx"
    if not path.is_file():
        pytest.skip("BITWRIGHT_MODELS holds no zoo/TFC_1W1A.onnx")
    folds = {"MVAU_0": (16, 49), "MVAU_1": (8, 8), "MVAU_2": (8, 8), "MVAU_3": (10, 8)}
    file = tmp_path / "folding.json"
    file.write_text(json.dumps({name: {"PE": pe, "SIMD": simd} for name, (pe, simd) in folds.items()}))
    graph = frontend.compile_qonnx(path).graph
    own = by_formula(graph, folding.read(file, graph))
    assert own.total["interval_cycles"].value == 64
    assert own.total["luts"].value == pytest.approx(8362, rel=0.08)
