"""The build directory survives kills, and knows when it is out of date."""

import json
import re

import numpy as np
import onnx
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


@pytest.mark.parametrize("place", ["hw_flow.rtl.emit", "hw_flow.backends.directory.yaml.safe_dump"])
def test_a_fault_late_in_a_build_leaves_the_old_one_and_what_was_measured(model, tmp_path, monkeypatch, place):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "x")

    made = api.build(model, tmp_path / "b")
    record = made.directory / "sim" / "simulation.json"
    record.parent.mkdir()
    record.write_text("{}")
    before = {path: path.read_bytes() for path in made.directory.rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr(place, full)
        with pytest.raises(OSError, match="No space left"):
            api.build(model, tmp_path / "b", target_cycles=24)
    assert {path: path.read_bytes() for path in made.directory.rglob("*") if path.is_file()} == before
    assert api.build(model, tmp_path / "b").reused
    assert not api.build(model, tmp_path / "b", target_cycles=24).reused
    assert not record.exists()


def test_key(tmp_path):
    folding = tmp_path / "f.json"
    folding.write_text("{}")
    options = BuildOptions(folding=folding)
    model = tmp_path / "m.onnx"
    first = build_key("rtl", model, b"model", options)
    assert first == build_key("rtl", model, b"model", options) == build_key("rtl", tmp_path / "x" / "m.onnx", b"model", options)
    folding.write_text('{"Defaults": {}}')
    others = [BuildOptions(), BuildOptions(input_type="UINT8"), BuildOptions(target_cycles=3)]
    keys = {first, build_key("rtl", model, b"model", options), build_key("rtl", model, b"other", options)}
    keys |= {build_key("rtl", model, b"model", other) for other in others}
    assert len(keys) == 6


@pytest.mark.parametrize(("name", "top"), [(None, "a_copy"), ("net-2", "net_2"), ("2net", "m_2net"), ("a copy", "a_copy")])
def test_the_name_is_part_of_the_build(model, tmp_path, name, top):
    copy = tmp_path / "a copy.onnx"
    copy.write_bytes(model.read_bytes())
    assert api.build(model, tmp_path / "b").name == "tiny"
    made = api.build(copy, tmp_path / "b", name=name)
    assert not made.reused
    assert (made.name, made.design.top, made.graph.name) == (top, top, top)
    assert json.loads((made.directory / STAMP).read_text())["name"] == top
    assert api.build(copy, tmp_path / "b", name=top).reused


def test_data_beside_the_model_are_part_of_the_key(tmp_path):
    whole = onnx.load(tiny(tmp_path / "whole.onnx"))
    model, data = tmp_path / "m.onnx", tmp_path / "m.bin"
    onnx.save(whole, model, save_as_external_data=True, location=data.name, size_threshold=0, convert_attribute=True)
    made = api.build(model, tmp_path / "b")
    assert api.build(model, tmp_path / "b").reused
    content = bytearray(data.read_bytes())
    for tensor in onnx.load(model, load_external_data=False).graph.initializer:
        if list(tensor.dims) == [8, 6]:
            offset = next(int(entry.value) for entry in tensor.external_data if entry.key == "offset")
            content[offset:offset + 4 * 48] = np.ones(48, np.float32).tobytes()
    assert bytes(content) != data.read_bytes()
    data.write_bytes(content)
    again = api.build(model, tmp_path / "b")
    assert not again.reused
    assert again.key != made.key
    assert (again.graph.nodes[0].weights == 1).all()


def test_contradicting_options():
    text = "--folding and --target-cycles contradict each other; give one"
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        BuildOptions(folding="f.json", target_cycles=4)
