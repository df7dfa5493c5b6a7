"""Weights that stay zero while the others are trained on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from quant_training.errors import BudgetError, TrainingError
from quant_training.hooks import Hook
from quant_training.pruning.channels import target
from quant_training.pruning.config import PruneConfig
from quant_training.size import layer_sizes

if TYPE_CHECKING:
    from models import Network
    from models.layer import Layer

# Single weights leave at least this share of a layer, so that none dies.
_LEAST = 0.02


def final_masks(model: Network, weights: list[Tensor], config: PruneConfig) -> list[Tensor]:
    """Which weights stay in the end, bool in the shape of each layer's weights.

    Parameters
    ----------
    weights : scores of the weights.

    Raises
    ------
    TrainingError : BIPOLAR weights, or a budget that cannot be met.
    """
    chosen = [config.prunes(index) for index in range(len(weights))]
    for index, take in enumerate(chosen):
        if take and model.bits.weights[index] == "BIPOLAR":
            raise TrainingError(f"pruning: layer {index} has BIPOLAR weights, which have no zero; use TERNARY, leave it out with "
                                "layers, or prune channels")
    if config.pattern == "elements":
        return _elements(model, weights, chosen, config)
    found = []
    for score, take in zip(weights, chosen, strict=True):
        if not take:
            found.append(torch.ones_like(score, dtype=torch.bool))
        elif config.pattern == "n_m":
            found.append(_n_of_m(score, config.n, config.m))
        else:
            found.append(_best(score.flatten(1), config.fan_in_of(len(found))).reshape(score.shape))
    return found


def masks_at(model: Network, weights: list[Tensor], config: PruneConfig, share: float) -> list[Tensor]:
    """`final_masks` when only ``share`` of all that is to go has gone, 0 to 1."""
    if share >= 1:
        return final_masks(model, weights, config)
    stay = 1 - share
    change: dict[str, Any]
    if config.pattern == "elements":
        full = _worth(model, weights, config)[1]
        change = {"keep": share * target(full, config) / full + stay, "limit": None}
    elif config.pattern == "n_m":
        change = {"n": round(config.n + stay * (config.m - config.n))}
    else:
        inputs = {index: score[0].numel() for index, score in enumerate(weights) if config.prunes(index)}
        counts = {index: config.fan_in_of(index) for index in inputs}
        change = {"fan_in": {index: min(size, round(counts[index] + stay * max(0, size - counts[index])))
                             for index, size in inputs.items()}}
    return final_masks(model, weights, config.model_copy(update=change))


def _best(score: Tensor, count: int) -> Tensor:
    """The ``count`` best of each row."""
    mask = torch.zeros_like(score, dtype=torch.bool)
    return mask.scatter_(-1, score.topk(min(count, score.shape[-1]), dim=-1).indices, True)


def _n_of_m(score: Tensor, n: int, m: int) -> Tensor:
    """Of each ``m`` input channels in a row, at one position of the kernel, the ``n`` best; a shorter rest keeps ``n``, too."""
    moved = score.movedim(1, -1)
    rest = -moved.shape[-1] % m
    padded = torch.nn.functional.pad(moved, (0, rest), value=-1.0)
    mask = _best(padded.reshape(*padded.shape[:-1], -1, m), n).flatten(-2)
    return mask[..., : moved.shape[-1]].movedim(-1, 1)


def _worth(model: Network, weights: list[Tensor], config: PruneConfig) -> tuple[list[float], float]:
    """What a weight of each layer counts in the budget, and all of them together."""
    sizes = layer_sizes(model.spec, model.bits)
    worth = {
        "parameters": [1.0] * len(sizes), "macs": [float(size.positions) for size in sizes],
        "weight_bits": [float(size.weight_bits) for size in sizes],
        "bit_operations": [size.bit_operations / size.weights for size in sizes],
    }[config.budget]
    return worth, sum(each * score.numel() for each, score in zip(worth, weights, strict=True))


def _elements(model: Network, weights: list[Tensor], chosen: list[bool], config: PruneConfig) -> list[Tensor]:
    worth, full = _worth(model, weights, config)
    wanted = target(full, config)
    candidates, gains, places = [], [], []
    for index, (score, take) in enumerate(zip(weights, chosen, strict=True)):
        if take:
            # The best of each layer are no candidates.
            count = int(score.numel() * (1 - _LEAST))
            value, place = score.flatten().topk(count, largest=False)
            candidates.append(value)
            gains.append(torch.full((count,), worth[index], dtype=torch.float64, device=score.device))
            places.append(torch.stack([torch.full_like(place, index), place], dim=1))
    value, gain, place = torch.cat(candidates), torch.cat(gains), torch.cat(places)
    order = (value / gain).argsort(stable=True) if config.budget != "parameters" else value.argsort(stable=True)
    freed = gain[order].cumsum(0)
    count = int(torch.searchsorted(freed, full - wanted)) + 1 if wanted < full else 0
    if count > len(order):
        least = full - (float(freed[-1]) if len(freed) else 0.0)
        raise BudgetError(f"pruning: {config.budget} can be lowered from {full:,.0f} to {least:,.0f}, not to {wanted:,.0f}; "
                          "raise the budget, or let more layers be pruned")
    masks = [torch.ones(score.numel(), dtype=torch.bool, device=score.device) for score in weights]
    gone = place[order[:count]]
    for index, mask in enumerate(masks):
        mask[gone[gone[:, 0] == index, 1]] = False
    return [mask.reshape(score.shape) for mask, score in zip(masks, weights, strict=True)]


class Masks(Hook):
    """Keeps weights at zero during training; with a schedule more and more of them.

    Parameters
    ----------
    final : weights that stay in the end, bool in the shape of each layer's weights.
    order : scores after which the others go, the smallest first.
    config : schedule, and until when.
    """

    def __init__(self, final: list[Tensor], order: list[Tensor], config: PruneConfig) -> None:
        self.final, self.config = final, config
        going = torch.cat([score[~mask] for score, mask in zip(order, final, strict=True)])
        self.ranked = going.sort().values
        self.order, self.share = order, -1.0
        self.masks = final

    def key(self) -> str:
        """Masks and schedule."""
        digest = hashlib.sha256()
        for mask in self.final:
            digest.update(mask.cpu().numpy().tobytes())
        return f"masks {digest.hexdigest()} {self.config.model_dump_json()}"

    def begin(self, model: Network, device: torch.device) -> None:
        """Masks to the device; weights of a resumed run are masked already."""
        self.final = [mask.to(device) for mask in self.final]
        self.order = [score.to(device) for score in self.order]
        self.ranked, self.share = self.ranked.to(device), -1.0
        self.stepped(model, 0.0)

    def stepped(self, model: Network, progress: float) -> None:
        """Close more of the masks if it is time, and clear the weights behind them."""
        share = self.config.share(min(1.0, progress / self.config.until))
        if share != self.share:
            self.share = share
            count = round(share * len(self.ranked))
            edge = self.ranked[count - 1] if count else torch.tensor(-1.0)
            self.masks = [mask | (score > edge) for mask, score in zip(self.final, self.order, strict=True)]
        apply(model, self.masks)

    def settled(self, progress: float) -> bool:
        """Whether the masks are complete."""
        return self.config.share(min(1.0, progress / self.config.until)) >= 1

    def end(self, model: Network) -> None:
        """Clear all weights that had to go."""
        apply(model, [mask.cpu() for mask in self.final])


def apply(model: Network, masks: list[Tensor]) -> None:
    """Set the weights outside of ``masks`` to zero."""
    with torch.no_grad():
        for layer, mask in zip(model.layers, masks, strict=True):
            layer.linear.weight.mul_(mask.to(layer.linear.weight.device))
            pin(layer, mask)


def pin(layer: Layer, mask: Tensor) -> None:
    """Give the codebook of ``layer`` the level 0 that the weights outside of ``mask`` need."""
    if layer.weight_type.startswith("CODE") and not bool(mask.all()):
        layer.pin_zero()


def hold(model: Network) -> Masks:
    """A hook that keeps zeros zero."""
    masks = present_masks(model)
    return Masks(masks, [torch.zeros(mask.shape) for mask in masks], PruneConfig(pattern="n_m"))


def present_masks(model: Network) -> list[Tensor]:
    """Weights that are not zero; holding these keeps an earlier pruning."""
    return [layer.linear.weight.detach() != 0 for layer in model.layers]
