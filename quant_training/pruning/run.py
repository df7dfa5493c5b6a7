"""Prune a network and train what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quant_training.config import TrainConfig
from quant_training.dataset import Dataset
from quant_training.errors import TrainingError
from quant_training.pruning.channels import Cost, measure_of, select, target, whole
from quant_training.pruning.config import PruneConfig
from quant_training.pruning.criteria import scores
from quant_training.pruning.masks import Masks, apply, final_masks, present_masks
from quant_training.pruning.smaller import shrink
from quant_training.size import Footprint, footprint

if TYPE_CHECKING:
    from torch import Tensor

    from models import Network
    from quant_training.hooks import Hook
    from quant_training.training import TrainResult


@dataclass(frozen=True, eq=False)
class Pruned:
    """A pruned network.

    Attributes
    ----------
    model : the network, fine-tuned if that was asked for.
    before, after : what it takes.
    masks : weights that stay, bool in the shape of each layer's weights; None for channels, which are gone.
    training : of the last round; None without fine-tuning.
    """

    model: Network
    before: Footprint
    after: Footprint
    masks: list[Tensor] | None
    training: TrainResult | None


def prune(
    model: Network, data: Dataset, config: PruneConfig, train_config: TrainConfig | None = None, *, cost: Cost | None = None,
    hooks: Sequence[Hook] = (),
) -> Pruned:
    """Prune ``model`` as ``config`` says and fine-tune it as ``train_config`` says; without the latter in one shot.

    Parameters
    ----------
    model : trained network. Masks change it in place, channels give a new one.
    cost : hardware cost of a shape with its types, for a budget that is not counted.
    hooks : of the fine-tuning, for example a teacher.

    Raises
    ------
    TrainingError : the budget cannot be met, or the pattern does not suit the types.
    """
    config.check_layers(model.spec.layers)
    before = footprint(model)
    if config.pattern == "channels":
        model, result = _Rounds(data, config, train_config, measure_of(config.budget, cost), hooks).run(model)
        return Pruned(model, before, footprint(model), None, result)
    if config.feedback:
        if train_config is None:
            raise TrainingError("pruning: feedback comes from training; give a training, or leave feedback out")
        result = _with_feedback(model, data, config, train_config, hooks)
        return Pruned(model, before, footprint(model), present_masks(model), result)
    order = scores(model, data.train, config.criterion, samples=config.samples, seed=config.seed).weights
    masks = final_masks(model, order, config)
    result = None
    if train_config is None:
        apply(model, masks)
        model.eval()
    else:
        from quant_training.training import train

        result = train(model, data, train_config, [*hooks, Masks(masks, order, config)])
    return Pruned(model, before, footprint(model), masks, result)


def _with_feedback(
    model: Network, data: Dataset, config: PruneConfig, train_config: TrainConfig, hooks: Sequence[Hook],
) -> TrainResult:
    from quant_training.pruning.feedback import Feedback
    from quant_training.training import train

    # Can the budget be met?
    final_masks(model, [layer.linear.weight.detach().abs() for layer in model.layers], config)
    return train(model, data, train_config, [*hooks, Feedback(model, config)])


@dataclass(frozen=True, eq=False)
class _Rounds:
    """Channels removed in rounds, each with its share of the fine-tuning."""

    data: Dataset
    config: PruneConfig
    tuning: TrainConfig | None
    measure: Cost
    hooks: Sequence[Hook]

    def run(self, model: Network) -> tuple[Network, TrainResult | None]:
        config = self.config
        full = whole(self.measure, model.spec, model.bits, config.budget)
        final = target(full, config)
        rounds = 1 if self.tuning is None or config.schedule == "one_shot" else config.steps
        self._select(model, final)  # before anything is trained: can the budget be met?
        result = None
        for number in range(rounds):
            last = number == rounds - 1
            share = 1.0 if last else config.share((number + (config.schedule == "cubic")) / rounds)
            model = shrink(model, self._select(model, full - share * (full - final))).eval()
            if self.tuning is not None:
                result = self._tune(model, self.tuning, number, rounds)
        return model, result

    def _select(self, model: Network, limit: float) -> set[int]:
        config = self.config
        found = scores(model, self.data.train, config.criterion, samples=config.samples, seed=config.seed)
        return select(model.spec, model.bits, found, config, measure=self.measure, limit=limit)

    def _tune(self, model: Network, config: TrainConfig, number: int, rounds: int) -> TrainResult:
        """Fine-tune after round ``number``; the last one takes the epochs that the others leave."""
        from quant_training.training import train

        each, last = max(1, config.epochs // rounds), number == rounds - 1
        epochs = max(1, config.epochs - each * (rounds - 1)) if last else each
        output: Path | None = config.output if last or config.output is None else config.output / f"round-{number + 1}"
        return train(model, self.data, config.model_copy(update={"epochs": epochs, "output": output}), self.hooks)
