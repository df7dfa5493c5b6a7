"""The smallest QONNX files on which hls4ml 1.3.0's own conversion fails, each with what happens there; see docs/hls4ml.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.hw_flow.qonnx_random import Builder

QONNX = "qonnx.custom_op.general"


@dataclass(frozen=True)
class Fault:
    """A file, frames that show the fault, and what hls4ml's own conversion does.

    ``crash`` is part of its message where it stops; None where it builds something else without a word.
    """

    model: onnx.ModelProto
    frames: np.ndarray
    crash: str | None = None
    input_type: str | None = None


def _bipolar(b: Builder, value: str, scale: float) -> str:
    return b.node("BipolarQuant", [value, b.constant(scale)])[0]


def _signs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], size=shape)


def bipolar_weights() -> Fault:
    """Behind a scaled and quantised input bipolar weights are quantised twice: to 0 and 1, and from there all to +1."""
    rng = np.random.default_rng(0)
    b = Builder(rng)
    b.then("Mul", b.constant(np.full(1, 2.0)))
    b.then("Sub", b.constant(np.full(1, 1.0)))
    b.head = _bipolar(b, b.head, 1.0)
    b.then("MatMul", _bipolar(b, b.constant(_signs(rng, 8, 4)), 1.0))
    return Fault(b.model(8, [4]), rng.choice([0.0, 1.0], size=(8, 8)))


def negative_batch_norm() -> Fault:
    """A batch norm before a bipolar activation becomes a threshold, and the sign of its scale is lost."""
    rng = np.random.default_rng(1)
    b = Builder(rng)
    b.head = _bipolar(b, b.head, 1.0)
    b.then("MatMul", _bipolar(b, b.constant(_signs(rng, 8, 4)), 1.0))
    scale = np.array([1.0, -1.0, 0.5, -0.5])
    b.then("BatchNormalization", b.constant(scale), b.constant(np.full(4, 0.25)), b.constant(np.zeros(4)), b.constant(np.ones(4)))
    b.head = _bipolar(b, b.head, 1.0)
    return Fault(b.model(8, [4]), _signs(rng, 8, 8))


def wide_input() -> Fault:
    """An input takes the default type, 16 bits of which 6 are integer, and wraps where the network's own quantiser does not."""
    rng = np.random.default_rng(2)
    b = Builder(rng)
    b.head = b.quant(b.head, 1.0, 8, signed=False)
    b.then("MatMul", b.quant(b.constant(rng.integers(-7, 8, (6, 3))), 1.0, 4, narrow=True))
    return Fault(b.model(6, [3]), rng.integers(0, 256, (8, 6)).astype(np.float64))


def annotated_input() -> Fault:
    """An input whose type only QONNX's annotation of the graph states takes the default type as well, and wraps at 32."""
    rng = np.random.default_rng(7)
    b = Builder(rng)
    b.then("MatMul", b.quant(b.constant(rng.integers(-7, 8, (6, 3))), 1.0, 4, narrow=True))
    return Fault(b.model(6, [3], annotation="UINT8"), rng.integers(0, 256, (8, 6)).astype(np.float64))


def wide_accumulator() -> Fault:
    """Batch norms take the default type too: what they multiply is lost beyond 10 fraction bits."""
    rng = np.random.default_rng(3)
    b = Builder(rng)
    b.head = b.quant(b.head, 1.0, 4, signed=False)
    b.then("MatMul", b.quant(b.constant(rng.integers(-7, 8, (16, 4))), 1.0, 4, narrow=True))
    scale = np.full(4, 2.0**-12)
    b.then("BatchNormalization", b.constant(scale), b.constant(np.zeros(4)), b.constant(np.zeros(4)), b.constant(np.ones(4)),
           epsilon=0.0)
    b.then("Relu")
    b.head = b.quant(b.head, 2.0**-6, 4, signed=False)
    return Fault(b.model(16, [4]), rng.integers(0, 16, (8, 16)).astype(np.float64))


def shifted_input() -> Fault:
    """Scaling and shifting the input before the first layer stops the conversion (the UNSW-NB15 network)."""
    rng = np.random.default_rng(4)
    b = Builder(rng)
    b.then("Add", b.constant(np.ones(1)))
    b.then("Div", b.constant(np.full(1, 2.0)))
    b.then("MatMul", b.quant(b.constant(rng.normal(size=(8, 4))), 0.3, 2, narrow=True))
    b.then("Relu")
    b.head = b.quant(b.head, 0.25, 2, signed=False)
    return Fault(b.model(8, [4]), _signs(rng, 8, 8), crash="Unexpected new precision type", input_type="BIPOLAR")


def padded_pool() -> Fault:
    """A padded largest-of pool on unsigned values pads with their largest value, for its top bit is meant for a sign."""
    rng = np.random.default_rng(5)
    b = Builder(rng)
    b.head = b.quant(b.head, 1.0, 2, signed=False)
    b.then("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    b.head = b.quant(b.head, 1.0, 2, signed=False)
    return Fault(_maps(b, (2, 5, 5), (2, 3, 3)), rng.integers(0, 4, (4, 2, 5, 5)).astype(np.float64))


def ungrouped() -> Fault:
    """A convolution that leaves the attribute ``group`` out, which ONNX takes as 1, stops the conversion."""
    rng = np.random.default_rng(6)
    b = Builder(rng)
    b.head = b.quant(b.head, 1.0, 4, signed=False)
    b.then("Conv", b.quant(b.constant(rng.integers(-3, 4, (2, 2, 3, 3))), 1.0, 3, narrow=True), kernel_shape=[3, 3],
           dilations=[1, 1], pads=[1, 1, 1, 1], strides=[1, 1])
    frames = rng.integers(0, 16, (4, 2, 6, 6)).astype(np.float64)
    return Fault(_maps(b, (2, 6, 6), (2, 6, 6)), frames, crash="int() argument must be a string")


def unpadded() -> Fault:
    """A convolution that leaves the attribute ``pads`` out, which ONNX takes as 0, stops the conversion."""
    rng = np.random.default_rng(8)
    b = Builder(rng)
    b.head = b.quant(b.head, 1.0, 4, signed=False)
    b.then("Conv", b.quant(b.constant(rng.integers(-3, 4, (2, 2, 3, 3))), 1.0, 3, narrow=True), kernel_shape=[3, 3], group=1,
           dilations=[1, 1], strides=[1, 1])
    frames = rng.integers(0, 16, (4, 2, 6, 6)).astype(np.float64)
    return Fault(_maps(b, (2, 6, 6), (2, 4, 4)), frames, crash="Required attribute pads unspecified")


def _maps(b: Builder, frame: tuple[int, ...], out: tuple[int, ...]) -> onnx.ModelProto:
    graph = helper.make_graph(
        b.nodes, "fault", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *frame])],
        [helper.make_tensor_value_info(b.head, TensorProto.FLOAT, [1, *out])], b.initialisers)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)])


FAULTS: dict[str, Callable[[], Fault]] = {maker.__name__: maker for maker in (
    bipolar_weights, negative_batch_norm, wide_input, annotated_input, wide_accumulator, shifted_input, padded_pool, ungrouped,
    unpadded)}
