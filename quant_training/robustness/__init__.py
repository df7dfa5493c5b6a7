"""How a network does under attack, noise and upset bits, and whether it knows what it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant_training.robustness.attacks import fgsm, pgd
    from quant_training.robustness.corruption import CORRUPTIONS, corrupted
    from quant_training.robustness.report import Robustness, RobustnessConfig, calibration_error, robustness
    from quant_training.robustness.upsets import flipped_activations, flipped_weights

__all__ = [
    "CORRUPTIONS", "Robustness", "RobustnessConfig", "calibration_error", "corrupted", "fgsm", "flipped_activations",
    "flipped_weights", "pgd", "robustness",
]

_LAZY = {
    "fgsm": "attacks", "pgd": "attacks", "CORRUPTIONS": "corruption", "corrupted": "corruption", "Robustness": "report",
    "RobustnessConfig": "report", "calibration_error": "report", "robustness": "report", "flipped_activations": "upsets",
    "flipped_weights": "upsets",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'quant_training.robustness' has no attribute '{name}'")
    from importlib import import_module

    # Submodules are never named like what they hold, or importing one would hide the function.
    return getattr(import_module(f"quant_training.robustness.{_LAZY[name]}"), name)
