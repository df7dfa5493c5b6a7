"""The emitter: files, names, messages, and whole networks in Verilator."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hw_flow import fifo
from hw_flow.backends.simulation import compile_model
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import Graph, LabelSelect, Tensor, Thresholding, Thresholds
from hw_flow.rtl import Design, emit
from hw_flow.rtl.samples import chain, chain_folding
from tests.hw_flow.graphs import mlp
from tests.hw_flow.rtl.bench import bundle, check_all, graph_unit, matrix_graph


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def test_sums_wider_than_the_kernels_are_refused(tmp_path: Path) -> None:
    graph = matrix_graph(np.random.default_rng(0), 2, 8, "INT16", "INT28", None)
    emit(graph, {"MVAU_0": NodeFolding(1, 4)}, {}, tmp_path, "wide")
    text = ("MVAU_0: INT16 by INT28 with SIMD 8 makes sums of 49 bits; at most 48 are supported, use narrower types or a smaller"
            " SIMD")
    with pytest.raises(FlowError, match=f"^{text}$"):
        emit(graph, {"MVAU_0": NodeFolding(1, 8)}, {}, tmp_path, "wide")


def test_same_input_gives_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        emit(chain(), chain_folding(), {"t0": 3}, tmp_path / name, "sample")
    assert _files(tmp_path / "a") == _files(tmp_path / "b")


def test_design_survives_its_file(tmp_path: Path) -> None:
    design = emit(chain(), chain_folding(), {"t0": 3, "t1": 4}, tmp_path, "sample")
    assert Design.load(tmp_path) == design
    assert [instance.kind for instance in design.instances] == [
        "thresholding", "dwc", "fifo", "mvau", "dwc", "fifo", "mvau", "dwc", "label_select"]
    assert (tmp_path / "filelist.f").read_text().split() == list(design.files)
    assert all((tmp_path / file).is_file() for file in design.files)
    assert all(set(instance.files) < set(design.files) for instance in design.instances)


def test_files_of_an_earlier_design_go(tmp_path: Path) -> None:
    emit(chain(), chain_folding(), {"t0": 3}, tmp_path, "first")
    design = emit(chain(), chain_folding(), {}, tmp_path, "second")
    assert {path.name for path in tmp_path.glob("*.sv")} == {file for file in design.files if "/" not in file}


def test_names_are_identifiers(tmp_path: Path) -> None:
    design = emit(chain(), chain_folding(), {"t0": 3}, tmp_path, "2 w/eird-näme")
    assert design.top == "n2_w_eird_n_me"
    for file in design.files:
        assert re.fullmatch(r"(lib/)?[a-z][a-z0-9_]*\.sv", file)
        assert f"module {Path(file).stem}" in (tmp_path / file).read_text() or file == "lib/bw_pkg.sv"


def test_no_name_of_a_kernel_is_taken(tmp_path: Path) -> None:
    assert emit(chain(), chain_folding(), {}, tmp_path, "bw_mvau").top == "bw_mvau_2"


def _label(dtype: str, extra: tuple[str, ...] = ("y",)) -> Graph:
    node = LabelSelect(name="LabelSelect_0", inputs=("x",), outputs=("y",))
    return Graph("g", (node,), {"x": Tensor("x", (10,), "INT8"), "y": Tensor("y", (1,), dtype)}, ("x",), extra)


@pytest.mark.parametrize(("graph", "message"), [
    (_label("UINT3"), "LabelSelect_0: UINT3 cannot hold the index of 10 channels; declare output 'y' UINT4"),
    (_label("UINT4", ("x", "y")), "graph 'g': 1 inputs and 2 outputs; the rtl back end takes one of each"),
    (_label("UINT4", ("x",)), "graph 'g': 'y' is read by nothing; remove the node that writes it"),
    (Graph("g", (), {"x": Tensor("x", (4,), "INT8")}, ("x",), ("x",)),
     "graph 'g': no node to build; all its operators run on the host"),
])
def test_what_cannot_be_built_is_refused(graph: Graph, message: str, tmp_path: Path) -> None:
    with pytest.raises(FlowError) as error:
        emit(graph, {node.name: NodeFolding(1) for node in graph}, {}, tmp_path, "g")
    assert str(error.value) == message


def test_levels_must_fit_the_output(tmp_path: Path) -> None:
    node = Thresholding(name="T", inputs=("x",), outputs=("y",),
                        thresholds=Thresholds(np.array([[1, 2, 3, 4]]), np.array([False]), 0))
    graph = Graph("g", (node,), {"x": Tensor("x", (4,), "INT8"), "y": Tensor("y", (4,), "UINT2")}, ("x",), ("y",))
    with pytest.raises(FlowError) as error:
        emit(graph, {"T": NodeFolding(1)}, {}, tmp_path, "g")
    assert str(error.value) == "T: thresholds give 0 to 4, which UINT2 cannot represent; declare output 'y' wider"


def test_no_design_is_said(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"design\.json: no readable design .*; build it again"):
        Design.load(tmp_path)


def test_networks(tmp_path: Path) -> None:
    """Whole networks with every kind of converter, with and without FIFOs, under stalls and reset."""
    sample = chain()
    binary = mlp([24, 16, 12, 10], inputs="UINT8", seed=2)
    binary_folding = {"Thresholding_0": NodeFolding(4), "MVAU_0": NodeFolding(4, 3), "MVAU_1": NodeFolding(6, 8),
                      "MVAU_2": NodeFolding(10, 3), "LabelSelect_0": NodeFolding(1)}
    small = mlp([9, 6, 4], weights="INT3", activations="UINT2", label=False, seed=3)
    small_folding = {"MVAU_0": NodeFolding(6, 9), "MVAU_1": NodeFolding(4, 6)}
    units = [
        graph_unit("sample", sample, chain_folding(), tmp_path, {"t0": 3, "t1": 4}),
        graph_unit("binary", binary, binary_folding, tmp_path, fifo.depths(binary, binary_folding)),
        graph_unit("small", small, small_folding, tmp_path),
    ]
    types = {"sample": "UINT8", "binary": "UINT8", "small": "UINT2"}
    result = check_all(bundle(units, tmp_path), units, types, seed=4, frames=30)
    assert {"x", "q", "q@MVAU_0", "t0", "y"} <= set(result.monitors)
    # One vector a cycle where everything is unfolded.
    assert result.streams["small_in"].stalls == 0


def test_any_tensor_name_is_a_monitor_name(tmp_path: Path) -> None:
    """Tabs and line ends would break the simulator's lines, quotes and backslashes SystemVerilog's strings."""
    first, last = "a\tb\nc", 'é "%09\\ 100%d'
    node = Thresholding(name="T\n0", inputs=(first,), outputs=(last,),
                        thresholds=Thresholds(np.array([[1, 2, 3]]), np.array([False]), 0))
    graph = Graph("g", (node,), {first: Tensor(first, (4,), "INT8"), last: Tensor(last, (4,), "UINT2")}, (first,), (last,))
    design = emit(graph, {node.name: NodeFolding(2)}, {first: 4}, tmp_path, "g")
    result = compile_model(design).run({"s_axis": np.array([[-5, 1, 2, 3]] * 3)})
    assert result.status == "done"
    assert result.outputs["m_axis"].tolist() == [[0, 1, 2, 3]] * 3
    assert {name: monitor.transfers for name, monitor in result.monitors.items()} == {
        first: 6, f"{first}@{node.name}": 6, last: 6}
