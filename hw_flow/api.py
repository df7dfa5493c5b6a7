"""bitwright from Python: the verbs of the command line as functions.

>>> from hw_flow import api
>>> result = api.verify("model.onnx", target_cycles=64)
>>> build = api.build("model.onnx", "out", target_cycles=64)
>>> api.fifo(build).bits
>>> build = api.load("out")
>>> run = api.simulate(build, samples=100)
>>> api.synth(build, target="xc7").total["luts"]
>>> report = api.report(build)
>>> api.recipe("recipe.yaml", "out").model

Every verb raises one exception with a one-line message for a fault of its input; see ``hw_flow.errors``.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw_flow import backends
from hw_flow.backends import Build, BuildOptions, Simulation
from hw_flow.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from hw_flow.backends.sizing import FifoSizing
    from hw_flow.fifo import Tick
    from hw_flow.ir.tensor import IntArray
    from hw_flow.pipeline.recipe import RecipeRun
    from hw_flow.pipeline.verify import VerifyResult
    from hw_flow.report.compare import Comparison
    from hw_flow.report.estimate import Estimates
    from hw_flow.report.records import SimulationRecord
    from hw_flow.report.schema import Report, Resources
    from quant_training import TrainResult

__all__ = [
    "Build", "BuildOptions", "Simulation", "build", "build_cached", "build_with", "compare", "estimate", "export", "fifo", "load",
    "recipe", "report", "simulate", "simulation_record", "synth", "train", "verify", "write_report",
]

_BUILDS_BYTES = 2 << 30  # of builds kept in the cache; each takes some 100 KiB to some MiB


def train(
    config: str | Path | None = None, *, output: str | Path, resume: bool = False, progress: bool = False, **settings: Any,
) -> TrainResult:
    """Train a low-bit network into the folder ``output``.

    Parameters
    ----------
    config : YAML file of settings, or None.
    settings : of `quant_training.TrainConfig`, for example ``model="tfc", bits="w1a1", data="mnist"``; they win over the file's.
    """
    from quant_training import TrainConfig, run_training

    base = TrainConfig.from_yaml(Path(config)).model_dump() if config is not None else {}
    return run_training(TrainConfig(**{**base, **settings, "output": Path(output), "resume": resume, "progress": progress}))


def recipe(config: str | Path | Mapping[str, Any], output: str | Path, *, progress: bool = False) -> RecipeRun:
    """Compress a network by a chain of techniques, and export what comes out as QONNX.

    Stages that the folder ``output`` holds are not repeated; an interrupted one is carried on.

    Parameters
    ----------
    config : YAML file, or a mapping with the same keys: data, model, training, stages (see docs/training.md).
    """
    from collections.abc import Mapping

    from hw_flow.pipeline.recipe import run

    return run(config if isinstance(config, Mapping) else Path(config), Path(output), progress=progress)


def export(trained: str | Path, output: str | Path | None = None, *, steps: Steps | None = None) -> dict[str, Any]:
    """Write a trained network as QONNX with sample inputs and outputs, checked against Brevitas tensor by tensor.

    Parameters
    ----------
    trained : folder made by `train`.
    output : QONNX file; None writes ``model.onnx`` into ``trained``.

    Returns
    -------
    Plain values, among them ``model``, the path of the file.
    """
    from hw_flow.export import export_checkpoint

    target = Path(output) if output is not None else Path(trained) / "model.onnx"
    with (steps or Steps())("export"):
        result: dict[str, Any] = export_checkpoint(Path(trained), target)
    return result


def build(
    model: str | Path, output: str | Path, *, folding: str | Path | None = None, target_cycles: int | None = None,
    unfold: bool = False, fps: float | None = None, clock_mhz: float | None = None, target_latency: int | None = None,
    budget_luts: int | None = None, budget_brams: int | None = None, budget_dsps: int | None = None,
    pipeline_levels: int | None = None,
    input_type: str | None = None, input_scale: str | None = None, name: str | None = None, backend: str = "rtl",
    settings: str | Path | None = None, force: bool = False, steps: Steps | None = None,
) -> Build:
    """Compile a QONNX file into the build directory ``output``; returns at once if nothing changed.

    Parameters
    ----------
    folding, target_cycles, unfold, fps (with clock_mhz), target_latency, budget_luts, budget_brams, budget_dsps : how to fold;
        at most one of them, but budgets go together. None lets the default rule choose and say so.
    pipeline_levels : levels of logic between the registers of unrolled layers; None takes what ``clock_mhz`` allows, or 2.
    input_type, input_scale : take the input as integers, for example ``"UINT8"`` and ``"1/255"``.
    settings : YAML file of the back end's own settings.
    force : replace a project that another build made in ``output``.
    """
    options = BuildOptions(
        input_type=input_type, input_scale=input_scale, folding=Path(folding) if folding is not None else None,
        target_cycles=target_cycles, unfold=unfold, fps=fps, clock_mhz=clock_mhz, target_latency=target_latency,
        budget_luts=budget_luts, budget_brams=budget_brams, budget_dsps=budget_dsps,
        pipeline_levels=pipeline_levels, name=name,
        settings=Path(settings) if settings is not None else None, force=force,
    )
    return build_with(Path(model), Path(output), options, backend=backend, steps=steps)


def build_with(model: Path, output: Path, options: BuildOptions, *, backend: str = "rtl", steps: Steps | None = None) -> Build:
    """`build` with the options as one value."""
    return backends.get(backend).build(model, output, options, steps or Steps())


def build_cached(model: str | Path, options: BuildOptions, *, backend: str = "rtl", steps: Steps | None = None) -> Build:
    """Compile a QONNX file into the cache of builds; returns at once if it is there."""
    from hw_flow import caches
    from hw_flow.backends.directory import build_key, read_input
    from hw_flow.storage import cache_dir

    path = Path(model)
    key = build_key(backend, path, read_input(path, "model"), options)
    made = backends.get(backend).build(path, cache_dir("builds") / key[:24], options, steps or Steps())
    with suppress(OSError):  # a cache that another user owns can still be read
        os.utime(made.directory)  # what was used longest ago is trimmed first
    if not made.reused:
        caches.trim(_BUILDS_BYTES, kinds=("builds",))
    return made


def load(directory: str | Path) -> Build:
    """A complete build from its directory."""
    path = Path(directory)
    stamp = backends.stamp_of(path)
    return Build(path, str(stamp["backend"]), stamp, reused=True)


def fifo(
    made: Build | str | Path, *, frames: int = 6, seed: int = 0, progress: Callable[[Tick], None] | None = None,
    steps: Steps | None = None,
) -> FifoSizing:
    """Shrink the FIFOs of a build as long as neither interval, latency nor results change, and put them into it.

    One simulator is compiled; its FIFOs take their limits at run time. An interrupted call is carried on by the next one. What
    was simulated, synthesised and reported before is dropped; `load` the build again.

    Parameters
    ----------
    frames : random ones of every run, back to back, at least 3.
    progress : told after each trial.
    """
    built = _build(made)
    return backends.get(built.backend).size_fifos(built, frames=frames, seed=seed, steps=steps or Steps(), progress=progress)


def simulate(
    made: Build | str | Path, x: np.ndarray | str | Path | None = None, *, samples: int = 16, seed: int = 0,
    stalls: bool = False,
    trace: str | Path | None = None, compare: bool = True, labels: IntArray | None = None, profile: str = "check",
    steps: Steps | None = None,
) -> Simulation:
    """Run frames through the hardware of a build, compare, and record the outcome in the build directory.

    Parameters
    ----------
    x : frames ``[N, *model input]`` or an ``.npy`` file; None draws ``samples`` random ones with ``seed``.
    stalls : random stalls on every port.
    trace : write the waves here (``.fst`` or ``.vcd``).
    compare : also with QONNX execution, tensor by tensor.
    labels : class of each frame ``[N]``, for the accuracy.
    profile : ``check`` (assertions, three start values of what is not initialised) or ``fast`` (neither).
    """
    from hw_flow.backends import inputs, measure

    built, steps = _build(made), steps or Steps()
    frames = inputs.frames(built.program, x, samples, seed)
    if labels is not None:
        measure.check_labels(built, labels, len(frames))
    run = backends.get(built.backend).simulate(
        built, frames, stalls=stalls, seed=seed, trace=Path(trace) if trace is not None else None, compare=compare,
        profile=profile, steps=steps)
    right = measure.accuracy(built, run, labels) if labels is not None else None
    measure.record(built, run, measure.verification(run, len(frames)), dict(steps.seconds), right)
    return run


def simulation_record(made: Build | str | Path) -> SimulationRecord:
    """What the last `simulate` of a build recorded; FlowError if there was none."""
    from hw_flow.errors import FlowError
    from hw_flow.report.records import load_simulation

    built = _build(made)
    record = load_simulation(built.directory, built.key)
    if record is None:
        raise FlowError(f"{built.directory}: not simulated yet; run `bitwright simulate {built.directory}`")
    return record


def synth(
    made: Build | str | Path, *, target: str = "xc7", nodsp: bool = False, flatten: bool = False, steps: Steps | None = None,
) -> Resources:
    """What the hardware of a build costs on ``target`` (xc7, xcup, ecp5, ice40, generic); recorded in the build directory."""
    built = _build(made)
    return backends.get(built.backend).resources(built, target, nodsp=nodsp, flatten=flatten, steps=steps or Steps())


def report(made: Build | str | Path) -> Report:
    """Write ``report.json``, ``report.png`` and FINN's ``report/*.json`` of a build; returns the report."""
    built = _build(made)
    result = backends.get(built.backend).report(built)
    write_report(result, built, built.directory)
    return result


