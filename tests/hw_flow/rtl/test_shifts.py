"""Weights that are powers of two: the rule, the codes, units in Verilator, and a network from training to RTL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import models
from hw_flow import folding
from hw_flow.cost import features, node_resources
from hw_flow.export import export
from hw_flow.folding import NodeFolding
from hw_flow.frontend import compare, compile_qonnx
from hw_flow.ir import MVAU, VVAU, Graph
from hw_flow.rtl.choose import shift_luts, shifted_weights
from hw_flow.rtl.latency import product_luts
from hw_flow.rtl.wrappers.weights import power_bits, power_codes, weight_format
from models import BitConfig
from quant_training.robustness.codes import code_table, codes
from tests.hw_flow.maps import Builder
from tests.hw_flow.rtl.bench import bundle, check_all, graph_unit


def _matrix(seed: int, weights: str, acts: str, *, shape: tuple[int, int] = (12, 16), out: str | None = None) -> Graph:
    builder = Builder(np.random.default_rng(seed))
    last = builder.matrix(builder.input((shape[1],), acts), shape[0], weights=weights, dtype=out)
    return builder.graph(last)


def _depthwise(seed: int) -> Graph:
    builder = Builder(np.random.default_rng(seed))
    window = builder.window(builder.input((5, 4, 6), "UINT8"), (3, 3), depthwise=True)
    return builder.graph(builder.depthwise(window, 9, weights="POW4", dtype="UINT4"))


def _made(graph: Graph, own: NodeFolding) -> tuple[str, int, str]:
    node = graph.nodes[-1]
    assert isinstance(node, MVAU | VVAU)
    found = weight_format(node, own, graph)
    return found.kind, found.width, found.mul


@pytest.mark.parametrize("seed", [5])
def test_units_compute_the_same(tmp_path: Path, seed: int) -> None:
    cases = {
        "lut": (_matrix(seed, "POW4", "UINT4"), NodeFolding(2, 4)),
        "act": (_matrix(seed, "POW3", "INT4", out="INT3"), NodeFolding(3, 8)),
        "block": (_matrix(seed, "POW4", "INT4", shape=(24, 20), out="UINT2"), NodeFolding(1, 5, "block")),
        "wide": (_matrix(seed, "POW4", "UINT8"), NodeFolding(4, 1, "distributed", "lut")),
        "taps": (_depthwise(seed), NodeFolding(2, 9)),
    }
    units = []
    for name, (graph, own) in cases.items():
        assert _made(graph, own)[0] == "Power", name
        plan = {node.name: NodeFolding(1, own.pe, parallel_window=True) for node in graph} | {graph.nodes[-1].name: own}
        units.append(graph_unit(name, graph, plan, tmp_path))
    types = {name: graph.tensors["x"].dtype for name, (graph, _) in cases.items()}
    check_all(bundle(units, tmp_path), units, types, seed, 8)


def test_codes_are_signs_and_exponents() -> None:
    weights = np.array([[0, 1, -1, 2, -4, 4]])
    assert power_codes(weights, 3).tolist() == [[3, 0, 4, 1, 6, 2]]
    assert power_codes(np.array([0, 64, -64, -16]), 4).tolist() == [7, 6, 14, 12]
    # Robustness flips bits of the same codes.
    for name in ("POW3", "POW4"):
        table = code_table(torch.zeros(1), name)
        assert power_codes(table.numpy(), int(name[-1])).tolist() == codes(table, table).tolist()


@pytest.mark.parametrize(("weights", "bits"), [
    ([1, -1, 0], 0), ([0, 0], 0), ([2, 1], 3), ([-4, 0], 3), ([8, -1], 4), ([64], 4), ([128], 0), ([3, 1], 0), ([-6, 4], 0),
])
def test_which_weights_are_shifts(weights: list[int], bits: int) -> None:
    node = MVAU(name="m", inputs=("x",), outputs=("y",), weights=np.array([weights]), weight_dtype="INT9", acc_dtype="INT16")
    assert power_bits(node) == bits


def test_the_rule() -> None:
    """Shifts where the formulas of both ways, and the price of DSP blocks, have them cheaper."""
    own = NodeFolding(2, 4)
    assert _made(_matrix(0, "POW3", "UINT4"), own) == ("Power", 3, "MulLut")
    assert _made(_matrix(0, "POW4", "UINT4"), own) == ("Power", 4, "MulLut")
    # Planes of a few bits are cheaper, and so are DSP blocks that two rows share.
    assert _made(_matrix(0, "POW3", "UINT2"), own) == ("Signed", 4, "MulLut")
    assert _made(_matrix(0, "POW4", "UINT8"), own) == ("Signed", 8, "MulDsp")
    assert _made(_matrix(0, "POW4", "UINT8"), NodeFolding(1, 4)) == ("Power", 4, "MulLut")
    assert _made(_matrix(0, "POW4", "UINT8"), NodeFolding(2, 4, res_type="lut")) == ("Power", 4, "MulLut")
    assert _made(_matrix(0, "POW4", "UINT4"), NodeFolding(2, 4, res_type="dsp")) == ("Signed", 8, "MulDsp")
    # Signs on wires, and one word of weights: nothing to shift.
    assert _made(_matrix(0, "POW4", "BIPOLAR"), own)[0] == "Signed"
    assert _made(_matrix(0, "POW4", "UINT4"), NodeFolding(12, 16))[0] == "Signed"
    assert _made(_matrix(0, "INT4", "UINT4"), own)[0] == "Signed"
    assert not shifted_weights(own, 1, 8, 4, 0.0)


@pytest.mark.parametrize(("weights", "grid", "code"), [("POW3", "INT4", 3), ("POW4", "INT8", 4)])
def test_the_cost_model_counts_shifts_and_codes(weights: str, grid: str, code: int) -> None:
    graph, own = _matrix(0, weights, "UINT4", shape=(64, 64)), NodeFolding(2, 4, "distributed")
    counts = features(graph.nodes[0], own, graph)
    assert counts["shift"] == pytest.approx(8 * shift_luts(4, code))
    assert counts["weights"] == 8 * 8 * code
    assert "bit_products" not in counts
    plain = _matrix(0, grid, "UINT4", shape=(64, 64))
    assert node_resources(graph.nodes[0], own, graph).price < node_resources(plain.nodes[0], own, plain).price
    assert shift_luts(4, code) < product_luts(4, int(grid[3:]))


@pytest.mark.parametrize(("name", "scale", "per_channel"), [("POW3", "float", True), ("POW4", "power_of_two", False)])
def test_a_folded_network_is_bit_exact(name: str, scale: str, per_channel: bool, tmp_path: Path) -> None:
    """QONNX == integer model == Verilator under stalls, with shifts in every layer."""
    bits = BitConfig.uniform(name, "UINT4", 3, weight_scale=(scale,), per_channel=(per_channel,), input="UINT4")
    net = models.build({"inputs": 24, "hidden": [16, 16], "classes": 4}, bits, seed=1)
    x = torch.rand(100, 24, generator=torch.Generator().manual_seed(1))
    net.train()
    net(x)
    export(net.eval(), x.numpy(), tmp_path / "net.onnx")
    program = compile_qonnx(tmp_path / "net.onnx")
    assert compare(program, x.numpy()).bit_exact
    graph = program.graph
    plan = folding.for_cycles(graph, 64)
    for node in graph:
        if isinstance(node, MVAU):
            assert weight_format(node, plan[node.name], graph).shifts, node.name
    unit = graph_unit("net", graph, plan, tmp_path)
    check_all(bundle([unit], tmp_path), [unit], {"net": graph.tensors[graph.inputs[0]].dtype}, 3, 12)
