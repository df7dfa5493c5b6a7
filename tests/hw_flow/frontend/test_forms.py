"""Ways to write the same network: batch sizes, layouts, operator forms, input types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.ir import MVAU, Thresholding
from tests.hw_flow.qonnx_random import Builder

RNG = np.random.default_rng(7)


def _weights(b: Builder, mw: int, mh: int, scale: float = 0.25) -> str:
    return b.quant(b.constant(np.random.default_rng(mw * 31 + mh).normal(size=(mw, mh))), scale, 4)


def _compile(tmp_path: Path, model: onnx.ModelProto, **options: Any) -> Program:
    onnx.save(model, str(tmp_path / "m.onnx"))
    return compile_qonnx(tmp_path / "m.onnx", **options)


def _check(program: Program, x: np.ndarray) -> None:
    result = compare(program, x)
    assert result.bit_exact, result


@pytest.mark.parametrize("batch", [1, 32])
def test_fixed_batch(tmp_path: Path, batch: int) -> None:
    b = Builder(RNG)
    b.then("Reshape", b.constant([batch, 6], np.int64))
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", _weights(b, 6, 4))
    b.then("Reshape", b.constant([batch, -1], np.int64))
    b.head = b.quant(b.head, 0.5, 4)
    model = b.model(6, [4])
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_value = batch
    _check(_compile(tmp_path, model), RNG.normal(size=(45, 6)).astype(np.float32))


def test_shape_chain(tmp_path: Path) -> None:
    b = Builder(RNG)
    shape = b.node("Shape", ["x"])[0]
    first = b.node("Gather", [shape, b.constant(0, np.int64)], axis=0)[0]
    first = b.node("Unsqueeze", [first, b.constant([0], np.int64)])[0]
    target = b.node("Concat", [first, b.constant([-1], np.int64)], axis=0)[0]
    b.then("Reshape", target)
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", _weights(b, 6, 4))
    model = b.model(6, [4])
    model.graph.input[0].type.tensor_type.shape.dim.add().dim_value = 1
    program = _compile(tmp_path, model)
    assert program.input_frame == (6, 1)
    assert [op.op_type for op in program.host_pre] == ["Reshape", "Quant"]
    _check(program, RNG.normal(size=(9, 6, 1)).astype(np.float32))


def test_several_vectors_a_frame(tmp_path: Path) -> None:
    b = Builder(RNG)
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", _weights(b, 6, 4))
    b.then("Add", b.constant(RNG.normal(size=4)))
    b.head = b.quant(b.head, 0.25, 3)
    b.then("MatMul", _weights(b, 4, 3))
    b.head = b.quant(b.head, 0.25, 3)
    model = b.model(5, [5, 3])
    model.graph.input[0].type.tensor_type.shape.dim.add().dim_value = 6
    program = _compile(tmp_path, model)
    assert [program.graph.input_of(node).shape for node in program.graph] == [(1, 5, 6), (1, 5, 4)]
    assert program.graph.tensors[program.graph.outputs[0]].shape == (1, 5, 3)
    _check(program, RNG.normal(size=(50, 5, 6)).astype(np.float32))


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.5, 1.0), (-2.0, 3.0), (0.3, 0.7)])
def test_gemm_factors(tmp_path: Path, alpha: float, beta: float) -> None:
    b = Builder(RNG)
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Gemm", _weights(b, 6, 4), b.constant([1.0, -2.0, 0.5, 3.0]), alpha=alpha, beta=beta)
    b.head = b.quant(b.head, 0.5, 4)
    program = _compile(tmp_path, b.model(6, [4]))
    node = program.graph.nodes[0]
    assert isinstance(node, MVAU)
    assert node.thresholds is not None
    assert node.thresholds.descending.all() == (alpha < 0)
    _check(program, RNG.normal(size=(300, 6)).astype(np.float32))


@pytest.mark.parametrize("mode", ["TRUNC", "ROUND_TO_ZERO", "floor"])
def test_names_of_rounding_modes(tmp_path: Path, mode: str) -> None:
    b = Builder(RNG)
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", _weights(b, 6, 4))
    b.head = b.quant(b.head, 0.5, 4, mode=mode)
    _check(_compile(tmp_path, b.model(6, [4])), RNG.normal(size=(300, 6)).astype(np.float32))


def test_integer_typed_input(tmp_path: Path) -> None:
    b = Builder(RNG)
    b.then("Cast", to=TensorProto.FLOAT)
    b.then("Div", b.constant(255.0))
    b.head = b.quant(b.head, 0.25, 2, signed=False)
    b.then("MatMul", _weights(b, 6, 4))
    model = b.model(6, [4])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    program = _compile(tmp_path, model)
    assert program.graph.tensors["x"].dtype == "UINT8"
    assert isinstance(program.graph.nodes[0], Thresholding)
    _check(program, RNG.integers(0, 256, (100, 6)))


@pytest.mark.parametrize("dtype", ["TERNARY", "BINARY", "INT4", "UINT3", "UINT16"])
def test_declared_types(tmp_path: Path, dtype: str) -> None:
    b = Builder(RNG)
    b.then("Mul", b.constant(0.5))
    b.then("MatMul", _weights(b, 6, 4))
    b.head = b.quant(b.head, 0.5, 4)
    program = _compile(tmp_path, b.model(6, [4]), input_type=dtype, input_scale=0.25)
    low, high = program.graph.tensors["x"].limits
    _check(program, RNG.integers(low, high, (200, 6), endpoint=True))


@pytest.mark.parametrize("annotation", ["UINT8", "BIPOLAR", "INT3"])
def test_annotated_types(tmp_path: Path, annotation: str) -> None:
    b = Builder(RNG)
    b.then("MatMul", _weights(b, 6, 4))
    b.head = b.quant(b.head, 4.0, 4)
    program = _compile(tmp_path, b.model(6, [4], annotation=annotation))
    assert program.graph.tensors["x"].dtype == annotation
    low, high = program.graph.tensors["x"].limits
    x = RNG.choice([low, high], (200, 6)) if annotation == "BIPOLAR" else RNG.integers(low, high, (200, 6), endpoint=True)
    _check(program, x)
    _check(program, x.astype(np.float32))


def test_even_power_on_one_side_is_monotone(tmp_path: Path) -> None:
    """x ** 2 behind non-negative accumulators is found to rise by trying every value."""
    b = Builder(RNG)
    b.then("MatMul", b.constant(np.arange(24).reshape(6, 4)))
    b.then("Pow", b.constant(2.0))
    b.head = b.quant(b.head, 100.0, 8, signed=False)
    program = _compile(tmp_path, b.model(6, [4]), input_type="UINT2")
    _check(program, RNG.integers(0, 4, (300, 6)))


def test_labels_need_equal_channels(tmp_path: Path) -> None:
    b = Builder(RNG)
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", _weights(b, 6, 4))
    b.then("Add", b.constant([1.0, 2.0, 3.0, 4.0]))
    b.head = b.node("ArgMax", [b.head], axis=1, keepdims=0)[0]
    program = _compile(tmp_path, b.model(6, [], TensorProto.INT64))
    assert [op.op_type for op in program.host_post] == ["Add", "ArgMax"]
    assert program.notes == ("ArgMax_4 runs on the host: the function before it is not the same strictly increasing one on "
                             "every channel",)
    _check(program, RNG.normal(size=(100, 6)).astype(np.float32))


def test_two_quantisers_make_one_function(tmp_path: Path) -> None:
    b = Builder(RNG)
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", _weights(b, 6, 4))
    b.head = b.quant(b.head, 0.3, 6)
    b.then("Relu")
    b.then("Mul", b.constant(0.7))
    b.head = b.quant(b.head, 0.5, 3)
    program = _compile(tmp_path, b.model(6, [4]))
    assert [type(node) for node in program.graph] == [MVAU]
    assert program.graph.nodes[0].source == ("MatMul_2", "Quant_3", "Relu_4", "Mul_5", "Quant_6")
    assert program.graph.output_of(program.graph.nodes[0]).dtype == "UINT2"
    _check(program, RNG.normal(size=(500, 6)).astype(np.float32))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_constant_channels(tmp_path: Path, sign: float) -> None:
    """A channel multiplied by zero, and levels that are never or always reached, stay inside the accumulator's range."""
    b = Builder(RNG)
    b.head = b.quant(b.head, 0.5, 2)
    b.then("MatMul", _weights(b, 6, 4))
    b.then("Mul", b.constant([0.0, sign, sign * 100, sign * 1e-4]))
    b.then("Add", b.constant([0.6, 100.0, -0.1, -100.0]))
    b.head = b.quant(b.head, 0.5, 3)
    program = _compile(tmp_path, b.model(6, [4]))
    _check(program, RNG.normal(size=(500, 6)).astype(np.float32))


