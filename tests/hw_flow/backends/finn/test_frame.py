"""Open batches, of which FINN would make nothing, and attributes that it would miss."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from hw_flow.backends.finn.inside.prepare import one_frame, spelled_out
from tests.hw_flow.tiny import tiny


def test_an_open_batch_becomes_one_frame(tmp_path: Path) -> None:
    model = ModelWrapper(str(tiny(tmp_path / "tiny.onnx")))
    edges = [*model.graph.input, *model.graph.output]
    for edge in edges:
        edge.type.tensor_type.shape.dim[0].dim_param = "N"
    one_frame(model)
    assert [edge.type.tensor_type.shape.dim[0].dim_value for edge in edges] == [1, 1]
    assert not model.graph.value_info


def test_initialisers_among_the_inputs_are_no_frames(tmp_path: Path) -> None:
    """ONNX of IR version 3 lists every initialiser as an input of the graph."""
    model = ModelWrapper(str(tiny(tmp_path / "tiny.onnx")))
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "N"
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [64]))
    model.set_initializer("w", np.zeros(64, dtype=np.float32))
    one_frame(model)
    assert [value.type.tensor_type.shape.dim[0].dim_value for value in model.graph.input] == [1, 64]


def test_a_given_batch_stays(tmp_path: Path) -> None:
    model = ModelWrapper(str(tiny(tmp_path / "tiny.onnx")))
    for edge in (*model.graph.input, *model.graph.output):
        edge.type.tensor_type.shape.dim[0].dim_value = 4
    before = model.model.SerializeToString()
    assert one_frame(model).model.SerializeToString() == before


def test_convolutions_are_spelled_out(tmp_path: Path) -> None:
    """What ONNX lets default is written out, what is given stays."""
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="Conv_0"),
             helper.make_node("Conv", ["y", "w"], ["m"], name="Conv_1", strides=[2, 1], auto_pad="SAME_UPPER", group=1),
             helper.make_node("MaxPool", ["m"], ["z"], name="MaxPool_0", kernel_shape=[2, 2])]
    graph = helper.make_graph(nodes, "convs", [value("x", TensorProto.FLOAT, [1, 1, 6, 6])],
                              [value("z", TensorProto.FLOAT, [1, 1, 1, 4])])
    model = ModelWrapper(helper.make_model(graph))
    model.set_initializer("w", np.ones((1, 1, 3, 2), dtype=np.float32))
    first, second, pool = ({attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
                     for node in spelled_out(model).graph.node)
    assert first == {"kernel_shape": [3, 2], "strides": [1, 1], "dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0]}
    assert second == {"kernel_shape": [3, 2], "strides": [2, 1], "dilations": [1, 1], "group": 1, "auto_pad": b"SAME_UPPER"}
    assert pool == {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0, 0, 0, 0]}
