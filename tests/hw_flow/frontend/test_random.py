"""Random networks: exact against QONNX, and exact against rational arithmetic over the whole range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw_flow.errors import FlowError
from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.frontend.spans import ranges
from hw_flow.frontend.thresholds import LevelFunction
from hw_flow.ir import MVAU, LabelSelect, Node, Thresholding
from tests.hw_flow.qonnx_random import Mlp, mlps, random_mlp

_SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, print_blob=True,
                     suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _compile(mlp: Mlp, folder: Path) -> Program:
    mlp.save(folder / "m.onnx")
    return compile_qonnx(folder / "m.onnx", input_type=mlp.input_type, input_scale=mlp.input_scale)


@_SETTINGS
@given(mlp=mlps())
def test_no_mismatch(tmp_path: Path, mlp: Mlp) -> None:
    try:
        program = _compile(mlp, tmp_path)
    except FlowError as error:
        assert "no common scale" in str(error)  # noqa: PT017 - most examples compile
        return
    result = compare(program, mlp.samples(64))
    assert result.bit_exact, result


@_SETTINGS
@given(mlp=mlps(power_of_two=True))
def test_powers_of_two_are_strict(tmp_path: Path, mlp: Mlp) -> None:
    try:
        program = _compile(mlp, tmp_path)
    except FlowError as error:
        assert "no common scale" in str(error)  # noqa: PT017 - most examples compile
        return
    result = compare(program, mlp.samples(64))
    assert (result.mismatches, result.ties) == (0, 0), result
    assert result.agreement == 64


@pytest.mark.parametrize("seed", range(40))
def test_thresholds_are_exact_over_the_whole_range(tmp_path: Path, seed: int) -> None:
    program = _compile(random_mlp(seed, layers=2, widest=4), tmp_path)
    for node, region in zip(program.graph, program.regions, strict=True):
        if region.quantiser is None:
            continue
        low, high = _range(program, node)
        function = LevelFunction((*region.start, *region.ops), region.quantiser)
        thresholds = node.thresholds  # type: ignore[attr-defined]
        if thresholds is None:  # the function changes no integer
            for channel, ends in enumerate(zip(low, high, strict=True)):
                points = range(int(ends[0]), int(ends[1]) + 1)
                assert all(function.exact(point, channel) == point for point in points)
            continue
        assert (thresholds.values >= low.min()).all()
        assert (thresholds.values <= high.max() + 1).all()
        rng = np.random.default_rng(seed)
        for channel in range(len(low)):
            points = np.arange(low[channel], high[channel] + 1)
            if len(points) > 60:
                row = thresholds.values[min(channel, len(thresholds.values) - 1)]
                near = np.concatenate([row - 1, row, row + 1]).clip(low[channel], high[channel])
                points = np.unique(np.concatenate([rng.choice(points, 40), near]))
            x = np.zeros((len(points), len(low)), dtype=np.int64)
            x[:, channel] = points
            want = [function.exact(int(point), channel) for point in points]
            assert thresholds(x)[:, channel].tolist() == want


def _range(program: Program, node: Node) -> tuple[np.ndarray, np.ndarray]:
    tensor = program.graph.input_of(node)
    if isinstance(node, MVAU):
        return ranges(node.weights, *tensor.limits)
    assert isinstance(node, Thresholding)
    return tuple(np.full(tensor.channels, end) for end in tensor.limits)  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(100, 112))
def test_accumulators_stay_inside_their_type(tmp_path: Path, seed: int) -> None:
    program = _compile(random_mlp(seed), tmp_path)
    for node in program.graph:
        if isinstance(node, MVAU):
            low, high = program.graph.input_of(node).limits
            for row in node.weights:
                worst = [sum(int(w) * (high if (w > 0) == top else low) for w in row) for top in (True, False)]
                limits = _limits(node.acc_dtype)
                assert limits[0] <= min(worst) <= max(worst) <= limits[1]


def _limits(name: str) -> tuple[int, int]:
    bits = int(name.lstrip("UINT"))
    return (0, 2**bits - 1) if name.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_save_and_load(tmp_path: Path, seed: int) -> None:
    mlp = random_mlp(seed, layers=2)
    program = _compile(mlp, tmp_path)
    program.save(tmp_path / "build")
    again = Program.load(tmp_path / "build")
    x = mlp.samples(16)
    assert compare(again, x) == compare(program, x)
    assert (again.host_pre, again.host_post, again.notes) == (program.host_pre, program.host_post, program.notes)
    assert again.input_scale == program.input_scale


def test_generator_reaches_every_operator(tmp_path: Path) -> None:
    seen: set[str] = set()
    kinds: set[type] = set()
    for seed in range(150):
        mlp = random_mlp(seed)
        seen |= {node.op_type for node in mlp.model.graph.node}
        if seed < 25:
            kinds |= {type(node) for node in _compile(mlp, tmp_path).graph}
    assert kinds == {MVAU, Thresholding, LabelSelect}
    assert seen >= {
        "MatMul", "Gemm", "Quant", "BipolarQuant", "MultiThreshold", "BatchNormalization", "Relu", "LeakyRelu", "Sigmoid", "Tanh",
        "Clip", "TopK", "ArgMax", "Softmax", "Unsqueeze", "Squeeze", "Transpose", "Div", "Sub",
    }
