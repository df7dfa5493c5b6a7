"""Masks that are drawn again: what stays, what comes back, and that an interruption changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import models
from quant_training import Dataset, TrainConfig, TrainingError, load_dataset, train
from quant_training.pruning import PruneConfig, prune
from quant_training.pruning.feedback import Feedback

TUNING = TrainConfig(epochs=4, batch_size=32, progress=False, keep="last")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    data = load_dataset("digits")
    return replace(data, train=data.train.take(512))


@pytest.mark.parametrize("schedule", ["one_shot", "cubic", "iterative"])
@pytest.mark.parametrize(
    "config", [{"pattern": "fan_in", "fan_in": {0: 6}}, {"pattern": "elements", "keep": 0.1}, {"pattern": "n_m", "n": 1, "m": 4},
               {"pattern": "elements", "limit": 500}], ids=str)
def test_what_stays(config: dict[str, Any], schedule: str, digits: Dataset) -> None:
    model = models.build("digits", "w4a4", seed=0)
    pruned = prune(model, digits, PruneConfig(feedback=True, schedule=schedule, **config), TUNING)
    assert pruned.masks is not None
    counts = [int(mask.sum()) for mask in pruned.masks]
    if config["pattern"] == "fan_in":
        assert int(pruned.masks[0].sum(1).max()) <= 6
        assert counts[1:] == [32 * 32, 32 * 10]
    elif config["pattern"] == "n_m":
        assert all(int(mask.reshape(len(mask), -1, 4).sum(2).max()) <= 1 for mask in pruned.masks)
    else:
        assert sum(counts) <= 501 if "limit" in config else sum(counts) <= 0.1 * sum(mask.numel() for mask in pruned.masks) + 1


def test_weights_come_back(digits: Dataset) -> None:
    class Watched(Feedback):
        back = 0

        def stepped(self, model: Any, progress: float) -> None:
            before = self.masks[0]
            super().stepped(model, progress)
            self.back += int((self.masks[0] & ~before).sum())

    model = models.build("digits", "w4a4", seed=0)
    hook = Watched(model, PruneConfig(pattern="fan_in", fan_in={0: 6}, feedback=True))
    train(model, digits, TUNING, [hook])
    assert hook.back > 0


def test_interruption(tmp_path: Path, digits: Dataset) -> None:
    """A training that stops after two of its epochs and goes on gives the same weights as one that does not stop."""

    class Stop(Feedback):
        def stepped(self, model: Any, progress: float) -> None:
            super().stepped(model, progress)
            if progress > 0.6:
                raise TrainingError("stopped")

    config = PruneConfig(pattern="fan_in", fan_in={0: 6}, feedback=True, schedule="cubic")
    tuning = TUNING.model_copy(update={"output": tmp_path, "resume": True, "checkpoint_seconds": 0.0})
    whole, parts = models.build("digits", "w4a4", seed=0), models.build("digits", "w4a4", seed=0)
    train(whole, digits, TUNING, [Feedback(whole, config)])
    with pytest.raises(TrainingError, match="stopped"):
        train(parts, digits, tuning, [Stop(parts, config)])
    parts = models.build("digits", "w4a4", seed=0)
    train(parts, digits, tuning, [Feedback(parts, config)])
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"pattern": "fan_in", "feedback": True, "criterion": "taylor"},
      "pruning: feedback is for masks by magnitude; leave it out with channels and other criteria"),
     ({"pattern": "fan_in", "fan_in": {0: 0}}, "pruning: fan_in is {0: 0}; give at least 1")])
def test_settings(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(TrainingError, match=text.replace("{", r"\{")):
        PruneConfig(**settings)


def test_needs_training(digits: Dataset) -> None:
    with pytest.raises(TrainingError, match="feedback comes from training; give a training, or leave feedback out"):
        prune(models.build("digits", "w4a4", seed=0), digits, PruneConfig(pattern="fan_in", feedback=True))
