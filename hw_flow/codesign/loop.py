"""The search loop: propose, evaluate on workers, record; start, resume and stop at any moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hw_flow.codesign.executor import DaskExecutor, FatalError, Outcome, SerialExecutor, Task, open_executor
from hw_flow.codesign.problem import Problem, load
from hw_flow.codesign.progress import Progress, Silent
from hw_flow.codesign.results import Store, evaluate_cached
from hw_flow.codesign.stopping import Stopping
from hw_flow.codesign.study import Proposal, Study
from hw_flow.codesign.summary import summarise
from hw_flow.errors import FlowError
from hw_flow.storage import digest, locked, read_json, write_json, write_text

# After so many failures with no success the cause is the problem, not the points.
_HOPELESS = 3


@dataclass(frozen=True)
class Evaluator:
    """How points are measured: module-level functions of JSON, so that they travel to workers by name.

    Attributes
    ----------
    version : changes whenever the same point may give another result; part of every result's key.
    prepare : run once, before all evaluations; makes what they share. Its result is stored in ``base.json``.
    evaluate : measures ``{"point", "problem", "directory", "base"}``; gives ``{"metrics": {name: {value, unit, source}}}``
        and ``cpu_seconds``.
    """

    version: str
    evaluate: Task
    prepare: Task | None = None


def run(
    problem: Problem, directory: Path, evaluator: Evaluator | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Search ``problem`` in folder ``directory``; carries on where an earlier run of the same problem stopped.

    Returns
    -------
    The content of ``front.json``; its ``complete`` is False after Ctrl-C.

    Raises
    ------
    FlowError : the folder holds another problem or is in use, no trial could be measured, or a mismatch was found.
    SimError : a tool of the simulator is missing.
    """
    evaluator = evaluator or default_evaluator(problem)
    text = yaml.safe_dump(problem.model_dump(mode="json"), sort_keys=False)
    file = directory / "problem.yaml"
    if file.exists() and load(file).model_dump(exclude={"search"}) != problem.model_dump(exclude={"search"}):
        raise FlowError(f"{directory}: holds the search of another problem; give an empty folder as --output")
    directory.mkdir(parents=True, exist_ok=True)
    stopping = Stopping()
    with _locked(directory), stopping.handled():
        _check_version(directory, evaluator.version)
        write_text(file, text)
        return _Loop(problem, directory, evaluator, progress or Silent(), stopping).run()


