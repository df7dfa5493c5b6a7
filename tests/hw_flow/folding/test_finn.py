"""FINN's folding files."""

import json
import re

import pytest

from hw_flow import folding
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import GlobalPool, Graph, Tensor
from tests.hw_flow.graphs import mlp
from tests.hw_flow.maps import cnv, convolutions

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
    ("Defaults", "Defaults"), ("ConvolutionInputGenerator_rtl_3", "SlidingWindow_3"), ("VVAU_hls_1", "VVAU_1"),
    ("ConvolutionInputGenerator1D_2", "SlidingWindow_2"), ("Pool_hls_0", "Pool_0"), ("StreamingMaxPool_hls_4", "Pool_4"),
    ("AddStreams_Batch_0", "Add_0"), ("ElementwiseAdd_hls_8", "Add_8"), ("ElementwiseMul_hls_0", "Multiply_0"),
    ("StreamingConcat_hls_0", "Concat_0"), ("StreamingSplit_1", "Slice_1"), ("GlobalAccPool_hls_0", "GlobalPool_0"),
    ("SlidingWindow_3", "SlidingWindow_3"), ("DuplicateStreams_hls_0", "DuplicateStreams_0"),
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
        "MVAU_1: no folding given, PE 1 SIMD 8 chosen to keep 64 cycles a frame",
        "LabelSelect_0: no folding given, PE 1 chosen to keep 64 cycles a frame")


def test_a_node_left_out_that_cannot_keep_the_interval_takes_its_least(tmp_path):
    graph = convolutions(6, (2, 4), label=4)
    plan = folding.read(save(tmp_path / "f.json", {"MVAU_1": {"PE": 4, "SIMD": 144}, "IODMA_hls_0": 5}), graph)
    folding.check(graph, plan)
    assert plan["MVAU_1"] == NodeFolding(4, 144)
    assert folding.interval_cycles(graph, plan) == folding.interval_cycles(graph, folding.unfolded(graph)) == 36


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


def test_pipelines_of_constant_logic(tmp_path):
    graph = mlp([16, 12, 4], label=False)
    path = save(tmp_path / "f.json", {"MVAU_0": {"PE": 12, "SIMD": 16, "pipeline_levels": 3},
                                      "MVAU_1": {"PE": 4, "SIMD": 12, "style": "constant", "pipeline_stages": 1}})
    plan = folding.read(path, graph)
    assert dict(plan) == {"MVAU_0": NodeFolding(12, 16, pipeline_levels=3),
                          "MVAU_1": NodeFolding(4, 12, style="constant", pipeline_stages=1)}
    folding.write(tmp_path / "g.json", plan)
    assert dict(folding.read(tmp_path / "g.json", graph)) == {
        "MVAU_0": NodeFolding(12, 16, pipeline_levels=3, res_type="auto"), "MVAU_1": plan["MVAU_1"]}


@pytest.mark.parametrize(("values", "text"), [
    ({"PE": 6, "SIMD": 16, "pipeline_levels": 2},
     "pipeline_levels 2 on a MVAU that is no constant logic; only an MVAU with PE = MH and SIMD = MW and a "
     "Thresholding with PE = channels become that"),
    ({"PE": 12, "SIMD": 16, "style": "memory", "pipeline_levels": 2},
     "pipeline_levels 2 with style 'memory', which is no constant logic; leave one out"),
    ({"PE": 12, "SIMD": 16, "pipeline_stages": -1}, "pipeline_stages -1; give at least 1, or 0 for the default"),
    ({"PE": 12, "SIMD": 16, "pipeline_levels": 2, "pipeline_stages": 1},
     "pipeline_levels and pipeline_stages contradict each other; give one"),
])
def test_pipelines_that_are_none(tmp_path, values, text):
    with pytest.raises(FlowError, match=f"^MVAU_0: {re.escape(text)}$"):
        folding.read(save(tmp_path / "f.json", {"MVAU_0": values}), mlp([16, 12]))


def test_missing_file():
    with pytest.raises(FlowError, match=r"^gone.json: cannot read the folding file \(No such file or directory\); give a FINN"):
        folding.read("gone.json", mlp([16, 12]))


@pytest.mark.parametrize("value", [[1, 3], [1, [3]], [1, {"all": 1}], [1, None]])
def test_defaults_for_no_kind(tmp_path, value):
    path = save(tmp_path / "f.json", {"Defaults": {"PE": value}})
    text = f'{path}: "Defaults" has PE {value!r}; give [value, ["all"]] or [value, ["MVAU"]]'
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        folding.read(path, mlp([8, 4]))


