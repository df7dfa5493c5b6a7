"""Max pools behind the quantiser that follows them: the largest of small integers instead of wide accumulators.

The largest element commutes with every function that rises, so this changes no value, not even in float32.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from hw_flow.frontend.rewrite import attribute
from hw_flow.frontend.support import QUANTISERS

_RISING = frozenset({"Relu", "Sigmoid", "Tanh", "Identity", "Dropout", "Softplus", "Clip", "Floor", "Ceil", "Round"})


def move_pools(graph: onnx.GraphProto) -> bool:
    """Move each MaxPool of ``graph`` on unquantised data behind its quantiser; whether there was one to move."""
    static = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    moved = False
    for pool in [node for node in graph.node if node.op_type == "MaxPool" and not node.domain]:
        before = next((node for node in graph.node if pool.input[0] in node.output), None)
        if before is None or before.op_type in QUANTISERS or len([name for name in pool.output if name]) > 1:
            continue
        chain = _chain(graph, pool.output[0], static)
        if chain:
            _behind(graph, pool, chain)
            moved = True
    return moved


def _chain(graph: onnx.GraphProto, tensor: str, static: Mapping[str, np.ndarray]) -> list[onnx.NodeProto]:
    """The only readers after ``tensor`` up to a quantiser, if they all rise; else none."""
    outputs = {value.name for value in graph.output}
    chain: list[onnx.NodeProto] = []
    while tensor not in outputs:
        readers = [node for node in graph.node if tensor in node.input]
        if len(readers) != 1 or readers[0].input[0] != tensor or not _rises(readers[0], static):
            return []
        chain.append(readers[0])
        if readers[0].op_type in QUANTISERS:
            return chain
        tensor = readers[0].output[0]
    return []


def _rises(node: onnx.NodeProto, static: Mapping[str, np.ndarray]) -> bool:
    """Whether ``node`` is one rising function per channel of its first input."""
    if any(name and name not in static for name in node.input[1:]):
        return False
    values = [static[name] for name in node.input[1:] if name]
    if node.op_type in ("Quant", "IntQuant", "BipolarQuant"):
        return all(map(_per_channel, values)) and bool((values[0] > 0).all())
    if node.op_type == "BatchNormalization":
        return bool((values[0] >= 0).all())
    if node.op_type in _RISING:
        return True
    if node.op_type in ("LeakyRelu", "HardSigmoid"):
        return bool(attribute(node, "alpha", 0.1) >= 0)
    if node.op_type in ("Add", "Sub"):
        return all(map(_per_channel, values))
    return node.op_type in ("Mul", "Div") and all(_per_channel(value) and bool((value > 0).all()) for value in values)


def _per_channel(value: np.ndarray) -> bool:
    """Whether a parameter is one number, or one along the second axis of a map or sequence with the batch."""
    shape = value.shape
    along = [axis for axis, size in enumerate(shape) if size > 1]
    return value.size == 1 or (len(shape) >= 2 and len(along) == 1 and shape[-1] == 1 and along[0] in (0, 1))


def _behind(graph: onnx.GraphProto, pool: onnx.NodeProto, chain: list[onnx.NodeProto]) -> None:
    """Put ``pool`` behind the last node of ``chain``."""
    before, between, after = pool.input[0], pool.output[0], chain[-1].output[0]
    chain[0].input[0] = before
    chain[-1].output[0] = between
    moved = onnx.NodeProto.FromString(pool.SerializeToString())
    moved.input[0], moved.output[0] = between, after
    position = next(index for index, node in enumerate(graph.node) if node.name == chain[-1].name)
    nodes = list(graph.node)
    nodes.insert(position + 1, moved)
    nodes = [node for node in nodes if node is not pool and not (node.name == pool.name and node is not moved)]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
