"""Element-wise operators: float64 within its bound of the exact value, float32 within its interval."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hw_flow.frontend.curves import Sigmoid, Tanh
from hw_flow.frontend.nonlinear import Clip, LeakyRelu, Power
from hw_flow.frontend.numeric import Const, fits32, product, quotient, sqrt_fraction, total
from hw_flow.frontend.ops import Add, BatchNorm, Div, Mul, Op, compose_affine

RNG = np.random.default_rng(5)
F32 = [float(np.float32(value)) for value in RNG.normal(size=4)]


def _norm() -> BatchNorm:
    parts = dict(zip(("weight", "bias", "mean", "variance"), (Const.of(v) for v in (-F32[0], F32[1], F32[2], 3.0)), strict=True))
    return BatchNorm.build("n", **parts, epsilon=float(np.float32(1e-5)))


CASES: list[tuple[str, Op, str, list[float], dict[str, float]]] = [
    ("mul", Mul(node="n", by=Const.of(F32[0])), "Mul", [F32[0]], {}),
    ("mul_by_two", Mul(node="n", by=Const.of(2.0)), "Mul", [2.0], {}),
    ("div", Div(node="n", by=Const.of(F32[1])), "Div", [F32[1]], {}),
    ("div_by_four", Div(node="n", by=Const.of(-4.0)), "Div", [-4.0], {}),
    ("add", Add(node="n", by=Const.of(F32[2])), "Add", [F32[2]], {}),
    ("norm", _norm(), "BatchNormalization", [-F32[0], F32[1], F32[2], 3.0], {"epsilon": 1e-5}),
    ("relu", LeakyRelu(node="n", slope=Const.of(0.0)), "Relu", [], {}),
    ("leaky", LeakyRelu(node="n", slope=Const.of(float(np.float32(0.1)))), "LeakyRelu", [], {"alpha": 0.1}),
    ("clip", Clip(node="n", low=-1.0, high=0.5), "Clip", [-1.0, 0.5], {}),
    ("sigmoid", Sigmoid(node="n"), "Sigmoid", [], {}),
    ("tanh", Tanh(node="n"), "Tanh", [], {}),
    ("square", Power(node="n", exponent=2), "Pow", [2.0], {}),
    ("cube", Power(node="n", exponent=3), "Pow", [3.0], {}),
]


def _runtime(name: str, operands: list[float], attributes: dict[str, float], x: np.ndarray) -> np.ndarray:
    names = [f"c{index}" for index in range(len(operands))]
    shape = [1] if name == "BatchNormalization" else []
    constants = [numpy_helper.from_array(np.full(shape, value, np.float32), label)
                 for value, label in zip(operands, names, strict=True)]
    graph = helper.make_graph([helper.make_node(name, ["x", *names], ["y"], **attributes)], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])], constants)
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize(("op", "kind", "operands", "attributes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_all_three_ways_agree(op: Op, kind: str, operands: list[float], attributes: dict[str, float]) -> None:
    x = np.concatenate([RNG.normal(size=200), RNG.normal(size=200) * 30, np.arange(-8, 9) / 4]).astype(np.float32)[:, None]
    exact = [op.exact(Fraction(float(value)), 0) for value in x[:, 0]]
    value, error = op.approx(x.astype(np.float64), np.zeros(x.shape))
    assert all(abs(Fraction(float(v)) - want) <= Fraction(float(e))
               for v, e, want in zip(value[:, 0], error[:, 0], exact, strict=True))
    lo, hi = op.interval(x.astype(np.float64), x.astype(np.float64))
    found = _runtime(kind, operands, attributes, x).astype(np.float64)
    assert ((lo <= found) & (found <= hi)).all()
    # The bound is tight enough to mean something: 2**-18 of the values.
    assert (hi - lo <= 2.0**-18 * (1 + np.abs(value)) * 8).all()


@pytest.mark.parametrize("op", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_error_bound_carries_input_error(op: Op) -> None:
    x = RNG.normal(size=(300, 1)) * 2
    shift = RNG.uniform(-1, 1, x.shape) * 1e-3
    value, error = op.approx(x, np.full(x.shape, 1e-3))
    for v, e, moved in zip(value[:, 0], error[:, 0], (x + shift)[:, 0], strict=True):
        assert abs(op.exact(Fraction(float(moved)), 0) - Fraction(float(v))) <= Fraction(float(e))
    lo, hi = op.interval(x - 1e-3, x + 1e-3)
    inner, _ = op.approx(x + shift, np.zeros(x.shape))
    assert ((lo <= inner) & (inner <= hi)).all()


@pytest.mark.parametrize("op", [case[1] for case in CASES if case[0] != "square"])
def test_sign(op: Op) -> None:
    y, _ = op.approx(np.linspace(-3, 3, 601)[:, None], np.zeros((601, 1)))
    steps = np.diff(y[:, 0]) * op.sign()[0]
    assert (steps >= 0).all()
    assert (not op.strict) or (steps > 0).all()


def test_error_free_transformations() -> None:
    a, b = RNG.normal(size=500) * 2.0 ** RNG.integers(-20, 20, 500), RNG.normal(size=500)
    for function, exact in ((product, lambda x, y: x * y), (total, lambda x, y: x + y)):
        value, rest = function(a, b)
        assert all(Fraction(float(v)) + Fraction(float(r)) == exact(Fraction(float(x)), Fraction(float(y)))
                   for v, r, x, y in zip(value, rest, a, b, strict=True))
    value, bound = quotient(a, b)
    assert all(abs(Fraction(float(v)) - Fraction(float(x)) / Fraction(float(y))) <= Fraction(float(r)) * 2
               for v, r, x, y in zip(value, bound, a, b, strict=True))
    assert quotient(np.array([3.0]), np.array([-8.0]))[1] == 0
    assert fits32(np.array([0.1, 0.5, 2.0**24 + 1])).tolist() == [False, True, False]


def test_square_roots() -> None:
    assert sqrt_fraction(Fraction(9, 16)) == Fraction(3, 4)
    assert abs(sqrt_fraction(Fraction(2)) ** 2 - 2) < Fraction(1, 1 << 200)


def test_affine_chain_is_exact() -> None:
    third = Div(node="n", by=Const.of(3.0))
    ops = (Mul(node="n", by=Const.of(np.array([0.5, 0.25]))), Add(node="n", by=Const.of(1.0)), third)
    assert compose_affine(ops) == ((Fraction(1, 6), Fraction(1, 12)), (Fraction(1, 3), Fraction(1, 3)))
    assert compose_affine((*ops, Sigmoid(node="n"))) is None


@pytest.mark.parametrize(("op", "low"), [(Sigmoid(node="n"), 0), (Tanh(node="n"), -1)])
def test_far_out_the_bounds_are_approached_but_not_reached(op: Op, low: int) -> None:
    points = [Fraction(x) for x in (-(10**400), -3 * 10**6, -(10**4) - 1, -10, 0, 10, 10**4 + 1, 3 * 10**6, 10**400)]
    values = [op.exact(x, 0) for x in points]
    assert values == sorted(values)
    assert low < values[0] < low + Fraction(1, 10**4000)
    assert 1 - Fraction(1, 10**4000) < values[-1] < 1
