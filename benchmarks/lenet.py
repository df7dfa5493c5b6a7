"""LeNet-5's shape for digits of 8 x 8 pixels, which several benchmarks train and then compress."""

from __future__ import annotations

from typing import Any

import models
from models import Network
from quant_training import Dataset, TrainConfig, train


def lenet(width: int = 16) -> dict[str, Any]:
    """The network with ``width`` channels in its first convolution."""
    return {"input_shape": [1, 8, 8], "units": [
        {"conv": width, "kernel": 3, "padding": 1}, {"max_pool": 2}, {"conv": 2 * width, "kernel": 3, "padding": 1},
        {"max_pool": 2}, {"dense": 4 * width}, {"dense": 10}]}


def trained_lenet(data: Dataset, config: TrainConfig, bits: str = "w4a4") -> Network:
    """The network of 16 channels, from ``config.output`` where this very training has finished there."""
    kept = config.model_copy(update={"resume": True})
    return train(models.build(lenet(), bits, seed=config.seed), data, kept).model
