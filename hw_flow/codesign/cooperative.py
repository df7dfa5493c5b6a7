"""Pruning in turns with the hardware: measure, remove channels where it hurts the hardware most and accuracy least, fine-tune.

Each round plans with what the last build measured, scaled by a formula of the shape (`hw_flow.codesign.forecast`). The next build
corrects that. A round that costs too much accuracy is taken back and tried with half the step; halves that lead to a network that
was taken back already, as they do where hardware has steps, are passed over.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hw_flow.codesign.forecast import Objective
from hw_flow.codesign.meter import Measured, Meter
from hw_flow.codesign.progress import Progress, Silent
from hw_flow.codesign.rounds import Round, bottleneck_of, read_rounds, shape_key, told, value_of, write_rounds
from hw_flow.errors import FlowError
from hw_flow.steps import Steps
from hw_flow.storage import digest

if TYPE_CHECKING:
    from models import Network
    from quant_training import Dataset, TrainConfig


class CooperativeConfig(BaseModel):
    """How far to go.

    Attributes
    ----------
    objective : ``luts``, of everything, or ``cycles`` a frame.
    keep : share of the objective, against the network given, that is wanted.
    step : share of the objective that a round tries to remove.
    drop : validation accuracy that may be lost in all, 0 to 1.
    rounds : builds at most, besides the first.
    least_step : stop when a step has to be made smaller than this.
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
            from quant_training.settings import one_line

            raise FlowError(one_line("cooperative pruning", error, type(self))) from error


@dataclass(frozen=True, eq=False)
class Cooperation:
    """What came out.

    Attributes
    ----------
    model : the smallest network that kept its accuracy.
    rounds : all that were built, the first one being the network given.
    reached : whether the wanted share was.
    stopped : why there are no more rounds.
    """

    model: Network
    rounds: list[Round]
    reached: bool
    stopped: str

    @property
    def last(self) -> Round:
        """The round that ``model`` comes from."""
        return [one for one in self.rounds if one.accepted][-1]


def cooperate(
    model: Network, data: Dataset, config: CooperativeConfig, tuning: TrainConfig, directory: Path, *, meter: Meter,
    steps: Steps | None = None, progress: Progress | None = None, masked: bool = False,
) -> Cooperation:
    """Prune ``model`` until the hardware is as small, or as fast, as ``config`` wants.

    Parameters
    ----------
    model : trained, with a type for every tensor.
    tuning : of each round.
    directory : gets a folder a round with network, build and figures, and ``cooperative.json``. What was interrupted there is
        carried on: rounds that are done are not repeated, and a fine-tuning goes on from its last snapshot.
    meter : measures a network, see `HardwareMeter`.
    progress : told after each round.
    masked : weights that are zero stay so.

    Raises
    ------
    FlowError : no validation samples to judge by, a build fails, hardware is not bit-exact, or ``directory`` holds another run.
    """
    if not len(data.val):
        raise FlowError(f"cooperative pruning: {data.name} has no validation samples to judge by; set val_fraction above 0")
    key = _key(model, data, config, tuning, meter) + (" masked" if masked else "")
    run = _Run(data, config, tuning, directory, meter, steps or Steps(), key, masked)
    shown = progress or Silent()
    rounds = read_rounds(directory, run.key)
    shown.start(config.rounds + 1, len(rounds), 1)
    try:
        if not rounds:
            rounds = run.save([*rounds, run.judged(0, model, None)])
            shown.advance(1, told(rounds, config.objective))
        state = run.state(model, rounds)
        while (stopped := run.over(state, rounds)) is None:
            smaller = run.smaller(state, max(run.wanted(rounds), (1 - state.step) * state.value))
            if smaller is None or shape_key(smaller.spec.to_dict()) in state.refused:
                state = replace(state, step=state.step / 2)
                continue
            tuned = run.tuned(smaller, len(rounds))
            rounds = run.save([*rounds, run.judged(len(rounds), tuned, state, rounds[0].accuracy - config.drop)])
            state = run.next(state, tuned, rounds[-1])
            shown.advance(len(rounds), told(rounds, config.objective))
        shown.say(f"stopped: {stopped}")
    finally:
        shown.stop()
    return Cooperation(state.model, rounds, state.value <= run.wanted(rounds), stopped)


