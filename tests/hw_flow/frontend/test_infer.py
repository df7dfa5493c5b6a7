"""Shapes and constants, found before anything else looks at a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hw_flow.frontend import compare, compile_qonnx
from hw_flow.frontend.infer import fold_constants, infer_shapes
from tests.hw_flow.qonnx_maps import Maps, build, check
from tests.hw_flow.qonnx_random import QONNX


def _model(nodes: list[onnx.NodeProto], **tensors: np.ndarray) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(value, name) for name, value in tensors.items()])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid(QONNX, 1), helper.make_opsetid("", 15)])


def _sizes(model: onnx.ModelProto) -> dict[str, list[int]]:
    return {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in (*model.graph.value_info, *model.graph.output)}


def test_shapes_that_a_graph_computes() -> None:
    """Each round makes shapes known that the next one folds; the opset is ONNX's wherever it stands in the list."""
    nodes = [
        helper.make_node("Shape", ["x"], ["whole"]), helper.make_node("Shape", ["x"], ["batch"], start=0, end=1),
        helper.make_node("Gather", ["whole", "two"], ["last"], axis=0), helper.make_node("Mul", ["last", "three"], ["flat"]),
        helper.make_node("Concat", ["batch", "flat"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["vector"]),
        helper.make_node("Shape", ["vector"], ["again"]), helper.make_node("Reshape", ["vector", "again"], ["y"]),
    ]
    model = infer_shapes(_model(nodes, two=np.array([2]), three=np.array([3])))
    rounds = 0
    while fold_constants(model):
        model, rounds = infer_shapes(model), rounds + 1
    assert rounds == 2
    assert [node.op_type for node in model.graph.node] == ["Reshape", "Reshape"]
    known = {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in model.graph.initializer}
    assert (known["target"], known["again"]) == ([2, 12], [2, 12])
    assert _sizes(model)["y"] == [2, 12]


def test_quantisers_of_constants_stay() -> None:
    one, zero, four = (np.array(value, np.float32) for value in (1.0, 0.0, 4.0))
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    nodes = [
        helper.make_node("Quant", ["w", "one", "zero", "four"], ["a"], domain=QONNX, **attributes),
        helper.make_node("Quant", ["x", "one", "zero", "four"], ["q"], domain=QONNX, **attributes),
        helper.make_node("Neg", ["w"], ["b"]), helper.make_node("Add", ["q", "a"], ["c"]),
        helper.make_node("Add", ["c", "b"], ["y"]),
    ]
    model = infer_shapes(_model(nodes, w=np.arange(4, dtype=np.float32), one=one, zero=zero, four=four))
    assert fold_constants(model)
    assert not fold_constants(model)
    assert [node.output[0] for node in model.graph.node] == ["a", "q", "c", "y"]
    sizes = _sizes(model)
    assert (sizes["a"], sizes["q"], sizes["w"]) == ([4], [2, 3, 4], [4])


def test_layers_before_the_first_quantiser_are_said(tmp_path: Path) -> None:
    b = Maps()
    b.conv(3, 2, (2, 2))
    b.head = b.quant(b.head, 0.25, 4)
    b.conv(4, 3, (2, 2))
    program = build(tmp_path, b, (2, 5, 5))
    assert program.notes == ("Conv_1 runs on the host in float32, because its input is not quantised; declare the integer type "
                             "of input 'x' to compute it in hardware",)
    check(program)


@pytest.mark.parametrize("count", [120])
def test_deep_networks(tmp_path: Path, count: int) -> None:
    """Time grows with the depth, not with its square or worse: minutes become seconds."""
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    for _ in range(count):
        b.conv(2, 2, (1, 1))
        b.head = b.quant(b.head, 0.5, 4)
    onnx.save(b.finish((2, 2, 2)), str(tmp_path / "m.onnx"))
    program = compile_qonnx(tmp_path / "m.onnx")
    assert len(program.graph.nodes) == count
    assert compare(program, np.random.default_rng(0).normal(size=(4, 2, 2, 2)).astype(np.float32)).bit_exact
