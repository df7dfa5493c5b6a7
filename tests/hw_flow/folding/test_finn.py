"""FINN's folding files."""

import json
import re

import pytest

from hw_flow import folding
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from tests.hw_flow.graphs import mlp

# The folding that FINN's examples ship for TFC w1a1.
TFC = {
    "Defaults": {}, "Reshape_rtl_0": {"PE": 28}, "Thresholding_rtl_0": {"PE": 28},
    "MVAU_hls_0": {"PE": 16, "SIMD": 49, "ram_style": "block", "resType": "lut"},
    "MVAU_hls_1": {"PE": 8, "SIMD": 8, "ram_style": "auto", "resType": "lut"},
    "MVAU_hls_2": {"PE": 8, "SIMD": 8, "ram_style": "auto", "resType": "lut"},
    "MVAU_hls_3": {"PE": 10, "SIMD": 8, "ram_style": "distributed", "resType": "lut"}, "LabelSelect_hls_0": {"PE": 1},
}


def save(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_finn_file_is_taken_as_it_is(tmp_path):
    graph = mlp([784, 64, 64, 64, 10], inputs="UINT8")
    plan = folding.read(save(tmp_path / "tfc.json", TFC), graph)
    assert plan["MVAU_0"] == NodeFolding(16, 49, "block", "lut")
    assert plan["MVAU_3"] == NodeFolding(10, 8, "distributed", "lut")
    assert plan["Thresholding_0"] == NodeFolding(28)
    assert plan.notes == ("Reshape_rtl_0: ignored, graph 'mlp' has no such node",)
    assert folding.interval_cycles(graph, plan) == 64


def test_nodes_done_on_the_host_are_noted(tmp_path):
    plan = folding.read(save(tmp_path / "tfc.json", TFC), mlp([784, 64, 64, 64, 10], label=False))
    assert plan.notes == (
        "Reshape_rtl_0: ignored, graph 'mlp' has no such node", "Thresholding_rtl_0: ignored, graph 'mlp' has no such node",
        "LabelSelect_hls_0: ignored, graph 'mlp' has no such node")


def test_round_trip(tmp_path):
    graph = mlp([48, 64, 10])
    plan = {**folding.for_cycles(graph, 32), "MVAU_0": NodeFolding(8, 12, "block", "dsp")}
    folding.write(tmp_path / "f.json", plan)
    assert dict(folding.read(tmp_path / "f.json", graph)) == plan


@pytest.mark.parametrize(("name", "ours"), [
    ("MVAU_hls_0", "MVAU_0"), ("MVAU_rtl_12", "MVAU_12"), ("MVAU_3", "MVAU_3"), ("MatrixVectorActivation_0", "MVAU_0"),
    ("StreamingFCLayer_Batch_1", "MVAU_1"), ("Thresholding_rtl_0", "Thresholding_0"), ("LabelSelect_hls_0", "LabelSelect_0"),
    ("Defaults", "Defaults"),
])
def test_names(name, ours):
    assert folding.our_name(name) == ours


def test_defaults_and_ignored_keys(tmp_path):
    entries = {
        "Defaults": {"PE": [4, ["MVAU_hls"]], "SIMD": [8, ["MVAU"]], "inFIFODepths": [[2], ["all"]]},
        "MVAU_0": {"PE": 2, "outFIFODepths": [8]},
    }
    plan = folding.read(save(tmp_path / "f.json", entries), mlp([16, 8, 4], label=False))
    assert dict(plan) == {"MVAU_0": NodeFolding(2, 8), "MVAU_1": NodeFolding(4, 8)}
    assert plan.notes[0] == "MVAU_0: ignored inFIFODepths, outFIFODepths, which this flow decides itself"


def test_a_node_left_out_is_folded_and_said(tmp_path):
    plan = folding.read(save(tmp_path / "f.json", {"MVAU_0": {"PE": 4, "SIMD": 8}}), mlp([64, 32, 10]))
    assert plan.notes == (
        "MVAU_1: no folding given, PE 5 SIMD 1 chosen to keep 64 cycles a frame",
        "LabelSelect_0: no folding given, PE 1 chosen to keep 64 cycles a frame")


@pytest.mark.parametrize(("content", "text"), [
    ("{", "not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); give a FINN folding JSON"),
    ([1], 'holds a list, not an object; give {"MVAU_0": {"PE": 4, "SIMD": 8}}'),
    ({}, "no entry for any node of graph 'mlp'; its nodes: MVAU_0, LabelSelect_0"),
    ({"MVAU_4": {"PE": 1, "SIMD": 1}}, "node 'MVAU_4' is not in graph 'mlp'; its nodes: MVAU_0, LabelSelect_0"),
    ({"MVAU_0": 4}, "node 'MVAU_0' is 4; give an object such as {\"PE\": 4, \"SIMD\": 8}"),
    ({"MVAU_0": {"PE": 4}}, "node 'MVAU_0' lacks SIMD; a MVAU takes PE and SIMD"),
    ({"MVAU_0": {"PE": "4", "SIMD": 8}}, "node 'MVAU_0' has PE '4'; give a whole number"),
    ({"MVAU_0": {"PE": 4, "SIMD": 8, "resType": "gpu"}}, "node 'MVAU_0' has resType 'gpu'; legal values: auto, lut, dsp"),
    ({"MVAU_0": {"PE": 4, "SIMD": 8}, "MVAU_hls_0": {"PE": 4, "SIMD": 8}},
     "node 'MVAU_0' is given twice (again as 'MVAU_hls_0'); keep one entry"),
])
def test_errors_are_one_line(tmp_path, content, text):
    path = save(tmp_path / "f.json", content)
    with pytest.raises(FlowError, match=f"^{re.escape(f'{path}: {text}')}$"):
        folding.read(path, mlp([16, 12]))


def test_illegal_value_in_a_file_lists_the_legal_ones(tmp_path):
    path = save(tmp_path / "f.json", {"MVAU_0": {"PE": 5, "SIMD": 8}})
    with pytest.raises(FlowError, match=r"^MVAU_0: PE 5 does not divide MH 12; legal values: 1, 2, 3, 4, 6, 12$"):
        folding.read(path, mlp([16, 12]))


def test_missing_file():
    with pytest.raises(FlowError, match=r"^gone.json: cannot read the folding file \(No such file or directory\); give a FINN"):
        folding.read("gone.json", mlp([16, 12]))


@pytest.mark.parametrize("value", [[1, 3], [1, [3]], [1, {"all": 1}], [1, None]])
def test_defaults_for_no_kind(tmp_path, value):
    path = save(tmp_path / "f.json", {"Defaults": {"PE": value}})
    text = f'{path}: "Defaults" has PE {value!r}; give [value, ["all"]] or [value, ["MVAU"]]'
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        folding.read(path, mlp([8, 4]))