def write_report(result: Report, made: Build, directory: Path) -> None:
    """Write a report of the build ``made`` into ``directory``: JSON, PNG and, where cycles are counted, FINN's files."""
    from hw_flow.report import finn, picture
    from hw_flow.storage import read_json

    result.save(directory)
    if made.backend not in backends.CYCLE_ACCURATE:
        from hw_flow.backends.hls4ml import profile

        found = profile.Profile.load(made.directory)
        if found is not None:
            profile.draw(found, result.name, directory / "report.png")
        return
    picture.draw(result, directory / "report.png")
    finn.write(result, directory / "report", read_json(made.directory / "folding.json"))


def verify(model: str | Path, **options: Any) -> VerifyResult:
    """Build any QONNX file, simulate it and compare with QONNX execution; see `hw_flow.pipeline.verify.verify`."""
    from hw_flow.pipeline.verify import verify as run

    return run(Path(model), **options)


def compare(paths: Sequence[str | Path], **options: Any) -> Comparison:
    """Builds, report folders of other tools and report files beside each other; see `hw_flow.report.compare.compare`."""
    from hw_flow.report.compare import compare as run

    return run(paths, **options)


def estimate(model: str | Path, options: BuildOptions | None = None, backends: Sequence[str] | None = None) -> Estimates:
    """What each back end says that a QONNX file will cost; see `hw_flow.report.estimate.estimate`."""
    from hw_flow.report.estimate import estimate as run

    return run(model, options, backends)


def _build(made: Build | str | Path) -> Build:
    return made if isinstance(made, Build) else load(made)
