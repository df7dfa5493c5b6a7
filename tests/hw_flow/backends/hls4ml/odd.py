"""Small QONNX files with what exporters rarely write: each is exact in every layer, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.hw_flow.qonnx_random import QONNX, Builder

Shape = tuple[int, ...]


def _model(b: Builder, frame: Shape, out: Shape) -> onnx.ModelProto:
    graph = helper.make_graph(
        b.nodes, "odd", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *frame])],
        [helper.make_tensor_value_info(b.head, TensorProto.FLOAT, [1, *out])], b.initialisers)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 14), helper.make_opsetid(QONNX, 1)])


def _conv(b: Builder, outputs: int, inputs: int, kernel: int | Shape, *, scale: object = 0.25, bits: int = 3,
          **attributes: object) -> None:
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    weights = b.quant(b.constant(b.rng.normal(size=(outputs, inputs, *kernel))), scale, bits, narrow=True)
    rank = len(kernel)
    geometry = {"kernel_shape": list(kernel), "pads": [0] * 2 * rank, "strides": [1] * rank, "dilations": [1] * rank, "group": 1}
    b.then("Conv", weights, **geometry | attributes)


def _bipolar(b: Builder, value: str) -> str:
    return b.node("BipolarQuant", [value, b.constant(1.0)])[0]


def _norm(b: Builder, scale: list[float], shift: float) -> None:
    size = len(scale)
    b.then("BatchNormalization", b.constant(scale), b.constant(np.full(size, shift)), b.constant(b.rng.normal(size=size)),
           b.constant(b.rng.uniform(0.5, 2, size)))


def negative_norm_per_channel() -> onnx.ModelProto:
    """Weight scales by channel that are no powers of two, batch norms of both signs and of 0, stride 2, padding behind only."""
    b = Builder(np.random.default_rng(0))
    b.head = b.quant(b.head, 0.1, 4)
    scales = np.array([0.3, 0.07, 0.5, 0.21]).reshape(4, 1, 1, 1)
    _conv(b, 4, 2, 3, scale=scales, strides=[2, 2], pads=[0, 0, 1, 1])
    _norm(b, [0.7, -0.4, 0.0, -1.3], 0.1)
    b.then("Relu")
    b.head = b.quant(b.head, 0.17, 3, signed=False)
    return _model(b, (2, 6, 6), (4, 3, 3))


def grouped_uneven() -> onnx.ModelProto:
    """Two groups, a kernel of 2 x 3, and another padding on every side."""
    b = Builder(np.random.default_rng(1))
    b.head = b.quant(b.head, 0.25, 3)
    _conv(b, 6, 2, (2, 3), group=2, strides=[1, 2], pads=[1, 0, 0, 2])
    b.head = b.quant(b.head, 0.3, 3)
    return _model(b, (4, 5, 5), (6, 5, 3))


def padded_bipolar() -> onnx.ModelProto:
    """Zeros around a map of -1 and +1, which one bit does not hold."""
    b = Builder(np.random.default_rng(2))
    b.head = _bipolar(b, b.head)
    b.then("Conv", _bipolar(b, b.constant(b.rng.normal(size=(3, 2, 3, 3)))), kernel_shape=[3, 3], pads=[1, 1, 1, 1],
           strides=[1, 1], dilations=[1, 1], group=1)
    b.head = _bipolar(b, b.head)
    return _model(b, (2, 4, 4), (3, 4, 4))


def bipolar_residual() -> onnx.ModelProto:
    """The sum of two bipolar maps, one of them through a layer, and its sign."""
    b = Builder(np.random.default_rng(3))
    b.head = first = _bipolar(b, b.head)
    b.then("Conv", _bipolar(b, b.constant(b.rng.normal(size=(3, 3, 1, 1)))), kernel_shape=[1, 1], pads=[0] * 4,
           strides=[1, 1], dilations=[1, 1], group=1)
    b.head = _bipolar(b, b.head)
    b.head = b.node("Add", [first, b.head])[0]
    _norm(b, [1.0, -2.0, 0.5], 0.2)
    b.head = _bipolar(b, b.head)
    return _model(b, (3, 3, 3), (3, 3, 3))


def residual_of_scales() -> onnx.ModelProto:
    """A sum of branches of scales whose ratio is no simple fraction."""
    b = Builder(np.random.default_rng(4))
    b.head = first = b.quant(b.head, 0.3, 4)
    _conv(b, 2, 2, 3, pads=[1, 1, 1, 1])
    b.head = b.quant(b.head, 0.5, 4)
    b.head = b.node("Add", [first, b.head])[0]
    b.then("Relu")
    b.head = b.quant(b.head, 0.4, 4, signed=False)
    return _model(b, (2, 4, 4), (2, 4, 4))


def concat_of_types() -> onnx.ModelProto:
    """Channels of two types, signed and unsigned, before a layer."""
    b = Builder(np.random.default_rng(5))
    b.head = first = b.quant(b.head, 0.25, 4)
    b.then("Relu")
    second = b.quant(b.head, 0.25, 2, signed=False)
    b.head = b.node("Concat", [first, second], axis=1)[0]
    _conv(b, 3, 4, 1)
    b.head = b.quant(b.head, 0.3, 3)
    return _model(b, (2, 3, 3), (3, 3, 3))


def global_average() -> onnx.ModelProto:
    """A mean over maps of seven by five, whose reciprocal no binary number is, and a matrix behind it."""
    b = Builder(np.random.default_rng(6))
    b.head = b.quant(b.head, 0.5, 4)
    b.then("GlobalAveragePool")
    b.head = b.quant(b.head, 0.07, 5)
    b.then("Flatten")
    b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(3, 4))), 0.25, 3, narrow=True))
    return _model(b, (3, 7, 5), (4,))


def transposed() -> onnx.ModelProto:
    """Maps turned to channels last for a matrix, and back."""
    b = Builder(np.random.default_rng(7))
    b.head = b.quant(b.head, 0.25, 4)
    b.then("Transpose", perm=[0, 2, 3, 1])
    b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(3, 2))), 0.25, 3, narrow=True))
    b.then("Transpose", perm=[0, 3, 1, 2])
    b.head = b.quant(b.head, 0.3, 3)
    b.then("Transpose", perm=[0, 1, 3, 2])
    _conv(b, 2, 2, (3, 1))
    return _model(b, (3, 4, 5), (2, 3, 4))


def average_of_borders() -> onnx.ModelProto:
    """A padded mean that does not count the padding: another divisor in the corners."""
    b = Builder(np.random.default_rng(8))
    b.head = b.quant(b.head, 0.5, 4)
    b.then("AveragePool", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=0)
    b.head = b.quant(b.head, 0.25, 4)
    return _model(b, (2, 4, 4), (2, 3, 3))


def largest_of_negative() -> onnx.ModelProto:
    """The largest of negative values with padding on one side, which is not the largest."""
    b = Builder(np.random.default_rng(9))
    b.then("Neg")
    b.then("Relu")
    b.then("Neg")
    b.head = b.quant(b.head, 0.5, 3)
    b.then("MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1])
    b.head = b.quant(b.head, 0.5, 3)
    return _model(b, (2, 5, 4), (2, 2, 4))


def largest_of_everything() -> onnx.ModelProto:
    """The largest value of a whole map, and before it of windows that do not divide it."""
    b = Builder(np.random.default_rng(15))
    b.head = b.quant(b.head, 0.5, 3)
    b.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    b.then("GlobalMaxPool")
    b.then("Flatten")
    b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(3, 4))), 0.25, 3, narrow=True))
    return _model(b, (3, 7, 5), (4,))


def overlapping_line() -> onnx.ModelProto:
    """Windows of a sequence that share elements."""
    b = Builder(np.random.default_rng(16))
    b.head = b.quant(b.head, 0.5, 3)
    b.then("MaxPool", kernel_shape=[3], strides=[2], pads=[0, 0])
    _conv(b, 4, 2, (2,))
    return _model(b, (2, 12), (4, 4))


def sequence() -> onnx.ModelProto:
    """A convolution of one dimension with stride 3 and padding in front only, depthwise with two outputs a channel."""
    b = Builder(np.random.default_rng(10))
    b.head = b.quant(b.head, 0.25, 3)
    _conv(b, 4, 1, (4,), group=2, strides=[3], pads=[3, 0])
    b.head = b.quant(b.head, 0.3, 3)
    return _model(b, (2, 10), (4, 4))


def zero_point() -> onnx.ModelProto:
    """An input quantiser whose zero is not 0, every rounding mode, and sums of 30 bits."""
    b = Builder(np.random.default_rng(11))
    b.head = b.quant(b.head, 0.05, 16, zero=1000.0, signed=False, mode="FLOOR")
    b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(24, 5))), 2.0**-7, 9, narrow=True))
    b.head = b.quant(b.head, 7.0, 6, mode="CEIL")
    b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(5, 5))), 0.25, 4, narrow=True, mode="ROUND_TO_ZERO"))
    b.head = b.quant(b.head, 3.0, 4, mode="HALF_UP")
    return _model(b, (24,), (5,))


def dead_and_constant() -> onnx.ModelProto:
    """A row of zeros, an activation that never changes, and one neuron at the end."""
    b = Builder(np.random.default_rng(12))
    b.head = b.quant(b.head, 0.25, 3)
    weights = b.rng.integers(-3, 4, (6, 4)).astype(float)
    weights[:, 1] = 0
    b.then("MatMul", b.quant(b.constant(weights), 1.0, 3, narrow=True))
    b.then("Add", b.constant([0.0, 2.0, 1000.0, -1000.0]))
    b.then("Relu")
    b.head = b.quant(b.head, 0.5, 2, signed=False)
    b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(4, 1))), 0.25, 3, narrow=True))
    return _model(b, (6,), (1,))


def nothing_but_a_quantiser() -> onnx.ModelProto:
    """No layer at all between input and output quantiser."""
    b = Builder(np.random.default_rng(13))
    b.head = b.quant(b.head, 0.25, 4)
    b.head = b.quant(b.head, 0.6, 3)
    return _model(b, (5,), (5,))


def of_no_elements() -> onnx.ModelProto:
    """A slice that leaves no channel."""
    b = Builder(np.random.default_rng(14))
    b.head = b.quant(b.head, 0.25, 4)
    b.then("Slice", *(b.constant([value], np.int64) for value in (2, 2, 1)))
    b.head = b.quant(b.head, 0.25, 4)
    return _model(b, (4, 3, 3), (0, 3, 3))


ODD: dict[str, Callable[[], onnx.ModelProto]] = {maker.__name__: maker for maker in (
    negative_norm_per_channel, grouped_uneven, padded_bipolar, bipolar_residual, residual_of_scales, concat_of_types,
    global_average, transposed, average_of_borders, largest_of_negative, largest_of_everything, overlapping_line, sequence,
    zero_point, dead_and_constant, nothing_but_a_quantiser, of_no_elements)}
