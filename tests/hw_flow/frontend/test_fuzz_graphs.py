"""Damaged convolutional networks: compiled or refused in one line, never anything else."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest

from hw_flow.errors import FlowError
from hw_flow.frontend import compile_qonnx
from tests.hw_flow.qonnx_graphs import random_graph

_NUMBERS = (-1, 0, 2, 7, 10**6, 2**40)
_OPERATORS = ("Conv", "MaxPool", "Add", "Concat", "Reshape", "Transpose", "GlobalAveragePool", "Resize", "Split", "Slice", "Pad",
              "DepthToSpace", "Flatten", "MatMul", "ReduceMean")


@pytest.mark.parametrize("seed", [2, 7, 19, 33, 41, 58, 64, 77, 89, 101, 118, 126, 133, 147, 150, 163])
def test_damage(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    network = random_graph(seed % 40)
    model = onnx.ModelProto.FromString(network.model.SerializeToString())
    for _ in range(random.choice([1, 1, 2])):
        _damage(model.graph, random)
    onnx.save(model, str(tmp_path / "m.onnx"))
    try:
        compile_qonnx(tmp_path / "m.onnx", input_type=network.input_type, input_scale=network.input_scale)
    except FlowError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some damage does not matter


def _damage(graph: onnx.GraphProto, random: Random) -> None:
    node = random.choice(graph.node)
    match random.randrange(6):
        case 0 if node.attribute:
            attribute = random.choice(node.attribute)
            if attribute.ints:
                attribute.ints[random.randrange(len(attribute.ints))] = random.choice(_NUMBERS)
            elif attribute.type == onnx.AttributeProto.INT:
                attribute.i = random.choice(_NUMBERS)
        case 1 if node.attribute:
            node.attribute.remove(random.choice(node.attribute))
        case 2 if node.input:
            tensors = [tensor.name for tensor in graph.initializer] + [name for item in graph.node for name in item.output]
            node.input[random.randrange(len(node.input))] = random.choice(tensors)
        case 3:
            node.op_type = random.choice(_OPERATORS)
        case 4:
            tensor = random.choice(graph.initializer)
            value = onnx.numpy_helper.to_array(tensor)
            changed = random.choice([value.reshape(-1), value[None], np.zeros_like(value), value * 100.0])
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(changed.astype(value.dtype)), tensor.name))
        case _ if len(node.input) > 1:
            del node.input[-1]
