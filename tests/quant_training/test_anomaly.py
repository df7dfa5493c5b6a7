"""Autoencoders: training on normal samples, scores, the area under the curve."""

from __future__ import annotations

import math

import numpy as np
import pytest

import models
from quant_training import TrainConfig, TrainingError, load_dataset, train
from quant_training.anomaly import Reconstruction, anomaly_scores, area_under_curve, normal_only

CONFIG = TrainConfig(epochs=60, progress=False, keep="last", batch_size=32)


def test_an_autoencoder_tells_other_digits_from_zeros() -> None:
    data = normal_only(load_dataset("digits"), 0)
    assert set(data.train.labels.tolist()) == {0}
    net = models.build({"inputs": 64, "hidden": [32, 8, 32], "classes": 64}, "w4a4", seed=0)
    train(net, data, CONFIG, [Reconstruction()])
    area = area_under_curve(anomaly_scores(net, data.test), data.test.labels != 0)
    assert area > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_area_under_the_curve_counts_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, odd = rng.integers(0, 5, 60).astype(float), rng.random(60) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[odd] for b in scores[~odd]]
    assert area_under_curve(scores, odd) == pytest.approx(np.mean(pairs))
    assert math.isnan(area_under_curve(scores, np.zeros(60, dtype=bool)))


def test_faults_are_one_line() -> None:
    data = load_dataset("digits")
    with pytest.raises(TrainingError, match="digits has no class 12; give 0 to 9"):
        normal_only(data, 12)
    message = "an autoencoder gives back its 64 inputs, the network has 10 outputs; set classes to 64"
    with pytest.raises(TrainingError, match=message):
        train(models.build("digits", "w4a4", seed=0), data, CONFIG, [Reconstruction()])
