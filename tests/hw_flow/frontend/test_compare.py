"""The comparison itself: it must see what is wrong and forgive what float32 leaves open."""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from hw_flow.errors import FlowError
from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.frontend.cores import Linear
from hw_flow.frontend.errorbound import level_bounds
from hw_flow.frontend.multithreshold import MultiThreshold
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.quantisers import BipolarQuant, IntQuant
from hw_flow.frontend.sums import grid, matmul
from hw_flow.ir import MVAU, Graph, Thresholds, execute
from tests.hw_flow.qonnx_random import Builder, random_mlp

# The package has a function of the same name.
_MODULE = sys.modules["hw_flow.frontend.compare"]


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


@pytest.mark.parametrize("scale", [0.5, 0.3])
def test_weights_that_differ_from_the_file_are_found(tmp_path: Path, scale: float) -> None:
    """One weight wrong in the graph and in the region alike, as if the front end had misread the file."""
    program = _two_layers(tmp_path, scale)
    first, *rest = program.graph.nodes
    region, *others = program.regions
    assert isinstance(first, MVAU)
    assert isinstance(region.core, Linear)
    values = first.weights.copy()
    values[0, 0] += 1 if values[0, 0] < 3 else -1
    linear = replace(region.core, weights=replace(region.core.weights, values=values))
    wrong = replace(program, graph=replace(program.graph, nodes=(replace(first, weights=values), *rest)),
                    regions=(replace(region, core=linear), *others))
    result = compare(wrong, np.random.default_rng(1).normal(size=(300, 12)).astype(np.float32))
    assert result.first_mismatch == "Quant_3"


