"""The golden model against loops."""

from __future__ import annotations

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.ir import MVAU, Graph, LabelSelect, Tensor, Thresholding, Thresholds, execute, smallest_datatype
from hw_flow.ir.nodes import matmul


def _naive(x: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    out = np.empty_like(x)
    for index in np.ndindex(*x.shape):
        row = index[-1] if len(thresholds.values) > 1 else 0
        reached = sum(int(x[index] < t if thresholds.descending[row] else x[index] >= t) for t in thresholds.values[row])
        out[index] = thresholds.base + thresholds.step * reached
    return out


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("rows", "levels"), [(1, 1), (1, 15), (5, 1), (5, 3), (5, 40)])
def test_thresholds_equal_loops(seed: int, rows: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.sort(rng.integers(-30, 30, (rows, levels)), axis=1)
    thresholds = Thresholds(values, rng.integers(0, 2, rows) == 1, int(rng.integers(-9, 9)), int(rng.integers(1, 3)))
    x = rng.integers(-40, 40, (3, 4, 5))
    assert np.array_equal(thresholds(x), _naive(x, thresholds))


@pytest.mark.parametrize("seed", range(4))
def test_graph_equals_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-3, 4, (4, 6))
    thresholds = Thresholds(np.sort(rng.integers(-20, 20, (4, 3)), axis=1), rng.integers(0, 2, 4) == 1, 0)
    first = Thresholds(np.array([[-1, 1]]), np.array([False]), -1)
    graph = Graph(
        "g",
        (Thresholding(name="Thresholding_0", inputs=("x",), outputs=("q",), thresholds=first),
         MVAU(name="MVAU_0", inputs=("q",), outputs=("a",), weights=weights, weight_dtype="INT3", acc_dtype="INT6",
              thresholds=thresholds),
         LabelSelect(name="LabelSelect_0", inputs=("a",), outputs=("y",))),
        {"x": Tensor("x", (2, 6), "INT4"), "q": Tensor("q", (2, 6), "TERNARY"), "a": Tensor("a", (2, 4), "UINT2"),
         "y": Tensor("y", (2, 1), "UINT2")},
        ("x",), ("y",))
    x = rng.integers(-8, 8, (7, 2, 6))
    values = execute(graph, {"x": x})
    q = _naive(x, first)
    acc = np.array([[[sum(int(w) * int(v) for w, v in zip(row, vector, strict=True)) for row in weights] for vector in frame]
                    for frame in q])
    assert np.array_equal(values["a"], _naive(acc, thresholds))
    best = [[[max(range(4), key=lambda k: (v[k], -k))] for v in frame] for frame in values["a"].tolist()]
    assert values["y"].tolist() == best


def test_matmul_is_exact_beyond_float64() -> None:
    x, w = np.array([[2**40 + 1]]), np.array([[2**20 + 1]])
    assert matmul(x, w)[0, 0] == (2**40 + 1) * (2**20 + 1)


@pytest.mark.parametrize(("low", "high", "name"), [
    (0, 0, "UINT1"), (0, 1, "UINT1"), (0, 2, "UINT2"), (0, 255, "UINT8"), (-1, 0, "INT1"), (-1, 1, "INT2"), (-8, 7, "INT4"),
    (-9, 7, "INT5"), (-8, 8, "INT5"),
])
def test_smallest_datatype(low: int, high: int, name: str) -> None:
    assert smallest_datatype(low, high) == name


@pytest.mark.parametrize(("inputs", "text"), [
    ({}, "input 'x' is missing; give an integer array [N, 3]"),
    ({"x": np.zeros((2, 4), int)}, "input 'x' has shape [2, 4]; expected [N, 3]"),
    ({"x": np.zeros((2, 3))}, "input 'x' is float64; the accelerator takes integers of type INT2"),
    ({"x": np.full((2, 3), 2)}, "input 'x' holds 2, which INT2 cannot represent"),
])
def test_input_errors(inputs: dict[str, np.ndarray], text: str) -> None:
    thresholds = Thresholds(np.array([[0]]), np.array([False]), -1, 2)
    graph = Graph("g", (Thresholding(name="T", inputs=("x",), outputs=("y",), thresholds=thresholds),),
                  {"x": Tensor("x", (3,), "INT2"), "y": Tensor("y", (3,), "BIPOLAR")}, ("x",), ("y",))
    with pytest.raises(FlowError) as error:
        execute(graph, inputs)
    assert str(error.value) == text


def test_bipolar_input_refuses_zero() -> None:
    graph = Graph("g", (LabelSelect(name="L", inputs=("x",), outputs=("y",)),),
                  {"x": Tensor("x", (3,), "BIPOLAR"), "y": Tensor("y", (1,), "UINT2")}, ("x",), ("y",))
    with pytest.raises(FlowError, match="input 'x' holds 0, which BIPOLAR cannot represent"):
        execute(graph, {"x": np.zeros((1, 3), int)})
