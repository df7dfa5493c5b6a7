"""What smaller shapes will cost, from the measurement of one: formulas give the ratio, the measurement the scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hw_flow.codesign.meter import Measured
    from models import BitConfig, Spec
    from quant_training.size import LayerSize

Objective = Literal["luts", "cycles"]
Forecast = Callable[["Spec", "BitConfig"], float]
_LayerCost = Callable[["LayerSize"], float]


def proportional(measured: Measured, spec: Spec, bits: BitConfig, objective: Objective) -> Forecast:
    """Each layer's LUTs, or cycles, taken as proportional to its products: true where PE and SIMD stay, or all is unfolded."""
    return _scaled(measured, spec, bits, objective, lambda layer: float(layer.macs))


def folded(measured: Measured, spec: Spec, bits: BitConfig, target_cycles: int) -> Forecast:
    """LUTs where each layer has the cheapest PE and SIMD for ``target_cycles`` a frame, which its counts must divide into.

    So they fall in steps. Each layer costs what the cost model says of its matrix unit, without the converters between them.
    """
    from hw_flow.cost.layer import LayerShape, cheapest

    def luts(layer: LayerSize) -> float:
        return cheapest(LayerShape.of(layer), target_cycles).luts

    return _scaled(measured, spec, bits, "luts", luts)


def shared(measured: Measured, spec: Spec, bits: BitConfig) -> Forecast:
    """Cycles where all layers share a number of LUTs: proportional to the LUTs that a layer takes times its products."""
    from quant_training.size import layer_sizes

    before = [layer.macs for layer in layer_sizes(spec, bits)]
    whole = sum(measured.luts)

    def cost(smaller: Spec, types: BitConfig) -> float:
        shares = _ratios([layer.macs for layer in layer_sizes(smaller, types)], before)
        return measured.interval_cycles * sum(luts * share for luts, share in zip(measured.luts, shares, strict=True)) / whole

    return cost


def _scaled(measured: Measured, spec: Spec, bits: BitConfig, objective: Objective, formula: _LayerCost) -> Forecast:
    from quant_training.size import layer_sizes

    layers = layer_sizes(spec, bits)
    before, outputs = [formula(layer) for layer in layers], sum(layer.outputs for layer in layers)

    def cost(smaller: Spec, types: BitConfig) -> float:
        sizes = layer_sizes(smaller, types)
        shares = _ratios([formula(layer) for layer in sizes], before)
        if objective == "cycles":
            return max(cycles * share for cycles, share in zip(measured.cycles, shares, strict=True))
        # Windows, pools and converters are as wide as the maps between the layers.
        rest = measured.rest_luts * sum(layer.outputs for layer in sizes) / outputs
        return rest + sum(luts * share for luts, share in zip(measured.luts, shares, strict=True))

    return cost


def _ratios(after: Sequence[float], before: Sequence[float]) -> list[float]:
    return [new / old for new, old in zip(after, before, strict=True)]
