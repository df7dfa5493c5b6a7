"""Branches: joins of two activations, forks, and the one tensor that crosses to the host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.frontend import Program, compile_qonnx
from hw_flow.ir import MVAU, Add, Concat, Lookup, Multiply
from tests.hw_flow.qonnx_maps import Maps, build, check, kinds


def _start(scale: float = 0.5) -> Maps:
    b = Maps()
    b.head = b.quant(b.head, scale, 4)
    return b


def _branch(b: Maps, source: str, scale: float, channels: int = 3, bits: int = 4, zero: float = 0.0) -> str:
    """A convolution and a quantiser on ``source``."""
    b.head = source
    b.conv(channels, 3, (3, 3), pads=[1, 1, 1, 1])
    return b.quant(b.head, scale, bits, zero=zero)


def _finish(tmp_path: Path, b: Maps, *, agree: bool = True) -> Program:
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (3, 5, 4))
    check(program, agree=agree)
    return program


@pytest.mark.parametrize(("op", "scales", "coefficients"), [
    ("Add", (0.5, 0.5), (1, 1)), ("Sub", (0.5, 0.5), (1, -1)), ("Add", (0.5, 0.125), (4, 1)), ("Sub", (0.25, 0.75), (1, -3)),
    ("Add", (0.375, 0.375), (1, 1)),
])
def test_sums(tmp_path: Path, op: str, scales: tuple[float, float], coefficients: tuple[int, int]) -> None:
    b = _start()
    source = b.head
    one, other = (_branch(b, source, scale) for scale in scales)
    b.head = b.node(op, [one, other])[0]
    program = _finish(tmp_path, b)
    node = next(node for node in program.graph if isinstance(node, Add))
    assert node.coefficients == coefficients
    assert node.thresholds is not None
    assert program.graph.nodes[-1] is node


def test_scales_without_a_small_ratio(tmp_path: Path) -> None:
    """0.3 and 0.7 as float32: the sum is exact all the same, with large coefficients."""
    b = _start()
    source = b.head
    one, other = (_branch(b, source, scale) for scale in (0.3, 0.7))
    b.head = b.node("Add", [one, other])[0]
    program = _finish(tmp_path, b, agree=False)
    node = next(node for node in program.graph if isinstance(node, Add))
    assert min(node.coefficients) > 1 << 16


def test_zero_points_of_a_sum_are_its_offset(tmp_path: Path) -> None:
    b = _start()
    source = b.head
    one, other = _branch(b, source, 0.5, zero=3.0), _branch(b, source, 0.25, zero=-1.5)
    b.head = b.node("Sub", [one, other])[0]
    _finish(tmp_path, b)


def test_residual_block(tmp_path: Path) -> None:
    """The skip carries the input of the block, the sum its own activation."""
    b = _start()
    source = b.head
    one = _branch(b, source, 0.5)
    b.head = b.node("Add", [source, one])[0]
    b.then("Relu")
    program = _finish(tmp_path, b)
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0", "Add_0"]
    assert len(program.graph.consumers(program.graph.inputs[0])) == 2


@pytest.mark.parametrize("zeros", [(0.0, 0.0), (2.0, 0.0), (0.0, -3.0)])
def test_products(tmp_path: Path, zeros: tuple[float, float]) -> None:
    b = _start()
    source = b.head
    one, other = (_branch(b, source, 0.5, zero=zero) for zero in zeros)
    b.head = b.node("Mul", [one, other])[0]
    program = _finish(tmp_path, b)
    assert [type(node) for node in program.graph][-1] is Multiply
    assert sum(isinstance(node, MVAU) for node in program.graph) == 2


def test_squeeze_and_excitation(tmp_path: Path) -> None:
    b = _start()
    source = b.head
    b.then("GlobalAveragePool")
    b.head = b.quant(b.head, 0.25, 4)
    b.conv(3, 3, (1, 1))
    b.then("Sigmoid")
    gate = b.quant(b.head, 0.125, 3, signed=False)
    b.head = b.node("Mul", [gate, source])[0]
    program = _finish(tmp_path, b)
    assert kinds(program) == ["GlobalPool_0", "Thresholding_0", "MVAU_0", "Reorder_0", "Multiply_0"]


def test_activation_of_one_tensor_is_a_table(tmp_path: Path) -> None:
    """SiLU arrives as two branches that meet again."""
    b = _start(0.25)
    gate = b.node("Sigmoid", [b.head])[0]
    b.then("Mul", gate)
    program = _finish(tmp_path, b)
    assert [type(node) for node in program.graph] == [Lookup]


@pytest.mark.parametrize("scales", [(0.5, 0.5), (0.5, 0.25), (0.3, 0.7)])
def test_channels_side_by_side(tmp_path: Path, scales: tuple[float, float]) -> None:
    """Different scales go into the weights of the next layer, or into the thresholds."""
    b = _start()
    source = b.head
    one, other = (_branch(b, source, scale, channels) for scale, channels in zip(scales, (2, 3), strict=True))
    b.head = b.node("Concat", [one, other], axis=1)[0]
    if scales == (0.3, 0.7):
        b.head = b.quant(b.head, 0.25, 3)
    b.conv(3, 5, (1, 1))
    program = _finish(tmp_path, b)
    assert any(isinstance(node, Concat) for node in program.graph)


def test_channels_of_different_types(tmp_path: Path) -> None:
    b = _start()
    source = b.head
    one = _branch(b, source, 0.5, 2)
    b.head = source
    b.conv(2, 3, (3, 3), pads=[1, 1, 1, 1])
    other = b.node("BipolarQuant", [b.head, b.constant(0.5)])[0]
    b.head = b.node("Concat", [one, other], axis=-3)[0]
    b.conv(3, 4, (1, 1))
    program = _finish(tmp_path, b)
    node = next(node for node in program.graph if isinstance(node, Concat))
    assert [program.graph.tensors[name].dtype for name in node.inputs] == ["INT4", "BIPOLAR"]
    assert program.graph.output_of(node).dtype == "INT4"


def test_accumulators_with_two_readers_stay_whole(tmp_path: Path) -> None:
    b = _start()
    b.conv(3, 3, (1, 1))
    raw = b.head
    one = b.quant(raw, 0.5, 4)
    b.head = raw
    b.then("Relu")
    other = b.quant(b.head, 0.25, 3)
    b.head = b.node("Add", [one, other])[0]
    program = _finish(tmp_path, b)
    assert kinds(program) == ["MVAU_0", "Thresholding_0", "Thresholding_1", "Add_0"]


def test_tail_on_the_host(tmp_path: Path) -> None:
    """What follows the last integers may fork and join freely, as long as it reads one tensor."""
    b = _start()
    b.conv(3, 3, (3, 3))
    raw = b.head
    left = b.node("Sigmoid", [raw])[0]
    b.head = b.node("Softmax", [raw], axis=1)[0]
    b.head = b.node("Add", [left, b.head])[0]
    program = build(tmp_path, b, (3, 5, 4))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0"]
    assert [op.op_type for op in program.host_post] == ["Sigmoid", "Softmax", "Add"]
    check(program)


def test_branches_of_a_float_input_meet_on_the_host(tmp_path: Path) -> None:
    b = Maps()
    left = b.node("Relu", ["x"])[0]
    right = b.quant("x", 0.5, 4)
    b.head = b.node("Add", [left, right])[0]
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(3, 3, (3, 3))
    program = _finish(tmp_path, b)
    assert [op.op_type for op in program.host_pre] == ["Relu", "Quant", "Add", "Quant"]
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0"]


def falling_pool(b: Maps) -> None:
    b.conv(3, 3, (3, 3))
    b.then("Neg")
    b.then("MaxPool", kernel_shape=[2, 2])
    b.then("Abs")


def missing_quantiser(b: Maps) -> None:
    source = b.head
    b.conv(3, 3, (3, 3), pads=[1, 1, 1, 1])
    b.then("Relu")
    b.head = b.node("Add", [b.head, source])[0]


def ratios_per_channel(b: Maps) -> None:
    source = b.head
    b.conv(3, 3, (3, 3), pads=[1, 1, 1, 1])
    b.then("Mul", b.constant(np.array([0.5, 0.25, 0.3]).reshape(3, 1, 1)))
    b.head = b.node("Add", [b.head, source])[0]


def scale_zero(b: Maps) -> None:
    source = b.head
    b.conv(3, 3, (3, 3), pads=[1, 1, 1, 1])
    b.then("Mul", b.constant(0.0))
    b.head = b.node("Add", [b.head, source])[0]


def quotient(b: Maps) -> None:
    source = b.head
    one = _branch(b, source, 0.5)
    b.head = b.node("Div", [one, source])[0]


def fractional_zero(b: Maps) -> None:
    source = b.head
    one = _branch(b, source, 0.5, zero=0.5)
    b.head = b.node("Mul", [one, source])[0]


def padding_without_zero(b: Maps) -> None:
    b.head = _branch(b, b.head, 0.5, zero=0.5)
    b.conv(3, 3, (3, 3), pads=[1, 1, 1, 1])


def border_average(b: Maps) -> None:
    b.then("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def transposed_convolution(b: Maps) -> None:
    b.then("ConvTranspose", b.weights(3, 3, 2, 2), kernel_shape=[2, 2])


def three_dimensions(b: Maps) -> None:
    b.then("Reshape", b.constant([0, 1, 3, 5, 4], np.int64))
    b.then("Conv", b.weights(2, 1, 1, 1, 1))


def wrong_kernel(b: Maps) -> None:
    b.then("Conv", b.weights(2, 3, 3, 3), kernel_shape=[2, 2])


def wrong_groups(b: Maps) -> None:
    b.then("Conv", b.weights(2, 3, 3, 3), group=2)


def linear_interpolation(b: Maps) -> None:
    b.then("Resize", "", b.constant([1.0, 1.0, 2.0, 2.0]), mode="linear")


def huge(b: Maps) -> None:
    b.then("Resize", "", b.constant([1.0, 1.0, 20000.0, 20000.0]), mode="nearest")


def float_kernel(b: Maps) -> None:
    b.then("Conv", b.constant(np.random.default_rng(0).normal(size=(2, 3, 3, 3))), kernel_shape=[3, 3])


def reflected(b: Maps) -> None:
    b.then("Pad", b.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64), mode="reflect")
    b.conv(3, 3, (3, 3))


def mean_of_channels(b: Maps) -> None:
    b.then("ReduceMean", axes=[1], keepdims=1)


CASES: list[tuple[Callable[[Maps], None], str]] = [
    (falling_pool,
     "MaxPool_4 (MaxPool): takes the largest element behind Neg_3, which does not rise on every channel; insert a "
     "Quant node between Neg_3 and MaxPool_4"),
    (missing_quantiser,
     "Add_4 (Add): missing quantiser: Relu_3 makes its input 't3_0' non-integer; insert a Quant node between Relu_3 "
     "and Add_4"),
    (ratios_per_channel,
     "Add_4 (Add): the scales of its operands (t3_0, t0_0) have another ratio on each channel; insert Quant nodes with"
     " one scale before it"),
    (scale_zero,
     "Add_4 (Add): one of its operands (t3_0, t0_0) is multiplied by zero; check the export"),
    (quotient,
     "Div_4 (Div): joins two activations (t3_0, t0_0); of such operators only Add, Sub and Mul can be compiled, use "
     "one of them"),
    (fractional_zero,
     "Mul_4 (Mul): no integer of its input 't3_0' stands for 0, or another one on each channel; insert a Quant node "
     "with a whole zero point before it"),
    (padding_without_zero,
     "Conv_5 (Conv): attribute pads adds zeros, but no integer of its input 't3_0' stands for 0 (its zero point is no "
     "integer); use a whole zero point, or no padding"),
    (border_average,
     "AveragePool_1 (AveragePool): attribute count_include_pad makes it divide by fewer elements at the border; use "
     "count_include_pad = 1 without ceil_mode, or no padding"),
    (transposed_convolution,
     "ConvTranspose_2 (ConvTranspose): transposed convolutions cannot be compiled; use Resize (nearest) and Conv"),
    (three_dimensions,
     "Conv_3 (Conv): slides over a tensor of rank 5; only 1-D and 2-D maps can be compiled, of rank 3 and 4 with the "
     "batch and the channels"),
    (wrong_kernel,
     "Conv_2 (Conv): attribute kernel_shape is [2, 2], its weights have [3, 3]; check the export"),
    (wrong_groups,
     "Conv_2 (Conv): weights [2, 3, 3, 3] do not fit 3 channels in 2 groups; check the export"),
    (linear_interpolation,
     "Resize_1 (Resize): attribute mode is 'linear'; only nearest can be compiled, or run it on the host"),
    (huge,
     "Resize_1 (Resize): makes a tensor of shape [1, 3, 100000, 80000]; at most 67,108,864 a frame can be compiled, "
     "check its attributes"),
    (float_kernel,
     "Conv_1: weights are not quantised (found 54 distinct non-integer values); export the layer with a weight "
     "quantiser"),
    (reflected,
     "Pad_1 (Pad): only a constant number around 1-D and 2-D maps can be compiled; use mode constant"),
    (mean_of_channels,
     "ReduceMean_1 (ReduceMean): attribute axes is [1]; it must be rows, columns or both, neither the "
     "batch nor the channels"),
]


@pytest.mark.parametrize(("write", "text"), CASES, ids=[case[0].__name__ for case in CASES])
def test_refusal(tmp_path: Path, write: Callable[[Maps], None], text: str) -> None:
    b = _start()
    write(b)
    b.head = b.quant(b.head, 0.5, 4)
    with pytest.raises(FlowError) as error:
        build(tmp_path, b, (3, 5, 4))
    assert str(error.value) == text


def test_two_tensors_cannot_cross(tmp_path: Path) -> None:
    b = _start()
    source = b.head
    one, other = _branch(b, source, 0.5), _branch(b, source, 0.25)
    b.head = b.node("Div", [one, other])[0]
    with pytest.raises(FlowError) as error:
        build(tmp_path, b, (3, 5, 4))
    assert "Div" in str(error.value)


def test_saved_branches_load_again(tmp_path: Path) -> None:
    b = _start()
    source = b.head
    one = _branch(b, source, 0.5)
    b.head = b.node("Add", [source, one])[0]
    program = _finish(tmp_path, b)
    program.save(tmp_path / "build")
    again = Program.load(tmp_path / "build")
    check(again)
    assert kinds(again) == kinds(program)
    compile_qonnx(tmp_path / "build" / "model.onnx")
