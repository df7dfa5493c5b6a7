"""Inputs changed to be misread; gradients pass quantisers straight through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from quant_training.metrics import loss_of

if TYPE_CHECKING:
    from models import Network


def fgsm(model: Network, x: Tensor, labels: Tensor, size: float) -> Tensor:
    """One step of ``size`` along the sign of the gradient (Goodfellow et al., arXiv 1412.6572, 3); ``[N, features]`` in [0, 1].

    ``model`` has to be in evaluation mode.
    """
    return (x + size * _sign(model, x, labels)).clamp(0, 1)


def pgd(model: Network, x: Tensor, labels: Tensor, size: float, *, steps: int = 10, seed: int = 0) -> Tensor:
    """Several steps of ``2.5 size / steps`` from a random start, kept within ``size`` (Madry et al., arXiv 1706.06083, eq. 3)."""
    generator = torch.Generator().manual_seed(seed)
    start = (torch.rand(x.shape, generator=generator) * 2 - 1).to(x.device)
    moved = (x + size * start).clamp(0, 1)
    for _ in range(steps):
        moved = moved + 2.5 * size / steps * _sign(model, moved, labels)
        moved = torch.minimum(torch.maximum(moved, x - size), x + size).clamp(0, 1)
    return moved


def _sign(model: Network, x: Tensor, labels: Tensor) -> Tensor:
    """Sign of the gradient of the loss by the input.

    A quantiser clips its gradient outside of its range; at the ends of [0, 1] that would hide the direction back into it, so
    the input is drawn a little inside.
    """
    inside = x.detach().clamp(1e-4, 1 - 1e-4).requires_grad_(True)
    loss = loss_of(model(inside), labels)
    return torch.autograd.grad(loss, inside)[0].sign()
