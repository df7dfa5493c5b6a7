"""The report: schema, FINN's files, tables, picture."""

import io
import json

import pytest
from pydantic import ValidationError
from rich.console import Console

from hw_flow import api, folding
from hw_flow.errors import FlowError
from hw_flow.report import Figure, Report, Resources, Verification, finn, picture
from hw_flow.report.assemble import streams
from hw_flow.report.schema import Layer, Stream, TensorInfo
from hw_flow.report.terminal import number, resources_table, show
from tests.hw_flow.rtl.networks import residual
from tests.hw_flow.tiny import tiny


def yosys(**values):
    return {name: Figure(value=value, unit="LUT", source="yosys-0.70") for name, value in values.items()}


def model(value, unit="cycles"):
    return Figure(value=value, unit=unit, source="model")


def stream(depth):
    return Stream(name="t0", producer="MVAU_0", reader="LabelSelect_0", lanes=2, width=10,
                  figures={"depth": model(depth, "beats")})


def make_report(**changes):
    folding = {"PE": 2, "SIMD": 4, "MW": 16, "MH": 8, "ram_style": "auto", "resType": "auto", "weights": "INT2",
               "activations": "UINT2", "accumulator": "INT7"}
    layers = [
        Layer(name="MVAU_0", kind="MVAU", sources=["MatMul_0"], folding=folding, figures={
            "cycles": model(16), "macs": model(128, "1"), "weight_bits": model(256, "bits"), "thresholds": model(24, "1")}),
        Layer(name="LabelSelect_0", kind="LabelSelect", sources=[], folding={"PE": 1}, figures={"cycles": model(8)}),
    ]
    resources = Resources(
        target="xc7", total=yosys(luts=130, ff=90, bram18=1, dsp=0),
        layers={"MVAU_0": yosys(luts=100, ff=60, bram18=1, dsp=0), "LabelSelect_0": yosys(luts=10, ff=10, bram18=0, dsp=0),
                "fifo_t0": yosys(luts=15, ff=15, bram18=0, dsp=0), "glue": yosys(luts=5, ff=5, bram18=0, dsp=0)},
        kinds={"MVAU_0": "mvau", "LabelSelect_0": "label_select", "fifo_t0": "fifo", "glue": "glue"})
    measured = {name: Figure(value=value, unit="cycles", source="verilator-5.048")
                for name, value in {"interval_cycles": 16, "latency_cycles": 40, "cycles": 200}.items()}
    values = {
        "name": "net", "backend": "rtl", "created": "2026-11-22T00:00:00Z", "tools": {}, "model_file": "net.onnx",
        "model_sha256": "0" * 64,
        "inputs": [TensorInfo(name="x", shape=[16], dtype="UINT2")], "outputs": [TensorInfo(name="y", shape=[1], dtype="UINT3")],
        "host_ops": [], "notes": [], "layers": layers,
        "streams": [stream(4)],
        "performance": {"interval_cycles_estimate": model(16), "latency_cycles_estimate": model(30), **measured},
        "resources": {"xc7": resources},
        "verification": Verification(bit_exact=True, samples=10, mismatches=0, ties=1, first_mismatch=None),
        "seconds": {"build": 1.5, "simulate": 2.0},
    }
    return Report(**{**values, **changes})


def test_round_trip(tmp_path):
    report = make_report()
    report.save(tmp_path)
    assert Report.load(tmp_path) == report
    assert json.loads((tmp_path / "report.json").read_text())["schema_version"] == "1.0"


def test_every_figure_needs_a_source_and_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="source"):
        Figure(value=1, unit="cycles")
    with pytest.raises(ValidationError, match="extra"):
        Figure(value=1, unit="cycles", source="model", colour="red")


def test_another_version_is_refused(tmp_path):
    make_report().save(tmp_path)
    path = tmp_path / "report.json"
    path.write_text(path.read_text().replace('"schema_version": "1.0"', '"schema_version": "0.9"'))
    with pytest.raises(FlowError, match=r"^.*report.json: not a report of version 1.0 \(schema_version: .*; build again$"):
        Report.load(tmp_path)


def test_missing_report(tmp_path):
    with pytest.raises(FlowError, match=r"report.json: cannot read \(No such file or directory\); run `bitwright build` first$"):
        Report.load(tmp_path)


