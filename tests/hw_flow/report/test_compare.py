"""Comparisons: alignment of layers, ratios, shares of a device, sources, and every output."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from hw_flow import api
from hw_flow.cli.entry import run
from hw_flow.errors import FlowError
from hw_flow.report import compare_picture, compare_text
from hw_flow.report.compare import compare
from hw_flow.report.compare_schema import Comparison, Row
from hw_flow.report.schema import Figure, Layer
from hw_flow.report.subjects import of_report, read
from hw_flow.synth.parsers import figures
from tests.hw_flow.report.test_report import make_report
from tests.hw_flow.synth.parsers.samples import SAMPLES
from tests.hw_flow.tiny import tiny


def finn_project(folder: Path, *, scale: int = 1) -> Path:
    """A FINN build's reports; ``scale`` multiplies its LUTs."""
    report = folder / "report"
    report.mkdir(parents=True)
    node = {"BRAM_18K": 1, "BRAM_efficiency": 1, "LUT": 50 * scale, "URAM": 0, "URAM_efficiency": 1, "DSP": 0}
    other = {**node, "LUT": 10 * scale, "BRAM_18K": 0}
    routed = {"LUT": 80 * scale, "SRL": 0, "FF": 90, "BRAM_36K": 1, "BRAM_18K": 0, "URAM": 0, "DSP": 0}
    fifo = {**routed, "LUT": 7, "BRAM_36K": 0}
    partition = "StreamingDataflowPartition_1_"
    files: dict[str, object] = {
        "estimate_layer_cycles.json": {"MVAU_hls_0": 32, "LabelSelect_hls_0": 8},
        "estimate_layer_resources.json": {
            "MVAU_hls_0": node, "LabelSelect_hls_0": other, "total": {"BRAM_18K": 1, "LUT": 60 * scale, "URAM": 0, "DSP": 0}},
        "estimate_network_performance.json": {"critical_path_cycles": 40, "max_cycles": 32, "estimated_throughput_fps": 3e6},
        "post_synth_resources.json": {
            "(top)": {**routed, "LUT": 200 * scale}, f"{partition}MVAU_hls_0": routed, f"{partition}StreamingFIFO_rtl_0": fifo,
            f"{partition}StreamingFIFO_rtl_1_0": fifo},
    }
    for name, content in files.items():
        (report / name).write_text(json.dumps(content))
    (report / "post_route_timing.rpt").write_text(SAMPLES["vivado-timing"].text)
    (folder / "notes.txt").write_text("not a report")
    return folder


def our_build(folder: Path) -> Path:
    """A report of ours: LUTs 100 and 10, FIFO 15, glue 5; interval 16 by Verilator."""
    folder.mkdir(parents=True)
    make_report().save(folder)
    return folder / "report.json"


def row(comparison: Comparison, metric: str, stage: str) -> Row:
    return next(found for found in comparison.totals if (found.metric, found.stage) == (metric, stage))


def test_figures_keep_their_stage_and_source(tmp_path: Path) -> None:
    result = compare([our_build(tmp_path / "ours"), finn_project(tmp_path / "finn")])
    assert [subject.kind for subject in result.subjects] == ["build", "finn"]
    luts = {found.stage: [cell and (cell.value, cell.source) for cell in found.cells]
            for found in result.totals if found.metric == "luts"}
    assert luts == {"estimate": [None, (60, "finn-estimate")], "synthesis": [(130, "yosys-0.70"), None],
                    "routed": [None, (200, "vivado-2023.2")]}
    interval = {found.stage: [cell and (cell.value, cell.source) for cell in found.cells]
                for found in result.totals if found.metric == "interval_cycles"}
    assert interval == {"estimate": [(16, "model"), (32, "finn-estimate")], "simulation": [(16, "verilator-5.048"), None]}


