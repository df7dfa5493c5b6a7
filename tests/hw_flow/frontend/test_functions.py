"""Activations and quantisers in networks: as exporters write them, bit-exact against QONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hw_flow.errors import FlowError
from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.ir import MVAU, Lookup
from tests.hw_flow.qonnx_graphs import Maker
from tests.hw_flow.qonnx_random import QONNX

RNG = np.random.default_rng(3)


def maker(opset: int = 13, seed: int = 0) -> Maker:
    """A quantised input of 6 features and a dense layer of 4 outputs."""
    b = Maker(np.random.default_rng(seed), frame=(6,), opset=opset)
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(6, 4))), 0.25, 4))
    b.frame = (4,)
    return b


def build(b: Maker, folder: Path, version: int = 2, **options: Any) -> Program:
    """Compile what ``b`` made; ``version`` is the opset of QONNX's domain."""
    graph = helper.make_graph(b.nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 6])],
                              [helper.make_tensor_value_info(b.head, TensorProto.FLOAT, None)], b.initialisers)
    opsets = [helper.make_opsetid("", b.opset), helper.make_opsetid(QONNX, version)]
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=opsets), str(folder / "m.onnx"))
    return compile_qonnx(folder / "m.onnx", **options)


def check(program: Program) -> None:
    result = compare(program, RNG.normal(size=(400, 6)).astype(np.float32) * 2)
    assert result.bit_exact, result


@pytest.mark.parametrize(("kind", "opset"), [
    ("SiLU", 13), ("Gelu", 13), ("Mish", 13), ("HardSwish", 13), ("HardSwish", 14), ("Elu", 13), ("Selu", 13), ("Celu", 13),
    ("Softplus", 13), ("Softsign", 13), ("Erf", 13), ("PRelu", 13), ("Abs", 13), ("Max", 13), ("Min", 13), ("Floor", 13),
    ("Clip", 9), ("HardSigmoid", 13), ("LeakyRelu", 13), ("Neg", 13),
])
@pytest.mark.parametrize("bits", [3, 8])
def test_activations(tmp_path: Path, kind: str, opset: int, bits: int) -> None:
    b = maker(opset)
    b.then("Add", b.constant([0.5, -1.0, 0.0, 2.0]))
    b.activation(kind)
    b.head = b.quant(b.head, 0.07 if bits == 8 else 0.4, bits)
    check(build(b, tmp_path))


@pytest.mark.parametrize("form", ["none", "tanh"])
def test_gelu_of_opset_20(tmp_path: Path, form: str) -> None:
    b = maker(20)
    b.then("Gelu", approximate=form)
    b.head = b.quant(b.head, 0.05, 6)
    check(build(b, tmp_path))


def test_gelu_by_tanh_as_exporters_write_it(tmp_path: Path) -> None:
    b = maker()
    x = b.head
    cube = b.node("Pow", [x, b.constant(3.0)])[0]
    cubic = b.node("Add", [x, b.node("Mul", [cube, b.constant(0.044715)])[0]])[0]
    tanh = b.node("Tanh", [b.node("Mul", [cubic, b.constant(0.7978845608)])[0]])[0]
    b.head = b.node("Mul", [b.node("Mul", [x, b.constant(0.5)])[0], b.node("Add", [tanh, b.constant(1.0)])[0]])[0]
    b.head = b.quant(b.head, 0.05, 5)
    program = build(b, tmp_path)
    assert [type(node) for node in program.graph] == [MVAU, Lookup]
    check(program)


def test_swish_by_a_quotient(tmp_path: Path) -> None:
    b = maker()
    x = b.head
    under = b.node("Add", [b.node("Exp", b.node("Neg", [x]))[0], b.constant(1.0)])[0]
    b.head = b.node("Div", [x, under])[0]
    b.head = b.quant(b.head, 0.05, 5)
    check(build(b, tmp_path))


