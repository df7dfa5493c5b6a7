"""Every real report in the shared data: format, source and figures; and what becomes of it when it is cut off."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from hw_flow.errors import FlowError
from hw_flow.report.devices import find
from hw_flow.synth.parsers import ToolReport, parse

pytestmark = pytest.mark.shared_data

# Folder, parts and end of the name | format, source, stage | some of the figures.
EXPECTED = """
01 myproject_csynth.rpt | csynth-rpt vivado_hls-2020.1 hls | luts=2532 ff=7969 dsp=73 bram18=0 latency_cycles=10 interval_cycles=8
01 myproject_csynth.xml | csynth-xml vivado_hls-2020.1 hls | luts=2532 ff=7969 dsp=73 bram18=0 latency_cycles=10 interval_cycles=8
01 vivado_synth.rpt | vivado-utilisation vivado-2020.1 synthesis | luts=1526 srl=48 ff=2428 dsp=66
01 loop_attr.ndjson | oneapi-loops oneapi-unknown hls | fmax_mhz=480
01 quartus.ndjson | quartus-fit quartus-unknown routed | alm=4520.5 ff=16419 dsp=40 fmax_mhz=597.73
01 summary.ndjson | oneapi-summary oneapi-unknown hls | alut=2462 ff=7938 m20k=77 mlab=92
02 compute_layer_0_0_0_s_csynth.rpt | csynth-rpt vivado_hls-2018.2 hls | luts=5129 ff=14711 dsp=288
02 compute_layer_0_0_0_s_csynth.xml | csynth-xml vivado_hls-2018.2 hls | luts=5129 ff=14711 dsp=288
02 conv_1d_0_0_0_0_csynth.xml | csynth-xml vivado_hls-2018.2 hls | dsp=504 interval_cycles=1
02 /csynth.xml | csynth-xml vivado_hls-2018.2 hls | luts=43343 bram18=18 latency_cycles=115
02 /myproject_csynth.rpt | csynth-rpt vivado_hls-2018.2 hls | luts=21809 dsp=792 interval_cycles=1
02 /myproject_csynth.xml | csynth-xml vivado_hls-2018.2 hls | luts=21809 dsp=792 interval_cycles=1
02 galapagos_csynth.rpt | csynth-rpt vivado_hls-2018.2 hls | luts=43343 dsp=792
05 /csynth.rpt | csynth-summary vitis_hls-2022.2 hls | luts=52865 dsp=34 interval_cycles=41035
05 csynth.xml.gz | csynth-xml vitis_hls-2022.2 hls | luts=52865 dsp=34 interval_cycles=41035
05 config2_s_csynth.rpt | csynth-rpt vitis_hls-2022.2 hls | luts=9187 dsp=29 ff=2829
05 util_placed.rpt | vivado-utilisation vivado-2022.2 placed | luts=204475 bram18=1804 dsp=104
05 full_util_routed.rpt | vivado-utilisation vivado-2022.2 routed | luts=204475 ff=238042 srl=4764
05 util_synthed.rpt | vivado-utilisation vivado-2022.2 synthesis | luts=223298 ff=244234
05 kernel_util_routed.rpt | vpp-kernel-utilisation vivado-2022.2 routed | luts=76870 bram18=1400 dsp=100
05 slr_util_routed.rpt | vivado-slr vivado-2022.2 routed | luts=204475 ff=238042 bram18=1804 dsp=104
05 /myproject_csynth.rpt | csynth-rpt vitis_hls-2022.2 hls | luts=42082 latency_cycles=28
05 .xtxt | vpp-system-estimate vpp-2022.2 hls | luts=211460 ff=77536 bram18=704
06 reuse1 myproject_csynth.xml | csynth-xml vivado_hls-2016.4 hls | dsp=163 interval_cycles=1
06 reuse2 myproject_csynth.xml | csynth-xml vivado_hls-2016.4 hls | dsp=100 interval_cycles=2
06 reuse4 myproject_csynth.xml | csynth-xml vivado_hls-2016.4 hls | dsp=48 interval_cycles=7
06 reuse1 myproject_csynth.rpt | csynth-rpt vivado_hls-2016.4 hls | dsp=163 interval_cycles=1
06 reuse2 myproject_csynth.rpt | csynth-rpt vivado_hls-2016.4 hls | dsp=100 interval_cycles=2
06 reuse4 myproject_csynth.rpt | csynth-rpt vivado_hls-2016.4 hls | dsp=48 interval_cycles=7
09 layer_cycles.json | finn-layer-cycles finn-estimate estimate | interval_cycles=4990464
09 layer_resources.json | finn-layer-resources finn-estimate estimate | luts=62302 bram18=175 dsp=0
09 resources_hls.json | finn-layer-resources-hls vitis_hls-unknown hls | luts=59129 dsp=210
09 performance.json | finn-performance finn-estimate estimate | latency_cycles=143000543
09 counts.json | finn-counts finn-estimate estimate | macs=1442136632 weights=696376
09 timing.rpt.gz | vivado-timing vivado-2022.2 routed | wns_ns=1.563 clock_mhz=100 fmax_mhz=118.526
09 synth_resources.json | finn-post-synthesis vivado-unknown routed | luts=145272 bram18=229 dsp=375
09 synth_resources.xml.gz | vivado-hierarchy-xml vivado-unknown routed | luts=145272 bram18=229 dsp=375
11 layer_cycles.json | finn-layer-cycles finn-estimate estimate | interval_cycles=196608
11 layer_resources.json | finn-layer-resources finn-estimate estimate | luts=437858 dsp=416
11 resources_hls.json | finn-layer-resources-hls vitis_hls-unknown hls | luts=15954 uram=49
11 performance.json | finn-performance finn-estimate estimate | interval_cycles=196608
11 counts.json | finn-counts finn-estimate estimate | macs=239075328
12 virtexultrascale__timing.rpt | vivado-timing vivado-2020.2 routed | wns_ns=7.37 fmax_mhz=380.228
12 zynq7000__timing.rpt | vivado-timing vivado-2020.2 routed | wns_ns=3.993 fmax_mhz=166.472
12 utilization_placed.rpt | vivado-hierarchy vivado-2020.2 routed | luts=4 ff=5
12 product__kernel_csynth.rpt | csynth-rpt vivado_hls-2019.1 hls | luts=216 ff=118 latency_cycles=9
12 product__main_utilization_synth.rpt | vivado-utilisation vivado-2019.1 synthesis | luts=97 ff=73
12 2mm__kernel_csynth.rpt | csynth-rpt vivado_hls-2019.1 hls | luts=2267 dsp=12 latency_cycles=24418
12 2mm__main_utilization_synth.rpt | vivado-utilisation vivado-2019.1 synthesis | luts=306 ff=188
13 asap7__gcd__metadata-base-ok.json | openroad openroad-v2.0-15807-g036379d64 routed | area=60.4778 fmax_mhz=2505.918
13 asap7__ibex__metadata-base-ok.json | openroad openroad-v2.0-15807-g036379d64 routed | area=2730.11
13 nangate45__gcd__metadata-base-ok.json | openroad openroad-v2.0-16113-g7b5c8faf7 routed | power_w=0.00326851
13 nangate45__ibex__metadata-base-ok.json | openroad openroad-26Q2-2145-gf14631c6f5 routed | area=29266.7 ff=1938 fmax_mhz=454.997
13 sky130hd__gcd__metadata-base-ok.json | openroad openroad-26Q2-2145-gf14631c6f5 routed | die_area=6404 ff=35 fmax_mhz=397.754
13 sky130hd__ibex__metadata-base-ok.json | openroad openroad-v2.0-15789-gc38fd8ad1 routed | fmax_mhz=86.436
14 throughput_test.json | finn-throughput-test board-unknown board | throughput_fps=927122.9
14 lenet5_brainsmith.json | finn-rtlsim rtlsim-unknown simulation | interval_cycles=128308
14 performance__mnist_mlp_pynqz2.json | finn-rtlsim rtlsim-unknown simulation | interval_cycles=3273 latency_cycles=3274
14 network_performance__mnist_mlp_pynqz2.json | finn-performance finn-estimate estimate | interval_cycles=896
"""
REFUSED = {
    "vivado_hls.app": "is a project file of Vivado HLS", ".xutil": "found binary data",
    "estimate_layer_config_alternatives.json": "is FINN's alternatives for each node",
}


@pytest.fixture(scope="module")
def reports(data_dir: Path) -> Path:
    folder = data_dir / "reports"
    if not (folder / "MANIFEST.json").is_file():
        pytest.skip("BITWRIGHT_DATA holds no reports")
    return folder


@pytest.fixture(scope="module")
def files(reports: Path) -> list[Path]:
    listed = sorted(reports / entry["file"] for entry in json.loads((reports / "MANIFEST.json").read_text()))
    there = {path for path in reports.rglob("*") if path.is_file() and path.parent != reports}
    assert there == set(listed)  # none escapes the tests
    return listed


def test_every_file_gives_its_figures_or_says_why_not(files: list[Path], reports: Path) -> None:
    assert len(files) >= 63
    expected = [[part.split() for part in line.split("|")] for line in EXPECTED.strip().splitlines()]
    seen = set()
    for path in files:
        refusal = next((message for end, message in REFUSED.items() if path.name.endswith(end)), None)
        if refusal is not None:
            with pytest.raises(FlowError, match=refusal):
                parse(path)
            continue
        found = parse(path)
        name = f"/{path.relative_to(reports)}"
        lines = [(len(end), index) for index, ((folder, *parts, end), _, _) in enumerate(expected)
                 if name.startswith(f"/{folder}_") and all(part in name for part in parts) and name.endswith(end)]
        index = max(lines)[1]
        seen.add(index)
        _, marks, figures = expected[index]
        assert [found.format, found.source, found.stage] == marks, name
        for metric, value in (item.split("=") for item in figures):
            assert found.total[metric].value == pytest.approx(float(value)), (name, metric)
        assert found.total
        assert all(figure.source == found.source for row in (found.total, *found.layers.values()) for figure in row.values())
    assert seen == set(range(len(expected)))


def values(report: ToolReport) -> tuple[object, object]:
    return ({name: figure.value for name, figure in report.total.items()},
            {layer: {name: figure.value for name, figure in row.items()} for layer, row in report.layers.items()})


def test_a_real_file_cut_off_is_refused_or_loses_nothing(files: list[Path], tmp_path: Path) -> None:
    for path in files:
        if any(path.name.endswith(end) for end in REFUSED):
            continue
        raw = path.read_bytes()
        text = gzip.decompress(raw) if path.suffix == ".gz" else raw
        whole = values(parse(path))
        for share in (0.02, 0.3, 0.6, 0.9):
            cut = tmp_path / path.with_suffix("").name if path.suffix == ".gz" else tmp_path / path.name
            cut.write_bytes(text[: int(len(text.rstrip()) * share)])
            try:
                found = values(parse(cut))
            except FlowError as error:
                assert str(error).startswith(f"{cut}: ")  # noqa: PT017 - most cuts raise, and some rightly do not
            else:
                assert found == whole, f"{path.name} cut at {share}"


def test_both_writings_of_a_report_agree(reports: Path) -> None:
    hls = reports / "05_vitis_hls_u55c_jsc_mlp"
    table, tree = parse(hls / "csynth.rpt"), parse(hls / "csynth.xml.gz")
    assert {name: figure.value for name, figure in table.total.items()}.items() <= {
        name: figure.value for name, figure in tree.total.items()}.items()
    finn = reports / "09_finn_metafi_medium"
    listed, drawn = parse(finn / "post_synth_resources.json"), parse(finn / "post_synth_resources.xml.gz")
    assert listed.layers.keys() == drawn.layers.keys()
    assert all(row[name].value == drawn.layers[layer][name].value for layer, row in listed.layers.items() for name in row)


def test_what_the_reports_say_a_device_has_is_in_our_table(files: list[Path]) -> None:
    checked = set()
    for path in files:
        try:
            report = parse(path)
            device = find(report.part) if report.part else None
        except FlowError:
            continue
        if device is not None:
            for metric, offered in report.capacity.items():
                if metric in device.capacity:
                    assert device.capacity[metric] == offered, (path.name, metric)
                    checked.add((device.name, metric))
    assert {("zynq-7020", "luts"), ("zynq-7020", "dsp"), ("u55c", "bram18"), ("u55c", "uram")} <= checked
