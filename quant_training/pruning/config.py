"""Settings of a pruning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quant_training.errors import TrainingError
from quant_training.settings import one_line

Pattern = Literal["elements", "n_m", "fan_in", "channels"]
Criterion = Literal["magnitude", "activation", "taylor", "fisher", "random"]
# Budgets that are counted, see `quant_training.size`; any other one is a function of shape and types.
COUNTED = ("parameters", "macs", "weight_bits", "bit_operations", "channels")

# Not among the values of settings without it: networks of earlier recipes are still theirs.
At = Annotated[float | None, Field(ge=1, allow_inf_nan=False, exclude_if=lambda at: at is None)]


class PruneConfig(BaseModel):
    """What to remove, by which rule, and how fast.

    Attributes
    ----------
    pattern : ``elements`` (single weights), ``n_m`` (``n`` of each ``m`` inputs in a row stay), ``fan_in`` (each neuron keeps
        so many inputs, for truth tables), or ``channels`` (whole neurons or filters, which makes the tensors smaller).
    criterion : see `quant_training.pruning.criteria`.
    keep : share of ``budget`` that stays, 0 to 1; for elements and channels.
    limit : the same as a number, instead of ``keep``.
    budget : what is counted: ``parameters``, ``macs``, ``weight_bits``, ``bit_operations`` (see `quant_training.size`),
        ``channels`` (outputs of all layers but the last), or a function of shape and types: ``cost``, or what it is to be
        called. Recipes know ``luts`` and ``cycles`` of hardware. Masked weights count as removed.
    at : what a recipe takes the function at: cycles a frame for ``luts``, LUTs for ``cycles``.
    n, m, fan_in : of their patterns; ``fan_in`` for all layers, or by layer (the others keep all inputs).
    multiple : channels of a layer stay a multiple of this, the parallelism of the hardware; or one number a layer.
    least : channels that each layer keeps at least.
    layers : layers that may lose weights or outputs; None: all.
    schedule : ``one_shot``; ``iterative``: ``steps`` equal steps; ``cubic``: fast, then slower (Zhu and Gupta, arXiv
        1710.01878). Masks close within one training, channels go in rounds with a share of its epochs each.
    until : share of the training after which masks are complete.
    feedback : weights behind a mask go on learning and may come back, see `quant_training.pruning.feedback`; for masks by
        magnitude. Best with few weights left.
    samples : training samples that criteria look at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: Pattern = "channels"
    criterion: Criterion = "magnitude"
    keep: float | None = Field(default=None, gt=0, le=1)
    limit: float | None = Field(default=None, gt=0)
    budget: str = "parameters"
    at: At = None
    n: int = Field(default=2, ge=1)
    m: int = Field(default=4, ge=2)
    fan_in: int | dict[int, int] = 6
    multiple: int | dict[int, int] = 1
    least: int = Field(default=1, ge=1)
    layers: tuple[int, ...] | None = None
    schedule: Literal["one_shot", "iterative", "cubic"] = "one_shot"
    steps: int = Field(default=4, ge=1)
    until: float = Field(default=0.7, gt=0, le=1)
    feedback: bool = False
    samples: int = Field(default=1024, ge=1)
    seed: int = Field(default=0, ge=0)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise TrainingError(one_line("pruning", error, PruneConfig)) from error

    @model_validator(mode="after")
    def _consistent(self) -> PruneConfig:
        budgeted = self.pattern in ("elements", "channels")
        if budgeted and (self.keep is None) == (self.limit is None):
            raise ValueError(f"the pattern {self.pattern} needs 'keep' or 'limit', and not both")
        if not budgeted and (self.keep is not None or self.limit is not None):
            raise ValueError(f"the pattern {self.pattern} says itself what stays; leave out 'keep' and 'limit'")
        if self.pattern == "n_m" and self.n >= self.m:
            raise ValueError(f"n is {self.n} and m {self.m}; n must be smaller")
        if self.budget == "channels" and self.pattern != "channels":
            raise ValueError("the budget 'channels' is for channels, which masks leave where they are; take parameters or macs")
        if self.budget not in COUNTED and self.pattern != "channels":
            raise ValueError(f"the budget '{self.budget}' is for channels: masks do not change the shape that a cost is a "
                             "function of")
        if self.feedback and (self.pattern == "channels" or self.criterion != "magnitude"):
            raise ValueError("feedback is for masks by magnitude; leave it out with channels and other criteria")
        counts = self.fan_in.values() if isinstance(self.fan_in, dict) else [self.fan_in]
        if not counts or any(count < 1 for count in counts):
            raise ValueError(f"fan_in is {self.fan_in}; give at least 1")
        multiples = self.multiple.values() if isinstance(self.multiple, dict) else [self.multiple]
        if any(multiple < 1 for multiple in multiples):
            raise ValueError(f"multiple is {self.multiple}; give at least 1")
        return self

    def check_layers(self, layers: int) -> None:
        """Whether a network of so many layers has all that are named.

        Raises
        ------
        TrainingError : it has not.
        """
        by_layer = [each for each in (self.multiple, self.fan_in) if isinstance(each, dict)]
        asked = {*(self.layers or ()), *(layer for each in by_layer for layer in each)}
        odd = sorted(layer for layer in asked if not 0 <= layer < layers)
        if odd:
            raise TrainingError(f"pruning: there is no layer {odd[0]}; the network has layers 0 to {layers - 1}")

    def prunes(self, layer: int) -> bool:
        """Whether the layer with this index may lose weights."""
        named = self.pattern != "fan_in" or not isinstance(self.fan_in, dict) or layer in self.fan_in
        return named and (self.layers is None or layer in self.layers)

    def fan_in_of(self, layer: int) -> int:
        """Inputs that each neuron of a layer keeps."""
        return self.fan_in[layer] if isinstance(self.fan_in, dict) else self.fan_in

    def share(self, progress: float) -> float:
        """Share of all that is to go that is gone after this share of the time, 0 to 1."""
        if self.schedule == "one_shot" or progress >= 1:
            return 1.0
        if self.schedule == "iterative":
            return min(1.0, (int(progress * self.steps) + 1) / self.steps)
        return 1 - (1 - progress) ** 3
