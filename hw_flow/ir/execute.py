"""The integer golden model: what hardware must compute, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir.graph import Graph
from hw_flow.ir.tensor import IntArray


def execute(graph: Graph, inputs: Mapping[str, IntArray]) -> dict[str, IntArray]:
    """Run ``graph`` on a batch.

    Parameters
    ----------
    inputs : per graph input, integers ``[N, *shape]``.

    Returns
    -------
    Every tensor of the graph by name, int64 ``[N, *shape]``.

    Raises
    ------
    FlowError : an input is missing, has the wrong shape or a value outside its data type.
    """
    values: dict[str, IntArray] = {}
    for name in graph.inputs:
        values[name] = check_input(graph, name, inputs)
    for node in graph:
        values[node.outputs[0]] = node.golden(*(values[name] for name in node.inputs))
    return values


def check_input(graph: Graph, name: str, inputs: Mapping[str, IntArray]) -> IntArray:
    """The array for input ``name`` as int64, after checking shape and range."""
    tensor = graph.tensors[name]
    if name not in inputs:
        raise FlowError(f"input '{name}' is missing; give an integer array [N, {', '.join(map(str, tensor.shape))}]")
    x = np.asarray(inputs[name])
    if x.shape[1:] != tensor.shape:
        raise FlowError(f"input '{name}' has shape {list(x.shape)}; expected [N, {', '.join(map(str, tensor.shape))}]")
    if not np.issubdtype(x.dtype, np.integer):
        raise FlowError(f"input '{name}' is {x.dtype}; the accelerator takes integers of type {tensor.dtype}")
    low, high = tensor.limits
    allowed = np.isin(x, (-1, 1)) if tensor.dtype == "BIPOLAR" else (x >= low) & (x <= high)
    if not allowed.all():
        raise FlowError(f"input '{name}' holds {int(x[~allowed].flat[0])}, which {tensor.dtype} cannot represent")
    return x.astype(np.int64)
