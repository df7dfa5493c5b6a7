"""Every refusal of the front end, by its exact text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from hw_flow.errors import FlowError
from hw_flow.frontend import compile_qonnx
from tests.hw_flow.qonnx_random import Builder

FLOAT_WEIGHTS = np.random.default_rng(0).normal(size=(4, 3))


def _start(quantise: bool = True) -> Builder:
    b = Builder(np.random.default_rng(0))
    if quantise:
        b.head = b.quant(b.head, 0.5, 4)
    return b


def _layer(b: Builder, mw: int = 4, mh: int = 3, scale: Any = 0.25) -> None:
    weights = b.quant(b.constant(np.random.default_rng(1).normal(size=(mw, mh))), scale, 4)
    b.then("MatMul", weights)


def _refusal(tmp_path: Path, model: onnx.ModelProto, **options: Any) -> str:
    path = tmp_path / "m.onnx"
    onnx.save(model, str(path))
    with pytest.raises(FlowError) as error:
        compile_qonnx(path, **options)
    message = str(error.value)
    assert "\n" not in message
    return message.replace(str(path), "m.onnx")


def unsupported(b: Builder) -> None:
    b.then("Cosh")


def convolution(b: Builder) -> None:
    b.then("Conv", b.constant(np.ones((1, 1, 1))))


def unknown_domain(b: Builder) -> None:
    b.then("Relu")
    b.nodes[-1].domain = "my.ops"


def unknown_quantiser_domain(b: Builder) -> None:
    b.head = b.quant(b.head, 1.0, 4)
    b.nodes[-1].domain = "my.ops"


def no_quantiser_between(b: Builder) -> None:
    _layer(b)
    b.then("Relu")
    _layer(b, 3, 3)


def float_weights(b: Builder) -> None:
    b.then("MatMul", b.constant(FLOAT_WEIGHTS))


def scale_along_inputs(b: Builder) -> None:
    _layer(b, scale=np.array([[0.5], [0.25], [0.5], [0.25]]))


def channel_scales_between(b: Builder) -> None:
    _layer(b, scale=np.array([[0.5, 0.3, 1.0]]))
    _layer(b, 3, 3)


def channel_factors_before(b: Builder) -> None:
    b.then("Mul", b.constant([1.0, 2.0, 3.1, 4.0]))
    _layer(b)


def channel_scales_of_quantiser(b: Builder) -> None:
    _layer(b)
    b.head = b.quant(b.head, np.array([0.5, 0.3, 1.0]), 4)
    _layer(b, 3, 3)


def dynamic_scale(b: Builder) -> None:
    b.then("Quant", b.head, b.constant(0.0), b.constant(4.0), signed=1, narrow=0, rounding_mode="ROUND")


def scale_left_out(b: Builder) -> None:
    b.then("Quant", "", b.constant(0.0), b.constant(4.0), signed=1, narrow=0, rounding_mode="ROUND")


def zero_scale(b: Builder) -> None:
    b.head = b.quant(b.head, 0.0, 4)


def rounding(b: Builder) -> None:
    b.head = b.quant(b.head, 1.0, 4, mode="STOCHASTIC")


def bit_width(b: Builder) -> None:
    b.head = b.quant(b.head, 1.0, 2.5)  # type: ignore[arg-type]


def branch(b: Builder) -> None:
    b.head = b.node("Add", [b.head, "x"])[0]


def fork(b: Builder) -> None:
    left = b.node("Relu", [b.head])[0]
    right = b.node("Sigmoid", [b.head])[0]
    b.head = b.node("Add", [left, right])[0]


def too_many_levels(b: Builder) -> None:
    _layer(b)
    b.head = b.quant(b.head, 2.0**-14, 24)


def division_by_zero(b: Builder) -> None:
    b.then("Div", b.constant(0.0))
    _layer(b)


def not_a_number(b: Builder) -> None:
    b.then("Add", b.constant(np.nan))
    _layer(b)


def training_mode(b: Builder) -> None:
    _layer(b)
    values = [b.constant(np.ones(3)) for _ in range(4)]
    b.head = b.node("BatchNormalization", [b.head, *values], 1, epsilon=1e-5, training_mode=0)[0]
    b.nodes[-1].attribute[1].i = 1
    b.nodes[-1].output.extend(["mean_out", "var_out"])
    b.head = b.quant(b.head, 1.0, 4)


def negative_variance(b: Builder) -> None:
    _layer(b)
    values = [b.constant(np.ones(3)) for _ in range(3)]
    b.then("BatchNormalization", *values, b.constant(-np.ones(3)))
    b.head = b.quant(b.head, 1.0, 4)


def batch_dropped(b: Builder) -> None:
    b.then("Reshape", b.constant([2, 2], np.int64))
    _layer(b, 2, 3)


def softmax_inside(b: Builder) -> None:
    _layer(b)
    b.then("Softmax", axis=-1)
    b.head = b.quant(b.head, 0.1, 4)


def weights_first(b: Builder) -> None:
    b.then("Reshape", b.constant([0, 2, 2], np.int64))
    b.head = b.node("MatMul", [b.constant(np.ones((2, 2))), b.head])[0]


def wide_weights(b: Builder) -> None:
    b.then("MatMul", b.constant(np.full((4, 3), 70000.0)))


def flat_thresholds(b: Builder) -> None:
    b.then("MultiThreshold", b.constant([1.0]), out_dtype="UINT2")


def many_thresholds(b: Builder) -> None:
    b.then("MultiThreshold", b.constant(np.arange(6).reshape(3, 2)), out_dtype="UINT2")
    _layer(b)


def clip_to_vectors(b: Builder) -> None:
    _layer(b)
    b.then("Clip", b.constant([0.0, 1.0]), b.constant(1.0))
    b.head = b.quant(b.head, 1.0, 4)


def broadcast(b: Builder) -> None:
    b.then("Add", b.constant(np.zeros((1, 3, 4))))
    _layer(b)


def nothing_left(b: Builder) -> None:
    b.then("Softmax", axis=-1)


_REPLACE = ("this operator is not supported; replace it by Conv, MatMul or Gemm, element-wise operators and quantisers, or cut "
            "the model before it")
CASES: list[tuple[Callable[[Builder], None], str]] = [
    (unsupported, f"Cosh_1 (Cosh): {_REPLACE}"),
    (convolution, "Conv_1 (Conv): slides over a tensor of rank 2; only 1-D and 2-D maps can be compiled, of rank 3 and 4 with "
     "the batch and the channels"),
    (unknown_domain, f"Relu_1 (my.ops.Relu): {_REPLACE}"),
    (unknown_quantiser_domain, "Quant_1 (Quant): unknown operator domain 'my.ops'; use 'qonnx.custom_op.general'"),
    (no_quantiser_between, "MatMul_5 (MatMul): missing quantiser: Relu_3 makes its input 't3_0' non-integer; insert a Quant "
                           "node between "
     "Relu_3 and MatMul_5"),
    (float_weights, "MatMul_1: weights are not quantised (found 12 distinct non-integer values); export the layer with a weight "
     "quantiser"),
    (scale_along_inputs, "MatMul_2: the scale of its weights changes along the inputs; use one scale for all weights or one per "
     "output channel"),
    (channel_scales_between, "MatMul_4 (MatMul): non-integer accumulator: its input 't2_0' has no common scale ('t2_0' has "
                             "one scale "
     "per channel); insert a Quant node with one scale before MatMul_4"),
    (channel_factors_before, "MatMul_3 (MatMul): non-integer accumulator: its input 't1_0' has no common scale (Mul_1 "
                             "scales each "
     "channel); insert a Quant node with one scale before MatMul_3"),
    (channel_scales_of_quantiser, "MatMul_5 (MatMul): non-integer accumulator: its input 't3_0' has no common scale ('t3_0' "
                                  "has one "
     "scale per channel); insert a Quant node with one scale before MatMul_5"),
    (dynamic_scale, "Quant_1 (Quant): activation without scale: its scale, zero point or bit width is computed at run time; "
                    "export "
     "the network with fixed quantisers"),
    (scale_left_out, "Quant_1 (Quant): its scale is no constant; export the network with fixed quantisers and parameters"),
    (zero_scale, "Quant_1 (Quant): its scale is zero; train or export the network again"),
    (rounding, "Quant_1 (Quant): rounding mode 'STOCHASTIC' is unknown; use one of CEIL, DOWN, FLOOR, HALF_DOWN, HALF_EVEN, "
               "HALF_UP, "
     "ROUND, ROUND_TO_ZERO, TRUNC, UP"),
    (bit_width, "Quant_1 (Quant): its bit width must be one integer from 1 to 32, not [2.5]; use one width per tensor"),
    (branch, "Quant_0 (Quant): missing quantiser: the input 'x' reaches several branches before a quantiser; insert a Quant node "
     "at the input or declare its integer type"),
    (fork, "Add_3 (Add): nothing before it can be computed in hardware; a layer with integer weights after a quantiser is "
     "needed"),
    (too_many_levels, "MatMul_2: Quant_3 gives 290,817 levels, more than 65,536; quantise to 16 bits or fewer"),
    (division_by_zero, "Div_1 (Div): divides by zero; train or export the network again"),
    (not_a_number, "Add_1 (Add): its constant holds NaN or infinity; train or export the network again"),
    (training_mode, "BatchNormalization_3 (BatchNormalization): is in training mode; export the network in evaluation mode"),
    (negative_variance, "BatchNormalization_3 (BatchNormalization): a variance is not positive; train or export the network "
                        "again"),
    (batch_dropped, "Reshape_1 (Reshape): makes [2, 2] of [1, 4], which drops the batch axis; keep it as the first one"),
    (softmax_inside, "Softmax_3 (Softmax): stands before Quant_4, so it would have to run in hardware, which it cannot; move it "
     "to the end"),
    (weights_first, "MatMul_2 (MatMul): its activation is the second operand; export it as activation times weights"),
    (wide_weights, "MatMul_1: weights reach 70,000; at most 16 bits are supported, quantise them further"),
    (flat_thresholds, "MultiThreshold_1 (MultiThreshold): its thresholds have shape [1]; they must be [channels, steps]"),
    (many_thresholds, "MultiThreshold_1 (MultiThreshold): 3 rows of thresholds do not fit frames of [4]; check data_layout"),
    (broadcast, "Add_1 (Add): moves or mixes the batch axis (its output is [1, 3, 4] for one frame); keep the batch as the first "
     "axis"),
    (clip_to_vectors, "Clip_3 (Clip): its minimum has 2 elements; it must be one number"),
    (nothing_left, "Softmax_1 (Softmax): nothing before it can be computed in hardware; a layer with integer weights after a "
     "quantiser is needed"),
]


@pytest.mark.parametrize(("write", "text"), CASES, ids=[case[0].__name__ for case in CASES])
def test_refusal(tmp_path: Path, write: Callable[[Builder], None], text: str) -> None:
    b = _start()
    write(b)
    model = b.model(4, [3])
    model.graph.output[0].type.tensor_type.ClearField("shape")
    message = _refusal(tmp_path, model)
    assert message == text


def test_no_quantiser_at_all(tmp_path: Path) -> None:
    b = _start(quantise=False)
    b.then("MatMul", b.constant(np.ones((4, 3))))
    assert _refusal(tmp_path, b.model(4, [3])) == (
        "MatMul_0 (MatMul): missing quantiser: no activation of the network is quantised, not even the input 'x'; insert "
        "Quant nodes "
        "or declare the input's integer type")


def _plain() -> onnx.ModelProto:
    b = _start()
    _layer(b)
    return b.model(4, [3])


@pytest.mark.parametrize(("options", "text"), [
    ({"input_type": "FLOAT32"}, "input type 'FLOAT32' is unknown; use BIPOLAR, TERNARY, UINT1..UINT16 or INT2..INT16"),
    ({"input_scale": 0.5}, "an input scale was given without an input type; give both, for example UINT8 and 1/255"),
    ({"input_type": "UINT8", "input_scale": "half"}, "input scale 'half' is no number; write it like 1/255 or 0.5"),
    ({"input_type": "UINT8", "input_scale": 0}, "input scale '0' must be positive; write it like 1/255 or 0.5"),
])
def test_options(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    assert _refusal(tmp_path, _plain(), **options) == text


def test_symbolic_axis(tmp_path: Path) -> None:
    model = _plain()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "F"
    assert _refusal(tmp_path, model) == (
        "m.onnx: axis 1 of input 'x' is symbolic ('F'); only the batch may be: export the network with fixed sizes")


def test_rank_of_input(tmp_path: Path) -> None:
    model = _plain()
    del model.graph.input[0].type.tensor_type.shape.dim[1]
    assert _refusal(tmp_path, model) == "m.onnx: input 'x' has rank 1; it must be [batch, ...]"


def test_size_zero(tmp_path: Path) -> None:
    model = _plain()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 0
    assert _refusal(tmp_path, model) == "m.onnx: axis 1 of input 'x' has size 0; export the network again"


def test_batch_beyond_reason(tmp_path: Path) -> None:
    model = _plain()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1 << 40
    assert _refusal(tmp_path, model) == ("m.onnx: input 'x' has a batch of 1,099,511,627,776; export the network with a symbolic "
                                         "batch, or of 1")


def test_input_of_text(tmp_path: Path) -> None:
    model = _plain()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    assert _refusal(tmp_path, model) == ("m.onnx: input 'x' has ONNX type string; only real numbers and integers can be "
                                         "compiled, export it as float")


@pytest.mark.parametrize("kind", ["INT9999999", "INT-3", "FOO", ""])
def test_annotations(tmp_path: Path, kind: str) -> None:
    b = _start()
    _layer(b)
    assert _refusal(tmp_path, b.model(4, [3], annotation=kind)) == (
        f"tensor 'x' is annotated as '{kind}', which is no QONNX data type of up to 64 bits; remove or mend the annotation")


def test_two_inputs(tmp_path: Path) -> None:
    model = _plain()
    model.graph.input.append(onnx.helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2]))
    assert _refusal(tmp_path, model) == "m.onnx: the network has 2 inputs and 1 outputs; export it with one of each"


def test_shapes_that_do_not_fit(tmp_path: Path) -> None:
    b = _start()
    _layer(b, mw=5)
    assert _refusal(tmp_path, b.model(4, [3])) == (
        "MatMul_2 (MatMul): the shape of its output cannot be inferred from inputs of shape [1, 4], [5, 3]; check the sizes "
        "and export "
        "the network again")


def test_constant_output(tmp_path: Path) -> None:
    b = _start(quantise=False)
    b.head = b.node("Relu", [b.constant(np.ones((1, 4)))])[0]
    message = _refusal(tmp_path, b.model(4, [4]))
    assert message == "graph output 't0_0' does not depend on the input; export the network again"


def test_scale_of_an_integer_input(tmp_path: Path) -> None:
    model = _plain()
    model.graph.node[0].input[0] = "f"
    model.graph.node.insert(0, onnx.helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    assert _refusal(tmp_path, model, input_type="UINT8", input_scale=0.5) == (
        "input 'x' has ONNX type uint8, so its values are the integers themselves; leave the input scale out")


def test_wrong_frames_and_values(tmp_path: Path) -> None:
    onnx.save(_plain(), str(tmp_path / "m.onnx"))
    program = compile_qonnx(tmp_path / "m.onnx", input_type="UINT8", input_scale="1/255")
    with pytest.raises(FlowError) as error:
        program.quantise_input(np.zeros((2, 5)))
    assert str(error.value) == "input 'x' has shape [2, 5]; expected [N, 4]"
    with pytest.raises(FlowError) as error:
        program.quantise_input(np.full((2, 4), 0.3))
    assert str(error.value) == ("input 'x' holds 0.3, which is no integer times the declared scale 1/255; give integers of "
                                "type UINT8, "
                                "or the right scale")
