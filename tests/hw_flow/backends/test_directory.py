"""The build directory survives kills, and knows when it is out of date."""

import json
import re

import pytest

from hw_flow import api
from hw_flow.backends import BuildOptions
from hw_flow.backends.directory import MARKER, STAMP, build_key, current
from hw_flow.errors import FlowError
from tests.hw_flow.tiny import tiny


@pytest.fixture
def model(tmp_path):
    return tiny(tmp_path / "tiny.onnx")


def test_artefacts(model, tmp_path):
    made = api.build(model, tmp_path / "b", target_cycles=12)
    names = {path.name for path in made.directory.iterdir()}
    assert {"config.yaml", "model.onnx", "graph.json", "folding.json", "fifo.json", "rtl", STAMP} <= names
    assert json.loads((made.directory / "folding.json").read_text())["MVAU_0"] == {
        "PE": made.folding["MVAU_0"].pe, "SIMD": made.folding["MVAU_0"].simd, "ram_style": "auto", "resType": "auto"}
    assert made.notes[-1].startswith("MVAU_1: PE ")
    assert api.load(made.directory).design.top == "tiny"
    assert made.depths.keys() == {made.graph.nodes[0].outputs[0]}


def test_nothing_changed(model, tmp_path):
    assert not api.build(model, tmp_path / "b").reused
    assert api.build(model, tmp_path / "b").reused
    assert not api.build(model, tmp_path / "b", target_cycles=24).reused


def test_a_build_without_stamp_is_made_anew(model, tmp_path):
    made = api.build(model, tmp_path / "b")
    (made.directory / STAMP).unlink()
    (made.directory / "graph.json").write_text("{")
    with pytest.raises(FlowError, match=r"no complete build \(build.json is missing\)"):
        api.load(made.directory)
    assert not api.build(model, tmp_path / "b").reused
    api.load(tmp_path / "b").graph.node("MVAU_0")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"key": "KEY"}', b'{"key": 3, "backend": "rtl"}'])
def test_a_damaged_stamp_counts_as_none(model, tmp_path, damage):
    made = api.build(model, tmp_path / "b")
    (made.directory / STAMP).write_bytes(damage.replace(b"KEY", made.key.encode()))
    assert current(made.directory, made.key) is None
    with pytest.raises(FlowError, match=r"b: build.json is damaged; run `bitwright build MODEL.onnx -o .*b`$"):
        api.load(made.directory)
    assert not api.build(model, tmp_path / "b").reused
    assert api.build(model, tmp_path / "b").reused


@pytest.mark.parametrize("name", ["rtl/top.sv", "sim/tb.sv", "report.json", ".hidden", "build.json", "build.log"])
def test_a_directory_with_our_names_is_not_cleared(model, tmp_path, name):
    path = tmp_path / "b" / name
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    first = name.split("/", maxsplit=1)[0]
    text = f"{tmp_path / 'b'}: holds '{first}' and was not made by a build; give an empty or new --output"
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        api.build(model, tmp_path / "b")
    assert path.read_text() == "{}"
    assert {entry.name for entry in (tmp_path / "b").iterdir()} == {first, ".lock"}


def test_a_marked_or_stamped_directory_is_cleared(model, tmp_path):
    made = api.build(model, tmp_path / "b")
    (made.directory / STAMP).unlink()
    assert not api.build(model, tmp_path / "b").reused
    (made.directory / MARKER).unlink()
    (made.directory / "rtl" / "stale.sv").write_text("")
    (made.directory / "notes.txt").write_text("mine")
    assert not api.build(model, tmp_path / "b", target_cycles=24).reused
    assert (made.directory / MARKER).is_file()
    assert not (made.directory / "rtl" / "stale.sv").exists()
    assert (made.directory / "notes.txt").read_text() == "mine"


def test_a_fault_leaves_the_old_build(model, tmp_path):
    api.build(model, tmp_path / "b")
    with pytest.raises(FlowError, match="target of 0 cycles"):
        api.build(model, tmp_path / "b", target_cycles=0)
    assert api.build(model, tmp_path / "b").reused


def test_key(tmp_path):
    folding = tmp_path / "f.json"
    folding.write_text("{}")
    options = BuildOptions(folding=folding)
    first = build_key("rtl", b"model", options)
    assert first == build_key("rtl", b"model", options)
    folding.write_text('{"Defaults": {}}')
    others = [BuildOptions(), BuildOptions(input_type="UINT8"), BuildOptions(target_cycles=3)]
    keys = {first, build_key("rtl", b"model", options), build_key("rtl", b"other", options)}
    keys |= {build_key("rtl", b"model", other) for other in others}
    assert len(keys) == 6


def test_contradicting_options():
    text = "--folding and --target-cycles contradict each other; give one"
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        BuildOptions(folding="f.json", target_cycles=4)