def test_ratios_between_different_sources_are_marked(tmp_path: Path) -> None:
    finn, again = finn_project(tmp_path / "a" / "net"), finn_project(tmp_path / "b" / "net", scale=2)
    result = compare([finn, again, our_build(tmp_path / "ours")])
    assert [subject.name for subject in result.subjects] == ["a/net", "b/net", "report.json"]
    same = row(result, "luts", "routed").cells[1]
    assert same is not None
    assert (same.ratio, same.mixed) == (2.0, False)
    # The baseline was not synthesised by Yosys: its routed figure is the reference.
    other = row(result, "luts", "synthesis").cells[2]
    assert other is not None
    assert (other.ratio, other.mixed) == (130 / 200, True)
    assert row(result, "luts", "routed").cells[0].ratio is None  # type: ignore[union-attr] # a figure, asserted above
    assert result.notes[0] == "ratios marked * are between figures of different sources, stages or device families"


def test_layers_of_different_tools_are_aligned(tmp_path: Path) -> None:
    result = compare([our_build(tmp_path / "ours"), finn_project(tmp_path / "finn")])
    table = next(table for table in result.layers if table.metric == "luts")
    assert [(column.subject, column.stage) for column in table.columns] == [(0, "synthesis"), (1, "estimate"), (1, "routed")]
    values = {line.name: [cell and cell.value for cell in line.cells] for line in table.rows}
    assert values == {"MVAU_0": [100, 50, 80], "LabelSelect_0": [10, 10, None], "FIFOs": [15, None, 14], "glue": [5, None, None]}
    first = table.rows[0].cells[2]
    assert first is not None
    assert (first.ratio, first.mixed) == (0.8, True)
    cycles = next(table for table in result.layers if table.metric == "cycles")
    assert {line.name: [cell and cell.value for cell in line.cells] for line in cycles.rows} == {
        "MVAU_0": [16, 32], "LabelSelect_0": [8, 8]}


def test_alone_a_design_is_set_against_its_own_hardware(tmp_path: Path) -> None:
    table = compare([finn_project(tmp_path / "finn")]).layers[0]
    assert table.baseline == 1
    estimate, routed = table.rows[0].cells
    assert estimate is not None
    assert routed is not None
    assert (estimate.ratio, routed.ratio) == (50 / 80, None)


def test_shares_of_a_device_are_of_its_own_units(tmp_path: Path) -> None:
    paths = [our_build(tmp_path / "ours"), SAMPLES["nextpnr of an ECP5"].write(tmp_path)]
    result = compare(paths, device="xc7z020clg400-1")
    ours, lattice = row(result, "luts", "synthesis").cells[0], row(result, "luts", "routed").cells[1]
    assert ours is not None
    assert lattice is not None
    assert ours.percent == pytest.approx(100 * 130 / 53200)
    assert lattice.percent is None
    assert lattice.mixed
    assert "figures made for other families are not set against zynq-7020" in result.notes
    assert any(note.startswith("zynq-7020 has 53,200 LUT, 106,400 FF") and "DS190" in note for note in result.notes)
    shared = row(compare(paths, device="ecp5-25"), "luts", "routed").cells[1]
    assert shared is not None
    assert shared.percent == pytest.approx(100 * 100 / 24288)


def test_the_baseline_can_be_named(tmp_path: Path) -> None:
    first, second = finn_project(tmp_path / "one"), finn_project(tmp_path / "two", scale=4)
    for wanted in ("two", str(second)):
        result = compare([first, second], baseline=wanted)
        assert result.baseline == 1
        cell = row(result, "luts", "routed").cells[0]
        assert cell is not None
        assert cell.ratio == 0.25
    with pytest.raises(FlowError, match="baseline 'three' is none of those compared: one, two"):
        compare([first, second], baseline="three")


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "a_util.rpt").write_text(SAMPLES["vivado-utilisation"].text)
    (folder / "b_util.rpt").write_text(SAMPLES["vivado-utilisation"].text.replace("| 100  |", "| 150  |"))
    (folder / "c_csynth.rpt").write_text(SAMPLES["csynth-rpt"].text[:2000])
    subject = read(folder)
    assert [report.stage for report in subject.reports] == ["synthesis"]
    assert any(note.startswith(f"{folder / 'c_csynth.rpt'}: expected the report's last sections") for note in subject.notes)
    assert "b_util.rpt left out: luts is 150 there, 100 is taken" in subject.notes