@pytest.mark.parametrize("mode", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN", "ROUND_TO_ZERO"])
@pytest.mark.parametrize("bits", [1, 2, 5, 9])
def test_rounding_modes(tmp_path: Path, mode: str, bits: int) -> None:
    b = maker(seed=bits)
    b.head = b.quant(b.head, 0.125, bits, signed=bits % 2 == 0, mode=mode)
    check(build(b, tmp_path))


@pytest.mark.parametrize("scale", [-0.5, [-0.5, 0.25, 0.5, -0.3]], ids=["tensor", "channel"])
def test_negative_scales(tmp_path: Path, scale: Any) -> None:
    b = maker()
    b.head = b.quant(b.head, np.array(scale), 3)
    check(build(b, tmp_path))


def test_zero_points_per_channel(tmp_path: Path) -> None:
    b = maker()
    operands = [b.constant(value) for value in ([0.5, 0.25, 0.3, 1.0], [0.0, 3.0, -2.0, 0.5], 4.0)]
    b.then("Quant", *operands, signed=0, narrow=0, rounding_mode="ROUND")
    program = build(b, tmp_path)
    assert program.graph.tensors[program.graph.outputs[0]].offset.tolist() == pytest.approx([0.0, -0.75, 0.6, -0.5])
    check(program)


@pytest.mark.parametrize(("mode", "signed", "zero"), [("FLOOR", 0, 0.0), ("FLOOR", 1, 0.0), ("ROUND", 1, 2.0), ("CEIL", 0, 4.0)])
def test_trunc_of_version_2(tmp_path: Path, mode: str, signed: int, zero: float) -> None:
    b = maker()
    b.head = b.quant(b.head, 0.125, 8, signed=bool(signed), zero=zero)
    b.then("Trunc", *(b.constant(value) for value in (0.125, zero, 8.0, 1.0, 5.0)), rounding_mode=mode, signed=signed, narrow=0)
    check(build(b, tmp_path))


@pytest.mark.parametrize("mode", ["FLOOR", "ROUND"])
def test_trunc_of_version_1(tmp_path: Path, mode: str) -> None:
    b = maker()
    b.head = b.quant(b.head, 0.125, 8)
    b.then("Trunc", *(b.constant(value) for value in (0.125, 0.0, 8.0, 5.0)), rounding_mode=mode)
    program = build(b, tmp_path, version=1)
    assert program.graph.tensors[program.graph.outputs[0]].dtype in ("INT5", "INT6")
    check(program)


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("axis", [None, 1])
def test_quantise_and_dequantise(tmp_path: Path, kind: type, *, clip: bool, axis: int | None) -> None:
    b = maker()
    shape = () if axis is None else (4,)
    scale = b.constant(np.full(shape, 0.3) if axis is None else [0.3, 0.2, 0.5, 0.25])
    zero = b.constant(np.full(shape, 3 if kind is np.uint8 else 0), kind)
    options = {} if axis is None else {"axis": axis}
    b.then("QuantizeLinear", scale, zero, **options)
    if clip:
        b.then("Clip", b.constant(0, kind), b.constant(15, kind))
    b.then("DequantizeLinear", scale, zero, **options)
    if axis is None:
        b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(4, 3))), 0.25, 4))
        b.head = b.quant(b.head, 0.5, 4)
    check(build(b, tmp_path))


@pytest.mark.parametrize("name", ["IntQuant", "Quant"])
def test_names_of_the_quantiser(tmp_path: Path, name: str) -> None:
    b = maker()
    b.then(name, b.constant(0.5), b.constant(0.0), b.constant(4.0), signed=1, narrow=1, rounding_mode="ROUND")
    check(build(b, tmp_path))


def _root(b: Maker) -> None:
    b.then("Sqrt")
    b.head = b.quant(b.head, 0.5, 4)


def _inverse(b: Maker) -> None:
    b.then("Reciprocal")
    b.head = b.quant(b.head, 0.5, 4)


def _wide(b: Maker) -> None:
    b.head = b.quant(b.head, 0.5, 33)


def _unknown(b: Maker) -> None:
    b.head = b.quant(b.head, 0.5, 4, mode="STOCHASTIC")


def _axis(b: Maker) -> None:
    b.then("QuantizeLinear", b.constant([0.5, 0.25]), b.constant([0, 0], np.int8))
    b.then("DequantizeLinear", b.constant([0.5, 0.25]), b.constant([0, 0], np.int8))


def _slopes(b: Maker) -> None:
    b.then("PRelu", b.constant([0.1, 0.2]))
    b.head = b.quant(b.head, 0.5, 4)


@pytest.mark.parametrize(("change", "text"), [
    (_root, "Sqrt_3: takes the square root of a negative number for some input; put a Relu before it"),
    (_inverse, "Reciprocal_3: divides by zero for some input; keep its operand away from 0, or compute it before the quantiser"),
    (_wide, "Quant_3 (Quant): its bit width must be one integer from 1 to 32, not [33.0]; use one width per tensor"),
    (_unknown, "Quant_3 (Quant): rounding mode 'STOCHASTIC' is unknown; use one of CEIL, DOWN, FLOOR, HALF_DOWN, HALF_EVEN, "
     "HALF_UP, ROUND, ROUND_TO_ZERO, TRUNC, UP"),
    (_axis, "QuantizeLinear_3 (QuantizeLinear): its scale has 2 elements along axis 1 of frames of [4]; check the export"),
    (_slopes, "PRelu_3 (PRelu): its slope of shape [2] does not fit frames of [4]; check the export"),
])
def test_refusals(tmp_path: Path, change: Any, text: str) -> None:
    b = maker()
    change(b)
    with pytest.raises(FlowError) as caught:
        build(b, tmp_path)
    assert str(caught.value) == text


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_layouts_of_multi_threshold(tmp_path: Path, layout: str) -> None:
    b = Maker(np.random.default_rng(1), frame=(3, 4, 4))
    if layout == "NCHW":
        b.then("Transpose", perm=[0, 3, 1, 2])
    steps = b.constant([[-3.0, 0.0, 2.0], [-1.0, 1.0, 4.0], [-5.0, -4.0, -3.0]])
    b.then("MultiThreshold", steps, out_dtype="INT2", out_scale=1.0, out_bias=-2.0, data_layout=layout)
    if layout == "NHWC":
        b.then("Transpose", perm=[0, 3, 1, 2])
    b.conv(4)
    b.head = b.quant(b.head, 0.5, 4)
    graph = helper.make_graph(b.nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 4, 3])],
                              [helper.make_tensor_value_info(b.head, TensorProto.FLOAT, None)], b.initialisers)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 2)]
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=opsets), str(tmp_path / "m.onnx"))
    program = compile_qonnx(tmp_path / "m.onnx", input_type="INT4")
    result = compare(program, RNG.integers(-8, 8, (50, 4, 4, 3)))
    assert result.bit_exact, result
    assert result.ties == 0
