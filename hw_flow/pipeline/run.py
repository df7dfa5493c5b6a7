"""The whole chain: train, export, build, simulate, synthesise, report; resumable after a kill."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_flow import api, backends
from hw_flow.backends import BuildOptions, inputs, measure, synthesis
from hw_flow.backends.directory import build_key, code_digest, current, locked, read_input
from hw_flow.errors import FlowError
from hw_flow.pipeline.config import RunConfig
from hw_flow.pipeline.journal import Journal
from hw_flow.report.schema import Figure, Report
from hw_flow.steps import Steps
from hw_flow.storage import digest, write_text

if TYPE_CHECKING:
    from hw_flow.backends import Build
    from hw_flow.ir.tensor import FloatArray, IntArray


@dataclass(frozen=True)
class RunResult:
    """What a run left.

    Attributes
    ----------
    directory : holds ``train/``, ``export/``, ``build/``, ``report.json``, ``report.png``, ``report/`` and ``run.json``.
    report : the report of the build with the accuracies and the seconds of the whole run.
    reused : steps that were done before and not repeated.
    """

    directory: Path
    report: Report
    reused: tuple[str, ...]


def run(config: RunConfig, directory: Path, steps: Steps | None = None) -> RunResult:
    """Run ``config`` in ``directory``; steps done there with the same settings are not repeated.

    Raises
    ------
    FlowError, TrainingError, ModelError, SimError : one line for a fault of the input.
    """
    with locked(directory):
        return _Chain(config, directory, steps or Steps()).run()


class _Chain:
    def __init__(self, config: RunConfig, directory: Path, steps: Steps) -> None:
        self.config = config
        self.directory = directory
        self.steps = steps
        self.journal = Journal.open(directory)
        write_text(directory / "config.json", config.model_dump_json(indent=2) + "\n")

    def run(self) -> RunResult:
        self._preflight()
        trained: dict[str, Any] = {}
        if self.config.train is not None:
            trained = self._train()
            model = self._export()
        else:
            assert self.config.model is not None
            model = self.config.model
        build = self._build(model)
        measured = self._simulate(build)
        for target in self.config.synth.targets:
            self._synth(build, target)
        report = self._report(build, trained, measured)
        return RunResult(self.directory, report, tuple(self.journal.reused))

    def _preflight(self) -> None:
        """What would only fail after the training: tools, targets, files."""
        from hw_flow.preflight import check_tools

        check_tools(synthesis=bool(self.config.synth.targets))
        backends.get(self.config.build.backend)
        for target in self.config.synth.targets:
            synthesis.check_target(target)
        self._build_options_given()

    def _train(self) -> dict[str, Any]:
        from quant_training import TrainConfig, run_training

        folder = self.directory / "train"
        settings = self.config.train or {}
        content = _data_digest(settings)
        key = settings if content is None else {**settings, "data content": content}

        def work() -> dict[str, Any]:
            # Training refuses to resume with other settings; a changed configuration starts afresh.
            text, record = json.dumps(key, default=str), folder / "run.settings"
            resume = record.exists() and record.read_text() == text
            write_text(record, text)
            wanted = TrainConfig(**settings, output=folder, resume=resume, progress=self.steps.watched)
            result = run_training(wanted)
            return {name: value for name, value in result.metrics().items() if name != "history"}

        return self.journal.step(
            "train", key, work, self.steps, intact=(folder / "metrics.json").is_file, own_display=True)

    def _export(self) -> Path:
        target = self.directory / "export" / "model.onnx"

        def work() -> dict[str, Any]:
            return api.export(self.directory / "train", target)

        self.journal.step("export", code_digest(("export",)), work, self.steps, intact=target.is_file)
        return target

    def _build(self, model: Path) -> Build:
        options = self._build_options()
        folder = self.directory / "build"
        content = read_input(model, "model")
        key = build_key(self.config.build.backend, model, content, options)

        def work() -> dict[str, Any]:
            made = api.build_with(model, folder, options, backend=self.config.build.backend, steps=self.steps)
            return {"key": made.key}

        self.journal.step("build", key, work, self.steps, intact=lambda: current(folder, key) is not None)
        return api.load(folder)

    def _build_options_given(self) -> BuildOptions:
        section = self.config.build
        if section.folding is not None:
            read_input(section.folding, "folding file")
        return BuildOptions(
            input_type=section.input_type, input_scale=section.input_scale, folding=section.folding,
            target_cycles=section.target_cycles, unfold=section.unfold, fps=section.fps, clock_mhz=section.clock_mhz,
            target_latency=section.target_latency, budget_luts=section.budget_luts, budget_brams=section.budget_brams,
            budget_dsps=section.budget_dsps, pipeline_levels=section.pipeline_levels,
            name=re.sub(r"\W", "_", self.config.name))

    def _build_options(self) -> BuildOptions:
        options = self._build_options_given()
        if self.config.train is None or not self.config.build.integer_input:
            return options
        data = json.loads(read_input(self.directory / "train" / "config.json", "training's settings"))["data"]
        return replace(options, input_type=data["input_type"], input_scale=data["input_scale"])

    def _simulate(self, build: Build) -> dict[str, Any]:
        section = self.config.simulate
        files = [read_input(path, "array") for path in (section.inputs, section.labels) if path is not None]

        def work() -> dict[str, Any]:
            x, labels = self._frames(build)
            if labels is not None:
                measure.check_labels(build, labels, len(x))
            own = Steps()  # its seconds are the simulation's alone
            engine = backends.get(build.backend)
            run = engine.simulate(
                build, x, stalls=False, seed=section.seed, trace=None, compare=True, profile=section.profile, steps=own)
            stalled = None
            if section.stalls:
                stalled = engine.simulate(
                    build, x, stalls=True, seed=section.seed, trace=None, compare=False, profile=section.profile, steps=own)
            outcome = measure.verification(run, len(x), stalled)
            right = measure.accuracy(build, run, labels) if labels is not None else None
            measure.record(build, run, outcome, own.seconds, right)
            return {"samples": len(x)}

        return self.journal.step(
            "simulate", [section.model_dump(mode="json"), digest(files)], work, self.steps,
            intact=(build.directory / "sim" / "simulation.json").is_file)

    def _frames(self, build: Build) -> tuple[IntArray | FloatArray, IntArray | None]:
        """Frames and labels: of the test part of the data set, from files, or random."""
        section = self.config.simulate
        if self.config.train is not None:
            from quant_training import TrainConfig

            test = TrainConfig(**self.config.train).data.load().test
            test = test if section.samples is None else test.take(section.samples)
            x: np.ndarray = test.integers.astype(np.int64) if self.config.build.integer_input else test.x
            return inputs.as_frames(x, build.program.input_frame, "the data set"), test.labels
        x = inputs.frames(build.program, section.inputs, section.samples or 200, section.seed)
        labels = inputs.load_labels(section.labels) if section.labels is not None else None
        if section.inputs is not None and section.samples is not None:
            x = x[: section.samples]
            labels = labels[: section.samples] if labels is not None else None
        if labels is not None and len(labels) != len(x):
            raise FlowError(f"{section.labels}: holds {len(labels)} labels for {len(x)} frames; give one a frame")
        return x, labels

    def _synth(self, build: Build, target: str) -> None:
        section = self.config.synth

        def work() -> dict[str, Any]:
            resources = api.synth(build, target=target, nodsp=section.nodsp, flatten=section.flatten, steps=self.steps)
            return {name: figure.value for name, figure in resources.total.items()}

        self.journal.step(
            f"synth {target}", [section.nodsp, section.flatten], work, self.steps,
            intact=(build.directory / "synth" / f"{target}.json").is_file)

    def _report(self, build: Build, trained: dict[str, Any], measured: dict[str, Any]) -> Report:
        del measured
        with self.steps("report"):
            report = backends.get(build.backend).report(build)
            source = f"brevitas-{report.tools.get('brevitas', 'unknown')}"
            accuracy = {
                f"accuracy_{part}": Figure(value=round(100 * trained[f"{part}_accuracy"], 3), unit="%", source=source)
                for part in ("train", "val", "test") if trained.get(f"{part}_accuracy") is not None
            }
            report = report.model_copy(update={
                "accuracy": {**accuracy, **report.accuracy}, "seconds": self.journal.seconds,
            })
            api.write_report(report, build, self.directory)
        return report


def _data_digest(settings: dict[str, Any]) -> str | None:
    """Hash of the files that the training reads its samples from; None for a set that comes with a package or a checksum."""
    from quant_training.sources import data_files

    data = settings.get("data", "digits")
    name, folder = (data.get("name", "digits"), data.get("folder")) if isinstance(data, dict) else (data, None)
    files = data_files(str(name), Path(folder) if folder is not None else None)
    return digest(path.read_bytes() for path in files) if files else None
