"""Weights stored as codes: the memory, the unit in Verilator, the rule, and a network from training to RTL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from hw_flow.export import export
from hw_flow.folding import NodeFolding
from hw_flow.frontend import compare, compile_qonnx
from hw_flow.ir import MVAU, Graph
from hw_flow.rtl.choose import coded_weights
from hw_flow.rtl.codes import code_bits, weight_memory
from models import BitConfig
from tests.hw_flow.rtl.bench import bundle, check_all, graph_unit, matrix_graph

LEVELS = {"code3": [-100, -37, -5, 0, 9, 41, 77, 127], "code2": [-90, -8, 20, 111],
          "code4": [-128, -90, -77, -50, -31, -12, -3, 0, 2, 7, 19, 33, 55, 68, 101, 127]}


def _graph(seed: int, levels: list[int], shape: tuple[int, int], out: str | None) -> Graph:
    """A matrix unit whose weights are all ``levels``, in any order."""
    rng = np.random.default_rng(seed)
    graph = matrix_graph(rng, *shape, "INT8", "UINT4", out)
    (node,) = graph.nodes
    assert isinstance(node, MVAU)
    weights = rng.choice(levels, size=shape)
    weights.flat[: len(levels)] = levels
    return replace(graph, nodes=(replace(node, weights=weights.astype(np.int64)),))


def test_units_with_codes_compute_the_same(tmp_path: Path) -> None:
    cases = {
        "lut": ("code3", (16, 12), NodeFolding(1, 1, "distributed"), None),
        "act": ("code4", (16, 24), NodeFolding(2, 1), "UINT3"),
        "block": ("code2", (24, 64), NodeFolding(2, 8, "block"), None),
    }
    units = []
    for name, (levels, shape, folding, out) in cases.items():
        units.append(graph_unit(name, _graph(7, LEVELS[levels], shape, out), {"MVAU_0": folding}, tmp_path))
        texts = [path.read_text() for path in (tmp_path / name).rglob("*weights.sv")]
        assert ["function automatic" in text for text in texts] == [True], name
    check_all(bundle(units, tmp_path), units, dict.fromkeys(cases, "UINT4"), 7, 8)


def test_the_rule_weighs_the_table_against_the_memory() -> None:
    folding = NodeFolding(1, 1, "distributed")
    assert coded_weights(folding, (192, 1), 8, 3)
    # Two words: a table costs more than it saves. As many codes as weights: nothing to save.
    assert not coded_weights(folding, (2, 1), 8, 7)
    assert not coded_weights(folding, (1, 64), 8, 3)
    assert not coded_weights(folding, (4096, 1), 4, 4)
    assert code_bits(np.array([-1, 1])) == 1
    plain = weight_memory("m", np.arange(256).reshape(-1, 1) - 128, 8, folding, "all")
    assert "function" not in plain


@pytest.mark.parametrize(("name", "scale", "per_channel"), [
    ("POW3", "float", True), ("POW4", "power_of_two", False), ("CODE2", "float", False), ("CODE3", "power_of_two", True),
    ("CODE4", "constant", False),
])
def test_codebooks_compile_bit_exactly(name: str, scale: str, per_channel: bool, tmp_path: Path) -> None:
    bits = BitConfig.uniform(name, "UINT3", 3, weight_scale=(scale,), per_channel=(per_channel,), input="UINT4")
    net = models.build({"inputs": 24, "hidden": [16, 16], "classes": 4}, bits, seed=1)
    x = torch.rand(200, 24, generator=torch.Generator().manual_seed(1))
    net.train()
    net(x)
    before = [layer.linear.weight.clone() for layer in net.layers]
    result = export(net.eval(), x.numpy(), tmp_path / "net.onnx")
    assert result.ties <= result.elements // 1000
    assert all(torch.equal(layer.linear.weight, weight) for layer, weight in zip(net.layers, before, strict=True))
    program = compile_qonnx(tmp_path / "net.onnx")
    assert compare(program, x.numpy()).bit_exact
    for node in program.graph:
        assert isinstance(node, MVAU)
        assert code_bits(node.weights) <= int(name[-1])


@pytest.mark.parametrize(("activation", "scale", "held"), [
    ("UINT3", "float", 9), ("INT3", "power_of_two", 9), ("BIPOLAR", "float", 8),
])
def test_accumulators_are_as_narrow_as_trained(activation: str, scale: str, held: int, tmp_path: Path) -> None:
    widths = {}
    for bound in (0, held):
        bits = BitConfig.uniform("INT4", activation, 3, weight_scale=(scale,), accumulator=(0, bound, bound))
        net = models.build({"inputs": 24, "hidden": [48, 48], "classes": 4}, bits, seed=2)
        x = torch.rand(100, 24, generator=torch.Generator().manual_seed(2))
        net.train()
        net(x)
        export(net.eval(), x.numpy(), tmp_path / "net.onnx")
        program = compile_qonnx(tmp_path / "net.onnx")
        assert compare(program, x.numpy()).bit_exact
        widths[bound] = [int(node.acc_dtype.removeprefix("INT")) for node in program.graph if isinstance(node, MVAU)]
    assert max(widths[held][1:]) <= held < min(widths[0][1:])