def test_functions_inside_the_top_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "net_csynth.rpt").write_text(SAMPLES["csynth-rpt"].text)
    inner = SAMPLES["csynth-rpt"].text.replace("'net'", "'dense'").replace("|dense ", "|inner ")
    (tmp_path / "dense_csynth.rpt").write_text(inner)
    subject = read(tmp_path, name="prj")
    assert subject.reports[0].design == "net"
    assert subject.notes == ("1 reports of functions inside the top left out (dense_csynth.rpt)",)


def test_a_synthesis_target_of_a_build_can_be_chosen(tmp_path: Path) -> None:
    report = make_report()
    lattice = report.resources["xc7"].model_copy(update={"target": "ecp5"})
    both = report.model_copy(update={"resources": {"xc7": report.resources["xc7"], "ecp5": lattice}})
    subject = of_report(both, tmp_path, "net")
    assert subject.notes == ("synthesised for ecp5 too; --target takes one of them instead of xc7",)
    synthesis = of_report(both, tmp_path, "net", "ecp5").at("synthesis")
    assert synthesis is not None
    assert synthesis.part == "ecp5"
    message = r"not synthesised for 'ice40', only for xc7, ecp5; run `bitwright synth .* --target ice40`"
    with pytest.raises(FlowError, match=message):
        of_report(both, tmp_path, "net", "ice40")


def test_a_build_of_ours_is_read_as_it_stands(tmp_path: Path) -> None:
    api.build(tiny(tmp_path / "net.onnx"), tmp_path / "build", target_cycles=12)
    subject = read(tmp_path / "build")
    assert (subject.kind, [(own.stage, own.source) for own in subject.reports]) == ("build", [("estimate", "model")])
    own = subject.reports[0]
    assert {"interval_cycles", "latency_cycles", "luts", "bram18", "dsp"} == set(own.total)
    assert {"cycles", "luts", "macs"} <= set(own.layers["MVAU_0"])


def test_a_build_with_finn_has_finn_s_own_estimate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "build"
    finn_project(folder / "finn")
    (folder / "finn" / "report" / "post_synth_resources.json").unlink()
    (folder / "finn" / "report" / "post_route_timing.rpt").unlink()
    (folder / "build.json").write_text("{}")
    monkeypatch.setattr("hw_flow.backends.stamp_of", lambda path: {"backend": "finn"})
    monkeypatch.setattr("hw_flow.backends.get", lambda name: SimpleNamespace(report=lambda build: make_report()))
    subject = read(folder)
    assert [(own.stage, own.source) for own in subject.reports] == [
        ("estimate", "finn-estimate"), ("synthesis", "yosys-0.70"), ("simulation", "verilator-5.048")]


def test_cycles_of_an_hls_compiler_are_no_simulation() -> None:
    cycles = figures({"interval_cycles": 7}, "vitis_hls-2023.1")
    report = make_report(performance=cycles, resources={}, verification=None)
    assert [(own.stage, own.source) for own in of_report(report, Path("x"), "x").reports] == [
        ("estimate", "model"), ("hls", "vitis_hls-2023.1")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "none", "none: does not exist; give a build, a folder of reports or a report file"),
        (lambda path: path, "no report of a known format in it; the table in docs/reports.md names the files"),
    ],
)
def test_nothing_to_compare(make, message: str, tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=message):
        compare([make(tmp_path)])


def test_unknown_metric_and_no_path() -> None:
    with pytest.raises(FlowError, match="compare takes 1 to 16 builds, folders or report files, not 0"):
        compare([])
    with pytest.raises(FlowError, match="metric 'cost' is not known; choose of interval_cycles, "):
        compare(["a"], layers=["cost"])


