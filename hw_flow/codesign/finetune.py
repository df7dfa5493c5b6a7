"""Quantisation-aware training on tensors in memory: a trial's few epochs, without a training framework's start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from models import Network


def fit(
    model: Network, x: torch.Tensor, y: torch.Tensor, *, epochs: int, learning_rate: float, batch_size: int, seed: int
) -> None:
    """Train ``model`` in place with Adam and one cosine decay; leaves it in evaluation mode.

    Parameters
    ----------
    x, y : samples ``[N, inputs]`` in [0, 1] and labels ``[N]``.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    batches = len(x) // batch_size
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, epochs * batches))
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for start in range(0, batches * batch_size, batch_size):
            batch = order[start : start + batch_size]
            optimiser.zero_grad()
            torch.autograd.backward(functional.cross_entropy(model(x[batch]), y[batch]))
            optimiser.step()
            model.clip_weights()
            schedule.step()
    model.eval()


def accuracy(model: Network, x: torch.Tensor, y: torch.Tensor) -> float:
    """Fraction of ``[N, inputs]`` classified as ``y``."""
    with torch.no_grad():
        return float((model(x).argmax(1) == y).double().mean())
