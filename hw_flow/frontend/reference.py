"""QONNX's own float32 execution, node by node, on whole batches."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper

from hw_flow.errors import FlowError
from hw_flow.frontend.clean import shapes, with_batch

# Largest array, in elements, that a batch may need inside MultiThreshold (frames x channels x thresholds).
_BUDGET = 1 << 26


class _Model:
    """A cleaned model for one batch size, with what QONNX's execution would look up anew for each node."""

    def __init__(self, model: ModelWrapper) -> None:
        self.model = model
        self.opsets = model.get_opset_imports()
        self.sizes = shapes(model)
        graph = model.graph
        self.annotated = {note.tensor_name for note in graph.quantization_annotation}
        self._values = {value.name: value for value in (*graph.value_info, *graph.output, *graph.input)}

    def around(self, node: onnx.NodeProto) -> onnx.GraphProto:
        """A graph that knows the tensors of ``node`` alone."""
        names = dict.fromkeys((*node.input, *node.output))
        return onnx.GraphProto(value_info=[self._values[name] for name in names if name in self._values])

    def kind(self, tensor: str) -> int:
        """ONNX type of ``tensor``, 0 if unknown."""
        return self._values[tensor].type.tensor_type.elem_type if tensor in self._values else 0


class Reference:
    """Runs nodes of a cleaned model with ``qonnx.core.onnx_exec``.

    The model is re-batched to the number of frames given, so that each node is one call.
    """

    def __init__(self, model: ModelWrapper) -> None:
        self.model = model
        self.source: str = model.graph.input[0].name
        self.sink: str = model.graph.output[0].name
        self.nodes = {node.name: index for index, node in enumerate(model.graph.node)}
        self._one = _Model(model)
        self.static = self._static()
        self.kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type))
        self._batched: tuple[int, _Model] | None = None

    def fed(self, x: np.ndarray) -> np.ndarray:
        """``x`` in the input's own ONNX type (float32 nearly always)."""
        return np.asarray(x, dtype=self.kind)

    def moving(self) -> list[str]:
        """Names of the nodes that depend on the input, in order."""
        return [node.name for node in self.model.graph.node if node.output[0] not in self.static]

    @property
    def batch(self) -> int:
        """Frames that one call should take, so that memory stays bounded."""
        widest = max((int(np.prod(self._one.sizes[node.output[0]])) for node in self.model.graph.node), default=1)
        levels = max((self.static[node.input[1]].size for node in self.model.graph.node
                      if node.op_type == "MultiThreshold" and node.input[1] in self.static), default=1)
        return max(1, min(1000, _BUDGET // (widest * min(levels, 256))))

    def run(self, names: Iterable[str], values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Execute the nodes ``names`` (in order) from float32 ``values`` ``[N, ...]``; returns all tensors."""
        from qonnx.util.basic import sanitize_quant_values

        batch = len(next(iter(values.values())))
        batched = self._model(batch)
        context: dict[str, np.ndarray] = {**self.static, **{name: self._typed(name, value) for name, value in values.items()}}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in names:
                node = batched.model.graph.node[self.nodes[name]]
                # As qonnx.core.onnx_exec.execute_onnx does: annotated integers are rounded to integers first.
                annotated = [name for name in node.input if name in batched.annotated]
                context = sanitize_quant_values(batched.model, annotated, context)
                _execute(node, context, batched)
        return context

    def _model(self, batch: int) -> _Model:
        if self._batched is None or self._batched[0] != batch:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._batched = (batch, _Model(with_batch(self.model, batch)))
        return self._batched[1]

    def _typed(self, name: str, value: np.ndarray) -> np.ndarray:
        """``value`` in the ONNX type of tensor ``name``: QuantizeLinear makes integers."""
        kind = self._one.kind(name)
        return value.astype(onnx.helper.tensor_dtype_to_np_dtype(kind)) if kind else value

    def _static(self) -> dict[str, np.ndarray]:
        """Every tensor that does not depend on the input: initialisers, quantised weights and biases."""
        graph = self.model.graph
        values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for node in graph.node:
                if all(name in values for name in node.input if name):
                    _execute(node, values, self._one)
        return values


def _execute(node: onnx.NodeProto, context: dict[str, np.ndarray], model: _Model) -> None:
    """One node through qonnx, with its results put into ``context``."""
    from qonnx.core.onnx_exec import execute_node

    for output in filter(None, node.output):
        context[output] = np.empty(model.sizes.get(output, ()), dtype=np.float32)
    try:
        execute_node(node, context, model.around(node), model.opsets.get(node.domain, 1))
    except Exception as error:  # qonnx and onnxruntime raise bare Exception
        line = " ".join(str(error).split())[:200]
        raise FlowError(f"{node.name} ({node.op_type}): QONNX cannot execute it ({line}); check its inputs") from error
