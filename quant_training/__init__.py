"""Data sets and quantisation-aware training. ``import quant_training`` is light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quant_training.errors import TrainingError

if TYPE_CHECKING:
    from quant_training.config import DataConfig, TrainConfig
    from quant_training.data import load_dataset
    from quant_training.dataset import Dataset, Split
    from quant_training.metrics import evaluate
    from quant_training.training import TrainResult, run_training, train

__all__ = [
    "DataConfig", "Dataset", "Split", "TrainConfig", "TrainResult", "TrainingError", "evaluate", "load_dataset",
    "run_training", "train",
]

_LAZY = {
    "DataConfig": "config", "TrainConfig": "config", "load_dataset": "data", "Dataset": "dataset", "Split": "dataset",
    "evaluate": "metrics", "TrainResult": "training", "run_training": "training", "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'quant_training' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"quant_training.{_LAZY[name]}"), name)
