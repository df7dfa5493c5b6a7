"""``bitwright build`` and ``bitwright verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hw_flow.cli import options
from hw_flow.cli.console import emit, json_only, note, steps

if TYPE_CHECKING:
    from hw_flow.pipeline.verify import VerifyResult


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command(short_help="QONNX file to SystemVerilog.")(build)
    app.command(short_help="Build, simulate, compare with QONNX.")(verify)


def build(
    model: options.Model, *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Build directory; default: build/<model>.")] = None,
    folding: options.Folding = None,
    target_cycles: options.TargetCycles = None,
    fps: options.Fps = None,
    clock: options.Clock = None,
    target_latency: options.TargetLatency = None,
    budget_luts: options.BudgetLuts = None,
    budget_brams: options.BudgetBrams = None,
    budget_dsps: options.BudgetDsps = None,
    pipeline_levels: options.PipelineLevels = None,
    unfold: options.Unfold = False,
    input_type: options.InputType = None,
    input_scale: options.InputScale = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the top module; default: the file's name.")] = None,
    backend: Annotated[str, typer.Option("--backend", "-b", help="Back end.")] = "rtl",
    settings: options.Settings = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Compile a QONNX file into a build directory: graph, folding, FIFO depths and SystemVerilog."""
    from hw_flow import api

    directory = output or Path("build") / model.stem
    with json_only(as_json), steps() as timer:
        made = api.build(
            model, directory, folding=folding, target_cycles=target_cycles, unfold=unfold, fps=fps, clock_mhz=clock,
            target_latency=target_latency, budget_luts=budget_luts, budget_brams=budget_brams, budget_dsps=budget_dsps,
            pipeline_levels=pipeline_levels,
            input_type=input_type, input_scale=input_scale, name=name, backend=backend, settings=settings, force=force,
            steps=timer)
    if as_json:
        emit({"directory": str(directory), "name": made.name, "backend": made.backend, "reused": made.reused,
              "host_ops": made.stamp["host_ops"], "notes": list(made.notes), "seconds": made.stamp["seconds"]})
        return
    for text in made.notes:
        note(text)
    print(f"{directory}: nothing changed, taken as it was" if made.reused else f"{directory}: built")


def verify(
    model: options.Model, *,
    folding: options.Folding = None,
    target_cycles: options.TargetCycles = None,
    fps: options.Fps = None,
    clock: options.Clock = None,
    target_latency: options.TargetLatency = None,
    budget_luts: options.BudgetLuts = None,
    budget_brams: options.BudgetBrams = None,
    budget_dsps: options.BudgetDsps = None,
    pipeline_levels: options.PipelineLevels = None,
    unfold: options.Unfold = False,
    inputs: options.Inputs = None,
    samples: options.Samples = 16,
    seed: options.Seed = 0,
    stalls: Annotated[
        bool, typer.Option("--stalls", help="A second pass with random stalls on all ports must give the same.")] = False,
    input_type: options.InputType = None,
    input_scale: options.InputScale = None,
    profile: options.Profile = "check",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Keep the build here; default: in the cache.")] = None,
    backend: Annotated[str, typer.Option("--backend", "-b", help="Back end.")] = "rtl",
    settings: options.Settings = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Build a QONNX file, run it cycle by cycle, and compare with QONNX execution. Exit code 1 if they differ."""
    from hw_flow import api

    with json_only(as_json), steps() as timer:
        result = api.verify(
            model, folding=folding, target_cycles=target_cycles, unfold=unfold, fps=fps, clock_mhz=clock,
            target_latency=target_latency, budget_luts=budget_luts, budget_brams=budget_brams, budget_dsps=budget_dsps,
            pipeline_levels=pipeline_levels,
            frames=inputs, samples=samples, seed=seed,
            stalls=stalls, input_type=input_type, input_scale=input_scale, profile=profile, output=output, backend=backend,
            settings=settings, force=force, steps=timer)
    if as_json:
        emit(result.model_dump())
    else:
        _show(result)
    if not result.bit_exact:
        raise typer.Exit(1)


def _show(result: VerifyResult) -> None:
    from hw_flow.report.terminal import host_lines

    for text in result.notes:
        note(text)
    verdict = f"bit-exact over {result.samples} samples" if result.bit_exact else (
        f"{result.mismatches} of {result.samples} samples differ, first at {result.first_mismatch}")
    ties = f", {result.ties} ties" if result.ties else ""
    stalled = "" if result.stalled_pass is None else f", with stalls {'the same' if result.stalled_pass else 'different'}"
    print(f"{result.model}: {verdict}{ties}{stalled}")
    if result.hardware_fault is not None:
        print(f"  hardware differs from the golden model: {result.hardware_fault}")
    if result.latency_cycles is not None:
        interval = "unknown (give at least 2 frames)" if result.interval_cycles is None else f"{result.interval_cycles:,} cycles"
        print(f"  steady interval {interval}, first-output latency {result.latency_cycles:,} cycles ({result.source})")
    if result.decisions_agree is not None:
        print(f"  decisions agree with QONNX execution in {result.decisions_agree} of {result.samples} samples")
    for line in host_lines(result.host_ops):
        print(f"  {line}")
    print("  seconds: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in result.seconds.items()))
