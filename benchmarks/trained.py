"""Trainings of benchmarks: each is kept in a folder, goes on after an interruption and is not repeated."""

from __future__ import annotations

import json
from typing import Any

from models import BitConfig
from quant_training import TrainConfig, run_training
from quant_training.config import NEUTRAL


def trained(config: TrainConfig) -> dict[str, Any]:
    """Metrics of a training, taken from ``config.output`` if this very one has finished there before."""
    assert config.output is not None
    try:
        earlier = json.loads((config.output / "config.json").read_text())["train"]
        metrics: dict[str, Any] = json.loads((config.output / "metrics.json").read_text())
    except (OSError, ValueError, KeyError):
        return run_training(config).metrics()
    kept = {key: value for key, value in earlier.items() if key not in NEUTRAL}
    return metrics if kept == config.decisive() else run_training(config).metrics()


def types(name: str, layers: int, **options: Any) -> dict[str, Any]:
    """`BitConfig.short` as plain values."""
    return BitConfig.short(name, layers, **options).to_dict()