def test_finn_files(tmp_path):
    finn.write(make_report(), tmp_path, {"Defaults": {}, "MVAU_0": {"PE": 2, "SIMD": 4}})
    files = {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    assert files["estimate_layer_cycles.json"] == {"MVAU_0": 16, "LabelSelect_0": 8}
    assert files["estimate_network_performance.json"] == {
        "critical_path_cycles": 24, "max_cycles": 16, "max_cycles_node_name": "MVAU_0", "estimated_throughput_fps": 6250000.0,
        "estimated_latency_ns": 240.0}
    assert files["op_and_param_counts.json"]["MVAU_0"] == {"op_mac_2bx2b": 128, "param_weight_2b": 128, "param_threshold_7b": 24}
    assert files["op_and_param_counts.json"]["total"]["op_mac_2bx2b"] == 128
    assert files["post_synth_resources.json"]["(top)"] == {
        "LUT": 130, "SRL": 0, "FF": 90, "BRAM_36K": 0, "BRAM_18K": 1, "URAM": 0, "DSP": 0}
    assert files["rtlsim_performance.json"]["latency_cycles"] == 40
    assert files["rtlsim_performance.json"]["stable_throughput[images/s]"] == 6250000.0
    assert files["time_per_step.json"] == {"build": 1.5, "simulate": 2.0, "total_build_time": 3.5}
    assert files["sources.json"]["post_synth_resources.json"] == "yosys-0.70 on xc7"
    assert files["sources.json"]["rtlsim_performance.json"] == "verilator-5.048"
    assert set(files) == set(files["sources.json"]) | {"sources.json"}


def test_finn_fifos_and_final_configuration(tmp_path):
    folding = {"Defaults": {}, "MVAU_0": {"PE": 2, "SIMD": 4, "resType": "lut"}, "LabelSelect_0": {"PE": 1}}
    finn.write(make_report(), tmp_path, folding)
    assert json.loads((tmp_path / "fifo_sizing.json").read_text()) == {
        "fifo_depths": {"t0": 4}, "fifo_sizes": {"t0": 40}, "fifo_sizes_effective": {"t0": 40}, "impl_style": {"t0": "rtl"},
        "ram_style": {"t0": "distributed"}, "total_fifo_size_kiB": 40 / 8192, "total_fifo_size_effective_kiB": 40 / 8192}
    assert json.loads((tmp_path / "final_hw_config.json").read_text()) == {
        "Defaults": {}, "MVAU_0": {"PE": 2, "SIMD": 4, "resType": "lut", "inFIFODepths": [0], "outFIFODepths": [4]},
        "LabelSelect_0": {"PE": 1, "inFIFODepths": [4], "outFIFODepths": [0]}}
    finn.write(make_report(streams=[stream(1)]), tmp_path, {})
    sizing = json.loads((tmp_path / "fifo_sizing.json").read_text())
    assert (sizing["fifo_sizes"], sizing["fifo_sizes_effective"]) == ({"t0": 10}, {"t0": 20})


def test_streams_of_branches_know_their_ends(tmp_path):
    graph, plan = residual()
    depths = {"t0@MVAU_0": 5, "t0@Add_0": 70, "t1": 9, "t5@MVAU_3": 4}
    found = streams(graph, plan, depths, {"t0@Add_0": {"peak": model(66, "beats")}})
    assert [(s.name, s.producer, s.reader, s.lanes) for s in found] == [
        ("t0@MVAU_0", "Thresholding_0", "MVAU_0", 4), ("t0@Add_0", "Thresholding_0", "Add_0", 4), ("t1", "MVAU_0", "MVAU_1", 4)]
    assert found[1].figures["peak"].value == 66
    finn.write(make_report(streams=found), tmp_path, {"MVAU_0": {"PE": 4}, "Add_0": {"PE": 2}, "LabelSelect_0": {"PE": 1}})
    ends = json.loads((tmp_path / "final_hw_config.json").read_text())
    assert ends["MVAU_0"] == {"PE": 4, "inFIFODepths": [5], "outFIFODepths": [9]}
    assert ends["LabelSelect_0"]["inFIFODepths"] == [0]


def test_the_final_configuration_folds_the_same_again(tmp_path):
    made = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "b", target_cycles=12)
    api.report(made)
    again = folding.read(made.directory / "report" / "final_hw_config.json", made.graph)
    assert dict(again) == dict(made.folding)


def test_lattice_memories_are_no_bram18(tmp_path):
    cost = yosys(luts=50, ff=40, ebr=3, dsp=0)
    ice40 = Resources(target="ice40", total=cost, layers={"MVAU_0": cost}, kinds={"MVAU_0": "mvau"})
    finn.write(make_report(resources={"ice40": ice40}), tmp_path, {})
    top = json.loads((tmp_path / "post_synth_resources.json").read_text())["(top)"]
    assert (top["BRAM_18K"], top["EBR"]) == (0, 3)
    assert json.loads((tmp_path / "estimate_layer_resources.json").read_text())["total"]["BRAM_18K"] == 0


def test_finn_files_without_measurements(tmp_path):
    estimates = {name: model(16) for name in ("interval_cycles_estimate", "latency_cycles_estimate")}
    finn.write(make_report(), tmp_path, {})
    finn.write(make_report(resources={}, verification=None, performance=estimates), tmp_path, {})
    names = {path.name for path in tmp_path.iterdir()}
    assert "rtlsim_performance.json" not in names
    assert "post_synth_resources.json" not in names


def test_tables_name_their_sources():
    console = Console(width=120, record=True, file=io.StringIO())
    show(make_report(), console)
    console.print(resources_table(make_report().resources["xc7"]))
    text = console.export_text()
    for expected in ("MVAU_0", "2 x 2", "cycles: model; xc7: yosys-0.70", "total", "130", "FIFOs",
                     "bit-exact over 10 samples, 1 ties", "interval cycles: 16 cycles  verilator-5.048"):
        assert expected in text, expected


def test_numbers():
    assert number(model(1234)) == "1,234 cycles"
    assert number(Figure(value=97.125, unit="%", source="x")) == "97.125 %"
    assert number(model(5, "1")) == "5"


@pytest.mark.parametrize("changes", [{}, {"resources": {}}])
def test_picture(tmp_path, changes):
    path = picture.draw(make_report(**changes), tmp_path / "r.png")
    assert path.read_bytes().startswith(b"\x89PNG")