# What FINN's examples ship for CNV w1a1, in FINN's order: (SIMD, PE) of the windows and their consumers, then dense layers.
WINDOWS = [(3, 16, 3), (32, 32, 32), (2, 2, None), (32, 16, 32), (32, 16, 32), (1, 1, None), (32, 4, 32), (32, 1, 32)]
DENSE = [(1, 4), (1, 8), (5, 1)]


def cnv_file():
    entries = {"Defaults": {}, "Thresholding_rtl_0": {"PE": 1}}
    matrices = pools = 0
    for index, (simd, pe, width) in enumerate(WINDOWS):
        entries[f"ConvolutionInputGenerator_rtl_{index}"] = {"SIMD": simd, "parallel_window": 0, "ram_style": "distributed"}
        if width is None:
            entries[f"Pool_hls_{pools}"] = {"PE": pe}
            pools += 1
        else:
            entries[f"MVAU_hls_{matrices}"] = {"PE": pe, "SIMD": width, "ram_style": "auto", "resType": "lut"}
            matrices += 1
    for pe, simd in DENSE:
        entries[f"MVAU_hls_{matrices}"] = {"PE": pe, "SIMD": simd, "ram_style": "auto", "resType": "lut"}
        matrices += 1
    return {**entries, "LabelSelect_hls_0": {"PE": 1}}


def test_finn_file_of_a_convolutional_network(tmp_path):
    graph = cnv()
    plan = folding.read(save(tmp_path / "cnv.json", cnv_file()), graph)
    assert plan.notes == ()
    assert plan["Pool_1"] == NodeFolding(1)
    assert plan["MVAU_8"] == NodeFolding(5, 1, res_type="lut")
    # The bottleneck is the dense layer of 512 x 512 with 8 products a cycle.
    assert folding.interval_cycles(graph, plan) == 512 * 512 // 8
    folding.write(tmp_path / "ours.json", plan)
    assert dict(folding.read(tmp_path / "ours.json", graph)) == dict(plan)


def test_a_pool_behind_a_parallel_window_takes_all_taps(tmp_path):
    graph = convolutions(4, (2, 4), pool=True)
    entries = {"ConvolutionInputGenerator_rtl_0": {"SIMD": 2, "parallel_window": 1}, "MVAU_rtl_0": {"PE": 4, "SIMD": 18},
               "ConvolutionInputGenerator_rtl_1": {"SIMD": 4, "parallel_window": 1}, "Pool_hls_0": {"PE": 4},
               "FMPadding_rtl_0": {"SIMD": 2}}
    plan = folding.read(save(tmp_path / "f.json", entries), graph)
    assert plan["Pool_0"] == NodeFolding(4, 4)
    assert plan.notes == ("FMPadding_rtl_0: ignored, graph 'map' has no such node",)


def test_activations_that_finn_keeps_apart_are_not_matched_by_number(tmp_path):
    graph = mlp([784, 64, 10], inputs="UINT8")
    entries = {**TFC, "Thresholding_rtl_1": {"PE": 16}}
    for name in ("MVAU_hls_2", "MVAU_hls_3"):
        del entries[name]
    plan = folding.read(save(tmp_path / "f.json", {**entries, "MVAU_hls_1": {"PE": 10, "SIMD": 8}}), graph)
    assert "Thresholding_rtl_0: ignored, the file has more nodes of this kind than graph 'mlp'" in plan.notes


def test_a_window_around_a_global_pool_is_noted(tmp_path):
    tensors = {"x": Tensor("x", (4, 4, 2), "UINT2"), "y": Tensor("y", (1, 1, 2), "UINT6")}
    pool = GlobalPool(name="GlobalPool_0", inputs=("x",), outputs=("y",), kind="sum")
    graph = Graph("pooled", (pool,), tensors, ("x",), ("y",))
    entries = {"ConvolutionInputGenerator_rtl_0": {"SIMD": 1}, "Pool_hls_0": {"PE": 1}, "GlobalAccPool_hls_0": {"PE": 2}}
    plan = folding.read(save(tmp_path / "f.json", entries), graph)
    assert plan["GlobalPool_0"] == NodeFolding(2)
    assert plan.notes == (
        "ConvolutionInputGenerator_rtl_0: ignored, graph 'pooled' pools whole maps without a window",
        "Pool_hls_0: ignored, graph 'pooled' pools whole maps without a window",
    )