@dataclass(frozen=True, eq=False)
class _State:
    """The best network so far, its hardware, the objective's value, the next step, and what was taken back from here."""

    model: Network
    measured: Measured
    value: float
    step: float
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class _Run:
    """What all rounds share."""

    data: Dataset
    config: CooperativeConfig
    tuning: TrainConfig
    directory: Path
    meter: Meter
    steps: Steps
    key: str
    masked: bool

    def folder(self, number: int) -> Path:
        return self.directory / f"round-{number}"

    def wanted(self, rounds: list[Round]) -> float:
        return self.config.keep * value_of(rounds[0].measured, self.config.objective)

    def save(self, rounds: list[Round]) -> list[Round]:
        write_rounds(self.directory, self.key, rounds)
        shutil.rmtree(self.folder(rounds[-1].number) / "training", ignore_errors=True)
        return rounds

    def state(self, model: Network, rounds: list[Round]) -> _State:
        """Where the noted rounds lead."""
        import models

        first = rounds[0].measured
        state = _State(model, first, value_of(first, self.config.objective), self.config.step)
        for one in rounds[1:]:
            state = self.next(state, models.load(self.folder(one.number)) if one.accepted else model, one)
        return state

    def next(self, state: _State, model: Network, judged: Round) -> _State:
        step = state.step if judged.step is None else judged.step
        if not judged.accepted:
            return replace(state, step=step / 2, refused=state.refused | {shape_key(judged.shape)})
        return _State(model, judged.measured, value_of(judged.measured, self.config.objective), step)

    def over(self, state: _State, rounds: list[Round]) -> str | None:
        """Why there is no next round; None if there is."""
        if state.value <= self.wanted(rounds):
            return "the wanted share is reached"
        if len(rounds) > self.config.rounds:
            return f"all {self.config.rounds} rounds are used"
        if state.step < self.config.least_step:
            taken = f"{len(state.refused)} were taken back" if state.refused else "no more channels can go"
            return f"no other smaller network is in reach of steps of at least {100 * self.config.least_step:g} %; {taken}"
        return None

    def judged(self, number: int, model: Network, state: _State | None, floor: float = 0.0) -> Round:
        """Build and measure a network."""
        from quant_training.metrics import evaluate

        measured = self.meter(model, self.folder(number))
        accuracy, objective = evaluate(model, self.data.val), self.config.objective
        accepted = state is None or (value_of(measured, objective) < state.value and accuracy >= floor)
        tested, shape = evaluate(model, self.data.test), model.spec.to_dict()
        step = None if state is None else state.step
        return Round(number, accuracy, tested, measured, shape, accepted, bottleneck_of(measured, objective), step)

    def smaller(self, state: _State, limit: float) -> Network | None:
        """The network without the channels that the plan takes; None if not so many can go."""
        from quant_training.errors import BudgetError
        from quant_training.pruning import PruneConfig, prune

        config, model = self.config, state.model
        settings = PruneConfig(pattern="channels", criterion=config.criterion, budget="cost", limit=limit,
                               multiple=config.multiple, least=config.least)
        with self.steps("prune"):
            try:
                cost = self.meter.forecast(state.measured, model.spec, model.bits, config.objective)
                return prune(model, self.data, settings, cost=cost).model
            except BudgetError:
                return None

    def tuned(self, pruned: Network, number: int) -> Network:
        """The network of round ``number``, fine-tuned."""
        import models
        from quant_training import train
        from quant_training.pruning.masks import hold

        folder = self.folder(number)
        if (folder / "tuned").exists():
            return models.load(folder)
        with self.steps("fine-tune", own_display=self.tuning.progress):
            tuning = self.tuning.model_copy(update={"output": folder / "training", "resume": True})
            train(pruned, self.data, tuning, [hold(pruned)] if self.masked else [])
        models.save(pruned, folder)
        (folder / "tuned").touch()  # last: the network is complete
        return pruned


def _key(model: Network, data: Dataset, config: CooperativeConfig, tuning: TrainConfig, meter: Meter) -> str:
    """Hash of all that determines the result."""
    described = [model.spec.to_dict(), model.bits.to_dict(), tuning.decisive(), config.model_dump(), meter.key()]
    tensors = [tensor.detach().cpu().numpy().tobytes() for tensor in model.state_dict().values()]
    arrays = [part.tobytes() for split in (data.train, data.val) for part in (split.integers, split.labels)]
    return digest([json.dumps(described, sort_keys=True, default=str), *tensors, *arrays])
