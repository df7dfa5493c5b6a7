"""All measures of one network, to be laid beside those of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from quant_training.dataset import Dataset
from quant_training.errors import TrainingError
from quant_training.metrics import accuracy_of, logits_of, predict
from quant_training.robustness.attacks import fgsm, pgd
from quant_training.robustness.corruption import applicable, corrupted
from quant_training.robustness.upsets import flipped_activations, flipped_weights

if TYPE_CHECKING:
    from models import Network


class RobustnessConfig(BaseModel):
    """What is tried.

    Attributes
    ----------
    samples : of the test part.
    sizes : of attacks, in units of the input range.
    steps : of projected gradient descent.
    severity : of corruptions, 1 to 3.
    rates : probabilities of a bit flip.
    trials : random draws of flips; the mean counts.
    bins : of the calibration error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(default=1000, ge=1)
    sizes: tuple[float, ...] = (0.03, 0.1)
    steps: int = Field(default=10, ge=1)
    severity: int = Field(default=2, ge=1, le=3)
    rates: tuple[float, ...] = (1e-3, 1e-2)
    trials: int = Field(default=3, ge=1)
    bins: int = Field(default=15, ge=1)
    seed: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class Robustness:
    """Accuracies from 0 to 1 of one network.

    Attributes
    ----------
    clean : on the samples as they are.
    attacks, corruptions, upsets : by what was tried, for example ``pgd 0.1``, ``blur``, ``weights 0.001``; no upsets of a float
        network.
    calibration_error : see `calibration_error`.
    samples : how many were tried.
    """

    clean: float
    attacks: dict[str, float]
    corruptions: dict[str, float]
    upsets: dict[str, float]
    calibration_error: float
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


def robustness(model: Network, data: Dataset, config: RobustnessConfig | None = None) -> Robustness:
    """Measure ``model`` on the test part of ``data``; compare the result before and after a compression."""
    config = config or RobustnessConfig()
    split = data.test.take(config.samples)
    if not len(split):
        raise TrainingError(f"{data.name}: has no test samples to measure robustness on; set test_fraction above 0")
    model.eval()
    x, y = torch.from_numpy(split.x), torch.from_numpy(split.labels)
    logits = _logits(model, x)
    attacks = {}
    for size in config.sizes:
        attacks[f"fgsm {size:g}"] = accuracy_of(_logits(model, fgsm(model, x, y, size)), y)
        moved = pgd(model, x, y, size, steps=config.steps, seed=config.seed)
        attacks[f"pgd {size:g}"] = accuracy_of(_logits(model, moved), y)
    corruptions = {
        kind: accuracy_of(_logits(model, torch.from_numpy(corrupted(
            split.x, kind, config.severity, data.input_shape, seed=config.seed))), y)
        for kind in applicable(data.input_shape)
    }
    upsets = _upsets(model, x, y, config) if model.bits.quantised else {}
    return Robustness(accuracy_of(logits, y), attacks, corruptions, upsets, calibration_error(logits, y, config.bins), len(y))


def _upsets(model: Network, x: Tensor, y: Tensor, config: RobustnessConfig) -> dict[str, float]:
    found: dict[str, float] = {}
    for rate in config.rates:
        for what in ("weights", "activations"):
            total = 0.0
            for trial in range(config.trials):
                flipped = flipped_weights if what == "weights" else flipped_activations
                with flipped(model, rate, seed=config.seed + trial):
                    total += accuracy_of(_logits(model, x), y)
            found[f"{what} {rate:g}"] = total / config.trials
    return found


def calibration_error(logits: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over bins of confidence (Guo et al., 1706.04599)."""
    if logits.shape[1] == 1:
        yes = torch.sigmoid(logits[:, 0])
        confidence = torch.maximum(yes, 1 - yes)
    else:
        confidence = logits.softmax(dim=1).amax(dim=1)
    right = (predict(logits) == labels).double()
    place = (confidence.double() * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64).index_add(0, place, right - confidence.double())
    return float(gaps.abs().sum() / len(labels))


def _logits(model: Network, x: Tensor) -> Tensor:
    with torch.no_grad():
        return logits_of(model, model.quantise(x))
