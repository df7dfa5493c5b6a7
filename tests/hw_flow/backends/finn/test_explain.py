"""A node that FINN leaves between hardware nodes is named, with the reason."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from hw_flow.backends.finn.inside.explain import told, unconverted

HARDWARE = "finn.custom_op.fpgadataflow"


def chain(*ops, types=()):
    """A model of ``ops`` (operator, whether FINN made hardware of it) in a row; ``types`` of the tensors between them."""
    value = helper.make_tensor_value_info
    nodes = [helper.make_node(kind, [f"t{index}"] + ([f"w{index}"] if kind in ("MatMul", "Mul") else []), [f"t{index + 1}"],
                              name=f"{kind}_{index}", domain=HARDWARE if made else "") for index, (kind, made) in enumerate(ops)]
    graph = helper.make_graph(nodes, "chain", [value("t0", TensorProto.FLOAT, [1, 4])],
                              [value(f"t{len(ops)}", TensorProto.FLOAT, [1, 4])])
    model = ModelWrapper(qonnx_make_model(graph))
    for index, (kind, _) in enumerate(ops):
        if kind in ("MatMul", "Mul"):
            model.set_initializer(f"w{index}", np.ones((4, 4) if kind == "MatMul" else (4,), dtype=np.float32))
    for index, dtype in enumerate(types):
        model.set_tensor_datatype(f"t{index}", DataType[dtype])
    return model


def test_ends_are_the_hosts():
    assert unconverted(chain(("Relu", False), ("MVAU", True), ("Thresholding", True), ("Mul", False))) == []


@pytest.mark.parametrize(("kind", "types", "text"), [
    ("Mul", ("INT4", "INT4"), "a scale or bias between integer layers that streamlining could not move into thresholds"),
    ("MatMul", ("INT4", "FLOAT32"), "its input 't1' is floating point because a scale did not move past it; give the quantiser "
                                    "in front one scale for the whole tensor"),
    ("MatMul", ("INT4", "INT4"), "its weights are no integers; give the weight quantiser one scale for the whole tensor, or one "
                                 "per output"),
    ("Softmax", ("INT4", "INT4"), "FINN has no hardware for this operator; end the network before it, or use --backend rtl"),
])
def test_reasons(kind, types, text):
    assert unconverted(chain(("MVAU", True), (kind, False), ("MVAU", True), types=types)) == [f"{kind}_1 ({kind}): {text}"]


def test_names_are_those_of_the_file():
    """FINN renames nodes; a node of its own is placed behind one that the file has."""
    model = chain(("MVAU", True), ("Softmax", False), ("Mul", False), ("MVAU", True), types=("INT4", "INT4", "INT4"))
    model.graph.node[1].doc_string = "encoder/softmax"
    softmax, scale = unconverted(model)
    assert softmax.startswith("encoder/softmax (Softmax): FINN has no hardware")
    assert scale.startswith("Mul_2 (Mul) behind encoder/softmax: a scale or bias")


def test_an_error_of_finns_gets_its_node():
    def transformation(model):
        for node in model.graph.node:
            if node.op_type == "Quant":
                raise ValueError("Only zero-point == 0\nis supported.")

    model = chain(("Conv", False), ("Quant", False))
    model.graph.node[1].doc_string = "act/quant"
    with pytest.raises(ValueError, match="Only") as fault:
        transformation(model)
    assert told(fault.value) == "ValueError: Only zero-point == 0 is supported, at act/quant (Quant)"
    assert told(AssertionError()) == "AssertionError"


def test_no_hardware_at_all():
    (reason,) = unconverted(chain(("Transpose", False), ("MatMul", False), types=("FLOAT32", "FLOAT32")))
    assert reason.startswith("MatMul_1 (MatMul): its input 't1' is floating point")
