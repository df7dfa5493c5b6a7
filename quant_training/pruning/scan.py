"""How much accuracy each layer's pruning costs on its own, before any fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quant_training.dataset import Dataset
from quant_training.metrics import evaluate
from quant_training.pruning.channels import by_group
from quant_training.pruning.config import PruneConfig
from quant_training.pruning.criteria import scores
from quant_training.pruning.masks import apply, final_masks
from quant_training.pruning.smaller import shrink
from quant_training.pruning.wiring import wiring_of

if TYPE_CHECKING:
    from models import Network


@dataclass(frozen=True)
class Sensitivity:
    """One line of a scan.

    Attributes
    ----------
    layers : layers that were pruned: one, or all that share the channels.
    keep : share of weights or channels that stayed.
    accuracy : on the validation part (the training part if there is none), 0 to 1.
    drop : what was lost against the whole network.
    """

    layers: tuple[int, ...]
    keep: float
    accuracy: float
    drop: float


def sensitivity(model: Network, data: Dataset, config: PruneConfig, keeps: Sequence[float] = (0.75, 0.5, 0.25),
                ) -> list[Sensitivity]:
    """Prune one layer, or one group of channels, at a time to each of ``keeps``; ``model`` ends as it was.

    ``config`` gives pattern (elements or channels), criterion and samples.
    """
    split = data.val if len(data.val) else data.train
    whole = evaluate(model, split)
    found = scores(model, data.train, config.criterion, samples=config.samples, seed=config.seed)
    lines = []
    if config.pattern == "channels":
        wiring = wiring_of(model.spec)
        for number, group in enumerate(wiring.groups()):
            for keep in keeps:
                count = max(1, round(keep * len(group.channels)))
                accuracy = evaluate(shrink(model, by_group(wiring, found, {number: count})).eval(), split)
                lines.append(Sensitivity(group.makers, count / len(group.channels), accuracy, whole - accuracy))
        return lines
    state = {name: value.clone() for name, value in model.state_dict().items()}
    weights = [layer.linear.weight.detach() for layer in model.layers]
    for layer, weight in enumerate(weights):
        for keep in keeps:
            others = sum(other.numel() for other in weights) - weight.numel()
            total = others + weight.numel()
            settings = config.model_dump() | {"pattern": "elements", "layers": (layer,), "budget": "parameters", "limit": None,
                                              "keep": (others + keep * weight.numel()) / total}
            apply(model, final_masks(model, found.weights, PruneConfig(**settings)))
            accuracy = evaluate(model, split)
            model.load_state_dict(state)
            lines.append(Sensitivity((layer,), keep, accuracy, whole - accuracy))
    return lines
