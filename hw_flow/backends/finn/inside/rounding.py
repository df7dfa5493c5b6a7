"""Quantisers round as QONNX says.

FINN's thresholds round every half up, whatever the quantiser's rounding mode; QONNX rounds halves to even unless told
otherwise. With scales that are powers of two such halves occur, and frames come out differently. Here every threshold
stands where QONNX's own rounding steps, in float64 so that FINN's streamlining keeps it apart from its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

# Where a rounding may step between two integers, from the upper one: at a value, or just above it.
_STEPS = ((-1.0, False), (-1.0, True), (-0.5, False), (-0.5, True), (0.0, False))
# "Just above", of a quantisation step: sums of scaled integers come no nearer by chance, and it survives float64 arithmetic
# with biases of thousands of steps.
_ABOVE = 2.0**-40
# Bits of the largest float32 value.
_LARGEST = 0x7F7FFFFF
# Operators that hand values on as they are, or clip them where no level steps.
_SAME_VALUES = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Relu", "MaxPool")
# Operators with thresholds among their constants, before and after FINN makes hardware of them.
_THRESHOLDED = ("MultiThreshold", "Thresholding", "MVAU", "VVAU")


def boundaries(rounding: Callable[[np.ndarray], np.ndarray], lowest: int, count: int) -> np.ndarray:
    """Float64 ``[count]``: the least value, in steps, that ``rounding`` takes to ``lowest + 1``, ``lowest + 2``, ..."""
    found = np.full(count, np.nan)
    upper = lowest + 1.0 + np.arange(count)
    for offset, above in _STEPS:
        value = upper + offset
        tried = rounding(value + 2.0**-10 if above else value)
        found = np.where(np.isnan(found) & (tried >= upper), value + _ABOVE * above, found)
    return found


def least_floats(rounding: Callable[[np.ndarray], np.ndarray], scale: np.ndarray, lowest: int, count: int) -> np.ndarray:
    """Float32 ``[C, count]``: the least inputs that ``rounding(x / scale [C, 1])`` takes to ``lowest + 1``, ``lowest + 2``, ...

    Found by bisection over all float32 values, with the operations of QONNX's own execution.
    """
    upper = lowest + 1.0 + np.arange(count)
    below = np.full((len(scale), count), -_LARGEST - 1, dtype=np.int64)
    reached = np.full_like(below, _LARGEST)
    with np.errstate(over="ignore", under="ignore"):
        while (reached - below > 1).any():
            middle = (below + reached) // 2
            found = rounding(_float(middle) / scale) >= upper
            below, reached = np.where(found, below, middle), np.where(found, middle, reached)
    return _float(reached)


def _float(order: np.ndarray) -> np.ndarray:
    """The float32 value at each place in their order, 0 at 0."""
    size: np.ndarray = np.abs(order).astype(np.uint32).view(np.float32)
    return np.where(order < 0, -size, size)


@contextmanager
def exact_thresholds() -> Iterator[None]:
    """While open, FINN makes thresholds of quantisers that step where QONNX's rounding does."""
    from finn.transformation.qonnx import qonnx_activation_handlers as handlers

    kept = {kind: kind._calculate_thresholds for kind in (handlers.QuantReluHandler, handlers.QuantIdentityHandler)}
    for kind, own in kept.items():
        kind._calculate_thresholds = _replaced(own)
    try:
        yield
    finally:
        for kind, own in kept.items():
            kind._calculate_thresholds = own


def single_precision(model: Any) -> Any:
    """``model`` with float64 thresholds as the least float32 values that are not below: float32 inputs reach the same ones."""
    for node in model.graph.node:
        for name in node.input[1:] if node.op_type in _THRESHOLDED else ():
            values = model.get_initializer(name)
            if values is not None and values.dtype == np.float64:
                rounded = values.astype(np.float32)
                model.set_initializer(name, np.where(rounded < values, np.nextafter(rounded, np.float32(np.inf)), rounded))
    return model


def _replaced(own: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def thresholds(handler: Any) -> Any:
        theirs = np.asarray(own(handler))
        node, model = handler._q_node, handler._model
        before = model.find_direct_predecessors(node)
        if node.op_type != "Quant" or theirs.shape[1] < 1 or (before is not None and before[0].op_type == "Selu"):
            return theirs
        from qonnx.custom_op.general.quant import resolve_rounding_mode
        from qonnx.custom_op.registry import getCustomOp

        quantiser = getCustomOp(node)
        bits, narrow = float(model.get_initializer(node.input[3]).item()), int(quantiser.get_nodeattr("narrow"))
        if bits == 1.0:
            return theirs
        lowest = -int(2 ** (bits - 1)) + narrow if quantiser.get_nodeattr("signed") else 0
        rounding = resolve_rounding_mode(str(quantiser.get_nodeattr("rounding_mode")))
        scale = np.asarray(model.get_initializer(node.input[1])).reshape(-1, 1)
        if (scale <= 0).any():  # FINN takes its absolute value, and computes something else
            raise ValueError(f"its scale holds {float(scale.min())}; FINN takes positive scales only")
        if _reads_floats(model, node.input[0]):
            return least_floats(rounding, scale, lowest, theirs.shape[1]).astype(np.float64)
        return scale.astype(np.float64) * boundaries(rounding, lowest, theirs.shape[1])

    return thresholds


def _reads_floats(model: Any, name: str) -> bool:
    """Whether tensor ``name`` holds the values of the model's float input."""
    while (producer := model.find_producer(name)) is not None and producer.op_type in _SAME_VALUES:
        name = producer.input[0]
    return producer is None and model.get_tensor_datatype(name).name == "FLOAT32"
