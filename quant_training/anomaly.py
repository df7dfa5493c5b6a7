"""Autoencoders: trained to give back their input, and judged by how badly they do so on what they have not seen.

As MLPerf Tiny's anomaly detection does it: only normal samples in training, the mean squared error as the score, and the area
under the receiver operating characteristic as the figure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from quant_training.dataset import Dataset, Split
from quant_training.errors import TrainingError
from quant_training.hooks import Hook, Step

if TYPE_CHECKING:
    from models import Network


class Reconstruction(Hook):
    """The mean squared error between output and input instead of the task's loss; train with ``keep="last"``."""

    needs_raw = True

    def loss(self, step: Step, loss: Tensor) -> Tensor:
        """Of this step."""
        del loss
        assert step.raw is not None
        raw = step.raw.flatten(1)
        if step.logits.shape != raw.shape:
            raise TrainingError(f"an autoencoder gives back its {raw.shape[1]} inputs, the network has"
                                f" {step.logits.shape[1]} outputs; set classes to {raw.shape[1]}")
        return functional.mse_loss(step.logits, raw)


def normal_only(data: Dataset, label: int) -> Dataset:
    """``data`` with only the samples of class ``label`` to train and validate on; the test part keeps all."""
    if not 0 <= label < len(data.classes):
        raise TrainingError(f"{data.name} has no class {label}; give 0 to {len(data.classes) - 1}")
    train, val = (_picked(part, part.labels == label) for part in (data.train, data.val))
    if len(train) < 2:
        raise TrainingError(f"{data.name} has {len(train)} training samples of class {label}; choose another normal class")
    return replace(data, train=train, val=val)


def _picked(part: Split, rows: NDArray[np.bool_]) -> Split:
    return Split(part.integers[rows], part.labels[rows], part.scale)


def anomaly_scores(model: Network, data: Split) -> NDArray[np.float64]:
    """Mean squared error of each sample's reconstruction, ``[N]``."""
    training = model.training
    x = torch.from_numpy(data.x)
    with torch.no_grad():
        errors = (model.eval()(x).flatten(1) - x).square().mean(dim=1)
    model.train(training)
    scores: NDArray[np.float64] = errors.numpy().astype(np.float64)
    return scores


def area_under_curve(scores: NDArray[np.float64], anomalous: NDArray[np.bool_]) -> float:
    """Probability that an anomalous sample scores above a normal one, draws half (Mann-Whitney); NaN without either kind."""
    from scipy.stats import rankdata

    odd, even = int(anomalous.sum()), int((~anomalous).sum())
    if not odd or not even:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[anomalous].sum() - odd * (odd + 1) / 2) / (odd * even))
