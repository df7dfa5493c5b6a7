"""Pruning in turns with the hardware: measure, remove channels where it hurts the hardware most and accuracy least, fine-tune.

Each round plans with what the last build measured: a layer's LUTs, or cycles, are taken as proportional to its weights times
positions. The next build corrects that. A round that costs too much accuracy is taken back and tried with half the step.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hw_flow.codesign.meter import Measured, Meter
from hw_flow.errors import FlowError
from hw_flow.storage import write_json

if TYPE_CHECKING:
    from models import BitConfig, Network, Spec
    from quant_training import Dataset, TrainConfig

Objective = Literal["luts", "cycles"]


class CooperativeConfig(BaseModel):
    """How far to go.

    Attributes
    ----------
    objective : ``luts``, of everything, or ``cycles``, of the slowest layer.
    keep : share of the objective, against the network given, that is wanted.
    step : share of the objective that a round tries to remove.
    drop : validation accuracy that may be lost in all, 0 to 1.
    rounds : builds at most, besides the first.
    least_step : stop when a step had to be made smaller than this.
    criterion, multiple, least : see `quant_training.pruning.PruneConfig`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    objective: Objective = "luts"
    keep: float = Field(default=0.5, gt=0, lt=1)
    step: float = Field(default=0.25, gt=0, lt=1)
    drop: float = Field(default=0.02, ge=0, le=1)
    rounds: int = Field(default=6, ge=1)
    least_step: float = Field(default=0.04, gt=0)
    criterion: Literal["magnitude", "activation", "taylor", "fisher", "random"] = "taylor"
    multiple: int = Field(default=1, ge=1)
    least: int = Field(default=2, ge=1)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise FlowError(f"cooperative pruning: {where} is {first['input']!r}: {first['msg'].lower()}") from error


@dataclass(frozen=True, eq=False)
class Round:
    """One network that was built.

    Attributes
    ----------
    number : 0 for the network given.
    accuracy, test_accuracy : on the validation and the test part, 0 to 1.
    measured : its hardware.
    shape : its shape, plain values.
    accepted : whether it was kept.
    bottleneck : layer with most LUTs, or most cycles.
    """

    number: int
    accuracy: float
    test_accuracy: float
    measured: Measured
    shape: dict[str, Any]
    accepted: bool
    bottleneck: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "measured": self.measured.to_json()}


@dataclass(frozen=True, eq=False)
class Cooperation:
    """What came out.

    Attributes
    ----------
    model : the smallest network that kept its accuracy.
    rounds : all that were built, the first one being the network given.
    reached : whether the wanted share was.
    """

    model: Network
    rounds: list[Round]
    reached: bool


def value_of(measured: Measured, objective: Objective) -> float:
    """The number that is to become smaller."""
    return measured.total_luts if objective == "luts" else float(max(measured.cycles))


def planned(measured: Measured, spec: Spec, bits: BitConfig, objective: Objective) -> Callable[[Spec, BitConfig], float]:
    """The objective as a function of the shape, from the measurement of shape ``spec`` with types ``bits``."""
    from quant_training.size import layer_sizes

    before = [layer.macs for layer in layer_sizes(spec, bits)]

    def cost(smaller: Spec, types: BitConfig) -> float:
        shares = [layer.macs / whole for layer, whole in zip(layer_sizes(smaller, types), before, strict=True)]
        if objective == "luts":
            return measured.rest_luts + sum(luts * share for luts, share in zip(measured.luts, shares, strict=True))
        return max(cycles * share for cycles, share in zip(measured.cycles, shares, strict=True))

    return cost


def cooperate(model: Network, data: Dataset, config: CooperativeConfig, tuning: TrainConfig, directory: Path, *, meter: Meter,
              ) -> Cooperation:
    """Prune ``model`` until the hardware is as small, or as fast, as ``config`` wants.

    Parameters
    ----------
    model : trained, with a type for every tensor.
    tuning : of each round.
    directory : gets a folder a round with network, build and figures, and ``cooperative.json``.
    meter : measures a network, see `HardwareMeter`.

    Raises
    ------
    FlowError : no validation samples to judge by, a build fails, or hardware is not bit-exact.
    """
    from quant_training.metrics import evaluate

    if not len(data.val):
        raise FlowError(f"cooperative pruning: {data.name} has no validation samples to judge by; set val_fraction above 0")
    measured, whole = meter(model, directory / "round-0"), evaluate(model, data.val)
    wanted, floor, step = config.keep * value_of(measured, config.objective), whole - config.drop, config.step
    shape, tested = model.spec.to_dict(), evaluate(model, data.test)
    rounds = [Round(0, whole, tested, measured, shape, True, _bottleneck(measured, config.objective))]
    _save(rounds, directory)
    while len(rounds) <= config.rounds and value_of(measured, config.objective) > wanted and step >= config.least_step:
        number = len(rounds)
        smaller = _smaller(model, data, config, measured, max(wanted, (1 - step) * value_of(measured, config.objective)))
        if smaller is None:
            break
        folder = directory / f"round-{number}"
        _tune(smaller, data, tuning, folder)
        figures = meter(smaller, folder)
        better = value_of(figures, config.objective) < value_of(measured, config.objective)
        accuracy, tested, shape = evaluate(smaller, data.val), evaluate(smaller, data.test), smaller.spec.to_dict()
        accepted = better and accuracy >= floor
        rounds.append(Round(number, accuracy, tested, figures, shape, accepted, _bottleneck(figures, config.objective)))
        _save(rounds, directory)
        if accepted:
            model, measured = smaller, figures
        else:
            step /= 2
    return Cooperation(model, rounds, value_of(measured, config.objective) <= wanted)


def _smaller(model: Network, data: Dataset, config: CooperativeConfig, measured: Measured, limit: float) -> Network | None:
    """``model`` without the channels that the plan takes; None if nothing more can go."""
    from quant_training import TrainingError
    from quant_training.pruning import PruneConfig, prune

    cost = planned(measured, model.spec, model.bits, config.objective)
    settings = PruneConfig(
        pattern="channels", criterion=config.criterion, budget="cost", limit=limit, multiple=config.multiple, least=config.least,
    )
    try:
        return prune(model, data, settings, cost=cost).model
    except TrainingError as error:
        if "can be lowered" in str(error):
            return None
        raise


def _tune(model: Network, data: Dataset, tuning: TrainConfig, folder: Path) -> None:
    import models
    from quant_training import train

    train(model, data, tuning.model_copy(update={"output": None, "resume": False}))
    models.save(model, folder)


def _bottleneck(measured: Measured, objective: Objective) -> int:
    by_layer = measured.luts if objective == "luts" else measured.cycles
    return max(range(len(by_layer)), key=lambda layer: by_layer[layer])


def _save(rounds: list[Round], directory: Path) -> None:
    plain = json.loads(json.dumps([one.to_json() for one in rounds]))
    write_json(directory / "cooperative.json", {"version": 1, "rounds": plain})
