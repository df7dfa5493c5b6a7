"""Damaged networks: whatever is wrong, the answer is a clean comparison or one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hw_flow.errors import FlowError
from hw_flow.frontend import compare, compile_qonnx
from tests.hw_flow.qonnx_random import random_mlp

_OPERATORS = ("Relu", "MatMul", "Gemm", "Quant", "TopK", "Reshape", "BatchNormalization", "MultiThreshold", "Clip", "Softmax",
              "Cast", "Transpose", "Pow", "Squeeze", "Unsqueeze", "Flatten", "Concat", "Shape",
              "Dropout", "ArgMax")
_NUMBERS = (np.nan, np.inf, 0.0, -1.0, 1e30, 1e-30, -1e30)


def _damage(graph: onnx.GraphProto, rng: np.random.Generator) -> None:
    node = graph.node[int(rng.integers(len(graph.node)))]
    tensor = graph.initializer[int(rng.integers(len(graph.initializer)))]
    match int(rng.integers(8)):
        case 0 if node.input:
            del node.input[int(rng.integers(len(node.input)))]
        case 1 if node.attribute:
            del node.attribute[int(rng.integers(len(node.attribute)))]
        case 2:
            node.op_type = str(rng.choice(_OPERATORS))
        case 3 if len(node.input) > 1:
            node.input[1] = node.input[0]
        case 4:
            value = numpy_helper.to_array(tensor).copy()
            if value.size:
                value.flat[0] = rng.choice(_NUMBERS) if value.dtype.kind == "f" else rng.choice([0, -1, 99])
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
        case 5:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).reshape(-1), tensor.name))
        case 6:
            graph.node.remove(node)
        case 7:
            graph.input[0].type.tensor_type.elem_type = int(rng.integers(0, 17))


@pytest.mark.parametrize("seed", range(80))
def test_damage_is_refused_or_harmless(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mlp = random_mlp(seed, layers=2)
    for _ in range(int(rng.integers(1, 3))):
        if mlp.model.graph.node:
            _damage(mlp.model.graph, rng)
    mlp.save(tmp_path / "m.onnx")
    try:
        program = compile_qonnx(tmp_path / "m.onnx", input_type=mlp.input_type, input_scale=mlp.input_scale)
        result = compare(program, mlp.samples(10))
    except FlowError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some damage is harmless
    else:
        assert result.bit_exact, result
