"""What smaller shapes cost by formula and measurement, and that the counts of a layer must divide."""

from __future__ import annotations

import pytest

import models
from hw_flow.codesign.forecast import folded, shared
from hw_flow.codesign.meter import Measured
from hw_flow.cost.layer import LayerShape, cheapest, intervals
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


def test_cycles_follow_the_divisors_of_a_layer() -> None:
    """What the shortest interval is, found by trying all cycles one by one; 27 or 31 neurons have few foldings."""
    model = models.build("digits", "w4a4", seed=0)
    at = 64
    luts = tuple(0.8 * cheapest(LayerShape.of(layer), at).luts for layer in layer_sizes(model.spec, model.bits))
    measured = Measured(luts, (at,) * 3, 90.0, at + 2, {}, 0)
    cost = shared(measured, model.spec, model.bits)
    assert cost(model.spec, model.bits) == at + 2

    def by_hand(spec: MLPSpec) -> int:
        layers = [LayerShape.of(layer) for layer in layer_sizes(spec, model.bits)]
        outputs = (sum(spec.hidden) + 10) / (32 + 32 + 10)
        fastest = max(intervals(layer)[0] for layer in layers)
        return next(cycles for cycles in range(fastest, 10_000)
                    if 90 * outputs + sum(0.8 * cheapest(layer, cycles).luts for layer in layers) <= measured.total_luts)

    for hidden in ((32, 32), (27, 32), (31, 27), (24, 24), (16, 8), (48, 24)):
        spec = MLPSpec(64, hidden, 10)
        assert cost(spec, model.bits) == pytest.approx((at + 2) * by_hand(spec) / by_hand(MLPSpec(64, (32, 32), 10))), hidden
    assert cost(MLPSpec(64, (31, 29), 10), model.bits) > cost(MLPSpec(64, (32, 32), 10), model.bits)
