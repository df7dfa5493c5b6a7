"""Nodes of FINN's that compute a function of one integer: requantisation, comparisons and the like, embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.backends.finn.hardware import HardwareNode
from hw_flow.backends.finn.made import Made, wide_enough
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import Lookup, Node, Reorder, Tensor, Thresholding, Thresholds
from hw_flow.ir.tensor import IntArray

if TYPE_CHECKING:
    from hw_flow.backends.finn.importer import Importer

# Entries of a table; beyond that a monotone function becomes thresholds.
_MOST_ENTRIES = 1 << 12
# Integers over which a function is evaluated, and thresholds that a node may have.
_MOST_INPUTS, _MOST_THRESHOLDS = 1 << 20, 255

# FINN's Python for `x` and a constant on its right; the others are exact in integers and need no table.
OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Max": np.maximum, "AbsDiff": lambda x, y: np.abs(x - y), "And": np.logical_and, "Or": np.logical_or,
    "Xor": np.logical_xor, "BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor,
    "Equal": np.equal, "Less": np.less, "LessOrEqual": np.less_equal, "Greater": np.greater, "GreaterOrEqual": np.greater_equal,
}


def requant(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    """``clip(floor(x * scale + bias + 1/2))`` in float32, as FINN's Python computes it."""
    arrays = importer.hardware.arrays
    scale, bias = (arrays[name].astype(np.float32).ravel() for name in node.inputs[1:3])
    kind = DataType[importer.hardware.dtypes[node.outputs[0]]]
    low, high = int(kind.min()) + bool(node.number("narrow") and kind.signed()), int(kind.max())

    def function(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip(np.floor(x.astype(np.float32) * scale + bias + np.float32(0.5)), low, high))

    yield _tabulated(importer, node, function, max(len(scale), len(bias)))


def constant_operation(importer: Importer, node: HardwareNode, operation: str, constant: np.ndarray) -> Made:
    """An element-wise operation of ours in a table, with FINN's constant ``[C]`` or ``[1]``."""
    function, first = OPERATIONS[operation], node.inputs[0] in node.constants

    def computed(x: np.ndarray) -> np.ndarray:
        return function(constant, x) if first else function(x, constant)

    return _tabulated(importer, node, computed, len(constant))


def embedding(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    """Each index repeated for every channel, and a table per channel; 0 for indices beyond its rows, which do not occur."""
    source, rows = importer.source(node), importer.hardware.arrays[node.inputs[1]]
    _whole(importer, node, source)
    count, channels = rows.shape
    if source.limits[0] < 0 or source.limits[1] >= _MOST_ENTRIES:
        raise FlowError(f"{node.name}: looks {source.dtype} up in {count:,} rows; the simulation takes unsigned indices below "
                        f"{_MOST_ENTRIES:,}")
    inner, shape = f"{node.outputs[0]}:index", (*source.shape, channels)
    repeat = Reorder(name=importer.named("Reorder"), inputs=(source.name,), outputs=(inner,), source=(node.name,),
                     out_shape=shape, counts=(source.elements, channels), strides=(1, 0))
    yield Made(repeat, NodeFolding(1), inner, source.dtype)
    table = np.zeros((channels, source.limits[1] + 1), dtype=np.int64)
    used = min(count, table.shape[1])
    table[:, :used] = np.rint(rows[:used]).T
    dtype = importer.hardware.dtypes[node.outputs[0]]
    made = Lookup(name=importer.named("Lookup"), inputs=(inner,), outputs=(node.outputs[0],), source=(node.name,), table=table,
                  low=0)
    yield Made(made, NodeFolding(1), node.outputs[0], wide_enough(node, dtype, int(table.min()), int(table.max())))


def _tabulated(importer: Importer, node: HardwareNode, function: Callable[[np.ndarray], np.ndarray], rows: int) -> Made:
    """``function`` of ``[X, 1]`` or ``[X, C]`` as a table, or as thresholds where the input is too wide for one."""
    source = importer.source(node)
    _whole(importer, node, source)
    low, high = source.limits
    if high - low >= _MOST_INPUTS or rows not in (1, source.channels):
        raise FlowError(f"{node.name} ({node.op_type}): its input {source.dtype} has too many values for a table; give the "
                        "tensor in front fewer bits")
    values = np.arange(low, high + 1)
    found = np.rint(function(values[:, None])).astype(np.int64).T
    found = found.reshape(-1, len(values))
    dtype = wide_enough(node, importer.hardware.dtypes[node.outputs[0]], int(found.min()), int(found.max()))
    made: Node
    inputs, outputs = (source.name,), (node.outputs[0],)
    if len(values) <= _MOST_ENTRIES:
        made = Lookup(name=importer.named("Lookup"), inputs=inputs, outputs=outputs, source=(node.name,), table=found, low=low)
    else:
        made = Thresholding(name=importer.named("Thresholding"), inputs=inputs, outputs=outputs, source=(node.name,),
                            thresholds=_thresholds(node, found, low))
    return Made(made, NodeFolding(max(1, node.number("PE", 1))), node.outputs[0], dtype)


def _thresholds(node: HardwareNode, found: IntArray, low: int) -> Thresholds:
    """Thresholds of the rows ``[C, X]`` of results, each of which must rise or fall throughout."""
    steps = np.diff(found, axis=1)
    descending = np.asarray((steps < 0).any(axis=1))
    base, count = int(found.min()), int(found.max() - found.min())
    if ((steps > 0).any(axis=1) & descending).any() or count > _MOST_THRESHOLDS:
        raise FlowError(f"{node.name} ({node.op_type}): a table of {found.shape[1]:,} entries has no kernel of ours; give the "
                        "tensor in front fewer bits")
    levels = base + 1 + np.arange(count)
    # Where an ascending row reaches a level; where a descending one falls below it: counted from below, so the last level first.
    rows = [low + (np.searchsorted(-row, -levels[::-1], side="right") if falls else np.searchsorted(row, levels))
            for row, falls in zip(found, descending, strict=True)]
    return Thresholds(np.stack(rows).astype(np.int64), descending, base, 1)


def _whole(importer: Importer, node: HardwareNode, source: Tensor) -> None:
    if not importer.levels[source.name].same or source.dtype == "BIPOLAR":
        raise FlowError(f"{node.name} ({node.op_type}): reads bits that FINN counts; no kernel of ours does")
