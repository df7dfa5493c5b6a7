"""Networks on maps and sequences, written node by node, and the check that they are exact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from hw_flow.frontend import Program, compare, compile_qonnx
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
