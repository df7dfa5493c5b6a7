"""The Optuna study: ask and tell by a single writer, on SQLite, resumable after any kill."""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw_flow.codesign.points import Point, digest, dimensions, encode, neighbours, resolve
from hw_flow.codesign.problem import Problem
from hw_flow.codesign.results import Store
from hw_flow.codesign.seeds import seeds
from hw_flow.errors import FlowError

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

# Duplicates that a sampler may propose in a row before a neighbour of a measured point is taken instead.
_PATIENCE = 8

# A point may kill its worker once; one that is swept along by others is queued again, but not for ever.
_CHANCES = 2
_DEATHS = 8


@dataclass(frozen=True)
class Proposal:
    """A trial to be evaluated.

    Attributes
    ----------
    number : of the trial in the study.
    key : name of the result file.
    origin : who proposed it: a seed's tag, ``sampler`` or ``neighbour``.
    second : whether a worker died on this point before.
    """

    number: int
    key: str
    point: Point
    origin: str
    second: bool = False


class Study:
    """Owns ``DIR/study.db``; nobody else opens it.

    Parameters
    ----------
    directory : the search folder.
    version : version of the evaluation, part of every key.

    Attributes
    ----------
    measured : per point, its result (the content of its file), or None where the evaluation failed in this run; what
        failed in an earlier run is tried again first.
    """

    def __init__(self, problem: Problem, directory: Path, version: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._states = optuna.trial.TrialState
        self._problem, self._version = problem, version
        self._store = Store(directory)
        self._space = dimensions(problem)
        self._storage = optuna.storages.RDBStorage(f"sqlite:///{directory.resolve() / 'study.db'}")
        self._study = optuna.create_study(
            storage=self._storage, study_name=problem.name, directions=list(problem.directions), load_if_exists=True,
        )
        trials = self._study.get_trials(deepcopy=False)
        # The history moves the seed on, else a resumed sampler would repeat its first random proposals.
        self._study.sampler = make_sampler(problem, problem.search.seed + len(trials))
        self._random = random.Random(problem.search.seed + len(trials))
        self._origins = {trial.user_attrs["origin"] for trial in trials if "origin" in trial.user_attrs}
        self.measured: dict[Point, dict[str, Any] | None] = {}
        self._in_flight: dict[Point, Proposal] = {}
        failed = self._store.count("failed")
        again: dict[Point, str] = {}
        for trial in trials:
            if len(trial.params) == len(self._space):
                point = resolve(self._space, trial.params)
                if trial.state == self._states.COMPLETE:
                    self.measured[point] = self._result_of(point, trial.number)
                elif self.key(point) in failed:
                    again[point] = trial.user_attrs.get("origin", "sampler")
        waiting = [trial.system_attrs.get("fixed_params") for trial in trials if trial.state == self._states.WAITING]
        for point, origin in again.items():
            if point not in self.measured and encode(self._space, point) not in waiting:
                self._enqueue(point, origin)

    def _result_of(self, point: Point, number: int) -> dict[str, Any]:
        result = self._store.get(self.key(point))
        if result is None:
            path = self._store.path(self.key(point))
            raise FlowError(f"{path}: missing, but the study holds trial {number}; restore the file or start a new search")
        return result

    def key(self, point: Point) -> str:
        """Name of the point's result file."""
        return digest(self._problem, point, self._version)

    @property
    def done(self) -> int:
        """Points measured, or failed in this run."""
        return len(self.measured)

    def recover(self) -> list[Proposal]:
        """Trials that a killed driver left running, to be handed out again under the same numbers.

        One that had no parameters yet is given up; if it was queued by name, it is queued again.
        """
        found = []
        for trial in self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,)):
            if len(trial.params) == len(self._space):
                point = resolve(self._space, trial.params)
                proposal = self._proposal(trial, point)
                if proposal is not None:
                    found.append(proposal)
            else:
                fixed = trial.system_attrs.get("fixed_params")
                if fixed:
                    self._study.enqueue_trial(fixed, user_attrs=dict(trial.user_attrs))
                self._drop(trial.number)
        return found

    def ask(self) -> Proposal | None:
        """The next point that is neither measured nor in flight; None once the whole space is."""
        for origin, point in seeds(self._problem, {p: accuracy_and_luts(r) for p, r in self.measured.items()}):
            if origin not in self._origins:
                self._enqueue(point, origin)
        for _ in range(_PATIENCE):
            proposal = self._next()
            if proposal is not None:
                return proposal
        while (spare := self._unseen()) is not None:
            self._enqueue(spare, "neighbour")
            proposal = self._next()
            if proposal is not None:
                return proposal
        return None

    def _enqueue(self, point: Point, origin: str, **attrs: Any) -> None:
        self._origins.add(origin)
        self._study.enqueue_trial(encode(self._space, point), user_attrs={"origin": origin, **attrs})

    def _next(self) -> Proposal | None:
        trial = self._study.ask()
        params = {d.name: trial.suggest_int(d.name, 0, len(d.candidates) - 1) for d in self._space}
        return self._proposal(trial, resolve(self._space, params))

    def _proposal(self, trial: Trial | FrozenTrial, point: Point) -> Proposal | None:
        if point in self.measured or point in self._in_flight:
            self._drop(trial.number)
            return None
        attrs = trial.user_attrs
        proposal = Proposal(trial.number, self.key(point), point, attrs.get("origin", "sampler"), attrs.get("second", False))
        self._in_flight[point] = proposal
        return proposal

    def _drop(self, number: int) -> None:
        self._study.tell(number, state=self._states.FAIL)

    def _unseen(self) -> Point | None:
        """A random point one step away from those seen; None if they are the whole space."""
        seen = [encode(self._space, point) for point in (*self.measured, *self._in_flight)]
        known = {tuple(params.values()) for params in seen}
        fresh = {tuple(new.values()): new for params in seen for new in neighbours(self._space, params)}
        choice = sorted(fresh.keys() - known)
        return resolve(self._space, fresh[self._random.choice(choice)]) if choice else None

    def tell(self, proposal: Proposal, result: dict[str, Any]) -> None:
        """Record the measured result of a proposal."""
        values = [float(result["metrics"][name]["value"]) for name in self._problem.objectives]
        self._study.tell(proposal.number, values, skip_if_finished=True)  # Ctrl-C may have come after it once
        self._in_flight.pop(proposal.point, None)
        self.measured[proposal.point] = result

    def fail(self, proposal: Proposal, error: str, *, retry: bool) -> bool:
        """Record a failure; with ``retry`` the point is queued once more unless this was its second chance.

        A point that died before it began (its worker fell with another task) has not used its chance.

        Returns
        -------
        Whether it will be evaluated again.
        """
        unused = self._store.count("started")[proposal.key] < _CHANCES and self._store.count("died")[proposal.key] < _DEATHS
        again = retry and (not proposal.second or unused)
        self._store.log("died" if again else "failed", proposal.key, error=error)
        self._in_flight.pop(proposal.point, None)
        if again:
            self._enqueue(proposal.point, proposal.origin, second=True)
        else:
            self.measured[proposal.point] = None
        self._drop(proposal.number)
        return again

    def origins(self) -> dict[Point, str]:
        """Who proposed each measured point."""
        found: dict[Point, str] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state == self._states.COMPLETE:
                found.setdefault(resolve(self._space, trial.params), trial.user_attrs.get("origin", "sampler"))
        return found

    def close(self) -> None:
        """Release the database."""
        self._storage.remove_session()


def accuracy_and_luts(result: dict[str, Any] | None) -> tuple[float, float] | None:
    """What the seeds need of a result."""
    return None if result is None else (result["metrics"]["accuracy"]["value"], result["metrics"]["luts"]["value"])


def make_sampler(problem: Problem, seed: int) -> BaseSampler:
    """The sampler by name; ``auto`` takes TPE up to 1000 trials, NSGA-II beyond."""
    from optuna import samplers

    name = problem.search.sampler
    if name == "auto":
        name = "tpe" if problem.search.trials <= 1000 else "nsga2"
    if name == "nsga2":
        return samplers.NSGAIISampler(population_size=max(10, min(50, problem.search.trials // 10)), seed=seed)
    if name == "gp":
        return samplers.GPSampler(seed=seed)
    if name == "random":
        return samplers.RandomSampler(seed=seed)
    return samplers.TPESampler(multivariate=True, constant_liar=True, n_startup_trials=8, n_ei_candidates=64, seed=seed)
