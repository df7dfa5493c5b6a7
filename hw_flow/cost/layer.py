"""Layers of which only shape and types are known, as nodes that the formulas of this package price.

A search asks for networks that are not trained, or not even built. The node made here has all levels of its weights' type in
turns, and sums as wide as those take, so that forecasts, training and the solver of foldings all count with `features`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.cost.features import features
from hw_flow.cost.model import DEFAULT_COEFFICIENTS, weighed
from hw_flow.cost.resources import Resources, node_resources
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding, node_cycles, options
from hw_flow.ir import MVAU, VVAU, Graph, Tensor, Thresholds
from hw_flow.ir.tensor import IntArray, smallest_datatype

if TYPE_CHECKING:
    from quant_training.size import LayerSize

# Rows of so many inputs hold all levels of any type, so that one stands for all.
_WIDE = 256
_PRODUCTS = ("xnor", "bit_products", "shift")


@dataclass(frozen=True)
class LayerShape:
    """What a layer asks of the hardware.

    Attributes
    ----------
    inputs, outputs : products that each output sums up (columns of the matrix), and outputs (rows).
    positions : times a frame that the matrix is used.
    weight, given, output : types of weights, inputs and outputs, see `models.BitConfig`; output None for sums as they are.
    depthwise : each output has a channel of its own, and ``inputs`` taps on it.
    """

    inputs: int
    outputs: int
    positions: int
    weight: str
    given: str
    output: str | None = None
    depthwise: bool = False

    @property
    def macs(self) -> int:
        """Products a frame."""
        return self.inputs * self.outputs * self.positions

    @classmethod
    def of(cls, size: LayerSize) -> LayerShape:
        """That of a layer of a network."""
        return cls(size.weights // size.outputs, size.outputs, size.positions, size.weight_type, size.input_type,
                   size.output_type, size.depthwise)


def specimen(layer: LayerShape) -> tuple[MVAU | VVAU, Graph]:
    """The matrix unit of ``layer``, with thresholds per output, alone in its graph.

    Raises
    ------
    ModelError : FLOAT weights.
    FlowError : FLOAT inputs or outputs.
    """
    from hw_flow.frontend.weights import narrowest
    from models.bits import FLOAT
    from models.levels import weight_integers

    for what, dtype in (("inputs", layer.given), ("outputs", layer.output)):
        if dtype == FLOAT:
            raise FlowError(f"cost of a layer of {layer.inputs} x {layer.outputs}: its {what} are FLOAT, which no hardware here"
                            " takes; give them an integer type")
    source = Tensor("x", (layer.positions, layer.inputs * (layer.outputs if layer.depthwise else 1)), layer.given)
    levels = _mixed(np.array(weight_integers(layer.weight), dtype=np.int64))
    shape = layer.outputs, layer.inputs
    weights = np.broadcast_to(np.resize(levels, layer.inputs), shape) if layer.inputs >= _WIDE else np.resize(levels, shape)
    acc = _accumulator(weights[:1] if layer.inputs >= _WIDE else weights, source.limits)
    made = VVAU if layer.depthwise else MVAU
    node = made(name="layer", inputs=("x",), outputs=("y",), weights=weights, weight_dtype=narrowest(levels), acc_dtype=acc,
                thresholds=None if layer.output is None else _thresholds(layer.output, layer.outputs))
    result = Tensor("y", (layer.positions, layer.outputs), layer.output or acc)
    return node, Graph("layer", (node,), {"x": source, "y": result}, ("x",), ("y",))


def cheapest(layer: LayerShape, target_cycles: int) -> Resources:
    """Resources of ``layer`` at the PE and SIMD that are cheapest and take at most ``target_cycles`` a frame.

    As the solver of foldings has it, which also counts what stands between nodes. The fastest where none meets the target.
    """
    return _at(_front(layer), target_cycles)


def luts_alone(layer: LayerShape, target_cycles: int, coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> float:
    """LUTs of ``layer`` where memories and products are made of LUTs too, not rounded, at the cheapest PE and SIMD likewise."""
    node, graph = specimen(layer)
    return min(_alone(node, choice, graph, coefficients) for choice in _within(node, graph, target_cycles))


def least_luts(layer: LayerShape, target_cycles: int) -> float:
    """`luts_alone` with the default coefficients, looked up: for searches over many shapes."""
    return _at(_front(layer, alone=True), target_cycles).luts


def intervals_alone(layer: LayerShape) -> tuple[int, ...]:
    """Cycles a frame from which on `least_luts` becomes less, ascending; the first is the least that ``layer`` can take."""
    return tuple(cycles for cycles, _ in _front(layer, alone=True))


def product_luts(layer: LayerShape, coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> float:
    """LUTs that each product a cycle of ``layer`` takes, if it is made of LUTs, without its memory and its sum."""
    node, graph = specimen(layer)
    counts = features(node, NodeFolding(1, 1, "distributed", "lut"), graph)
    return weighed({name: count for name, count in counts.items() if name in _PRODUCTS}, coefficients)


@lru_cache(maxsize=65536)
def _front(layer: LayerShape, *, alone: bool = False) -> tuple[tuple[int, Resources], ...]:
    """Cycles a frame and resources of all that no other PE and SIMD beat in both, the fastest and dearest first.

    ``alone``: everything made of LUTs.
    """
    node, graph = specimen(layer)

    def taken(choice: NodeFolding) -> Resources:
        return Resources(_alone(node, choice, graph, DEFAULT_COEFFICIENTS)) if alone else node_resources(node, choice, graph)

    found = sorted(((node_cycles(node, choice, graph), taken(choice)) for choice in options(node, graph)),
                   key=lambda pair: (pair[0], pair[1].price))
    front: list[tuple[int, Resources]] = []
    for cycles, resources in found:
        if not front or resources.price < front[-1][1].price:
            front.append((cycles, resources))
    return tuple(front)


def _at(front: Sequence[tuple[int, Resources]], target_cycles: int) -> Resources:
    """The cheapest that takes at most ``target_cycles``, or the fastest."""
    return front[max(0, bisect_right(front, target_cycles, key=lambda pair: pair[0]) - 1)][1]


def _alone(node: MVAU | VVAU, choice: NodeFolding, graph: Graph, coefficients: Mapping[str, float]) -> float:
    """LUTs where memories and products are made of LUTs too, not rounded."""
    return weighed(features(node, NodeFolding(choice.pe, choice.simd, "distributed", "lut"), graph), coefficients)


def _within(node: MVAU | VVAU, graph: Graph, target_cycles: int) -> list[NodeFolding]:
    cycles = {choice: node_cycles(node, choice, graph) for choice in options(node, graph)}
    allowed = max(target_cycles, min(cycles.values()))
    return [choice for choice, taken in cycles.items() if taken <= allowed]


def _mixed(levels: IntArray) -> IntArray:
    """``levels`` in an order of which every stretch has small and large ones: steps of about the golden ratio of all."""
    count = len(levels)
    step = next(step for step in range(round(0.618 * count), count + 1) if gcd(step, count) == 1)
    return levels[np.arange(count) * step % count]


def _accumulator(weights: IntArray, limits: tuple[int, int]) -> str:
    low, high = limits
    below, above = np.minimum(weights, 0).sum(axis=1), np.maximum(weights, 0).sum(axis=1)
    return smallest_datatype(int((below * high + above * low).min()), int((below * low + above * high).max()))


def _thresholds(output: str, rows: int) -> Thresholds:
    low, high = int(DataType[output].min()), int(DataType[output].max())
    step = 2 if output == "BIPOLAR" else 1
    return Thresholds(np.zeros((rows, (high - low) // step), np.int64), np.zeros(rows, dtype=bool), low, step)
