"""Distillation: the loss, what needs no labels, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import models
from quant_training import Dataset, TrainConfig, TrainingError, evaluate, load_dataset, train
from quant_training.distillation import Distil, DistilConfig, alike, attention_loss, soft_loss, unlabelled

SETTINGS: dict[str, Any] = {"batch_size": 64, "progress": False}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def teacher(digits: Dataset) -> models.Network:
    model = models.build({"preset": "digits", "hidden": [48]}, "w8a8", seed=0)
    train(model, digits, TrainConfig(**SETTINGS, epochs=8))
    return model


def test_the_soft_loss_is_hintons() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(5, 4, generator=generator) for _ in range(2))
    p, q = ((x / 3).softmax(dim=1) for x in (theirs, ours))
    expected = 9 * (p * (p / q).log()).sum(dim=1).mean()
    assert torch.allclose(soft_loss(ours, theirs, 3.0), expected)
    assert float(soft_loss(ours, ours, 3.0)) == pytest.approx(0, abs=1e-6)
    assert float(soft_loss(ours[:, :1], ours[:, :1] + 1, 1.0)) > 0


def test_attention_does_not_care_for_channels_or_scale() -> None:
    x = torch.rand(3, 4, 6, 6)
    assert float(attention_loss(x, torch.cat([x, x], dim=1) * 5)) == pytest.approx(0, abs=1e-6)
    assert alike(x, torch.rand(3, 9, 3, 2))[0].shape == (3, 4, 3, 2)


@pytest.mark.parametrize("shift", [0, 1])
def test_no_label_is_looked_at(shift: int, digits: Dataset, teacher: models.Network) -> None:
    results = []
    other = replace(digits.val, labels=digits.val.labels[::-1].copy())
    for data in (digits, unlabelled(digits), replace(digits, val=other)):
        student = models.build({"preset": "digits", "hidden": [24]}, "w4a4", seed=0)
        hooks = [Distil(teacher, student, DistilConfig(labels=False, features="hint" if shift else None))]
        # Neither the epoch that is kept nor the rate and the end of the training follow labels.
        how = {"schedule": "plateau", "patience": 1} if shift else {}
        results.append(train(student, data, TrainConfig(**SETTINGS, epochs=3, shift=shift, **how), hooks))
    assert results[0].history[-1]["val_loss"] != results[2].history[-1]["val_loss"]
    for other_result in results[1:]:
        assert len(results[0].history) == len(other_result.history)
        for name, tensor in results[0].model.state_dict().items():
            assert torch.equal(tensor, other_result.model.state_dict()[name]), name
    assert results[0].test_accuracy > 0.15
    assert evaluate(teacher, digits.test) > 0.9


def test_answers_are_asked_for_once(digits: Dataset, teacher: models.Network) -> None:
    seen = 0

    def count(_module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal seen
        seen += len(inputs[0])

    handle = teacher.register_forward_pre_hook(count)
    student = models.build({"preset": "digits", "hidden": [8]}, "w4a4", seed=0)
    train(student, digits, TrainConfig(**SETTINGS, epochs=4), [Distil(teacher, student, DistilConfig())])
    handle.remove()
    assert seen <= len(digits.train)


def test_attention_and_hints_of_a_float_teacher(digits: Dataset) -> None:
    small = replace(digits, train=digits.train.take(128))
    teacher = models.build("digits_cnn", "float", seed=0)
    for config in (DistilConfig(features="attention", layers=((0, 0), (1, 1))), DistilConfig(features="hint")):
        student = models.build("digits_cnn", "w2a2", seed=0)
        hook = Distil(teacher, student, config)
        result = train(student, small, TrainConfig(**SETTINGS, epochs=1), [hook])
        assert np.isfinite(result.history[0]["train_loss"])
        assert not hook.handles


@pytest.mark.parametrize(
    ("student", "values", "message"),
    [
        (
            {"preset": "digits", "classes": 4}, {},
            "distillation: the teacher has 10 classes, the student 4; train a teacher for the same data",
        ),
        ("digits", {"features": "attention"}, "distillation: layers 1 and 0 have no feature maps to attend to; use hint"),
        ("digits", {"features": "hint", "layers": [(5, 0)]}, "distillation: the student has no layer 5; it has 0 to 2"),
        (
            "digits_cnn", {"features": "hint", "layers": [(0, 0)]},
            "distillation: of layers 0 and 0 one is dense and one a convolution; pair layers of a kind",
        ),
        ("digits", {"alpha": 2}, "distillation: alpha is 2: input should be less than or equal to 1"),
    ],
)
def test_faults(student: Any, values: dict[str, Any], message: str) -> None:
    network = models.build({"preset": "digits", "hidden": [48]}, "w8a8", seed=0)
    with pytest.raises(TrainingError) as error:
        Distil(network, models.build(student, "w4a4", seed=0), DistilConfig(**values))
    assert str(error.value) == message


def test_samples_without_labels_must_fit(digits: Dataset) -> None:
    with pytest.raises(TrainingError) as error:
        unlabelled(digits, np.zeros((3, 7), np.uint8))
    assert str(error.value) == "digits: samples without labels have 7 features, not 64"
    with pytest.raises(TrainingError) as error:
        unlabelled(digits, np.full((3, 64), 17, np.uint8))
    assert str(error.value) == "digits: samples without labels must be integers from 0 to 16"
