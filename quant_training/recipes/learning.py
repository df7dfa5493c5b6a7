"""The stage ``learn_bits``: bit widths learned against a hardware cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quant_training.errors import TrainingError
from quant_training.settings import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models import Network
    from quant_training.hooks import Hook
    from quant_training.recipes.plugins import Outcome
    from quant_training.recipes.stages import Work


class LearnConfig(BaseModel):
    """How bit widths are learned.

    Attributes
    ----------
    cost : ``bit_operations``, ``luts`` or ``cycles``, or what the caller adds.
    at : what the cost is taken at: cycles a frame for ``luts``, LUTs for ``cycles``.
    weight : of the cost in the loss; at 1.0 the whole hardware is worth one unit of the task's loss.
    keep : share of the cost that is wanted, 0 to 1; None: as little as pays.
    least : bits that each tensor keeps at least.
    weights, activations : whether theirs are learned.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cost: str = "bit_operations"
    at: float | None = Field(default=None, ge=1, allow_inf_nan=False)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    keep: float | None = Field(default=None, gt=0, lt=1)
    least: int = Field(default=2, ge=2, le=7)
    weights: bool = True
    activations: bool = True

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise TrainingError(one_line("learned bits", error, LearnConfig)) from error

    @model_validator(mode="after")
    def _some(self) -> LearnConfig:
        if not self.weights and not self.activations:
            raise ValueError("neither weights nor activations are learned; leave one of them out")
        return self


def learn(work: Work, model: Network, hooks: Sequence[Hook]) -> Outcome:
    """Train ``model`` with widths of its own; the result has plain types.

    Raises
    ------
    TrainingError : nothing to learn, or the wanted share of the cost cannot be, or was not, reached.
    """
    import torch

    from quant_training.bitwidths import learn_bits, narrowest, rounded
    from quant_training.hardware_loss import HardwareLoss
    from quant_training.recipes.plugins import Outcome
    from quant_training.training import train

    config: LearnConfig = work.stage.technique
    learn_bits(model, weights=config.weights, activations=config.activations, least=config.least)
    loss = HardwareLoss(work.plugins.cost(config.cost, config.at), config.weight, f"{config.cost} at {config.at}",
                        config.keep or 0.0)
    loss.begin(model, torch.device("cpu"))
    with narrowest(model), torch.no_grad():
        least = float(loss.share(model))
    if config.keep is not None and least > config.keep:
        raise TrainingError(f"learned bits: with {config.least} bits everywhere {config.cost} are {_percent(least)} of those at "
                            f"the beginning, {_percent(config.keep)} are wanted; raise keep, or lower least")
    keep = "last" if config.keep is None else "best"
    train(model, work.data, work.config().model_copy(update={"keep": keep}), [*hooks, loss])
    with torch.no_grad():
        share = float(loss.share(model))
    if config.keep is not None and share > config.keep:
        raise TrainingError(f"learned bits: {config.cost} ended at {_percent(share)} of those at the beginning, "
                            f"{_percent(config.keep)} were wanted; raise weight, learning_rate or epochs")
    plain = rounded(model)
    note = f"{plain.bits}; {config.cost} at {_percent(share)} of those at the beginning (source model)"
    return Outcome(plain.eval(), work.masked, {"cost_share": share, "note": note})


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
