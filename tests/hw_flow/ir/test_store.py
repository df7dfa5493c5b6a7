"""Graphs survive the disk, and damage is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.ir import MVAU, Graph, LabelSelect, Tensor, Thresholding, Thresholds, execute, load_graph, save_graph


@pytest.fixture
def graph() -> Graph:
    rng = np.random.default_rng(3)
    first = Thresholds(np.array([[-2, 1]]), np.array([False]), -1)
    second = Thresholds(np.sort(rng.integers(-9, 9, (4, 3)), axis=1), np.array([True, False, False, True]), 0)
    return Graph(
        "net",
        (Thresholding(name="Thresholding_0", inputs=("x",), outputs=("a/b:0",), thresholds=first, source=("Quant_0",)),
         MVAU(name="MVAU_0", inputs=("a/b:0",), outputs=("c",), weights=rng.integers(-1, 2, (4, 6)), weight_dtype="TERNARY",
              acc_dtype="INT4", thresholds=second, source=("MatMul_0", "Quant_1")),
         MVAU(name="MVAU_1", inputs=("c",), outputs=("d",), weights=rng.integers(-1, 2, (3, 4)), weight_dtype="TERNARY",
              acc_dtype="INT5"),
         LabelSelect(name="LabelSelect_0", inputs=("d",), outputs=("y",))),
        {"x": Tensor("x", (6,), "INT4", np.asarray(0.1), np.asarray(-1 / 3)), "a/b:0": Tensor("a/b:0", (6,), "TERNARY"),
         "c": Tensor("c", (4,), "UINT2"), "d": Tensor("d", (3,), "INT5", rng.normal(size=3), rng.normal(size=3)),
         "y": Tensor("y", (1,), "UINT2")},
        ("x",), ("y",))


def test_round_trip(graph: Graph, tmp_path: Path) -> None:
    save_graph(graph, tmp_path / "build")
    again = load_graph(tmp_path / "build")
    assert [type(node) for node in again] == [type(node) for node in graph]
    assert [(n.name, n.inputs, n.outputs, n.source) for n in again] == [(n.name, n.inputs, n.outputs, n.source) for n in graph]
    for name, tensor in graph.tensors.items():
        other = again.tensors[name]
        assert (other.shape, other.dtype) == (tensor.shape, tensor.dtype)
        assert np.array_equal(other.scale, tensor.scale)
        assert np.array_equal(other.offset, tensor.offset)
    x = {"x": np.random.default_rng(0).integers(-8, 8, (50, 6))}
    ours, theirs = execute(graph, x), execute(again, x)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_files_are_readable_and_pickle_free(graph: Graph, tmp_path: Path) -> None:
    save_graph(graph, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.json", "graph.npz"]
    document = json.loads((tmp_path / "graph.json").read_text())
    assert document["nodes"][1]["weight_dtype"] == "TERNARY"
    assert document["tensors"][0]["scale"] == 0.1
    with np.load(tmp_path / "graph.npz", allow_pickle=False) as arrays:
        assert {"MVAU_0.weights", "MVAU_0.thresholds", "d.scale"} <= set(arrays)


def test_damage_is_named(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"no readable graph \(FileNotFoundError: .*\); build again"):
        load_graph(tmp_path)
    save_graph(graph, tmp_path)
    (tmp_path / "graph.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(FlowError, match=r"no readable graph \(BadZipFile"):
        load_graph(tmp_path)
    (tmp_path / "graph.npz").write_bytes(b"")
    with pytest.raises(FlowError, match=r"no readable graph \(EOFError: .*\); build again"):
        load_graph(tmp_path)
    save_graph(graph, tmp_path)
    document = json.loads((tmp_path / "graph.json").read_text())
    (tmp_path / "graph.json").write_text(json.dumps(document | {"format": 99}))
    with pytest.raises(FlowError, match=r"graph.json: format 99 is not 2; build again"):
        load_graph(tmp_path)
    document["nodes"][0]["op"] = "Conv"
    (tmp_path / "graph.json").write_text(json.dumps(document))
    with pytest.raises(FlowError, match=r"unknown operator 'Conv'\); build again"):
        load_graph(tmp_path)


def test_rewrite_is_atomic(graph: Graph, tmp_path: Path) -> None:
    save_graph(graph, tmp_path)
    save_graph(replace(graph, name="other"), tmp_path)
    assert load_graph(tmp_path).name == "other"
    assert len(list(tmp_path.iterdir())) == 2
