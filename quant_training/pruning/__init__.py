"""Pruning in patterns that hardware can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quant_training.pruning.config import PruneConfig

if TYPE_CHECKING:
    from quant_training.pruning.criteria import Scores, scores
    from quant_training.pruning.masks import Masks, present_masks
    from quant_training.pruning.run import Pruned, prune
    from quant_training.pruning.scan import Sensitivity, sensitivity
    from quant_training.pruning.smaller import shrink
    from quant_training.pruning.wiring import wiring_of

__all__ = [
    "Masks", "PruneConfig", "Pruned", "Scores", "Sensitivity", "present_masks", "prune", "scores", "sensitivity", "shrink",
    "wiring_of",
]

_LAZY = {
    "Masks": "masks", "present_masks": "masks", "Pruned": "run", "prune": "run", "Scores": "criteria", "scores": "criteria",
    "Sensitivity": "scan", "sensitivity": "scan", "shrink": "smaller", "wiring_of": "wiring",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'quant_training.pruning' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"quant_training.pruning.{_LAZY[name]}"), name)
