"""Robustness: attacks hurt more than noise, flips are those of the hardware, calibration has its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import models
from models import CODEBOOK_TYPES, WEIGHT_TYPES
from models.bits import type_bits
from quant_training import Dataset, TrainConfig, TrainingError, load_dataset, train
from quant_training.robustness import (
    CORRUPTIONS,
    RobustnessConfig,
    calibration_error,
    corrupted,
    fgsm,
    flipped_activations,
    flipped_weights,
    pgd,
    robustness,
)
from quant_training.robustness.codes import code_table, codes


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> models.Network:
    model = models.build("digits", "w4a4", seed=0)
    train(model, digits, TrainConfig(epochs=8, batch_size=64, progress=False))
    return model


def test_what_hurts_how_much(trained: models.Network, digits: Dataset) -> None:
    state = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    found = robustness(trained, digits, RobustnessConfig(samples=300, sizes=(0.02, 0.2), rates=(1e-3, 0.2), trials=2))
    assert found.clean > 0.9
    assert found.clean >= found.attacks["fgsm 0.02"] >= found.attacks["pgd 0.2"]
    assert found.attacks["pgd 0.2"] < 0.5 < found.corruptions["gaussian_noise"]
    assert found.upsets["weights 0.001"] > found.upsets["weights 0.2"]
    assert found.upsets["activations 0.001"] > found.upsets["activations 0.2"]
    assert 0 <= found.calibration_error < 0.5
    assert all(torch.equal(tensor, state[name]) for name, tensor in trained.state_dict().items())


def test_attacks_stay_within_their_size(trained: models.Network, digits: Dataset) -> None:
    x, y = torch.from_numpy(digits.test.x[:50]), torch.from_numpy(digits.test.labels[:50])
    for moved in (fgsm(trained, x, y, 0.05), pgd(trained, x, y, 0.05, steps=4)):
        assert float((moved - x).abs().max()) <= 0.05 + 1e-6
        assert 0 <= float(moved.min()) <= float(moved.max()) <= 1


@pytest.mark.parametrize("name", WEIGHT_TYPES)
def test_flipping_all_bits_is_the_complement(name: str) -> None:
    model = models.build({"inputs": 20, "hidden": [6], "classes": 3}, models.BitConfig.uniform(name, "UINT4", 2), seed=0).eval()
    layer = model.layers[0].linear
    quantised = layer.quant_weight()
    before = torch.round(quantised.value / quantised.scale).detach()
    with flipped_weights(model, 1.0) as count:
        after = torch.round(layer.quant_weight() / quantised.scale).detach()
        assert count == sum(each.linear.weight.numel() for each in model.layers) * type_bits(name)
    # In two's complement the complement of n is -n - 1.
    assert torch.equal(after, -before if name == "BIPOLAR" else -before - 1)
    assert torch.equal(torch.round(layer.quant_weight().value / quantised.scale), before)


@pytest.mark.parametrize("name", CODEBOOK_TYPES)
def test_flips_in_codebooks_are_those_of_codes(name: str) -> None:
    bits = models.BitConfig.uniform(name, "UINT4", 2, per_channel=(True,))
    model = models.build({"inputs": 40, "hidden": [12], "classes": 3}, bits, seed=0).eval()
    quantised = model.layers[0].linear.quant_weight()
    before = torch.round(quantised.value / quantised.scale).detach().to(torch.int64)
    table = code_table(before, name)
    assert torch.equal(table[codes(before, table)], before)
    with flipped_weights(model, 1.0):
        after = torch.round(model.layers[0].linear.quant_weight() / quantised.scale).detach()
    assert torch.equal(after.to(torch.int64), table[len(table) - 1 - codes(before, table)])
    with flipped_weights(model, 0.2) as count:
        changed = torch.round(model.layers[0].linear.quant_weight() / quantised.scale).detach().to(torch.int64)
    assert 0 < int((changed != before).sum()) <= count
    assert set(changed.unique().tolist()) <= set(table.tolist())


def test_codes_of_powers_and_of_levels() -> None:
    assert code_table(torch.tensor([0]), "POW3").tolist() == [1, 2, 4, 0, -1, -2, -4, 0]
    levels = torch.tensor([[-90, 20], [3, 20]])
    table = code_table(levels, "CODE3")
    assert table.tolist() == [-90, 3, 20, 20]
    assert codes(levels, table).tolist() == [[0, 2], [1, 2]]


def test_activations_flip_in_their_type(trained: models.Network) -> None:
    x = torch.rand(40, 64)
    with torch.no_grad(), flipped_activations(trained, 0.0):
        same = trained(x)
    assert torch.allclose(same, trained(x), atol=1e-5)
    seen: list[torch.Tensor] = []
    with torch.no_grad(), flipped_activations(trained, 1.0):
        handle = trained.layers[1].linear.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
        trained(x)
        handle.remove()
    assert len(torch.unique(seen[0])) <= 16


def test_corruptions_are_seeded_and_in_range() -> None:
    x = np.random.default_rng(0).random((6, 64), np.float32)
    for kind in CORRUPTIONS:
        changes = []
        for severity in (1, 3):
            found = corrupted(x, kind, severity, (8, 8), seed=1)
            assert np.array_equal(found, corrupted(x, kind, severity, (8, 8), seed=1))
            assert 0 <= found.min() <= found.max() <= 1
            changes.append(float(np.abs(found - x).mean()))
        assert 0 < changes[0] < changes[1], kind


def test_calibration_error() -> None:
    logits = torch.log(torch.tensor([[0.8, 0.2]] * 10 + [[0.4, 0.6]] * 10))
    labels = torch.tensor([0] * 8 + [1] * 2 + [1] * 3 + [0] * 7)
    assert calibration_error(logits, labels) == pytest.approx((0 + 0.3) / 2, abs=1e-6)
    assert calibration_error(torch.full((4, 1), 9.0), torch.zeros(4, dtype=torch.int64)) == pytest.approx(1, abs=1e-3)


def test_faults() -> None:
    with pytest.raises(TrainingError) as error:
        corrupted(np.zeros((2, 5), np.float32), "blur", 1, (5,))
    assert str(error.value) == (
        "robustness: no corruption 'blur' of severity 1 for samples of [5]; there are gaussian_noise, shot_noise, impulse_noise, "
        "brightness, contrast, 1 to 3"
    )
    with pytest.raises(TrainingError) as error, flipped_weights(models.build("digits", "float", seed=0), 0.1):
        pass
    assert str(error.value) == "robustness: weights[0] is FLOAT; bits are flipped in quantised networks only"
