"""Corners where other flows differ from the trained network: zero padding, zero points, negative and uneven scales."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.ir import SlidingWindow
from tests.hw_flow.qonnx_maps import Maps, build, check


def test_zero_padding_of_bipolar_is_ternary(tmp_path: Path) -> None:
    b = Maps()
    b.then("BipolarQuant", b.constant(1.0))
    b.conv(3, 2, (3, 3), pads=[1, 1, 1, 1])
    b.then("BipolarQuant", b.constant(1.0))
    program = build(tmp_path, b, (2, 5, 5))
    window, unit = program.graph.nodes
    assert program.graph.input_of(window).dtype == "BIPOLAR"
    assert program.graph.input_of(unit).dtype == "TERNARY"
    check(program, ties=False)


@pytest.mark.parametrize(("zero", "signed", "pad", "dtype"), [
    (3.0, False, 3, "UINT4"), (-2.0, True, -2, "INT4"), (-9.0, True, -9, "INT5"),
])
def test_padding_with_a_zero_point(tmp_path: Path, zero: float, signed: bool, pad: int, dtype: str) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4, zero=zero, signed=signed)
    b.conv(3, 2, (3, 3), pads=[1, 1, 1, 1])
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (2, 5, 5))
    window, unit = program.graph.nodes
    assert isinstance(window, SlidingWindow)
    assert window.pad_value == pad
    assert program.graph.input_of(unit).dtype == dtype
    check(program)


def bipolar_depthwise(b: Maps) -> None:
    b.then("BipolarQuant", b.constant(1.0))
    b.conv(3, 3, (3, 3), group=3, pads=[1, 0, 2, 1])


def bipolar_average(b: Maps) -> None:
    b.then("BipolarQuant", b.constant(0.5))
    b.then("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1)


def bipolar_maximum(b: Maps) -> None:
    """Padding of a pool is below every number, also below -1."""
    b.then("BipolarQuant", b.constant(1.0))
    b.then("MaxPool", kernel_shape=[2, 2], pads=[1, 1, 0, 0])


def negative_scale_of_the_input(b: Maps) -> None:
    b.head = b.quant(b.head, -0.5, 4)
    b.conv(4, 3, (3, 3), pads=[1, 1, 1, 1])


def negative_scales_of_channels(b: Maps) -> None:
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 3, (3, 3))
    b.head = b.quant(b.head, _channels(0.25, -0.5, 0.3, -0.1), 4)
    b.then("MaxPool", kernel_shape=[2, 2])


def negative_bipolar_scale(b: Maps) -> None:
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 3, (3, 3))
    b.then("BipolarQuant", b.constant(-1.0))
    b.conv(2, 4, (2, 2), pads=[0, 1, 0, 0])


def negative_scale_of_weights(b: Maps) -> None:
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Conv", b.weights(4, 3, 3, 3, scale=np.array([0.5, -0.25, 0.1, -1.0]).reshape(4, 1, 1, 1)))


def zero_points_of_channels(b: Maps) -> None:
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 3, (3, 3))
    b.head = b.quant(b.head, 0.25, 4, zero=_channels(0, 1, 2, -3))
    b.conv(2, 4, (2, 2))


def broken_zero_point(b: Maps) -> None:
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 3, (3, 3))
    b.head = b.quant(b.head, 0.25, 4, zero=0.5)
    b.conv(2, 4, (2, 2))


def zero_point_of_weights(b: Maps) -> None:
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Conv", b.quant(b.constant(b.rng.normal(size=(4, 3, 3, 3))), 0.25, 4, zero=1.0))


def wide_integers_of_weights(b: Maps) -> None:
    b.head = b.quant(b.head, 0.5, 4)
    whole = b.constant(b.rng.integers(-30000, 30000, (4, 3, 3, 3)), np.int16)
    scales, zeros = b.constant([0.1, 0.2, 0.3, 0.4]), b.constant(np.zeros(4), np.int16)
    b.then("Conv", b.node("DequantizeLinear", [whole, scales, zeros], axis=0)[0])
    b.then("Mul", b.constant(2.0**-14))


def signed_behind_wide_accumulators(b: Maps) -> None:
    """W4A4 with signed activations, where FINN asserts on the smallest level."""
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 3, (3, 3))
    b.then("Tanh")
    b.head = b.quant(b.head, 0.125, 4, narrow=True)
    b.conv(2, 4, (2, 2), dilations=[2, 1])


def _channels(*values: float) -> np.ndarray:
    return np.array(values).reshape(-1, 1, 1)


@pytest.mark.parametrize("write", [
    bipolar_depthwise, bipolar_average, bipolar_maximum, negative_scale_of_the_input, negative_scales_of_channels,
    negative_bipolar_scale, negative_scale_of_weights, zero_points_of_channels, broken_zero_point, zero_point_of_weights,
    wide_integers_of_weights, signed_behind_wide_accumulators,
])
def test_corner(tmp_path: Path, write: Callable[[Maps], None]) -> None:
    b = Maps()
    write(b)
    b.head = b.quant(b.head, 0.5, 4)
    check(build(tmp_path, b, (3, 6, 6), 21 if write is wide_integers_of_weights else 13), agree=False)


@pytest.mark.parametrize(("zero", "text"), [
    (_channels(0, 1, 2, 3), "(each channel has its own zero point); use one zero point for all channels, or no padding"),
    (0.5, "(its zero point is no integer); use a whole zero point, or no padding"),
])
def test_padding_without_a_zero(tmp_path: Path, zero: float, text: str) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 3, (3, 3))
    b.head = b.quant(b.head, 0.25, 4, zero=zero)
    b.conv(2, 4, (2, 2), pads=[1, 1, 0, 0])
    b.head = b.quant(b.head, 0.5, 4)
    with pytest.raises(FlowError) as error:
        build(tmp_path, b, (3, 6, 6))
    assert str(error.value) == f"Conv_5 (Conv): attribute pads adds zeros, but no integer of its input 't3_0' stands for 0 {text}"
