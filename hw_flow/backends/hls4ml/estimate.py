"""Cycles of an hls4ml project before its HLS compiler has run, from the reuse factors alone.

A matrix with reuse factor R starts a product every R cycles (Duarte et al., JINST 13 P07027, 2018), and a stream of maps needs
one for every position. Nothing else is known without the compiler: published formulas for its LUTs miss by factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from hw_flow.backends.hls4ml.settings import legal
from hw_flow.backends.hls4ml.translate import translate

if TYPE_CHECKING:
    from hw_flow.folding import Folding
    from hw_flow.ir import Graph


@dataclass(frozen=True)
class Row:
    """One matrix layer: its reuse factor, cycles a frame at least, multiply-accumulates a frame, and weights."""

    reuse_factor: int
    cycles: int
    macs: int
    weights: int


def rows(graph: Graph, plan: Folding) -> dict[str, Row]:
    """Matrix layers with the legal reuse factor that is nearest below that of a folding; FlowError as `translate` raises it."""
    found: dict[str, Row] = {}
    for layer in translate(graph).layers:
        if layer.matrix is None:
            continue
        own = plan.get(layer.name)
        inputs, outputs = layer.matrix
        products, places = inputs * outputs, prod(layer.shape[:-1])
        most = max(1, products // (own.pe * own.simd)) if own is not None else 1
        reuse = next(factor for factor in range(most, 0, -1) if legal(layer, factor))
        found[layer.name] = Row(reuse, reuse * places, products * places, products)
    return found
