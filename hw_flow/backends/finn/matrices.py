"""Matrix units, depthwise units and thresholds of FINN's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hw_flow.backends.finn.hardware import HardwareNode
from hw_flow.backends.finn.levels import Levels, collapsed, thresholds
from hw_flow.backends.finn.made import Made, folded, wide_enough
from hw_flow.backends.finn.windows import window_lanes
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, VVAU, Tensor, Thresholding, Thresholds, smallest_datatype
from hw_flow.ir.tensor import IntArray

if TYPE_CHECKING:
    from hw_flow.backends.finn.importer import Importer


@dataclass(frozen=True, eq=False)
class Activation:
    """Thresholds, and type and levels of what they give."""

    thresholds: Thresholds
    dtype: str
    levels: Levels


def _activation(importer: Importer, node: HardwareNode, values: np.ndarray, source: Levels) -> Activation:
    """FINN's threshold ``values`` in front of the node's output, on sums that come as ``source`` says."""
    dtype, levels = importer.bits(node.outputs[0])
    base, step = node.number("ActVal"), 1
    if dtype == "BIPOLAR":
        base, step = -1, 2
    return Activation(thresholds(values, source, base=base, step=step), dtype, levels)


def mvau(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source = importer.source(node)
    arrays = importer.hardware.arrays
    if node.inputs[1] not in arrays:
        raise FlowError(f"{node.name}: multiplies two streams, '{node.inputs[0]}' and '{node.inputs[1]}'; the simulation takes "
                        "constant weights, end the network before it")
    given = np.rint(arrays[node.inputs[1]]).astype(np.int64).T
    xnor = bool(node.number("binaryXnorMode"))
    weights = 2 * given - 1 if xnor else given
    dtype = "BIPOLAR" if xnor else str(node.attributes["weightDataType"])
    constant = (1 - given).sum(axis=1) if xnor else np.zeros(len(given), dtype=np.int64)
    signs = node.attributes["inputDataType"] == "BIPOLAR" and dtype == "BIPOLAR" and not xnor
    yield _matrix(importer, node, MVAU, weights=weights, dtype=dtype,
                  levels=_sum_levels(importer, source, weights, constant, signs),
                  folding=folded(node, node.number("PE"), node.number("SIMD")))


def vvau(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source, channels = importer.source(node), node.number("Channels")
    weights = np.rint(importer.hardware.arrays[node.inputs[1]]).astype(np.int64).reshape(channels, -1)
    dtype = str(node.attributes["weightDataType"])
    signs = node.attributes["inputDataType"] == "BIPOLAR" and dtype == "BIPOLAR"
    levels = _sum_levels(importer, source, weights, np.zeros(channels, dtype=np.int64), signs)
    taps = window_lanes(importer, node, weights.shape[1])
    yield _matrix(importer, node, VVAU, weights=weights, dtype=dtype, levels=levels,
                  folding=folded(node, node.number("PE"), taps))


def _sum_levels(importer: Importer, source: Tensor, weights: IntArray, constant: IntArray, signs: bool) -> Levels:
    """Levels of our sums: FINN's are ``weights @ finn + constant``, or half of that counted from all where both are signs."""
    given = importer.levels[source.name]
    if signs:  # FINN counts the products that are 1
        return collapsed(2, np.full(len(weights), -weights.shape[1], dtype=np.int64))
    return collapsed(given.factor, given.offset * weights.sum(axis=1) - given.factor * constant)


def _matrix(importer: Importer, node: HardwareNode, kind: type[MVAU] | type[VVAU], *, weights: IntArray, dtype: str,
            levels: Levels, folding: NodeFolding) -> Made:
    source, name = importer.source(node), importer.named(kind.__name__)
    low, high = source.limits
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    least, most = int((low * positive + high * negative).min()), int((high * positive + low * negative).max())
    acc = smallest_datatype(least, most)
    activation: Thresholds | None = None
    out, out_levels = acc, levels
    if not node.number("noActivation"):
        told = _activation(importer, node, importer.hardware.arrays[node.inputs[2]], levels)
        activation, out, out_levels = told.thresholds, told.dtype, told.levels
    elif levels.same:
        out = wide_enough(node, str(node.attributes["outputDataType"]), least, most)
    made = kind(name=name, inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,), weights=weights,
                weight_dtype=dtype, acc_dtype=acc, thresholds=activation)
    return Made(made, folding, node.outputs[0], out, out_levels)


def thresholding(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source, name = importer.source(node), importer.named("Thresholding")
    told = _activation(importer, node, importer.hardware.arrays[node.inputs[1]], importer.levels[source.name])
    made = Thresholding(name=name, inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
                        thresholds=told.thresholds)
    yield Made(made, NodeFolding(node.number("PE")), node.outputs[0], told.dtype, told.levels)
