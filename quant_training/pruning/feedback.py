"""Pruning that may be taken back: weights behind a mask go on learning.

Lin et al., "Dynamic Model Pruning with Feedback", ICLR 2020 (arXiv 2006.07253), Algorithm 1: the gradient is taken at the masked
weights and applied to all of them, and the mask is drawn again from their magnitudes every few steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from quant_training.hooks import Hook
from quant_training.pruning.config import PruneConfig
from quant_training.pruning.masks import masks_at, pin

if TYPE_CHECKING:
    from models import Network

# Steps between two masks.
_EVERY = 8


class Feedback(Hook):
    """Masks drawn anew during training, narrower and narrower by the schedule of ``config``.

    The network holds masked weights, a hidden one as 0; the step that the optimiser takes from there is added to the hidden
    weight.
    """

    def __init__(self, model: Network, config: PruneConfig) -> None:
        self.config = config
        self.kept = nn.Module()
        for index, layer in enumerate(model.layers):
            weight = layer.linear.weight.detach()
            self.kept.register_buffer(f"weight{index}", weight.clone())
            self.kept.register_buffer(f"mask{index}", torch.ones_like(weight, dtype=torch.bool))
        self.kept.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.layers = len(model.layers)

    def key(self) -> str:
        """The settings."""
        return f"feedback {self.config.model_dump_json()}"

    def module(self) -> nn.Module:
        """All weights, those behind the masks too, and the masks."""
        return self.kept

    def _all(self, what: str) -> list[Tensor]:
        return [self.kept.get_buffer(f"{what}{index}") for index in range(self.layers)]

    @property
    def _steps(self) -> int:
        return int(self.kept.get_buffer("steps"))

    @property
    def masks(self) -> list[Tensor]:
        """What the network shows of each layer's weights."""
        return self._all("mask")

    def begin(self, model: Network, device: torch.device) -> None:
        """All weights to the device, those of a resumed run included, and the first mask."""
        self.kept.to(device)
        if not self._steps:
            self.stepped(model, 0.0)
        self._hide(model)

    def _hide(self, model: Network) -> None:
        for layer, weight, mask in zip(model.layers, self._all("weight"), self.masks, strict=True):
            layer.linear.weight.data = weight * mask
            pin(layer, mask)

    def stepped(self, model: Network, progress: float) -> None:
        """Draw masks again if it is time, and hide the weights behind them."""
        share = min(1.0, progress / self.config.until)
        # Where a weight was hidden, the optimiser has changed a zero.
        for index, (layer, mask) in enumerate(zip(model.layers, self.masks, strict=True)):
            weight = self.kept.get_buffer(f"weight{index}")
            setattr(self.kept, f"weight{index}", layer.linear.weight.data + weight * ~mask)
        if self._steps % _EVERY == 0:
            sizes = [weight.abs() for weight in self._all("weight")]
            for index, mask in enumerate(masks_at(model, sizes, self.config, self.config.share(share))):
                setattr(self.kept, f"mask{index}", mask)
        self.kept.steps = torch.tensor(self._steps + 1)
        self._hide(model)

    def settled(self, progress: float) -> bool:
        """Whether the masks are as narrow as they get."""
        return self.config.share(min(1.0, progress / self.config.until)) >= 1