def resume(directory: Path, evaluator: Evaluator | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Carry on with the search in ``directory``. See `run`."""
    return run(problem_of(directory), directory, evaluator, progress)


def _check_version(directory: Path, version: str) -> None:
    """Record what measures in this folder; FlowError if it was something else before, whose figures must not be mixed in."""
    path = directory / "version.json"
    found = next((read_json(known)["version"] for known in (path, directory / "base.json") if known.exists()), None)
    if found is None:
        write_json(path, {"version": version})
    elif found != version:
        raise FlowError(
            f"{directory}: was measured by version '{found}', this is '{version}', and their figures do not mix; "
            f"start a new search with 'bitwright search run {directory / 'problem.yaml'} --output NEW' (nothing here was changed)"
        )


def problem_of(directory: Path) -> Problem:
    """The problem that is searched in ``directory``; FlowError if none is."""
    file = directory / "problem.yaml"
    if not file.exists():
        raise FlowError(f"{directory}: holds no search (no problem.yaml); start one with 'bitwright search run PROBLEM.yaml'")
    return load(file)


def default_evaluator(problem: Problem) -> Evaluator:
    """Training, the rtl back end, Verilator and Yosys; the version covers the samples too, where they lie in files."""
    from hw_flow.codesign import evaluate
    from hw_flow.codesign.version import measurement_version
    from hw_flow.preflight import check_tools

    # Before anything slow: this also finds out whether a tool is missing.
    version = measurement_version(evaluate.VERSION, {**check_tools(), **_samples(problem)})
    return Evaluator(version, evaluate.evaluate, evaluate.prepare)


def _samples(problem: Problem) -> dict[str, str]:
    from quant_training.sources import data_files

    files = data_files(problem.dataset.name, problem.dataset.folder)
    return {"data": digest(path.read_bytes() for path in files)[:12]} if files else {}


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep a second driver out; the lock dies with the process."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(directory / ".lock", wait=False))
        except BlockingIOError as error:
            raise FlowError(f"{directory}: another search is running here; wait for it or give another folder") from error
        yield


@dataclass
class _Loop:
    problem: Problem
    directory: Path
    evaluator: Evaluator
    progress: Progress
    stopping: Stopping
    flying: dict[str, Proposal] = field(default_factory=dict)
    reused: int = 0
    failures: int = 0
    base: dict[str, object] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        started = time.monotonic()
        limit, spent = self.problem.search.time_limit_s, self._spent()
        self.deadline = started + limit - spent if limit is not None else float("inf")
        self.store = Store(self.directory)
        self.study = Study(self.problem, self.directory, self.evaluator.version)
        self._note(f"search of {self.problem.search.trials} trials, {self.study.done} of them done")
        complete = interrupted = False
        self.progress.start(self.problem.search.trials, self.study.done, self.problem.search.workers)
        try:
            if self.study.done < self.problem.search.trials and (not self.study.done or started < self.deadline):
                search = self.problem.search
                with open_executor(search.executor, search.workers, self.directory / ".dask") as executor:
                    self._prepare(executor)
                    self._search(executor)
            complete = any(self.study.measured.values())
        except KeyboardInterrupt:
            interrupted = True
            self._note("interrupted")
            with self.stopping.held():
                self._collect()
        finally:
            self.progress.stop()
            summary = summarise(self.problem, self.study, self.store, complete=complete, reused=self.reused)
            summary["seconds"] = self._seconds(time.monotonic() - started, spent)
            write_json(self.directory / "front.json", summary)
            self.study.close()
        self._note(f"{'complete' if complete else 'stopped'}: {self.study.done} trials, front of {len(summary['front'])}")
        if not summary["front"] and not interrupted:
            raise FlowError(self._nothing())
        return summary

    def _nothing(self) -> str:
        """Why there is no front."""
        name, limit = self.problem.name, self.problem.search.time_limit_s
        if not self.study.measured:
            return f"{name}: no trial was begun within {limit:g} s; raise search.time_limit_s"
        return f"{name}: all {self.study.done} trials failed; see {self.directory / 'search.log'}"

    def _prepare(self, executor: SerialExecutor | DaskExecutor) -> None:
        if self.evaluator.prepare is None:
            return
        path = self.directory / "base.json"
        if path.exists():
            self.base = read_json(path)
            if self.base["version"] == self.evaluator.version:
                return
        self.progress.say("training the shared checkpoint")
        executor.submit("base", self.evaluator.prepare, self._argument())
        for outcome in executor.as_completed():
            if outcome.result is None:
                self._note(f"shared checkpoint: {outcome.error}\n{outcome.detail}")
                if outcome.fatal:
                    raise FatalError(outcome.error)
                raise FlowError(f"{self.problem.name}: the shared checkpoint could not be trained ({outcome.error})")
            self.base = {"version": self.evaluator.version, **outcome.result}
        write_json(path, self.base)

    def _argument(self) -> dict[str, Any]:
        return {"problem": self.problem.model_dump(mode="json"), "directory": str(self.directory.resolve()), "base": self.base}

    def _search(self, executor: SerialExecutor | DaskExecutor) -> None:
        with self.stopping.held():
            left = self.study.recover()
        for proposal in left:
            self._start(executor, proposal)
        self._fill(executor)
        while self.flying:
            for outcome in executor.as_completed():
                self._finish(outcome)
                self._fill(executor)

    def _fill(self, executor: SerialExecutor | DaskExecutor) -> None:
        while len(self.flying) < executor.workers and self.study.done + len(self.flying) < self.problem.search.trials:
            if time.monotonic() > self.deadline:
                self._note(f"time limit of {self.problem.search.time_limit_s:g} s reached")
                break
            with self.stopping.held():
                proposal = self.study.ask()
            if proposal is None:
                break
            self._start(executor, proposal)

    def _start(self, executor: SerialExecutor | DaskExecutor, proposal: Proposal) -> None:
        known = self.store.get(proposal.key)
        if known is not None:
            self.reused += 1
            self._tell(proposal, known, "found in its file")
            return
        self.flying[proposal.key] = proposal
        argument = {**self._argument(), "point": proposal.point.to_json(), "key": proposal.key}
        task = {
            "directory": str(self.directory.resolve()), "key": proposal.key,
            "evaluate": self.evaluator.evaluate, "argument": argument,
        }
        executor.submit(proposal.key, evaluate_cached, task)

    def _finish(self, outcome: Outcome) -> None:
        proposal = self.flying[outcome.key]
        # A worker may die between writing the file and handing its content over.
        result = outcome.result or self.store.get(outcome.key)
        if result is not None:
            self._tell(proposal, result, "measured")
            del self.flying[outcome.key]  # last: Ctrl-C before this leaves the result to `_collect`
            return
        del self.flying[outcome.key]
        self._note(f"{proposal.key} {proposal.point.label}: {outcome.status}: {outcome.error}\n{outcome.detail}")
        if outcome.fatal:
            raise FatalError(f"{proposal.point.label}: {outcome.error}")
        with self.stopping.held():
            again = self.study.fail(proposal, outcome.error, retry=outcome.status == "died")
        self.failures += not again
        self.progress.say(f"{proposal.point.label}: {outcome.error}{'; tried again' if again else ''}")
        if self.failures >= _HOPELESS and not any(self.study.measured.values()):
            raise FlowError(f"{self.problem.name}: the first {self.failures} trials all failed; the last one: {outcome.error}")
        if not again:
            self.progress.advance(self.study.done, self._best())

    def _collect(self) -> None:
        """Record what workers finished while the driver was stopping."""
        for proposal in self.flying.values():
            result = self.store.get(proposal.key)
            if result is not None and proposal.point not in self.study.measured:
                self._tell(proposal, result, "measured")

    def _tell(self, proposal: Proposal, result: dict[str, Any], how: str) -> None:
        with self.stopping.held():
            self.study.tell(proposal, result)
        shown = ", ".join(f"{name} {result['metrics'][name]['value']:g}" for name in self.problem.objectives)
        self._note(f"{proposal.key} {proposal.origin} {proposal.point.label}: {how}: {shown}")
        self.progress.advance(self.study.done, self._best())

    def _best(self) -> str:
        """Best value of each objective so far."""
        parts = []
        for name, way in zip(self.problem.objectives, self.problem.directions, strict=True):
            values = [result["metrics"][name]["value"] for result in self.study.measured.values() if result]
            if values:
                best = max(values) if way == "maximize" else min(values)
                parts.append(f"{name} {best:.2%}" if name == "accuracy" else f"{name} {best:,.0f}")
        return "best " + ", ".join(parts) if parts else ""

    def _spent(self) -> float:
        """Seconds that earlier runs in this folder took; one that was killed does not count."""
        path = self.directory / "front.json"
        seconds = read_json(path).get("seconds", {}) if path.exists() else {}
        return float(seconds.get("all_runs", 0.0)) if isinstance(seconds, dict) else 0.0

    def _seconds(self, this_run: float, before: float) -> dict[str, float]:
        """Wall time of this run and of all, and processor time of all evaluations, those of earlier runs too."""
        results = [result for result in self.study.measured.values() if result]
        whole = {"this_run": round(this_run, 1), "all_runs": round(before + this_run, 1)}
        return {**whole, "evaluations_cpu": round(sum(r.get("cpu_seconds", 0.0) for r in results), 1)}

    def _note(self, text: str) -> None:
        with (self.directory / "search.log").open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")
