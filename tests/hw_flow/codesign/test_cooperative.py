"""Pruning in turns with the hardware: on a made-up meter, and once on the real one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import models
from hw_flow.codesign.cooperative import CooperativeConfig, cooperate, planned
from hw_flow.codesign.meter import HardwareMeter, Measured
from hw_flow.errors import FlowError
from models import Network
from quant_training import Dataset, TrainConfig, load_dataset, train
from quant_training.size import layer_sizes

TUNING = TrainConfig(epochs=2, batch_size=64, progress=False)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def _trained(digits: Dataset) -> Network:
    model = models.build("digits", "w4a4", seed=0)
    train(model, digits, TrainConfig(epochs=6, batch_size=64, progress=False))
    return model


def _meter(model: Network, directory: Path) -> Measured:
    """Half a LUT a weight, twice that in the second layer; a tenth of the weights in cycles."""
    directory.mkdir(parents=True, exist_ok=True)
    weights = [layer.weights for layer in layer_sizes(model.spec, model.bits)]
    luts = tuple(0.5 * count * (2 if index == 1 else 1) for index, count in enumerate(weights))
    cycles = tuple(count // 10 for count in weights)
    return Measured(luts, cycles, 100.0, max(cycles), {"luts": "test", "cycles": "test"}, 0)


@pytest.mark.parametrize("objective", ["luts", "cycles"])
def test_it_goes_where_the_hardware_is(objective: str, digits: Dataset, tmp_path: Path) -> None:
    model = _trained(digits)
    config = CooperativeConfig(objective=objective, keep=0.6, step=0.3, drop=0.2, criterion="magnitude")
    found = cooperate(model, digits, config, TUNING, tmp_path, meter=_meter)
    first, last = found.rounds[0], [one for one in found.rounds if one.accepted][-1]
    assert found.reached
    assert last.shape == found.model.spec.to_dict()
    if objective == "luts":
        assert last.measured.total_luts <= 0.6 * first.measured.total_luts
    else:
        assert first.bottleneck == 0
        assert max(last.measured.cycles) <= 0.6 * max(first.measured.cycles)
    saved = json.loads((tmp_path / "cooperative.json").read_text())["rounds"]
    assert [one["accepted"] for one in saved] == [one.accepted for one in found.rounds]
    assert models.load(tmp_path / f"round-{last.number}").spec == found.model.spec


def test_a_round_that_costs_too_much_is_taken_back(digits: Dataset, tmp_path: Path) -> None:
    model = _trained(digits)
    config = CooperativeConfig(keep=0.1, step=0.9, drop=0.0, rounds=2, criterion="random")
    found = cooperate(model, digits, config, TUNING.model_copy(update={"epochs": 1}), tmp_path, meter=_meter)
    assert not found.reached
    assert not found.rounds[1].accepted
    assert found.rounds[2].measured.total_luts > found.rounds[1].measured.total_luts


def test_the_plan_is_exact_where_it_was_measured(digits: Dataset, tmp_path: Path) -> None:
    model = models.build("digits", "w4a4", seed=0)
    measured = _meter(model, tmp_path)
    assert planned(measured, model.spec, model.bits, "luts")(model.spec, model.bits) == pytest.approx(measured.total_luts)
    smaller = models.MLPSpec(64, (16, 32), 10)
    cost = planned(measured, model.spec, model.bits, "cycles")(smaller, model.bits)
    assert cost == pytest.approx(max(measured.cycles) / 2)
    assert len(digits.val)


def test_faults(digits: Dataset, tmp_path: Path) -> None:
    blind = load_dataset("digits", val_fraction=0)
    with pytest.raises(FlowError) as error:
        cooperate(models.build("digits", "w4a4", seed=0), blind, CooperativeConfig(), TUNING, tmp_path, meter=_meter)
    assert str(error.value) == (
        "cooperative pruning: digits has no validation samples to judge by; set val_fraction above 0"
    )
    with pytest.raises(FlowError) as error:
        CooperativeConfig(keep=1)
    assert str(error.value) == "cooperative pruning: keep is 1: input should be less than 1"
    assert len(digits.val)


@pytest.mark.slow
def test_the_real_hardware_becomes_smaller(digits: Dataset, tmp_path: Path) -> None:
    model = _trained(digits)
    meter = HardwareMeter(digits, target_cycles=64)
    config = CooperativeConfig(keep=0.7, step=0.4, drop=0.2, rounds=1)
    found = cooperate(model, digits, config, TUNING, tmp_path, meter=meter)
    assert found.rounds[1].measured.total_luts < 0.85 * found.rounds[0].measured.total_luts
    assert found.rounds[1].measured.samples == 8
