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
    """Cycles where all layers share a number of LUTs: the shortest interval at which they fit into as many as were measured.

    PE and SIMD must divide the counts of each layer, so a count with few divisors may take more cycles than a larger one.
    """
    from hw_flow.cost.layer import LayerShape, intervals_alone, least_luts
    from hw_flow.cost.shape import shortest
    from quant_training.size import layer_sizes

    layers = layer_sizes(spec, bits)
    outputs = sum(layer.outputs for layer in layers)
    # All of LUTs: those of the cheapest choice may rise with the cycles, where it saves block RAMs or DSPs.
    scales = [luts / least_luts(LayerShape.of(layer), measured.interval_cycles)
              for luts, layer in zip(measured.luts, layers, strict=True)]

    def interval(sizes: Sequence[LayerSize]) -> int:
        shapes = [LayerShape.of(layer) for layer in sizes]
        budget = measured.total_luts - measured.rest_luts * sum(layer.outputs for layer in sizes) / outputs

        def fits(cycles: int) -> bool:
            luts = sum(scale * least_luts(shape, cycles) for scale, shape in zip(scales, shapes, strict=True))
            return luts <= budget * (1 + 1e-9)  # the measured network fits exactly

        steps = [intervals_alone(shape) for shape in shapes]
        found = shortest(steps, fits)
        return max(each[-1] for each in steps) if found is None else found

    before = interval(layers)

    def cost(smaller: Spec, types: BitConfig) -> float:
        return measured.interval_cycles * interval(layer_sizes(smaller, types)) / before

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
