"""What a user can get wrong: one line, before anything is written."""

import importlib.metadata
import json

import pytest

from hw_flow import api
from hw_flow.backends.finn import environment
from hw_flow.backends.finn.inside.legal import illegal, misfit
from hw_flow.backends.finn.settings import read_settings
from hw_flow.errors import FlowError
from tests.hw_flow.tiny import tiny


@pytest.fixture
def model(tmp_path):
    return tiny(tmp_path / "tiny.onnx")


def test_missing_package(model, tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.importlib.metadata, "version", missing)
    with pytest.raises(FlowError) as fault:
        api.build(model, tmp_path / "b", backend="finn")
    assert str(fault.value) == ("the finn back end needs the package finn-plus, which is not installed; run: "
                                "pip install 'bitwright[finn]' && pip install --no-deps finn-plus==1.6.1")
    assert not (tmp_path / "b").exists()


def test_another_version(model, tmp_path, monkeypatch):
    monkeypatch.setattr(environment.importlib.metadata, "version", lambda name: "1.7.0")
    with pytest.raises(FlowError, match=r"the finn back end is tested with finn-plus 1\.6\.1, not 1\.7\.0; run: pip install"):
        api.build(model, tmp_path / "b", backend="finn")


def test_missing_need(model, tmp_path, monkeypatch):
    monkeypatch.setattr(environment.importlib.metadata, "version", lambda name: environment.TESTED)
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    with pytest.raises(FlowError, match=r"finn-plus 1\.6\.1 needs the package mip, which is not installed; run: pip install"):
        api.build(model, tmp_path / "b", backend="finn")


@pytest.mark.parametrize(("option", "flag"), [("target_latency", "--target-latency"), ("budget_luts", "--budget-luts")])
def test_foldings_of_ours(model, tmp_path, option, flag):
    with pytest.raises(FlowError, match=f"{flag}: FINN does not fold for it; give --target-cycles"):
        api.build(model, tmp_path / "b", backend="finn", **{option: 100})


@pytest.mark.parametrize(("options", "line"), [
    ({"target_cycles": 0}, "target of 0 cycles a frame; give at least 1"),
    ({"fps": -1.0, "clock_mhz": 100.0}, "-1 frames a second at 100 MHz; give positive numbers"),
    ({"clock_mhz": 0.0}, "--clock 0: no clock in MHz; give a positive number"),
    ({"input_type": "UINT99"}, "input type 'UINT99' is unknown; use BIPOLAR, TERNARY, UINT1..UINT16 or INT2..INT16"),
    ({"input_type": "UINT8", "input_scale": "0"}, "--input-scale 0 is not positive; give a fraction such as 1/255 or a decimal"),
])
def test_options(model, tmp_path, options, line):
    with pytest.raises(FlowError) as fault:
        api.build(model, tmp_path / "b", backend="finn", **options)
    assert str(fault.value) == line
    assert not (tmp_path / "b").exists()


def test_not_onnx(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.importlib.metadata, "version", lambda name: environment.TESTED)
    monkeypatch.setattr(environment, "find_spec", lambda name: name)
    path = tmp_path / "m.onnx"
    path.write_text("not onnx")
    with pytest.raises(FlowError, match=r"m\.onnx: not an ONNX file \(.*\); export the network again"):
        api.build(path, tmp_path / "b", backend="finn")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(("text", "message"), [
    ("part: [", "not YAML"), ("- 1", "holds a list"), ("part: ../x", "part: String should match pattern"),
    ("fps: 3", "fps: Extra inputs are not permitted; the finn back end knows part"),
    ("clock_ns: 0", "clock_ns: Input should be greater than 0"),
    ("styles: {MVAU_0: vhdl}", r"styles\.MVAU_0: Input should be 'hls'"),
])
def test_settings(tmp_path, text, message):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(FlowError, match=message):
        read_settings(path)


