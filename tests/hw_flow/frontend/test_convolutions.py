"""Convolutions: exact against QONNX, and the nodes that they become."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_flow.ir import MVAU, VVAU, Requantise, SlidingWindow
from tests.hw_flow.qonnx_maps import Maps, build, check, kinds


@pytest.mark.parametrize(("kernel", "attributes"), [
    ((3, 3), {"pads": [1, 1, 1, 1]}), ((3, 2), {"pads": [0, 1, 2, 0], "strides": [2, 1]}), ((1, 3), {"dilations": [1, 2]}),
    ((2, 2), {"strides": [3, 2], "auto_pad": "SAME_UPPER"}), ((3, 3), {"auto_pad": "SAME_LOWER"}),
    ((5, 6), {"auto_pad": "VALID"}),
    ((1, 1), {"strides": [2, 2]}), ((1, 1), {"pads": [1, 0, 0, 2]}), ((3, 3), {"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_convolutions(tmp_path: Path, kernel: Sequence[int], attributes: dict[str, Any], group: int) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 4, kernel, group=group, **attributes)
    b.head = b.quant(b.head, 0.5, 3)
    program = build(tmp_path, b, (4, 5, 6))
    check(program, ties=False)
    units = [node for node in program.graph if isinstance(node, MVAU | VVAU)]
    assert [type(node) for node in units] == {1: [MVAU], 2: [MVAU, MVAU], 4: [VVAU]}[group]
    columns = {node.mw if isinstance(node, MVAU) else node.taps for node in units}
    assert columns == {int(np.prod(kernel)) * (4 // group)}


@pytest.mark.parametrize("stride", [1, 2])
def test_one_by_one_needs_a_window_only_for_its_stride(tmp_path: Path, stride: int) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(6, 3, (1, 1), strides=[stride] * 2)
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (3, 4, 4))
    assert kinds(program) == ["MVAU_0"] if stride == 1 else ["SlidingWindow_0", "MVAU_0"]
    check(program)


@pytest.mark.parametrize(("kernel", "attributes"), [(3, {"pads": [1, 1]}), (4, {"pads": [0, 3], "strides": [2]}),
                                                    (2, {"dilations": [3]})])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_sequences(tmp_path: Path, kernel: int, attributes: dict[str, Any], group: int) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 4, (kernel,), group=group, **attributes)
    b.head = b.quant(b.head, 0.5, 3)
    program = build(tmp_path, b, (4, 9))
    assert program.graph.tensors[program.graph.outputs[0]].shape[0] == 1
    check(program)


def test_depthwise_with_multiplier(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(6, 3, (3, 3), group=3)
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (3, 5, 5))
    check(program)


def test_bias_and_normalisation_are_thresholds(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Conv", b.weights(3, 2, 3, 3), b.constant([0.3, -2.0, 1.0]), kernel_shape=[3, 3])
    values = (b.constant(value) for value in ([1.0, -0.5, 2.0], [0.1, 0.2, -3.0], [0.5, 0.0, 1.0], [1.0, 4.0, 0.3]))
    b.then("BatchNormalization", *values, epsilon=1e-5)
    b.then("Relu")
    b.head = b.quant(b.head, 0.25, 3, signed=False)
    program = build(tmp_path, b, (2, 6, 6))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0"]
    node = program.graph.nodes[1]
    assert isinstance(node, MVAU)
    assert node.thresholds is not None
    assert node.thresholds.descending.tolist() == [False, True, False]
    check(program)


def test_zeros_in_front_of_a_convolution_are_its_padding(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Pad", b.constant([0, 0, 1, 0, 0, 0, 2, 1], np.int64), b.constant(0.0))
    b.conv(3, 2, (3, 3), pads=[0, 1, 0, 0])
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (2, 4, 4))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0"]
    window = program.graph.nodes[0]
    assert isinstance(window, SlidingWindow)
    assert window.pads == (1, 1, 2, 1)
    check(program, ties=False)


def test_depthwise_takes_scales_per_channel(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, np.array([0.3, 0.7, 0.11]).reshape(1, 3, 1, 1), 4)
    b.conv(3, 3, (3, 3), group=3, pads=[1, 1, 1, 1])
    b.head = b.quant(b.head, 0.5, 4)
    check(build(tmp_path, b, (3, 5, 5)))


def test_scales_in_whole_ratios_go_into_the_weights(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, np.array([0.25, 0.5, 1.0]).reshape(1, 3, 1, 1), 4)
    b.conv(3, 3, (2, 2))
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (3, 5, 5))
    assert program.notes == ("Conv_2: the channels of its input have different scales; its weights are multiplied by up to 4 to "
                             "make up for it",)
    check(program, ties=False)


def test_wide_levels_become_multiply_and_shift(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(3, 2, (2, 2))
    b.then("Mul", b.constant(np.array([1.0, 0.5, 0.25]).reshape(3, 1, 1)))
    b.head = b.quant(b.head, 2.0**-5, 12, mode="FLOOR")
    program = build(tmp_path, b, (2, 4, 5))
    assert any(isinstance(node, Requantise) for node in program.graph)
    check(program, ties=False)


@pytest.mark.parametrize("shift", [1, 3])
def test_ties_to_even_are_two_multiplications(tmp_path: Path, shift: int) -> None:
    """Quant's own rounding on a coarser grid of powers of two: steps are unevenly wide, every second one is not."""
    b = Maps()
    b.head = b.quant(b.head, 0.5, 8)
    b.conv(3, 2, (2, 2))
    b.then("Mul", b.constant(np.array([1.0, -0.5, 0.25]).reshape(3, 1, 1)))
    b.head = b.quant(b.head, 2.0**(shift - 5), 14)
    program = build(tmp_path, b, (2, 4, 5))
    assert kinds(program)[2:] == ["Requantise_0", "Requantise_1", "Add_0"]
    check(program, 200, ties=False)
