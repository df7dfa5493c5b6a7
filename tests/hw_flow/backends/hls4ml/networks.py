"""A small network of maps that takes all of hls4ml's layers that this project uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.hw_flow.qonnx_random import QONNX, Builder


def maps(path: Path, *, moves: bool = True, wide: bool = False) -> Path:
    """Write a network of 3 convolutions on maps of 6 x 6, a pool, a residual and a matrix; returns ``path``.

    Parameters
    ----------
    moves : also a cut, an upsampling, a transposition and a function that is not monotone.
    wide : a sigmoid on an accumulator of many bits, which no table holds.
    """
    rng = np.random.default_rng(7)
    b = Builder(rng)

    def conv(outputs: int, inputs: int, kernel: int, **attributes: object) -> None:
        weights = b.quant(b.constant(rng.normal(size=(outputs, inputs, kernel, kernel))), 0.25, 3, narrow=True)
        geometry = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, "strides": [1, 1], "dilations": [1, 1], "group": 1}
        b.then("Conv", weights, **geometry | attributes)

    b.head = b.quant(b.head, 0.25, 4, signed=False)
    conv(4, 2, 3)
    b.then("LeakyRelu", alpha=0.25)
    b.head = b.quant(b.head, 0.5, 4)
    before = b.head
    conv(4, 1, 3, group=4)
    if wide:
        b.then("BatchNormalization", *(b.constant(rng.uniform(0.5, 1.5, 4)) for _ in range(4)))
    b.then("Sigmoid")
    b.head = b.quant(b.head, 0.0625, 4, signed=False)
    b.head = b.quant(b.node("Add", [before, b.head])[0], 0.5, 3)
    b.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    size, channels = 3, 4
    if moves:
        b.then("Abs")
        b.head = b.quant(b.head, 0.25, 4)
        b.then("Slice", *(b.constant([value], np.int64) for value in (1, 4, 1)))
        b.then("Resize", b.constant(np.zeros(0)), b.constant([1.0, 1.0, 2.0, 2.0]), mode="nearest")
        conv(8, 3, 1)
        b.then("Relu")
        b.head = b.quant(b.head, 0.5, 3, signed=False)
        b.then("DepthToSpace", blocksize=2, mode="CRD")
        size, channels = 12, 2
    b.then("Flatten")
    b.then("MatMul", b.quant(b.constant(rng.normal(size=(channels * size * size, 3))), 0.5, 2, narrow=True))
    graph = helper.make_graph(
        b.nodes, "maps", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 6, 6])],
        [helper.make_tensor_value_info(b.head, TensorProto.FLOAT, [1, 3])], b.initialisers)
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid(QONNX, 1)]
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=opsets), str(path))
    return path