@pytest.mark.parametrize(("text", "message"), [
    ("{", "not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
    ("[1]", "holds a list"), ('{"MVAU_hls_0": 4}', "MVAU_hls_0: holds a int"),
])
def test_folding_files(model, tmp_path, text, message):
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(FlowError) as fault:
        api.build(model, tmp_path / "b", backend="finn", folding=path)
    assert str(fault.value) == f'{path}: {message}; give FINN\'s folding, such as {{"MVAU_hls_0": {{"PE": 4, "SIMD": 8}}}}'
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(("op_type", "attributes", "line"), [
    ("MVAU_hls", {"PE": 3, "SIMD": 2, "MH": 4, "MW": 6}, "N_0: PE 3 does not divide MH 4; legal values: 1, 2, 4"),
    ("MVAU_rtl", {"PE": 2, "SIMD": 4, "MH": 4, "MW": 6}, "N_0: SIMD 4 does not divide MW 6; legal values: 1, 2, 3, 6"),
    ("VVAU_hls", {"PE": 1, "SIMD": 2, "Channels": 4, "Kernel": [3, 3]},
     "N_0: SIMD 2 does not divide Kernel 9; legal values: 1, 3, 9"),
    ("Thresholding_rtl", {"PE": 0, "NumChannels": 2}, "N_0: PE 0 does not divide NumChannels 2; legal values: 1, 2"),
    ("FMPadding_rtl", {"SIMD": 2, "NumChannels": 4}, None), ("StreamingFIFO_rtl", {"PE": 3}, None),
])
def test_illegal_foldings(op_type, attributes, line):
    assert illegal("N_0", op_type, attributes) == line


NODES = {"MVAU_hls_0": {"PE": ("i", True, 0), "SIMD": ("i", True, 0), "MW": ("i", True, 0),
                        "mem_mode": ("s", False, "internal_decoupled", {"internal_decoupled", "external"})},
         "Pool_hls_0": {"PE": ("i", True, 0)}}


@pytest.mark.parametrize(("entries", "line"), [
    ({"MVAU_hls_1": {"PE": 2}}, "node 'MVAU_hls_1' is not in FINN's graph; its nodes: MVAU_hls_0, Pool_hls_0"),
    ({"MVAU_rtl_0": {"PE": 2}}, "node 'MVAU_rtl_0' is not in FINN's graph; it has MVAU_hls_0: rename the entry, or choose the "
                                "variant by 'styles' in --settings"),
    ({"MVAU_hls_0": {"pe": 2}}, "MVAU_hls_0: 'pe' is no attribute of its folding; it takes PE, SIMD, mem_mode"),
    ({"MVAU_hls_0": {"MW": 2}}, "MVAU_hls_0: 'MW' is no attribute of its folding; it takes PE, SIMD, mem_mode"),
    ({"MVAU_hls_0": {"PE": "2"}}, "MVAU_hls_0: PE is '2'; give int"),
    ({"MVAU_hls_0": {"PE": 2.0}}, "MVAU_hls_0: PE is 2.0; give int"),
    ({"MVAU_hls_0": {"mem_mode": "const"}}, "MVAU_hls_0: mem_mode is 'const'; give one of external, internal_decoupled"),
    ({"Defaults": {"PE": 2}}, 'Defaults: PE is 2; give a value and operators, such as ["auto", ["MVAU_hls"]]'),
    ({"Defaults": {"PE": [2, ["MVAU_hls"]]}, "Thresholding_rtl_0": {"PE": 1}, "StreamingFIFO_rtl_3": {"depth": 4},
      "LabelSelect_hls_0": {"PE": 1}, "MVAU_hls_0": {"PE": 2}}, None),
])
def test_folding_entries(entries, line):
    assert misfit(entries, NODES) == (line and f"folding file: {line}")


def test_published_foldings_are_taken(finn_ref):
    """Every attribute that FINN+'s own files hold passes, at the nodes that they name."""
    kinds = {int: "i", str: "s", list: "ints"}
    files = sorted((finn_ref / "folding").glob("*folding*.json"))
    assert files
    for file in files:
        entries = json.loads(file.read_text())
        nodes = {name: {key: (kinds[type(value)], True, None) for key, value in entry.items()} for name, entry in entries.items()}
        assert misfit(entries, nodes) is None, file.name


def test_settings_defaults(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("classify: true\nstyles: {MVAU_0: rtl}\n")
    assert read_settings(path).styles == {"MVAU_0": "rtl"}
    assert not read_settings(None).classify


def test_rtl_takes_no_settings(model, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("")
    with pytest.raises(FlowError, match="the rtl back end has no settings of its own; leave it out"):
        api.build(model, tmp_path / "b", settings=path)


def test_an_existing_project_is_kept(model, tmp_path, monkeypatch):
    monkeypatch.setattr(environment.importlib.metadata, "version", lambda name: environment.TESTED)
    monkeypatch.setattr(environment, "find_spec", lambda name: name)
    made = api.build(model, tmp_path / "b", target_cycles=24)
    before = sorted(path.name for path in made.directory.iterdir())
    with pytest.raises(FlowError, match=r"holds a rtl build of tiny\.onnx made from other inputs or by another version; give "
                                        "another --output, or --force to replace it"):
        api.build(model, tmp_path / "b", backend="finn")
    assert sorted(path.name for path in made.directory.iterdir()) == before
