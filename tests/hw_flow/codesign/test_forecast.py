"""What smaller shapes cost by formula and measurement, and that the counts of a layer must divide."""

from __future__ import annotations

import pytest

import models
from hw_flow.codesign.forecast import folded, shared
from hw_flow.codesign.meter import Measured
from hw_flow.cost.layer import LayerShape, intervals_alone, least_luts
from models import MLPSpec
from quant_training import load_dataset
from quant_training.pruning import PruneConfig, prune
from quant_training.size import layer_sizes


def test_folded_layers_become_smaller_in_steps() -> None:
    """At 64 cycles 64 inputs and 22 outputs take as many products a cycle as 32 outputs; the next step down is 16."""
    model = models.build("digits", "w4a4", seed=0)
    cost = folded(Measured((2086.0, 610.0, 205.0), (64, 64, 64), 86.0, 64, {}, 0), model.spec, model.bits, 64)
    assert cost(model.spec, model.bits) == pytest.approx(2987)
    at = {width: cost(MLPSpec(64, (width, 32), 10), model.bits) for width in (32, 24, 22, 16)}
    assert at[22] > 0.9 * at[32]
    assert at[16] < 0.75 * at[32]
    found = prune(model, load_dataset("digits"), PruneConfig(budget="cost", limit=0.7 * 2987), cost=cost).model
    assert cost(found.spec, found.bits) <= 0.7 * 2987
    assert found.spec.to_dict()["hidden"][0] == 16


@pytest.mark.parametrize(("bits", "inputs", "at"), [
    ("w4a4", 64, 64), ("w8a8", 784, 1792), ("w8a8", 784, 3136), ("w1a1", 784, 98),
])
def test_cycles_follow_the_divisors_of_a_layer(bits: str, inputs: int, at: int) -> None:
    """What the shortest interval is, found by trying all cycles one by one; 27 or 31 neurons have few foldings."""
    model = models.build({"inputs": inputs, "hidden": [32, 32], "classes": 10}, bits, seed=0)
    luts = tuple(0.8 * least_luts(LayerShape.of(layer), at) for layer in layer_sizes(model.spec, model.bits))
    measured = Measured(luts, (at,) * 3, 90.0, at + 2, {}, 0)
    cost = shared(measured, model.spec, model.bits)
    assert cost(model.spec, model.bits) == at + 2

    budget = measured.total_luts * (1 + 1e-9)

    def by_hand(spec: MLPSpec) -> int:
        layers = [LayerShape.of(layer) for layer in layer_sizes(spec, model.bits)]
        outputs = (sum(spec.hidden) + 10) / (32 + 32 + 10)
        fastest = max(intervals_alone(layer)[0] for layer in layers)
        slowest = max(intervals_alone(layer)[-1] for layer in layers)  # what stands between them alone may be too much
        return next((cycles for cycles in range(fastest, slowest)
                     if 90 * outputs + sum(0.8 * least_luts(layer, cycles) for layer in layers) <= budget), slowest)

    whole = by_hand(MLPSpec(inputs, (32, 32), 10))
    for hidden in ((32, 32), (27, 32), (31, 27), (24, 24), (16, 8), (48, 24)):
        spec = MLPSpec(inputs, hidden, 10)
        assert cost(spec, model.bits) == pytest.approx((at + 2) * by_hand(spec) / whole), hidden
    if bits == "w4a4":
        assert cost(MLPSpec(inputs, (31, 29), 10), model.bits) > at + 2