def test_every_output(tmp_path: Path) -> None:
    result = compare([our_build(tmp_path / "ours"), finn_project(tmp_path / "finn")], device="zu7ev")
    console = Console(file=io.StringIO(), width=40, color_system=None)
    compare_text.show(result, console)
    text = console.file.getvalue()  # type: ignore[attr-defined] # the file is a StringIO
    letter = re.search(r"\[(\w)\] yosys-0\.70 for xc7", text)
    assert letter is not None
    assert f"130 [{letter[1]}]" in text
    assert "x1.54*" in text  # 200 routed against 130 of Yosys, whole even on a narrow terminal
    assert "| LUT | routed | - |  | 200 [" in compare_text.markdown(result)
    lines = list(csv.DictReader(io.StringIO(compare_text.table_csv(result))))
    routed = next(line for line in lines if (line["metric"], line["stage"], line["layer"]) == ("luts", "routed", ""))
    assert (routed["subject"], routed["value"], routed["source"], routed["mixed"]) == ("finn", "200", "vivado-2023.2", "1")
    assert Comparison.model_validate_json(compare_text.written(result, ".json")) == result
    picture = compare_picture.draw(result, tmp_path / "p.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000


def test_a_csv_holds_no_formula(tmp_path: Path) -> None:
    folder = finn_project(tmp_path / "=cmd()")
    assert next(csv.DictReader(io.StringIO(compare_text.table_csv(compare([folder])))))["subject"] == "'=cmd()"


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, finn = our_build(tmp_path / "ours"), finn_project(tmp_path / "finn")
    written = [tmp_path / f"c{ending}" for ending in (".md", ".csv", ".json", ".png")]
    outputs = [item for path in written for item in ("-o", str(path))]
    assert run(["compare", str(ours), str(finn), "--device", "zynq-7020", *outputs]) == 0
    assert "vivado-2023.2" in capsys.readouterr().out
    assert all(path.stat().st_size > 100 for path in written)
    assert run(["compare", str(ours), str(finn), "--json", "--layers", ""]) == 0
    assert json.loads(capsys.readouterr().out)["layers"] == []
    assert run(["compare", str(ours), "-o", str(tmp_path / "c.pdf")]) == 2
    assert capsys.readouterr().err == f"bitwright: {tmp_path / 'c.pdf'}: no format of that ending; give .md, .csv, .json, .png\n"


@pytest.mark.shared_data
def test_real_reports_of_all_tools_together(data_dir: Path) -> None:
    reports = data_dir / "reports"
    if not reports.is_dir():
        pytest.skip("BITWRIGHT_DATA holds no reports")
    folders = sorted(path for path in reports.iterdir() if path.is_dir())
    result = compare(folders, device="u55c")
    assert len(result.subjects) == len(folders)
    finn = next(index for index, path in enumerate(folders) if path.name.startswith("09_"))
    luts = {found.stage: found.cells[finn] for found in result.totals if found.metric == "luts"}
    assert {stage: cell.value for stage, cell in luts.items() if cell is not None} == {
        "estimate": 62302, "hls": 59129, "routed": 145272}
    alone = compare([folders[finn]])
    table = next(table for table in alone.layers if table.metric == "luts")
    fifos = next(line for line in table.rows if line.name == "FIFOs").cells[-1]
    assert fifos is not None
    assert fifos.value == 45067  # a third of the design, which FINN's estimates leave out


def test_a_build_of_hls4ml_has_the_cycles_of_its_reuse_factors() -> None:
    def count(value: int) -> Figure:
        return Figure(value=value, unit="1", source="model")

    def layer(name: str, macs: int, multipliers: int) -> Layer:
        figures = {"macs": count(macs), "multipliers": count(multipliers)}
        return Layer(name=name, kind="Dense", sources=[], folding={}, figures=figures)

    report = make_report(backend="hls4ml", performance={}, resources={}, verification=None,
                         layers=[layer("fc1", 64, 16), layer("fc2", 32, 32)])
    subject = of_report(report, Path("x"), "x")
    own = subject.reports[0]
    assert own.total["interval_cycles"] == Figure(value=4, unit="cycles", source="model")
    assert [row["cycles"].value for row in own.layers.values()] == [4, 1]
    assert subject.notes == ("no HLS compiler has run: cycles are the least that the reuse factors allow, LUTs are not known",)
