"""What may take part in a training beside the task's loss: teachers, masks, hardware cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from models import Network


# Attribute of a parameter whose learning rate is so many times that of the others.
SPEED = "bitwright_speed"


@dataclass(frozen=True, eq=False)
class Step:
    """One training step.

    Attributes
    ----------
    model : the network in training mode.
    x : its quantised input ``[B, features]``.
    raw : the same samples before quantisation, in [0, 1]; None unless a hook asks for them.
    labels : int64 ``[B]``.
    logits : what ``model`` made of ``x``, ``[B, classes]``.
    progress : share of the training that is done, 0 to 1.
    rows : which training samples these are, int64 ``[B]``.
    everything : all training samples before quantisation ``[N, features]``, if a hook asks for them and each row is the same in
        every epoch; None with augmentation.
    """

    model: Network
    x: Tensor
    raw: Tensor | None
    labels: Tensor
    logits: Tensor
    progress: float
    rows: Tensor
    everything: Tensor | None


class Hook:
    """Takes part in a training; a subclass overrides what it needs.

    Attributes
    ----------
    needs_raw : whether ``loss`` wants the samples before quantisation, too.
    labels : whether labels may be used; where a hook says no, the weights of the last epoch are kept, and patience and plateaus
        go by the training's own loss.
    """

    needs_raw: bool = False
    labels: bool = True

    def key(self) -> str:
        """All that determines what the hook does; a run with another key is not resumed."""
        return type(self).__name__

    def begin(self, model: Network, device: torch.device) -> None:
        """Training starts, or goes on, on ``device``."""

    def loss(self, step: Step, loss: Tensor) -> Tensor:
        """The loss to minimise instead of ``loss``."""
        del step
        return loss

    def module(self) -> nn.Module | None:
        """What the hook learns beside the network; it is saved and resumed with it."""
        return None

    def stepped(self, model: Network, progress: float) -> None:
        """The optimiser changed the weights."""

    def settled(self, progress: float) -> bool:
        """Whether weights of this moment may be kept as the best; False while the network is not yet what it will be."""
        del progress
        return True

    def end(self, model: Network) -> None:
        """Training ended, whether or not it went well; ``model`` holds the weights that are kept."""
