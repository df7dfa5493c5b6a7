"""Integer weights behind quantisers and plain initialisers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from hw_flow.errors import FlowError
from hw_flow.frontend import Program, compile_qonnx
from hw_flow.frontend.weights import narrowest
from hw_flow.ir import MVAU
from tests.hw_flow.qonnx_random import Builder


def _compile(tmp_path: Path, b: Builder, weights: str, *, gemm: bool = False) -> Program:
    if gemm:
        b.head = b.node("Gemm", [b.head, weights], transB=1)[0]
    else:
        b.then("MatMul", weights)
    onnx.save(b.model(4, [3]), str(tmp_path / "m.onnx"))
    return compile_qonnx(tmp_path / "m.onnx")


def _start() -> Builder:
    b = Builder(np.random.default_rng(0))
    b.head = b.quant(b.head, 0.5, 3)
    return b


def _layer(program: Program) -> MVAU:
    node = program.graph.nodes[0]
    assert isinstance(node, MVAU)
    return node


@pytest.mark.parametrize(("values", "name"), [
    ([1, -1], "BIPOLAR"), ([1, 1], "BIPOLAR"), ([0, 1], "TERNARY"), ([0, 0], "TERNARY"), ([-1, 0, 1], "TERNARY"),
    ([-2, 1], "INT2"), ([-2, 2], "INT3"), ([3, 1], "INT3"), ([-8, 7], "INT4"), ([-128, 0], "INT8"), ([255], "INT9"),
])
def test_narrowest(values: list[int], name: str) -> None:
    assert narrowest(np.array(values)) == name


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("gemm", [True, False])
@pytest.mark.parametrize("per_channel", [True, False])
def test_quantised(tmp_path: Path, bits: int, gemm: bool, per_channel: bool) -> None:
    rng = np.random.default_rng(bits)
    whole = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (3, 4))
    scale = rng.uniform(0.1, 2, (3, 1)).astype(np.float32) if per_channel else np.float32(0.3)
    stored, shape = (whole * scale, scale) if gemm else ((whole * scale).T, np.asarray(scale).T)
    b = _start()
    program = _compile(tmp_path, b, b.quant(b.constant(stored), shape, bits), gemm=gemm)
    node = _layer(program)
    assert np.array_equal(node.weights, whole)
    assert node.weight_dtype == narrowest(whole)
    assert np.allclose(program.graph.output_of(node).scale, np.ravel(scale) * 0.5, rtol=1e-12)


@pytest.mark.parametrize(("scale", "note"), [(1.0, "integers"), (0.3, "one scale"), ([0.3, 0.7, 1.1], "per output channel")])
def test_plain(tmp_path: Path, scale: Any, note: str) -> None:
    whole = np.array([[3, -2, 0, 1], [1, 2, 3, -3], [2, 2, -1, 3]])
    factors = np.broadcast_to(np.asarray(scale, np.float32), (3,))[:, None]
    b = _start()
    program = _compile(tmp_path, b, b.constant((whole.astype(np.float32) * factors).T))
    node = _layer(program)
    ratio = node.weights / np.where(whole == 0, 1, whole)
    assert np.array_equal(node.weights == 0, whole == 0)
    assert all(len(set(row[row != 0])) == 1 for row in ratio)  # up to a common divisor of a row
    assert np.array_equal(node.weights, whole), note


def test_layout_nodes_behind_the_quantiser(tmp_path: Path) -> None:
    b = _start()
    whole = np.arange(-6, 6).reshape(3, 4) / 2
    weights = b.quant(b.constant(whole), np.array([[0.5], [0.5], [0.25]]), 5)
    weights = b.node("Transpose", [weights], perm=[1, 0])[0]
    weights = b.node("Reshape", [weights, b.constant([4, 3], np.int64)])[0]
    program = _compile(tmp_path, b, weights)
    assert np.array_equal(_layer(program).weights, np.array([[-6, -5, -4, -3], [-2, -1, 0, 1], [4, 6, 8, 10]]))


def test_zero_scale(tmp_path: Path) -> None:
    b = _start()
    weights = b.quant(b.constant(np.ones((4, 3))), 0.0, 4)
    with pytest.raises(FlowError, match="Quant_1: a scale of the weights is zero or not finite; train or export them again"):
        _compile(tmp_path, b, weights)


def test_fractional_zero_point(tmp_path: Path) -> None:
    b = _start()
    weights = b.quant(b.constant(np.ones((4, 3))), 1.0, 4, zero=0.4)
    with pytest.raises(FlowError, match="weights have a zero point that is no integer; use a symmetric weight quantiser"):
        _compile(tmp_path, b, weights)


def test_nan(tmp_path: Path) -> None:
    b = _start()
    with pytest.raises(FlowError) as error:
        _compile(tmp_path, b, b.constant(np.full((4, 3), np.nan)))
    assert str(error.value) == "MatMul_1 (MatMul): its weight matrix holds NaN or infinity; train or export the network again"


@pytest.mark.parametrize("bits", [0.0, -1.0, 2.5, 64.0, np.nan, np.inf])
def test_bit_width_of_weights(tmp_path: Path, bits: float) -> None:
    """QONNX executes them somehow; no such number makes a network that anyone trained."""
    b = _start()
    with pytest.raises(FlowError) as error:
        _compile(tmp_path, b, b.quant(b.constant(np.ones((4, 3))), 0.5, bits))  # type: ignore[arg-type]  # on purpose
    assert str(error.value) == (f"Quant_1: its bit width must be an integer from 1 to 32, not [{bits}]; train or export the "
                                "network again")


def test_infinite_weights_that_a_quantiser_would_clip(tmp_path: Path) -> None:
    b = _start()
    with pytest.raises(FlowError) as error:
        _compile(tmp_path, b, b.quant(b.constant(np.full((4, 3), np.inf)), 0.5, 4))
    assert str(error.value) == ("Quant_1: the weights before it, or their zero point, hold NaN or infinity; train or export the "
                                "network again")


def test_wide_weights_of_intquant(tmp_path: Path) -> None:
    b = _start()
    name = b.quant(b.constant(np.arange(12).reshape(4, 3) * 0.25), 2.0**-10, 16)
    b.nodes[-1].op_type = "IntQuant"
    assert np.array_equal(_layer(_compile(tmp_path, b, name)).weights, 256 * np.arange(12).reshape(4, 3).T)
