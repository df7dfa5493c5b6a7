"""The comparison itself: it must see what is wrong and forgive what float32 leaves open."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from hw_flow.errors import FlowError
from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.frontend.errorbound import grid, matmul
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.regions import Linear
from hw_flow.frontend.weights import Weights
from hw_flow.ir import MVAU, Graph, Thresholds, execute
from tests.hw_flow.qonnx_random import Builder, random_mlp


def _tie_network(tmp_path: Path, scale: float) -> Program:
    """Sums of +-scale that cancel to zero exactly, but not in float32, in front of a sign."""
    b = Builder(np.random.default_rng(0))
    b.then("BipolarQuant", b.constant(scale))
    weights = b.node("BipolarQuant", [b.constant(np.random.default_rng(3).normal(size=(30, 16))), b.constant(scale)])[0]
    b.then("MatMul", weights)
    b.then("BipolarQuant", b.constant(1.0))
    onnx.save(b.model(30, [16]), str(tmp_path / "m.onnx"))
    return compile_qonnx(tmp_path / "m.onnx")


def test_ties_are_counted_and_forgiven(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(2000, 30)).astype(np.float32)
    program = _tie_network(tmp_path, 0.1)
    result = compare(program, x)
    assert result.bit_exact
    assert result.ties > 0
    assert result.mismatches == 0
    # Every tie stands at a sum of exactly zero.
    zeros = (program.quantise_input(x)[program.graph.inputs[0]] @ program.graph.nodes[0].weights.T == 0).sum()  # type: ignore[attr-defined]
    assert result.ties < zeros


def test_powers_of_two_leave_no_ties(tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(2000, 30)).astype(np.float32)
    result = compare(_tie_network(tmp_path, 0.125), x)
    assert (result.mismatches, result.ties, result.agreement) == (0, 0, 2000)


@pytest.mark.parametrize("scale", [Fraction(float(np.float32(1 / 255))), "1/255", 1 / 255])
def test_rounding_of_the_input_itself_is_a_tie(tmp_path: Path, scale: Any) -> None:
    """255 * scale is 1 in float32, whether or not it is exactly: FLOOR may see either."""
    b = Builder(np.random.default_rng(0))
    b.head = b.quant(b.head, 1.0, 4, mode="FLOOR")
    b.then("MatMul", b.constant([[1.0, -1.0]]))
    onnx.save(b.model(1, [2]), str(tmp_path / "m.onnx"))
    program = compile_qonnx(tmp_path / "m.onnx", input_type="UINT8", input_scale=scale)
    result = compare(program, np.arange(256)[:, None])
    assert result.bit_exact
    assert result.ties == (0 if not isinstance(scale, Fraction) else result.ties)


def _shift(graph: Graph, name: str, by: int) -> Graph:
    node = graph.node(name)
    assert isinstance(node, MVAU)
    old = node.thresholds
    assert old is not None
    values = np.broadcast_to(old.values, (node.mh, old.levels)).copy()
    values[2] += by
    new = replace(node, thresholds=Thresholds(values, np.broadcast_to(old.descending, node.mh), old.base, old.step))
    return replace(graph, nodes=tuple(new if item is node else item for item in graph))


def _two_layers(tmp_path: Path, scale: float) -> Program:
    b = Builder(np.random.default_rng(0))
    b.head = b.quant(b.head, scale, 4)
    for _ in range(2):
        weights = b.quant(b.constant(np.random.default_rng(3).normal(size=(12, 12))), scale, 3)
        b.then("MatMul", weights)
        b.head = b.quant(b.head, scale, 4)
    onnx.save(b.model(12, [12]), str(tmp_path / "m.onnx"))
    return compile_qonnx(tmp_path / "m.onnx")


@pytest.mark.parametrize("scale", [0.5, 0.3])
@pytest.mark.parametrize(("layer", "node"), [("MVAU_0", "Quant_3"), ("MVAU_1", "Quant_6")])
def test_wrong_thresholds_are_found(tmp_path: Path, scale: float, layer: str, node: str) -> None:
    program = _two_layers(tmp_path, scale)
    x = np.random.default_rng(1).normal(size=(300, 12)).astype(np.float32)
    assert compare(program, x).bit_exact
    result = compare(replace(program, graph=_shift(program.graph, layer, 1)), x)
    assert not result.bit_exact
    assert result.mismatches > 0
    assert result.first_mismatch == node
    assert result.detail is not None
    assert result.detail.startswith(f"{node}: frame ")
    assert ", element 2: QONNX gives level " in result.detail


def test_wrong_weights_are_found(tmp_path: Path) -> None:
    program = _two_layers(tmp_path, 0.5)
    first, *rest = program.graph.nodes
    assert isinstance(first, MVAU)
    weights = first.weights.copy()
    weights[0, 0] += 1 if weights[0, 0] < 3 else -1
    wrong = replace(program, graph=replace(program.graph, nodes=(replace(first, weights=weights), *rest)))
    result = compare(wrong, np.random.default_rng(1).normal(size=(300, 12)).astype(np.float32))
    assert result.first_mismatch == "Quant_3"


def test_hardware_outputs(tmp_path: Path) -> None:
    program = _two_layers(tmp_path, 0.5)
    x = np.random.default_rng(1).normal(size=(1200, 12)).astype(np.float32)
    name = program.graph.outputs[0]
    outputs = execute(program.graph, program.quantise_input(x))[name]
    assert compare(program, x, outputs).bit_exact
    assert compare(program, x, {name: outputs}).bit_exact
    outputs[1100, 5] += 1
    result = compare(program, x, outputs)
    assert (result.bit_exact, result.mismatches, result.first_mismatch) == (False, 1, "Quant_6")
    assert result.detail == (f"Quant_6: frame 1100, element 5: hardware gives {outputs[1100, 5]}, the golden model "
                             f"{outputs[1100, 5] - 1}")
    with pytest.raises(FlowError) as error:
        compare(program, x, outputs[:7])
    assert str(error.value) == f"output '{name}' has shape [7, 12] for 1200 frames of [12]; give the simulation's whole output"


def test_wrong_shape(tmp_path: Path) -> None:
    with pytest.raises(FlowError) as error:
        compare(_two_layers(tmp_path, 0.5), np.zeros((3, 13), np.float32))
    assert str(error.value) == "input 'x' has shape [3, 13]; expected [N, 12]"


@pytest.mark.parametrize("seed", range(8))
def test_matmul_bounds_hold_float32_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-7, 8, (6, 200))
    linear = Linear("m", Weights(values, "INT4", Const.of(float(np.float32(rng.uniform(0.1, 2))))), (200,))
    x = (rng.integers(-100, 100, (20, 200)) * np.float32(0.37)).astype(np.float32)
    lo, hi = matmul(linear, x.astype(np.float64), x.astype(np.float64))
    weights = (values * linear.weights.scale.value[0]).astype(np.float32)
    for order in (np.arange(200), rng.permutation(200)):
        found = np.zeros((20, 6), np.float32)
        for k in order:
            found += x[:, k:k + 1] * weights[:, k]
        assert ((lo <= found) & (found <= hi)).all()
    assert (hi > lo).all()
    exact = Linear("m", Weights(values, "INT4", Const.of(0.25)), (200,))
    whole = rng.integers(-100, 100, (20, 200)) * 0.5
    lo, hi = matmul(exact, whole, whole)
    assert np.array_equal(lo, hi)
    assert np.array_equal(lo, whole @ (values * 0.25).T)


def test_grid() -> None:
    assert grid(np.array([0.0, 0.75, -6.0])) == 0.25
    assert grid(np.zeros(3)) == 1.0
    assert grid(np.array([96.0])) == 32.0


def test_batches_do_not_change_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlp = random_mlp(11)
    mlp.save(tmp_path / "m.onnx")
    program = compile_qonnx(tmp_path / "m.onnx", input_type=mlp.input_type, input_scale=mlp.input_scale)
    x = mlp.samples(50)
    whole = compare(program, x)
    monkeypatch.setattr(type(program.reference), "batch", 7)
    assert compare(program, x) == whole
