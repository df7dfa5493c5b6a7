"""Quantisers that a file leaves out: operators between two integer layers that keep every value on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest

from hw_flow.errors import FlowError
from hw_flow.frontend import compare, compile_qonnx
from hw_flow.frontend.curves import Sigmoid
from hw_flow.frontend.implied import GridQuant, implied_quantiser
from hw_flow.frontend.nonlinear import Absolute, Clip, LeakyRelu
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, Mul, Op
from tests.hw_flow.qonnx_random import Builder

RELU = LeakyRelu(node="relu", slope=Const.of(0.0))
X = np.arange(-8, 8)


def quarter(by: float | Sequence[float] = 0.25) -> Mul:
    return Mul(node="m", by=Const.of(np.asarray(by)))


def find(ops: Sequence[Op], meaning: Sequence[Op] = (quarter(),)) -> GridQuant | None:
    """The quantiser after ``meaning`` and ``ops``, checked for every integer."""
    value, error = X[:, None].astype(np.float64), np.zeros((len(X), 1))
    for op in meaning:
        value, error = op.approx(value, error)
    found = implied_quantiser(meaning, ops, X, value.astype(np.float32), "n")
    if found is not None:
        for number in X.tolist():
            exact = Fraction(number)
            for op in (*meaning, *ops):
                exact = op.exact(exact, 0)
            level = found.level_exact(exact, 0)
            assert found.exact(exact, 0) == exact
            assert found.low <= level <= found.high
            assert found.dequantise(np.array([[level]]))[0, 0] == np.float32(float(exact))
    return found


def test_relu() -> None:
    found = find((RELU,))
    assert found is not None
    assert (found.low, found.high, found.dtype, found.scale.at(0), found.offset.at(0)) == (0, 7, "UINT3", Fraction(1, 4), 0)


def test_clip() -> None:
    found = find((Clip(node="c", low=-1.0, high=1.0),))
    assert found is not None
    assert (found.low, found.high, found.dtype, found.scale.at(0)) == (-4, 4, "INT4", Fraction(1, 4))


def test_grid_with_an_offset() -> None:
    found = find((Add(node="a", by=Const.of(0.0625)), Absolute(node="c")), (quarter(0.5),))
    assert found is not None
    assert found.scale.at(0) == Fraction(1, 8)
    assert found.offset.at(0) == Fraction(1, 16)


def test_levels_that_no_input_reaches() -> None:
    found = find((Absolute(node="c"), quarter(0.5)))
    assert found is not None
    assert np.isnan(found.dequantise(np.array([[-1], [99]]))).all()


@pytest.mark.parametrize("ops", [(Sigmoid(node="s"),), (Clip(node="c", low=-(2.0**-40), high=1.0),)], ids=["curve", "fine"])
def test_no_grid(ops: tuple[Op, ...]) -> None:
    assert find(ops) is None


def _network(tmp_path: Path, kind: str, **attributes: float) -> Path:
    b = Builder(np.random.default_rng(1))
    b.head = b.quant(b.head, 0.25, 4)
    b.then(kind, **attributes)
    b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(6, 4))), 0.25, 4))
    b.head = b.quant(b.head, 0.5, 4)
    onnx.save(b.model(6, [4]), str(tmp_path / "m.onnx"))
    return tmp_path / "m.onnx"


@pytest.mark.parametrize("kind", ["Relu", "Abs", "Sign", "Floor"])
def test_between_quantiser_and_layer(tmp_path: Path, kind: str) -> None:
    program = compile_qonnx(_network(tmp_path, kind))
    result = compare(program, np.random.default_rng(2).normal(size=(200, 6)).astype(np.float32))
    assert result.bit_exact, result
    assert result.ties == 0


def test_refusal_where_there_is_no_grid(tmp_path: Path) -> None:
    with pytest.raises(FlowError) as caught:
        compile_qonnx(_network(tmp_path, "Sigmoid"))
    assert str(caught.value) == ("MatMul_3 (MatMul): missing quantiser: Sigmoid_1 makes its input 't1_0' non-integer; "
                                 "insert a Quant node between Sigmoid_1 and MatMul_3")