def test_wide_bounds_hide_no_wrong_threshold(tmp_path: Path) -> None:
    """Sums of 2,000 bytes have bounds many accumulator steps wide; a threshold wrong by less is found all the same."""
    b = Builder(np.random.default_rng(0))
    b.then("MatMul", b.quant(b.constant(np.random.default_rng(3).normal(size=(2000, 4))), 0.3, 4))
    b.then("BipolarQuant", b.constant(1.0))
    onnx.save(b.model(2000, [4]), str(tmp_path / "m.onnx"))
    program = compile_qonnx(tmp_path / "m.onnx", input_type="UINT8", input_scale="1/255")
    node, region = program.graph.nodes[0], program.regions[0]
    assert isinstance(node, MVAU)
    x = np.random.default_rng(1).integers(0, 256, (4, 2000))
    # Steer the sums of element 2 to 1 in every frame, one step over the threshold at 0.
    weights = node.weights[2]
    for frame in x:
        while (error := int(frame @ weights) - 1) != 0:
            size = max(1, min(abs(error) // 2000, 7))
            wanted = -np.sign(error) * size
            free = np.flatnonzero((np.abs(weights) <= abs(error)) & (weights != 0) & (frame - np.sign(error * weights) >= 0)
                                  & (frame - np.sign(error * weights) <= 255))
            pick = free[np.argmin(np.abs(np.abs(weights[free]) - abs(wanted)))]
            frame[pick] -= np.sign(error * weights[pick])
    assert (x @ weights == 1).all()
    assert compare(program, x).bit_exact
    low, high = level_bounds(region, [program.floats(x)], [x])
    assert (low[:, 2] < high[:, 2]).all()
    for by in (2, 5):
        result = compare(replace(program, graph=_shift(program.graph, "MVAU_0", by)), x)
        assert (result.mismatches, result.ties) == (4, 0), by
        assert result.detail == f"{region.nodes[-1]}: frame 0, element 2: QONNX gives level 1, the golden model -1"


def _raw(tmp_path: Path, scale: float, bias: bool) -> Program:
    """A network whose last layer leaves its accumulators as they are."""
    rng = np.random.default_rng(3)
    b = Builder(rng)
    b.head = b.quant(b.head, scale, 4)
    weights = b.quant(b.constant(rng.normal(size=(12, 5))), scale, 3)
    if bias:
        b.then("Gemm", weights, b.constant(rng.normal(size=5)))
    else:
        b.then("MatMul", weights)
    onnx.save(b.model(12, [5]), str(tmp_path / "m.onnx"))
    return compile_qonnx(tmp_path / "m.onnx")


def _moved(program: Program, steps: float, gain: float = 1.0) -> Program:
    """``program`` with the real values of its output integers shifted by ``steps`` levels, or scaled."""
    *others, last = program.regions
    sink = last.sink
    wrong = replace(sink, scale=Const.of(sink.scale.value * gain), offset=Const.of(sink.offset.value + steps * sink.scale.value))
    return replace(program, regions=(*others, replace(last, sink=wrong)))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("scale", [0.5, 0.3])
@pytest.mark.parametrize(("steps", "gain"), [(0.1, 1.0), (-0.3, 1.0), (0.45, 1.0), (1e-3, 1.0), (0.0, 1.001)])
def test_wrong_values_of_raw_accumulators_are_found(tmp_path: Path, bias: bool, scale: float, steps: float, gain: float) -> None:
    program = _raw(tmp_path, scale, bias)
    x = np.random.default_rng(1).normal(size=(300, 12)).astype(np.float32)
    right = compare(program, x)
    assert (right.bit_exact, right.ties) == (True, 0)
    result = compare(_moved(program, steps, gain), x)
    assert not result.bit_exact
    assert result.first_mismatch == program.regions[-1].nodes[-1]
    if steps:
        assert result.mismatches == 300 * 5
        assert result.detail is not None
        assert result.detail.startswith(f"{result.first_mismatch}: frame 0, element 0: QONNX gives ")
        assert ", the golden model " in result.detail


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["TFC_1W1A", "TFC_2W2A"])
def test_wrong_values_of_tfc_are_found(models_dir: Path, name: str) -> None:
    program = compile_qonnx(models_dir / "zoo" / f"{name}.onnx", input_type="UINT8", input_scale="1/255")
    x = np.random.default_rng(1).integers(0, 256, (20, *program.input_frame))
    assert compare(program, x).bit_exact
    for steps in (0.1, 0.3, 0.45):
        result = compare(_moved(program, steps), x)
        assert (result.mismatches, result.first_mismatch) == (200, program.regions[-1].nodes[-1])


def test_values_off_the_grid_are_no_ties(tmp_path: Path) -> None:
    program = _tie_network(tmp_path, 0.1)
    last = program.regions[-1]
    assert last.quantiser is not None
    wrong = replace(last, quantiser=replace(last.quantiser, scale=Const.of(1.2)))
    x = np.random.default_rng(1).normal(size=(50, 30)).astype(np.float32)
    result = compare(replace(program, regions=(*program.regions[:-1], wrong)), x)
    assert (result.mismatches, result.ties) == (50 * 16, 0)
    assert result.detail is not None
    value = 1 if "gives 1.0" in result.detail else -1
    assert result.detail.endswith(f"QONNX gives {value:.1f}, the golden model {float(np.float32(1.2)) * value!r} (level {value})")


def test_adjacent_levels() -> None:
    one, zero = Const.of(1.0), Const.of(0.0)
    levels = np.array([[-1, 0, 1, 2]])
    quant = IntQuant(node="q", low=-8, high=7, dtype="INT4", scale=one, offset=zero, zero=zero, rounding="HALF_EVEN")
    assert quant.adjacent(levels, levels[:, ::-1]).tolist() == [[False, True, True, False]]
    sign = BipolarQuant(node="q", low=-1, high=1, dtype="BIPOLAR", scale=one, offset=zero)
    assert sign.adjacent(np.array([[-1, 1, 1]]), np.array([[1, 1, -1]])).tolist() == [[True, False, True]]
    steps = np.array([[0.0, 1.0, 1.0, 2.0]])
    multi = MultiThreshold(node="q", low=0, high=4, dtype="UINT3", scale=one, offset=zero, steps=steps, first=0, stride=1,
                           out_scale=1.0, out_bias=0.0)
    below, above = np.array([[0, 1, 1, 2, 0, 3, 4, -5]]), np.array([[1, 2, 3, 3, 2, 4, 5, 0]])
    assert multi.adjacent(below, above).tolist() == [[True, True, True, True, False, True, False, False]]
    assert multi.adjacent(above, below).tolist() == multi.adjacent(below, above).tolist()


def test_levels_two_apart_are_no_tie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _two_layers(tmp_path, 0.5)
    x = np.random.default_rng(1).normal(size=(100, 12)).astype(np.float32)
    run = type(program.reference).run
    last = program.regions[-1]

    def moved(self: Any, names: Any, values: Any) -> Any:
        found = dict(run(self, names, values))
        if tuple(names) == last.nodes:
            found[last.sink.name] = found[last.sink.name] + np.float32(2 * last.sink.scale.value)
        return found

    # Bounds without limit: only the distance between the levels is left to decide.
    def bounds(region: Any, x: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full((len(x), 12), -1000), np.full((len(x), 12), 1000)

    monkeypatch.setattr(_MODULE, "level_bounds", bounds)
    monkeypatch.setattr(type(program.reference), "run", moved)
    result = compare(program, x)
    assert (result.ties, result.mismatches, result.first_mismatch) == (0, 1200, "Quant_6")


def test_wrong_index_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    b = Builder(np.random.default_rng(0))
    b.head = b.quant(b.head, 0.3, 4)
    b.then("MatMul", b.quant(b.constant(np.random.default_rng(3).normal(size=(12, 5))), 0.3, 3))
    b.then("ArgMax", axis=1, keepdims=1)
    onnx.save(b.model(12, [1], onnx.TensorProto.INT64), str(tmp_path / "m.onnx"))
    program = compile_qonnx(tmp_path / "m.onnx")
    x = np.random.default_rng(1).normal(size=(40, 12)).astype(np.float32)
    assert compare(program, x).bit_exact

    def wrong(graph: Graph, inputs: Any) -> Any:
        values = execute(graph, inputs)
        values[graph.outputs[0]][7] = (values[graph.outputs[0]][7] + 1) % 5
        return values

    monkeypatch.setattr(_MODULE, "execute", wrong)
    result = compare(program, x)
    assert (result.mismatches, result.ties) == (1, 0)
    node = program.regions[-1].nodes[-1]
    assert result.detail is not None
    assert result.detail.startswith(f"{node}: frame 7, element 0: QONNX gives level ")


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
    scale = float(np.float32(rng.uniform(0.1, 2)))
    x = (rng.integers(-100, 100, (20, 200)) * np.float32(0.37)).astype(np.float32)
    lo, hi = matmul(values * scale, x.astype(np.float64), x.astype(np.float64))
    weights = (values * scale).astype(np.float32)
    for order in (np.arange(200), rng.permutation(200)):
        found = np.zeros((20, 6), np.float32)
        for k in order:
            found += x[:, k:k + 1] * weights[:, k]
        assert ((lo <= found) & (found <= hi)).all()
    assert (hi > lo).all()
    whole = rng.integers(-100, 100, (20, 200)) * 0.5
    lo, hi = matmul(values * 0.25, whole, whole)
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
