"""Trainings of benchmarks: each is kept in a folder, goes on after an interruption and is not repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import models
from models import BitConfig
from quant_training import TrainConfig, train
from quant_training.distillation import Distil, DistilConfig
from quant_training.training import network_of


def trained(config: TrainConfig, teacher: Path | None = None) -> dict[str, Any]:
    """Metrics of a training, taken from ``config.output`` if this very one, from the same weights, has finished there before.

    Parameters
    ----------
    teacher : folder of a network to listen to.
    """
    model = network_of(config)
    hooks = [] if teacher is None else [Distil(models.load(teacher), model, DistilConfig())]
    return train(model, config.data.load(), config.model_copy(update={"resume": True}), hooks).metrics()


def types(name: str, layers: int, **options: Any) -> dict[str, Any]:
    """`BitConfig.short` as plain values."""
    return BitConfig.short(name, layers, **options).to_dict()
