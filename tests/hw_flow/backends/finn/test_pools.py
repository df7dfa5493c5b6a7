"""Pools that several nodes read, before FINN's streamlining moves changes of layout around them."""

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.basic import qonnx_make_model

from hw_flow.backends.finn.inside.convert import _forking_pools


def forking(readers):
    """A pool that ``readers`` nodes read, whose outputs are added."""
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("MaxPool", ["x"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2], name="MaxPool_0")]
    nodes += [helper.make_node("Neg" if index else "Abs", ["pooled"], [f"t{index}"]) for index in range(readers)]
    nodes.append(helper.make_node("Sum", [f"t{index}" for index in range(readers)], ["y"]))
    graph = helper.make_graph(nodes, "pool", [value("x", TensorProto.FLOAT, [1, 3, 4, 6])],
                              [value("y", TensorProto.FLOAT, [1, 3, 2, 3])])
    return ModelWrapper(qonnx_make_model(graph)).transform(InferShapes())


def test_a_pool_with_several_readers_gets_one_of_its_own():
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 6)).astype(np.float32)
    expected = execute_onnx(forking(2), {"x": x})["y"]
    model = _forking_pools(forking(2))
    pool = model.get_nodes_by_op_type("MaxPool")[0]
    (reader,) = model.find_consumers(pool.output[0])
    assert reader.op_type == "Transpose"
    np.testing.assert_array_equal(execute_onnx(model, {"x": x})["y"], expected)
    assert len(_forking_pools(model).graph.node) == len(model.graph.node)


def test_other_pools_stay():
    model = forking(1)
    assert len(_forking_pools(model).graph.node) == 3
