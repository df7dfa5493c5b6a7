"""Pools: exact against QONNX, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from hw_flow.ir import GlobalPool, Pool
from tests.hw_flow.qonnx_maps import Maps, build, check, kinds
from tests.hw_flow.qonnx_random import QONNX


@pytest.mark.parametrize(("op", "attributes"), [
    ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}), ("MaxPool", {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}),
    ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 1]}),
    ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ("AveragePool", {"kernel_shape": [2, 2]}), ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2]}),
    ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("GlobalAveragePool", {}), ("GlobalMaxPool", {}), ("ReduceMean", {"axes": [2, 3]}), ("ReduceMax", {"axes": [2, 3]}),
    ("ReduceMean", {"axes": [-1, -2], "keepdims": 0}), ("ReduceMean", {"axes": [2]}),
    ("ReduceMean", {"axes": [3], "keepdims": 0}), ("ReduceMax", {"axes": [-1], "keepdims": 0}),
])
@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_pools(tmp_path: Path, op: str, attributes: dict[str, Any], size: tuple[int, int]) -> None:
    if op == "AveragePool" and "ceil_mode" in attributes and size == (5, 7):
        pytest.skip("divides by fewer elements at the border")
    b = Maps()
    b.head = b.quant(b.head, 0.25, 4)
    b.then(op, **attributes)
    b.head = b.quant(b.head, 0.25, 4)
    b.then("Flatten")
    width = int(np.prod(compile_shape(b, (3, *size))))
    b.then("MatMul", b.weights(width, 4))
    program = build(tmp_path, b, (3, *size))
    assert any(isinstance(node, Pool | GlobalPool) for node in program.graph)
    check(program)


def compile_shape(b: Maps, frame: Sequence[int]) -> list[int]:
    """Frame of ``head``."""
    model = onnx.shape_inference.infer_shapes(_without_quantisers(b.finish(frame)))
    return [dim.dim_value for dim in model.graph.output[0].type.tensor_type.shape.dim][1:]


def _without_quantisers(model: onnx.ModelProto) -> onnx.ModelProto:
    for node in model.graph.node:
        if node.domain:
            first = node.input[0]
            node.CopyFrom(helper.make_node("Identity", [first], list(node.output), name=node.name))
    return model


def test_pool_moves_behind_the_quantiser(tmp_path: Path) -> None:
    """Also where the function before it falls on some channel."""
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(3, 2, (3, 3))
    b.then("Mul", b.constant(np.array([0.5, -0.25, 1.0]).reshape(3, 1, 1)))
    b.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    b.then("Add", b.constant(np.array([0.5, 1.0, -1.0]).reshape(1, 3, 1, 1)))
    b.then("Relu")
    b.head = b.quant(b.head, 0.25, 3, signed=False)
    program = build(tmp_path, b, (2, 6, 6))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0", "SlidingWindow_1", "Pool_0"]
    assert program.graph.tensors[program.graph.outputs[0]].dtype == "UINT3"
    check(program, ties=False)


def test_pool_of_accumulators(tmp_path: Path) -> None:
    """Convolution, pool, normalisation that falls on a channel, sign: the pool stays where it is."""
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(3, 2, (3, 3))
    b.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    b.then("Mul", b.constant(np.array([0.5, -0.25, 1.0]).reshape(3, 1, 1)))
    b.then("BipolarQuant", b.constant(1.0))
    program = build(tmp_path, b, (2, 6, 6))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0", "SlidingWindow_1", "Pool_0", "Thresholding_0"]
    check(program, ties=False)


def test_raw_pool_behind_an_activation(tmp_path: Path) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(3, 2, (3, 3))
    b.then("Relu")
    b.then("MaxPool", kernel_shape=[2, 2])
    program = build(tmp_path, b, (2, 6, 6))
    assert kinds(program) == ["SlidingWindow_0", "MVAU_0", "SlidingWindow_1", "Pool_0"]
    assert program.host_post == ()
    check(program, ties=False)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_quantised_pool_of_finn(tmp_path: Path, layout: str) -> None:
    b = Maps()
    b.head = b.quant(b.head, 1.0, 4, signed=False)
    b.then("QuantAvgPool2d", kernel=3, stride=2, ibits=4, obits=4, signed=0, data_layout=layout)
    b.nodes[-1].domain = QONNX
    program = build(tmp_path, b, (2, 7, 7) if layout == "NCHW" else (7, 7, 2))
    assert kinds(program) == ["SlidingWindow_0", "Pool_0", "Thresholding_0"]
    check(program, ties=False)
