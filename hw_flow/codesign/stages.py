"""What hardware adds to recipes: the stage ``cooperate``, and the cost model for learned bit widths and as a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from hw_flow.codesign.cooperative import CooperativeConfig, cooperate
from hw_flow.codesign.meter import HardwareMeter
from hw_flow.codesign.rounds import value_of
from hw_flow.cost.shape import ShapeCost
from hw_flow.cost.training import cycle_cost, lut_cost
from hw_flow.errors import FlowError
from hw_flow.steps import Steps
from quant_training import TrainingError
from quant_training.recipes import Kind, Outcome, Plugins

if TYPE_CHECKING:
    from hw_flow.codesign.forecast import Forecast
    from models import BitConfig, Spec
    from quant_training.recipes.stages import Work


class CooperateSettings(CooperativeConfig):
    """A cooperative pruning as a stage.

    Attributes
    ----------
    target_cycles, unfold, budget_luts, target, samples : see `HardwareMeter`.
    """

    target_cycles: int | None = Field(default=None, ge=1)
    unfold: bool = False
    budget_luts: int | None = Field(default=None, ge=1)
    target: str = Field(default="xc7", pattern="^(xc7|xcup|ecp5|ice40|generic)$")
    samples: int = Field(default=8, ge=2)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except FlowError as error:  # a recipe names the stage of such
            raise TrainingError(str(error)) from error

    @model_validator(mode="after")
    def _folding(self) -> CooperateSettings:
        given = self.budget_luts is not None if self.objective == "cycles" else (self.target_cycles is not None) != self.unfold
        other = (self.target_cycles is not None or self.unfold) if self.objective == "cycles" else self.budget_luts is not None
        if not given or other:
            wanted = "budget_luts" if self.objective == "cycles" else "target_cycles or unfold"
            raise ValueError(f"the objective {self.objective} needs {wanted}, and nothing else that folds")
        return self


def plugins() -> Plugins:
    """All that this package adds to recipes."""
    return Plugins(
        {"cooperate": Kind(CooperateSettings, _cooperate)},
        {"luts": lambda cycles: lut_cost(int(cycles)), "cycles": cycle_cost},
        {"luts": lambda cycles: _told(ShapeCost("luts", cycles)), "cycles": lambda luts: _told(ShapeCost("cycles", luts))},
    )


def _told(price: ShapeCost) -> Forecast:
    """``price``, whose faults a recipe tells with the name of the stage."""
    def cost(spec: Spec, bits: BitConfig) -> float:
        try:
            return price(spec, bits)
        except FlowError as error:
            raise TrainingError(str(error)) from error

    return cost


def _cooperate(work: Work) -> Outcome:
    """Prune in turns with measured hardware; rounds stay beside the network, in ``hardware``."""
    settings: CooperateSettings = work.stage.technique
    model = work.before
    if model is None or not model.bits.quantised:
        raise TrainingError("the network has float tensors, which no hardware can be built of; put distil or lower before it")
    shown = None
    if work.progress:
        from rich.console import Console

        from hw_flow.codesign.progress import Live

        shown = Live(Console(stderr=True), label=work.stage.name, unit="round")
    steps = Steps(shown)
    meter = HardwareMeter(work.data, settings.target, settings.target_cycles, settings.unfold, settings.budget_luts,
                          settings.samples, steps)
    tuning = work.config().model_copy(update={"progress": False})
    try:
        found = cooperate(model, work.data, settings, tuning, work.folder.with_name("hardware"), meter=meter, steps=steps,
                          progress=shown, masked=work.masked)
    except FlowError as error:
        raise TrainingError(str(error)) from error
    first, last, objective, built = found.rounds[0].measured, found.last.measured, settings.objective, len(found.rounds)
    share = value_of(last, objective) / value_of(first, objective)
    note = (f"{last.total_luts:,.0f} of {first.total_luts:,.0f} LUTs ({last.sources['luts']}), {last.interval_cycles:,} of "
            f"{first.interval_cycles:,} cycles a frame ({last.sources['interval_cycles']}), {built} networks built and "
            f"bit-exact; {objective} at {100 * share:.0f} %, wanted {100 * settings.keep:.0f} %"
            + f"; {found.stopped}" * (not found.reached))
    return Outcome(found.model.eval(), work.masked, {"hardware": last.to_json(), "reached": found.reached, "note": note})