def test_per_channel_output(tmp_path: Path) -> None:
    b = Builder(RNG)
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", _weights(b, 6, 4))
    b.head = b.quant(b.head, np.array([0.5, 0.25, 0.3, 1.0]), 4)
    program = _compile(tmp_path, b.model(6, [4]))
    output = program.graph.tensors[program.graph.outputs[0]]
    assert np.allclose(output.scale, [0.5, 0.25, 0.3, 1.0])
    _check(program, RNG.normal(size=(300, 6)).astype(np.float32))


@pytest.mark.parametrize(("bias", "level"), [(100.0, 3), (-100.0, -4), (0.6, 1), (0.0, 0)])
def test_constant_region(tmp_path: Path, bias: float, level: int) -> None:
    b = Builder(RNG)
    b.head = b.quant(b.head, 0.5, 2)
    b.then("MatMul", _weights(b, 6, 4))
    b.then("Mul", b.constant(0.0))
    b.then("Add", b.constant(bias))
    b.head = b.quant(b.head, 0.5, 3)
    program = _compile(tmp_path, b.model(6, [4]))
    node = program.graph.nodes[0]
    assert isinstance(node, MVAU)
    assert node.thresholds is not None
    output = program.graph.output_of(node)
    assert node.thresholds.levels == 1
    assert output.limits[0] <= node.thresholds.base < output.limits[1]
    assert set(node.thresholds(np.arange(-3, 4)[:, None]).ravel().tolist()) == {level}
    _check(program, RNG.normal(size=(50, 6)).astype(np.float32))
