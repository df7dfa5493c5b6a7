"""Masks: patterns, schedules, and that what is gone stays gone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import models
from quant_training import Dataset, TrainConfig, TrainingError, load_dataset, train
from quant_training.pruning import Masks, PruneConfig, present_masks, prune, sensitivity
from quant_training.pruning.masks import final_masks
from quant_training.size import footprint

TUNING = TrainConfig(epochs=2, batch_size=64, progress=False)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    data = load_dataset("digits")
    return replace(data, train=data.train.take(256))


@pytest.mark.parametrize(
    ("criterion", "schedule"),
    [("magnitude", "one_shot"), ("activation", "iterative"), ("taylor", "cubic"), ("fisher", "one_shot"), ("random", "cubic")],
)
def test_single_weights(criterion: str, schedule: str, digits: Dataset) -> None:
    model = models.build("digits_cnn", "w4a4", seed=0)
    config = PruneConfig(pattern="elements", keep=0.25, criterion=criterion, schedule=schedule)
    pruned = prune(model, digits, config, TUNING)
    masks = present_masks(pruned.model)
    assert pruned.masks is not None
    share = sum(int(mask.sum()) for mask in pruned.masks) / sum(mask.numel() for mask in pruned.masks)
    assert share == pytest.approx(0.25, abs=0.001)
    assert all(bool((mask <= wanted).all()) for mask, wanted in zip(masks, pruned.masks, strict=True))
    assert pruned.after.sparsity >= 0.75
    # A later training that holds the masks does not bring anything back.
    train(pruned.model, digits, TUNING, [Masks(masks, [torch.zeros(mask.shape) for mask in masks], PruneConfig(pattern="n_m"))])
    assert all(bool((now <= mask).all()) for now, mask in zip(present_masks(pruned.model), masks, strict=True))


def test_macs_are_saved_where_they_are(digits: Dataset) -> None:
    sizes = {}
    for budget in ("parameters", "macs"):
        model = models.build("digits_cnn", "w4a4", seed=0)
        masks = prune(model, digits, PruneConfig(pattern="elements", keep=0.5, criterion="random", budget=budget)).masks
        assert masks is not None
        sizes[budget] = [float(mask.float().mean()) for mask in masks]
    # The dense layer uses each weight once, the first convolution each 64 times.
    assert sizes["macs"][0] < sizes["parameters"][0]
    assert sizes["macs"][-1] > sizes["parameters"][-1]


@pytest.mark.parametrize(("n", "m"), [(1, 4), (2, 4), (3, 5)])
def test_n_of_m(n: int, m: int, digits: Dataset) -> None:
    model = models.build("digits_cnn", "w4a4", seed=0)
    pruned = prune(model, digits, PruneConfig(pattern="n_m", n=n, m=m))
    assert pruned.masks is not None
    for mask in pruned.masks:
        for begin in range(0, mask.shape[1], m):
            window = mask[:, begin : begin + m]
            assert bool((window.sum(dim=1) == min(n, window.shape[1])).all())


def test_fan_in(digits: Dataset) -> None:
    pruned = prune(models.build("digits", "w4a4", seed=0), digits, PruneConfig(pattern="fan_in", fan_in=5), TUNING)
    assert all(int((layer.linear.weight != 0).sum(dim=1).max()) <= 5 for layer in pruned.model.layers)


@pytest.mark.parametrize(("bits", "feedback"), [("CODE2", False), ("CODE4", True), ("POW3", False)])
def test_codebooks_keep_a_zero(bits: str, feedback: bool, digits: Dataset) -> None:
    model = models.build("digits", models.BitConfig.uniform(bits, "UINT4", 3), seed=0)
    pruned = prune(model, digits, PruneConfig(pattern="elements", keep=0.5, feedback=feedback), TUNING)
    assert pruned.masks is not None
    for layer, mask in zip(pruned.model.layers, pruned.masks, strict=True):
        quantised = layer.linear.quant_weight().value
        assert bool((~mask).any())
        assert not bool(quantised[~mask].any())
    assert pruned.after.sparsity >= 0.5


def test_chosen_layers_only(digits: Dataset) -> None:
    model = models.build("digits", "w4a4", seed=0)
    masks = prune(model, digits, PruneConfig(pattern="elements", keep=0.8, layers=(1,))).masks
    assert masks is not None
    assert [bool(mask.all()) for mask in masks] == [True, False, True]


def test_the_cubic_schedule() -> None:
    config = PruneConfig(pattern="n_m", schedule="cubic")
    assert [config.share(t) for t in (0, 0.5, 1)] == [0, 0.875, 1]
    assert [PruneConfig(pattern="n_m", schedule="iterative").share(t) for t in (0, 0.3, 0.6, 0.99)] == [0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("bits", "values", "message"),
    [
        (
            "w1a1", {"pattern": "n_m"},
            "pruning: layer 0 has BIPOLAR weights, which have no zero; use TERNARY, leave it out with layers, or prune channels",
        ),
        (
            "w4a4", {"pattern": "elements", "keep": 0.01},
            "pruning: parameters can be lowered from 3,392 to 69, not to 34; raise the budget, or let more layers be pruned",
        ),
    ],
)
def test_faults(bits: str, values: dict[str, Any], message: str, digits: Dataset) -> None:
    model = models.build("digits", bits, seed=0)
    with pytest.raises(TrainingError) as error:
        final_masks(model, [layer.linear.weight.detach().abs() for layer in model.layers], PruneConfig(**values))
    assert str(error.value) == message


@pytest.mark.parametrize(("pattern", "weights"), [("elements", "INT4"), ("elements", "CODE3"), ("channels", "INT4")])
def test_a_scan_leaves_the_network_as_it_is(pattern: str, weights: str, digits: Dataset) -> None:
    model = models.build("digits_cnn", {"weights": weights, "activations": "UINT4"}, seed=0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    lines = sensitivity(model, digits, PruneConfig(pattern=pattern, keep=0.5), keeps=(1.0, 0.25))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(line.drop == pytest.approx(0, abs=1e-9) for line in lines if line.keep == 1.0)
    assert {line.layers for line in lines} == ({(0, 1)} if pattern == "channels" else {(0,), (1,), (2,)})
    assert footprint(model).sparsity < 0.5
