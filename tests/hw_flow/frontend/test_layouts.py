"""Layouts of files and of streams: what costs nothing, and what comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.hw_flow.qonnx_maps import Maps, build, check, kinds


@pytest.mark.parametrize("last", [True, False])
def test_flatten_before_a_dense_layer_costs_nothing(tmp_path: Path, last: bool) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(3, 2, (2, 2))
    b.head = b.quant(b.head, 0.5, 4)
    if last:
        b.then("Transpose", perm=[0, 2, 3, 1])
    b.then("Reshape", b.constant([-1, 27], np.int64))
    b.then("MatMul", b.weights(27, 5))
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (2, 4, 4))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0", "MVAU_1"]
    check(program, ties=False)


def test_channels_last_files_cost_nothing(tmp_path: Path) -> None:
    b = Maps()
    b.then("Transpose", perm=[0, 3, 1, 2])
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(3, 2, (2, 2))
    b.then("Transpose", perm=[0, 2, 3, 1])
    b.then("Add", b.constant([0.5, 1.0, 2.0]))
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Transpose", perm=[0, 3, 1, 2])
    b.conv(3, 3, (2, 2))
    b.then("Transpose", perm=[0, 2, 3, 1])
    program = build(tmp_path, b, (5, 5, 2))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0", "SlidingWindow_1", "MVAU_1"]
    assert program.graph.tensors[program.graph.inputs[0]].shape == (5, 5, 2)
    check(program, ties=False)


def test_channels_last_operators(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Conv", b.weights(3, 3, 3, 2), dilations=[1, 1], group=1, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    b.nodes[-1].domain = "qonnx.custom_op.channels_last"
    b.then("BatchNormalization", *(b.constant(np.full(3, value)) for value in (0.5, 1.0, 0.25, 2.0)), epsilon=1e-5)
    b.nodes[-1].domain = "qonnx.custom_op.channels_last"
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    b.nodes[-1].domain = "qonnx.custom_op.channels_last"
    b.head = b.quant(b.head, 1.0, 3)
    program = build(tmp_path, b, (6, 6, 2))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0", "SlidingWindow_1", "Pool_0", "Thresholding_0"]
    check(program)


def test_vectors_of_a_map(tmp_path: Path) -> None:
    """A dense layer on the channels of each position, behind a convolution."""
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 2, (3,), pads=[1, 1])
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Transpose", perm=[0, 2, 1])
    b.then("MatMul", b.weights(4, 5))
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (2, 7))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0", "MVAU_1"]
    assert program.graph.tensors[program.graph.outputs[0]].shape == (1, 7, 5)
    check(program, ties=False)


def test_a_product_along_positions_is_a_reorder(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 2, (3,), pads=[1, 1])
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", b.weights(7, 5))
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (2, 7))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0", "Reorder_0", "MVAU_1"]
    check(program, ties=False)


def test_map_out_of_a_vector(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.then("MatMul", b.weights(6, 12))
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Reshape", b.constant([-1, 3, 2, 2], np.int64))
    b.conv(2, 3, (2, 2), pads=[1, 1, 0, 0])
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (6,))
    assert kinds(program) == ["MVAU_0", "Reorder_0", "SlidingWindow_0", "MVAU_1"]
    check(program, ties=False)


def test_declared_images(tmp_path: Path) -> None:
    """Normalisation per colour becomes thresholds per channel of a channels-last stream."""
    b = Maps()
    b.then("Sub", b.constant(np.array([0.4, 0.5, 0.6]).reshape(3, 1, 1)))
    b.then("Div", b.constant(np.array([0.2, 0.3, 0.25]).reshape(3, 1, 1)))
    b.head = b.quant(b.head, 0.25, 4)
    b.conv(4, 3, (3, 3))
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (3, 5, 5), input_type="UINT8", input_scale="1/255")
    assert kinds(program) == ["Thresholding_0", "SlidingWindow_0", "MVAU_0"]
    assert program.graph.tensors["x"].shape == (5, 5, 3)
    x = np.random.default_rng(0).integers(0, 256, (3, 3, 5, 5))
    assert np.array_equal(program.quantise_input(x)["x"], x.transpose(0, 2, 3, 1))
    check(program)


def test_output_comes_back_in_the_order_of_the_file(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(3, 2, (2, 2))
    program = build(tmp_path, b, (2, 4, 5))
    rng = np.random.default_rng(0)
    stream = rng.integers(-20, 20, (6, *program.graph.tensors[program.graph.outputs[0]].shape))
    assert np.array_equal(program.finish({program.graph.outputs[0]: stream}), stream.transpose(0, 3, 1, 2) * np.float32(0.125))
