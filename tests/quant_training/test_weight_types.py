"""Networks with codebooks, and with held accumulators, learn, and come back from disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import models
from models import BitConfig
from quant_training import TrainConfig, load_dataset, train


@pytest.mark.parametrize(("weight", "options"), [
    ("POW3", {"weight_scale": ("float",)}), ("POW4", {"per_channel": (True,)}), ("CODE2", {}),
    ("CODE4", {"weight_scale": ("power_of_two",)}),
    ("INT4", {"accumulator": (14, 10, 10)}), ("TERNARY", {"accumulator": (12, 9, 9), "per_channel": (True,)}),
])
def test_types_learn_and_are_saved(weight: str, options: dict[str, object], tmp_path: Path) -> None:
    data = load_dataset("digits")
    net = models.build("digits", BitConfig.uniform(weight, "UINT4", 3, **options), seed=0)
    result = train(net, data, TrainConfig(epochs=30, progress=False, output=tmp_path))
    assert result.test_accuracy > 0.8
    x = torch.from_numpy(data.test.x[:50])
    with torch.no_grad():
        assert torch.equal(models.load(tmp_path)(x), result.model(x))
    # Another network starts from it: from the float weights, with levels of its own.
    other = models.build("digits", BitConfig.uniform("CODE3", "UINT4", 3), seed=1)
    assert models.load_weights(other, tmp_path) == []
