"""Structured pruning: what is removed together, what is left, and that the rest computes the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import models
from models.units import Conv, Dense, GlobalPool, MaxPool, Residual, Shuffle
from quant_training import Dataset, TrainConfig, TrainingError, load_dataset
from quant_training.callbacks import Snapshot
from quant_training.loop import QuantModule
from quant_training.pruning import PruneConfig, prune, scores, shrink, wiring_of
from quant_training.pruning.channels import measure_of, select
from quant_training.pruning.smaller import smaller_spec
from quant_training.size import footprint, layer_sizes

# Every unit that ties channels: a stem, depthwise and grouped convolutions, shortcuts with and without a convolution, a shuffle.
UNITS = (
    Conv(8, padding=(1, 1)), Conv(8, padding=(1, 1), groups=0), Residual((Conv(12, (1, 1)), Conv(8, (1, 1)))), MaxPool((2, 2)),
    Residual((Conv(16, stride=(2, 2), padding=(1, 1)), Conv(16, padding=(1, 1)))), Conv(16, (1, 1), groups=2), Shuffle(2),
    Conv(10, (1, 1)), Conv(6), Dense(14), Dense(10),
)
SHAPES: dict[str, Any] = {
    "mlp": "digits", "bias": {"inputs": 12, "hidden": [9, 7, 8], "classes": 3, "bias": True, "batch_norm": False},
    "units": models.ConvSpec((3, 16, 16), UNITS), "pooled": models.ConvSpec((2, 8, 8), (Conv(9), GlobalPool(), Dense(3))),
}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    data = load_dataset("digits")
    return replace(data, train=data.train.take(256))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_what_is_left_computes_the_same(shape: str, per_channel: bool) -> None:
    spec = models.spec_of(SHAPES[shape])
    bits = models.BitConfig.uniform("INT4", "UINT4", spec.layers, per_channel=(per_channel,))
    model = models.build(spec, bits, seed=0)
    x = torch.rand(4, spec.inputs, generator=torch.Generator().manual_seed(1))
    model.train()
    model(x)  # normalisation gets statistics of its own
    model.eval()
    wiring = wiring_of(spec)
    removed = {channel for group in wiring.groups() for channel in group.channels[::3]}
    small = shrink(model, removed)
    # A removed channel counted for nothing if nobody looked at it.
    with torch.no_grad():
        for layer, columns in zip(model.layers, wiring.inputs, strict=True):
            layer.linear.weight[:, [i for i, channel in enumerate(columns) if channel in removed]] = 0
    assert removed
    assert torch.allclose(model(x), small(x), rtol=1e-4, atol=1e-5)
    assert footprint(small).parameters < footprint(model).parameters
    assert small.spec == smaller_spec(spec, wiring, removed)


def test_channels_that_sums_tie() -> None:
    groups = {group.makers: len(group.channels) for group in wiring_of(models.spec_of("resnet8")).groups()}
    assert groups == {(0, 2): 16, (1,): 16, (3,): 32, (4, 5): 32, (6,): 64, (7, 8): 64}


def test_grouped_and_shuffled_channels_stay() -> None:
    wiring = wiring_of(SHAPES["units"])
    assert [group.makers for group in wiring.groups()] == [(0, 1, 3), (2,), (4,), (8,), (9,), (10,)]


def test_a_shortcut_keeps_its_convolution() -> None:
    # Without stride, eight outputs like the eight inputs would do without the convolution of the shortcut.
    spec = models.ConvSpec((1, 8, 8), (Conv(8), Residual((Conv(9, padding=(1, 1)),)), GlobalPool(), Dense(3)))
    assert [group.makers for group in wiring_of(spec).groups()] == [(0,)]


@pytest.mark.parametrize("budget", ["parameters", "macs", "weight_bits", "bit_operations", "channels"])
@pytest.mark.parametrize("multiple", [1, 4])
def test_budgets_are_met_and_used(budget: str, multiple: int, digits: Dataset) -> None:
    model = models.build("digits_cnn", "w4a4", seed=0)
    config = PruneConfig(keep=0.5, budget=budget, multiple=multiple)
    found = scores(model, digits.train, "magnitude")
    measure = measure_of(budget, None)
    full = measure(model.spec, model.bits)
    removed = select(model.spec, model.bits, found, config, measure=measure, limit=0.5 * full)
    left = measure(smaller_spec(model.spec, wiring_of(model.spec), removed), model.bits)
    assert left <= 0.5 * full
    assert len(removed) % multiple == 0
    if multiple == 1:
        assert left > 0.3 * full


def test_counts_become_multiples(digits: Dataset) -> None:
    model = models.build({"inputs": 64, "hidden": [21, 30], "classes": 10}, "w4a4", seed=0).eval()
    pruned = prune(model, digits, PruneConfig(keep=0.9, multiple=8)).model
    assert all(width % 8 == 0 for width in pruned.spec.to_dict()["hidden"])
    pruned = prune(model, digits, PruneConfig(keep=0.9, multiple={0: 4, 1: 5})).model
    assert [width % by for width, by in zip(pruned.spec.to_dict()["hidden"], (4, 5), strict=True)] == [0, 0]


@pytest.mark.parametrize("criterion", ["magnitude", "activation", "taylor", "fisher", "random"])
def test_useless_neurons_go_first(criterion: str, digits: Dataset) -> None:
    model = models.build({"preset": "digits", "hidden": [24]}, "w4a4", seed=0)
    norm = model.layers[0].norm
    assert norm is not None
    norm.momentum = 1.0
    model.train()
    model(torch.from_numpy(digits.train.x))  # statistics that suit the data: no other neuron is dead
    model.eval()
    useless = torch.arange(24) % 3 == 0
    with torch.no_grad():
        # Blind, never active and not looked at, so that every criterion agrees.
        model.layers[0].linear.weight[useless] = 0
        norm.weight[useless], norm.bias[useless] = 0, -1
        model.layers[1].linear.weight[:, useless] = 0
    pruned = prune(model, digits, PruneConfig(keep=2 / 3, criterion=criterion)).model
    assert pruned.spec.to_dict()["hidden"] == [16]
    same = torch.equal(pruned.layers[0].linear.weight, model.layers[0].linear.weight[~useless])
    assert same == (criterion != "random")


def test_a_cost_function_decides(digits: Dataset) -> None:
    model = models.build("digits", "w4a4", seed=0).eval()

    def first_layer(spec: models.Spec, bits: models.BitConfig) -> float:
        return float(layer_sizes(spec, bits)[0].weights)

    pruned = prune(model, digits, PruneConfig(keep=0.5, budget="cost"), cost=first_layer).model
    assert pruned.spec.to_dict()["hidden"] == [16, 32]


@pytest.mark.parametrize(("schedule", "rounds"), [("one_shot", 0), ("iterative", 2), ("cubic", 2)])
def test_rounds(schedule: str, rounds: int, digits: Dataset, tmp_path: Path) -> None:
    model = models.build("digits", "w4a4", seed=0).eval()
    tuning = TrainConfig(epochs=3, batch_size=128, progress=False, output=tmp_path)
    pruned = prune(model, digits, PruneConfig(keep=0.5, budget="macs", schedule=schedule, steps=3), tuning)
    assert pruned.training is not None
    assert pruned.after.macs <= 0.5 * pruned.before.macs
    assert models.load(tmp_path).spec == pruned.model.spec
    assert len(list(tmp_path.glob("round-*"))) == rounds
    widths = [json.loads((tmp_path / f"round-{i + 1}" / "model.json").read_text())["model"]["hidden"] for i in range(rounds)]
    assert sorted(widths, key=sum, reverse=True) == widths


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "pruning: the pattern channels needs 'keep' or 'limit', and not both"),
        ({"keep": 0.5, "limit": 3}, "pruning: the pattern channels needs 'keep' or 'limit', and not both"),
        ({"pattern": "n_m", "keep": 0.5}, "pruning: the pattern n_m says itself what stays; leave out 'keep' and 'limit'"),
        ({"pattern": "n_m", "n": 4}, "pruning: n is 4 and m 4; n must be smaller"),
        ({"keep": 1.5}, "pruning: keep is 1.5: input should be less than or equal to 1"),
        ({"keep": 0.5, "multiple": {0: 0}}, "pruning: multiple is {0: 0}; give at least 1"),
        (
            {"pattern": "elements", "keep": 0.5, "budget": "channels"},
            "pruning: the budget 'channels' is for channels, which masks leave where they are; take parameters or macs",
        ),
        (
            {"pattern": "elements", "keep": 0.5, "budget": "cost"},
            "pruning: the budget 'cost' is for channels: masks do not change the shape that a cost is a function of",
        ),
        ({"kep": 0.5}, "pruning: unknown key 'kep'; legal keys are " + ", ".join(PruneConfig.model_fields)),
    ],
)
def test_faults_of_settings(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as error:
        PruneConfig(**values)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"limit": 50},
            "pruning: parameters can be lowered from 3,392 to 75, not to 50; raise the budget, or lower least and multiple",
        ),
        (
            {"keep": 0.1, "least": 16},
            "pruning: parameters can be lowered from 3,392 to 1,440, not to 339; raise the budget, or lower least and multiple",
        ),
        ({"keep": 0.5, "layers": (7,)}, "pruning: there is no layer 7; the network has layers 0 to 2"),
        (
            {"keep": 0.5, "budget": "cost"},
            "pruning: the budget 'cost' needs a function of shape and types; give cost, or another budget (parameters, macs, "
            "weight_bits, bit_operations, channels)",
        ),
    ],
)
def test_budgets_that_cannot_be_met(values: dict[str, Any], message: str, digits: Dataset) -> None:
    with pytest.raises(TrainingError) as error:
        prune(models.build("digits", "w4a4", seed=0), digits, PruneConfig(**values))
    assert str(error.value) == message


def test_only_the_interrupted_round_is_trained_again(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = PruneConfig(keep=0.4, schedule="iterative", steps=3, criterion="taylor")

    def pruned(folder: str) -> Any:
        tuning = TrainConfig(epochs=6, batch_size=64, progress=False, output=tmp_path / folder, resume=True, checkpoint_seconds=0)
        return prune(models.build("digits", "w4a4", seed=0).eval(), digits, config, tuning).model

    whole = pruned("whole")
    begun: list[tuple[str, int]] = []
    written, start = Snapshot.on_train_epoch_end, QuantModule.on_train_epoch_start

    def killed(self: Snapshot, trainer: Any, module: Any) -> None:
        written(self, trainer, module)
        if "round-2" in str(self.path):
            raise RuntimeError("killed")

    def noted(self: QuantModule) -> None:
        begun.append((str(self.model.spec.to_dict()["hidden"]), self.current_epoch))
        start(self)

    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "on_train_epoch_end", killed)
        with pytest.raises(RuntimeError, match="killed"):
            pruned("parts")
    monkeypatch.setattr(QuantModule, "on_train_epoch_start", noted)
    parts = pruned("parts")
    # The first round is done, the second one goes on with its second epoch.
    assert [epoch for _, epoch in begun] == [1, 0, 1]
    assert len({shape for shape, _ in begun}) == 2
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name]), name
