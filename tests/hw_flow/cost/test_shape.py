"""Whole networks priced by shape and types, and what prunings and low rank make of such a budget."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest
import torch

import models
from hw_flow.cost.layer import LayerShape, intervals_alone, least_luts, luts_alone
from hw_flow.cost.shape import ShapeCost
from hw_flow.errors import FlowError
from models import BitConfig, ConvSpec, MLPSpec, Spec
from models.units import Conv, Dense
from quant_training import Dataset, TrainingError, load_dataset
from quant_training.lowrank import LowRankConfig, factorise
from quant_training.pruning import PruneConfig, prune
from quant_training.size import layer_sizes

WIDE = MLPSpec(64, (64,), 10)
SPECS = [WIDE, MLPSpec(64, (27, 31), 10), MLPSpec(16, (6,), 2),
         ConvSpec((1, 8, 8), (Conv(6, padding=(1, 1)), Conv(6, groups=0), Conv(8, (1, 1)), Dense(10)))]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def shapes(spec: Spec, bits: BitConfig) -> list[LayerShape]:
    return [LayerShape.of(size) for size in layer_sizes(spec, bits)]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__ + str(spec.layers))
@pytest.mark.parametrize("bits", ["w4a4", "w1a1", "w8a8"])
def test_a_network_costs_what_its_layers_cost_alone(spec: Spec, bits: str) -> None:
    """By looking each layer up at every interval; cycles by trying all of them, one by one."""
    types = BitConfig.parse(bits, spec.layers)
    layers = shapes(spec, types)
    fastest = max(intervals_alone(layer)[0] for layer in layers)
    for at in (1, 7, fastest, 64, 500):
        found = ShapeCost("luts", at)(spec, types)
        assert found == pytest.approx(sum(luts_alone(layer, at) for layer in layers))
        if at < fastest or found < 1:
            continue
        cycles = ShapeCost("cycles", found * (1 + 1e-9))(spec, types)
        assert cycles == next(each for each in range(fastest, at + 1)
                              if sum(least_luts(layer, each) for layer in layers) <= found * (1 + 1e-9))
    least = ShapeCost("luts", 10**6)(spec, types)
    assert ShapeCost("cycles", 0.99 * least)(spec, types) == inf


@pytest.mark.parametrize(("kind", "at"), [("luts", 16), ("cycles", 3000)])
def test_budgets_of_hardware_are_met(kind: Any, at: float, digits: Dataset) -> None:
    """By fewer channels, and by more layers of low rank."""
    model, cost = models.build(WIDE, "w4a4", seed=0).eval(), ShapeCost(kind, at)
    full = cost(model.spec, model.bits)
    pruned = prune(model, digits, PruneConfig(keep=0.6, budget=kind, at=at), cost=cost).model
    assert 0.3 * full < cost(pruned.spec, pruned.bits) <= 0.6 * full
    small = factorise(model, digits, LowRankConfig(keep=0.8, budget=kind, at=at), cost=cost)
    assert small.spec.layers > model.spec.layers
    assert 0.4 * full < cost(small.spec, small.bits) <= 0.8 * full
    assert np.isfinite(small(small.quantise(torch.rand(4, 64))).detach().numpy()).all()


def test_what_cannot_be_priced(digits: Dataset) -> None:
    model = models.build(WIDE, "w4a4", seed=0).eval()
    cost = ShapeCost("cycles", 100)
    for made, told in (
        (lambda: prune(model, digits, PruneConfig(keep=0.5, budget="cycles"), cost=cost), "pruning"),
        (lambda: factorise(model, digits, LowRankConfig(keep=0.5, budget="cycles"), cost=cost), "low rank"),
    ):
        with pytest.raises(TrainingError) as error:
            made()
        assert str(error.value) == (f"{told}: cycles of the network as it is are inf, so no way down can be planned; "
                                    "allow it more, or take another budget")
    with pytest.raises(TrainingError) as error:
        factorise(model, digits, LowRankConfig(keep=0.01, budget="luts"), cost=ShapeCost("luts", 64))
    assert str(error.value) == "low rank: luts can be lowered from 2,975 to 838, not to 30; raise keep, or factorise more layers"
    with pytest.raises(FlowError) as refused:
        ShapeCost("luts", 0.5)
    assert str(refused.value) == "hardware cost: 0.5 cycles that a frame may take; give at least 1"
    with pytest.raises(FlowError) as refused:
        ShapeCost("luts", 64)(WIDE, BitConfig.parse("float", 2))
    assert str(refused.value) == ("cost of a layer of 64 x 64: its outputs are FLOAT, which no hardware here takes; give them an "
                                  "integer type")
