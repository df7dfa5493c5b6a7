"""Every activation of ONNX: float64 within its bound of the exact value, onnxruntime's float32 within the interval."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hw_flow.errors import FlowError
from hw_flow.frontend.branches import combine
from hw_flow.frontend.ops import Op
from hw_flow.frontend.site import Site
from hw_flow.frontend.translate import elementwise

RNG = np.random.default_rng(11)
X = np.concatenate([RNG.normal(size=150), RNG.normal(size=60) * 8, np.arange(-8, 9) / 4, [-40.0, 40.0]]).astype(np.float32)
POSITIVE = np.abs(X) + np.float32(0.01)

# operator, constant operands, attributes, opset, domain of the test values
CASES: list[tuple[str, list[float], dict[str, Any], int, np.ndarray]] = [
    ("Relu", [], {}, 13, X),
    ("LeakyRelu", [], {}, 13, X),
    ("LeakyRelu", [], {"alpha": -0.25}, 13, X),
    ("PRelu", [0.3], {}, 13, X),
    ("Clip", [-1.0, 0.5], {}, 13, X),
    ("Clip", [], {"min": -0.75, "max": 1.0}, 9, X),
    ("HardSigmoid", [], {"alpha": 0.25}, 13, X),
    ("HardSigmoid", [], {}, 13, X),
    ("HardSwish", [], {}, 14, X),
    ("Sigmoid", [], {}, 13, X),
    ("Tanh", [], {}, 13, X),
    ("Erf", [], {}, 13, X),
    ("Exp", [], {}, 13, X),
    ("Softplus", [], {}, 13, X),
    ("Softsign", [], {}, 13, X),
    ("Elu", [], {}, 13, X),
    ("Elu", [], {"alpha": 2.5}, 13, X),
    ("Selu", [], {}, 13, X),
    ("Celu", [], {"alpha": 0.5}, 13, X),
    ("Gelu", [], {}, 20, X),
    ("Gelu", [], {"approximate": "tanh"}, 20, X),
    ("Mish", [], {}, 18, X),
    ("Abs", [], {}, 13, X),
    ("Sign", [], {}, 13, X),
    ("Floor", [], {}, 13, X),
    ("Ceil", [], {}, 13, X),
    ("Round", [], {}, 13, X),
    ("Neg", [], {}, 13, X),
    ("Max", [0.3], {}, 13, X),
    ("Min", [0.3], {}, 13, X),
    ("Pow", [2.0], {}, 13, X),
    ("Pow", [3.0], {}, 13, X),
    ("Sqrt", [], {}, 13, POSITIVE),
    ("Pow", [0.5], {}, 13, POSITIVE),
    ("Reciprocal", [], {}, 13, POSITIVE),
    ("Pow", [-0.5], {}, 13, POSITIVE),
]
IDS = [f"{index}_{case[0]}" for index, case in enumerate(CASES)]


def _ops(kind: str, operands: Sequence[float], attributes: dict[str, Any]) -> tuple[Op, ...]:
    names = [f"c{index}" for index in range(len(operands))]
    static = {name: np.float32(value) for name, value in zip(names, operands, strict=True)}
    node = helper.make_node(kind, ["x", *names], ["y"], name="n", **attributes)
    return elementwise(Site(node, static, (1,), (1,)))  # type: ignore[arg-type]  # a NumPy scalar will do


def _runtime(kind: str, operands: Sequence[float], attributes: dict[str, Any], opset: int, x: np.ndarray) -> np.ndarray:
    names = [f"c{index}" for index in range(len(operands))]
    constants = [numpy_helper.from_array(np.float32(value), name) for value, name in zip(operands, names, strict=True)]
    graph = helper.make_graph([helper.make_node(kind, ["x", *names], ["y"], **attributes)], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])], constants)
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", opset)])
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x[:, None]})[0]


def _exact(ops: Sequence[Op], x: Fraction) -> Fraction:
    for op in ops:
        x = op.exact(x, 0)
    return x


def _approx(ops: Sequence[Op], x: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for op in ops:
        x, e = op.approx(x, e)
    return x, e


def _interval(ops: Sequence[Op], lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for op in ops:
        lo, hi = op.interval(lo, hi)
    return lo, hi


@pytest.mark.parametrize(("kind", "operands", "attributes", "opset", "x"), CASES, ids=IDS)
def test_all_three_ways_agree(kind: str, operands: list[float], attributes: dict[str, Any], opset: int, x: np.ndarray) -> None:
    ops = _ops(kind, operands, attributes)
    wide = x.astype(np.float64)[:, None]
    value, error = _approx(ops, wide, np.zeros(wide.shape))
    exact = [_exact(ops, Fraction(float(number))) for number in x]
    assert all(abs(Fraction(float(v)) - want) <= Fraction(float(e))
               for v, e, want in zip(value[:, 0], error[:, 0], exact, strict=True))
    assert (error <= 1e-11 * (1 + np.abs(value) + np.abs(wide))).all()
    lo, hi = _interval(ops, wide, wide)
    found = _runtime(kind, operands, attributes, opset, x).astype(np.float64)
    assert ((lo <= found) & (found <= hi)).all()
    assert (hi - lo <= 2.0**-17 * (1 + np.abs(value) + np.abs(wide))).all()


@pytest.mark.parametrize(("kind", "operands", "attributes", "opset", "x"), CASES, ids=IDS)
def test_error_bound_carries_input_error(kind: str, operands: list[float], attributes: dict[str, Any], opset: int,
                                         x: np.ndarray) -> None:
    ops = _ops(kind, operands, attributes)
    wide = x.astype(np.float64)[:, None]
    shift = RNG.uniform(-1, 1, wide.shape) * 1e-3
    value, error = _approx(ops, wide, np.full(wide.shape, 1e-3))
    for v, e, moved in zip(value[:, 0], error[:, 0], (wide + shift)[:, 0], strict=True):
        assert np.isinf(e) or abs(_exact(ops, Fraction(float(moved))) - Fraction(float(v))) <= Fraction(float(e))
    lo, hi = _interval(ops, wide - 1e-3, wide + 1e-3)
    inner, _ = _approx(ops, wide + shift, np.zeros(wide.shape))
    assert ((lo <= inner) & (inner <= hi)).all()


@pytest.mark.parametrize(("kind", "operands", "attributes", "opset", "x"), CASES, ids=IDS)
def test_sign_and_strictness(kind: str, operands: list[float], attributes: dict[str, Any], opset: int, x: np.ndarray) -> None:
    for op in _ops(kind, operands, attributes):
        if np.isnan(op.sign()).any():
            continue
        y, _ = op.approx(np.linspace(float(x.min()) / 8, 4, 601)[:, None], np.zeros((601, 1)))
        steps = np.diff(y[:, 0]) * op.sign()[0]
        assert (steps >= 0).all()
        assert (not op.strict) or (steps > 0).all()


def test_branches_are_one_chain() -> None:
    """SiLU as exporters write it: Sigmoid and Mul on the same tensor."""
    head = _ops("Mul", [0.3], {})
    silu = combine("m", "Mul", head, (*head, *_ops("Sigmoid", [], {})))
    assert silu[0] is head[0]
    assert len(silu) == 2
    wide = X.astype(np.float64)[:, None]
    y, _ = _approx(silu, wide, np.zeros(wide.shape))
    scaled = wide * float(np.float32(0.3))
    assert np.allclose(y, scaled / (1 + np.exp(-scaled)), atol=1e-12)


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
def test_every_join(op_type: str) -> None:
    left, right = _ops("Mul", [0.7], {}), (*_ops("Abs", [], {}), *_ops("Add", [1.5], {}))
    chain = combine("m", op_type, left, right)
    wide = X.astype(np.float64)[:, None]
    value, error = _approx(chain, wide, np.full(wide.shape, 1e-6))
    for v, e, number in zip(value[:, 0], error[:, 0], (wide + 9e-7)[:, 0], strict=True):
        assert abs(_exact(chain, Fraction(float(number))) - Fraction(float(v))) <= Fraction(float(e))
    a, b = wide * float(np.float32(0.7)), np.abs(wide) + 1.5
    want = {"Add": a + b, "Sub": a - b, "Mul": a * b, "Div": a / b, "Max": np.maximum(a, b), "Min": np.minimum(a, b)}[op_type]
    assert np.allclose(value, want)
    lo, hi = _interval(chain, wide, wide)
    a32, b32 = X * np.float32(0.7), np.abs(X) + np.float32(1.5)
    found = {"Add": a32 + b32, "Sub": a32 - b32, "Mul": a32 * b32, "Div": a32 / b32, "Max": np.maximum(a32, b32),
             "Min": np.minimum(a32, b32)}[op_type]
    assert ((lo[:, 0] <= found) & (found <= hi[:, 0])).all()


def test_sum_of_affine_chains_is_affine() -> None:
    (chain,) = combine("m", "Sub", _ops("Mul", [3.0], {}), _ops("Add", [1.0], {}))
    affine = chain.affine()
    assert affine is not None
    assert (affine[0].fractions(), affine[1].fractions()) == ((2,), (-1,))


def test_no_root_of_negative_numbers() -> None:
    with pytest.raises(FlowError, match=r"^n: takes the square root of a negative number for some input; put a Relu before it$"):
        _exact(_ops("Sqrt", [], {}), Fraction(-1))
    with pytest.raises(FlowError, match=r"^n: divides by zero for some input; keep its operand away from 0, or compute it before "
                                        r"the quantiser$"):
        _exact(_ops("Reciprocal", [], {}), Fraction(0))
