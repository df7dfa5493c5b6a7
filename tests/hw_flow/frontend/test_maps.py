"""Convolutions, pools and layouts: exact against QONNX, and the nodes that they become."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.ir import MVAU, VVAU, GlobalPool, Pool, Reorder, Requantise, Slice, SlidingWindow
from tests.hw_flow.qonnx_random import QONNX, Builder


class Maps(Builder):
    """A builder of networks on maps ``[C, H, W]`` or sequences ``[C, L]``."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(np.random.default_rng(seed))

    def weights(self, *shape: int, scale: Any = 0.25, bits: int = 4) -> str:
        """A quantised constant."""
        return self.quant(self.constant(self.rng.normal(size=shape)), scale, bits)

    def conv(self, outputs: int, inputs: int, kernel: Sequence[int], *, group: int = 1, **attributes: Any) -> None:
        """A convolution with quantised weights."""
        self.then("Conv", self.weights(outputs, inputs // group, *kernel), kernel_shape=list(kernel), group=group, **attributes)

    def finish(self, frame: Sequence[int], opset: int = 13, annotation: str | None = None) -> onnx.ModelProto:
        """The model for frames ``frame``."""
        graph = helper.make_graph(
            self.nodes, "maps", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *frame])],
            [helper.make_tensor_value_info(self.head, TensorProto.FLOAT, None)], self.initialisers)
        if annotation is not None:
            entry = onnx.StringStringEntryProto(key="finn_datatype", value=annotation)
            graph.quantization_annotation.append(onnx.TensorAnnotation(tensor_name="x", quant_parameter_tensor_names=[entry]))
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, ir_version=8, opset_imports=opsets)


def build(tmp_path: Path, b: Maps, frame: Sequence[int], opset: int = 13, **options: Any) -> Program:
    onnx.save(b.finish(frame, opset), str(tmp_path / "m.onnx"))
    return compile_qonnx(tmp_path / "m.onnx", **options)


def check(program: Program, count: int = 12, *, ties: bool = True, agree: bool = True) -> None:
    """Exact on random frames."""
    rng = np.random.default_rng(3)
    source = program.graph.tensors[program.graph.inputs[0]]
    shape = (count, *program.input_frame)
    if program.plan.entry is not None:
        x = rng.normal(size=shape).astype(np.float32)
    elif source.dtype == "BIPOLAR":
        x = rng.choice([-1, 1], shape)
    else:
        x = rng.integers(*source.limits, shape, endpoint=True)
    result = compare(program, x)
    assert result.bit_exact, result
    assert ties or result.ties == 0
    assert result.agreement == count or not agree


def kinds(program: Program) -> list[str]:
    return [node.name for node in program.graph]


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


@pytest.mark.parametrize(("op", "attributes"), [
    ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}), ("MaxPool", {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}),
    ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 1]}),
    ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ("AveragePool", {"kernel_shape": [2, 2]}), ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2]}),
    ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ("GlobalAveragePool", {}), ("GlobalMaxPool", {}), ("ReduceMean", {"axes": [2, 3]}), ("ReduceMax", {"axes": [2, 3]}),
    ("ReduceMean", {"axes": [-1, -2], "keepdims": 0}),
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


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_quantised_pool_of_finn(tmp_path: Path, layout: str) -> None:
    b = Maps()
    b.head = b.quant(b.head, 1.0, 4, signed=False)
    b.then("QuantAvgPool2d", kernel=3, stride=2, ibits=4, obits=4, signed=0, data_layout=layout)
    b.nodes[-1].domain = QONNX
    program = build(tmp_path, b, (2, 7, 7) if layout == "NCHW" else (7, 7, 2))
    assert kinds(program) == ["SlidingWindow_0", "Pool_0", "Thresholding_0"]
    check(program, ties=False)


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


@pytest.mark.parametrize("write", [
    "DepthToSpace", "CRD", "SpaceToDepth", "Resize", "half_pixel", "align", "Upsample", "Slice", "Crop", "Pad", "Split", "Split9",
])
def test_moves(tmp_path: Path, write: str) -> None:
    b = Maps()
    opset = {"Upsample": 9, "Split9": 11}.get(write, 13)
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 2, (1, 1))
    b.head = b.quant(b.head, 0.5, 4)
    inputs = 4
    match write:
        case "DepthToSpace" | "CRD":
            b.then("DepthToSpace", blocksize=2, mode="CRD" if write == "CRD" else "DCR")
            inputs = 1
        case "SpaceToDepth":
            b.then("SpaceToDepth", blocksize=2)
            inputs = 16
        case "Resize" | "half_pixel" | "align":
            mode = {"Resize": "asymmetric", "half_pixel": "half_pixel", "align": "align_corners"}[write]
            factors = [1.0, 1.0, 2.0, 3.0] if write != "align" else [1.0, 1.0, 1.0, 1.25]
            b.then("Resize", "", b.constant(factors), mode="nearest", coordinate_transformation_mode=mode,
                   nearest_mode="floor" if write == "Resize" else "round_prefer_floor")
        case "Upsample":
            b.then("Upsample", b.constant([1.0, 1.0, 2.0, 2.0]), mode="nearest")
        case "Slice":
            b.then("Slice", *(b.constant([value], np.int64) for value in (1, 3, 1)))
            inputs = 2
        case "Crop":
            b.then("Slice", *(b.constant(value, np.int64) for value in ([1, 1], [4, -1], [2, 3])))
        case "Pad":
            b.then("Pad", b.constant([0, 0, 1, 0, 0, 0, 2, 1], np.int64))
            b.then("MaxPool", kernel_shape=[2, 2])
        case "Split":
            b.head = b.node("Split", [b.head, b.constant([1, 3], np.int64)], 2, axis=1)[1]
            b.node("Identity", [b.nodes[-1].output[0]])
            inputs = 3
        case "Split9":
            b.head = b.node("Split", [b.head], 2, axis=1, split=[2, 2])[0]
            inputs = 2
    if write == "align":
        b.then("Relu")
    b.conv(3, inputs, (2, 2))
    b.head = b.quant(b.head, 0.5, 4)
    if write == "align":
        with pytest.raises(Exception, match="in an order that nested counters cannot give"):
            build(tmp_path, b, (2, 4, 4), opset)
        return
    program = build(tmp_path, b, (2, 4, 4), opset)
    wanted = {"Slice": Slice, "Split": Slice, "Split9": Slice, "Pad": SlidingWindow}.get(write, Reorder)
    assert any(isinstance(node, wanted) for node in program.graph)
    check(program, ties=False)


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
