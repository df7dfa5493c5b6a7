"""What the host computes around FINN's accelerator, by QONNX execution: FINN itself is not needed for that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from hw_flow.errors import FlowError
from hw_flow.ir.tensor import FloatArray

_PARTITION = "StreamingDataflowPartition"
# Most bytes of a parent graph: the host's nodes, never the network.
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class Host:
    """The graph in which the accelerator is one node.

    Attributes
    ----------
    parent : FINN's parent graph, batch 1.
    """

    parent: ModelWrapper

    @classmethod
    def load(cls, path: Path) -> Host:
        """Read ``dataflow_parent.onnx``; FlowError if it is missing, damaged or holds no accelerator."""
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise FlowError(f"{path}: {path.stat().st_size:,} bytes are no parent graph; build again")
            parent = ModelWrapper(str(path))
        except (OSError, ValueError) as error:
            raise FlowError(f"{path}: no readable parent graph ({type(error).__name__}); build again") from error
        if not any(node.op_type == _PARTITION for node in parent.graph.node):
            raise FlowError(f"{path}: holds no {_PARTITION}; build again")
        return cls(parent)

    @cached_property
    def split(self) -> int:
        """Position of the accelerator among the nodes."""
        return next(index for index, node in enumerate(self.parent.graph.node) if node.op_type == _PARTITION)

    @cached_property
    def accelerator(self) -> onnx.NodeProto:
        """The accelerator's node."""
        node: onnx.NodeProto = self.parent.graph.node[self.split]
        return node

    @property
    def before(self) -> list[onnx.NodeProto]:
        """Nodes that lead to the accelerator."""
        return self._needed([self.accelerator.input[0]], list(self.parent.graph.node))

    @property
    def after(self) -> list[onnx.NodeProto]:
        """Nodes behind the accelerator."""
        front = {node.name for node in self.before}
        return [node for node in self.parent.graph.node if node.op_type != _PARTITION and node.name not in front]

    @property
    def source(self) -> str:
        """The parent's input."""
        return str(self.parent.graph.input[0].name)

    @property
    def sink(self) -> str:
        """The parent's output."""
        return str(self.parent.graph.output[0].name)

    @cached_property
    def input_type(self) -> str:
        """QONNX DataType of the parent's input."""
        return str(self.parent.get_tensor_datatype(self.source).name)

    def head(self, x: np.ndarray) -> FloatArray:
        """The accelerator's input ``[N, *shape]`` from the model's ``[N, *frame]``."""
        return self._run(self.before, self.source, x, self.accelerator.input[0])

    def tail(self, y: np.ndarray) -> FloatArray:
        """The model's output ``[N, ...]`` from the accelerator's ``[N, *shape]``."""
        return self._run(self.after, self.accelerator.output[0], y, self.sink)

    def span(self) -> tuple[float, float, float] | None:
        """Lowest and highest value and step of a float input that the first quantiser tells apart; None for integers."""
        if self.input_type != "FLOAT32":
            return None
        for node in self.before:
            if node.op_type == "MultiThreshold":
                values = self.parent.get_initializer(node.input[1])
                low, high = float(values.min()), float(values.max())
                step = (high - low) / max(1, values.shape[1] - 1) or max(abs(high), 1.0)
                return low - step, high + step, step
        return -1.0, 1.0, 1.0 / 128

    def _needed(self, wanted: list[str], nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
        names, found = set(wanted), []
        for node in reversed(nodes):
            if any(output in names for output in node.output):
                found.append(node)
                names.update(node.input)
        return found[::-1]

    def _run(self, nodes: list[onnx.NodeProto], source: str, values: np.ndarray, sink: str) -> FloatArray:
        """Execute ``nodes`` frame by frame, as the graph has batch 1."""
        from qonnx.core.onnx_exec import execute_node

        shape = tuple(self.parent.get_tensor_shape(source))
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in self.parent.graph.initializer}
        opsets, results = self.parent.get_opset_imports(), []
        for frame in values:
            context = dict(constants)
            context[source] = np.asarray(frame, dtype=np.float32).reshape(shape)
            for node in nodes:
                for output in node.output:
                    context[output] = np.zeros(self.parent.get_tensor_shape(output), dtype=np.float32)
                execute_node(node, context, self.parent.graph, opsets.get(node.domain, 1))
            results.append(context[sink])
        return np.concatenate(results).astype(np.float64)


def integers(values: FloatArray, dtype: str, what: str) -> np.ndarray:
    """``values`` as integers of ``dtype``; FlowError if one is none."""
    whole = np.rint(values).astype(np.int64)
    kind = DataType[dtype]
    wrong = (whole != values) | (whole < int(kind.min())) | (whole > int(kind.max()))
    if wrong.any():
        raise FlowError(f"{what} holds {float(values[wrong].flat[0])!r}, which {dtype} cannot represent")
    return whole
