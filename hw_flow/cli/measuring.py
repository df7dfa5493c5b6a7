"""``bitwright fifo``, ``bitwright simulate``, ``bitwright synth`` and ``bitwright report``: measure a build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hw_flow.cli import options
from hw_flow.cli.console import emit, json_only, note, steps
from hw_flow.errors import FlowError


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command(short_help="Shrink the FIFOs of a build, measured.")(fifo)
    app.command(short_help="Run frames through a build, compare, count.")(simulate)
    app.command(short_help="What it costs, by Yosys.")(synth)
    app.command(short_help="Tables, picture and JSON of a build.")(report)


def fifo(
    build: options.BuildDirectory, *,
    frames: Annotated[int, typer.Option("--frames", "-n", help="Random frames of every run, at least 3.")] = 6,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Shrink the FIFOs of a build in simulation as long as nothing gets slower, and put them into it.

    An interrupted search is carried on by the next call. What was measured before is dropped.
    """
    from hw_flow import api

    with json_only(as_json), steps() as timer:
        sizing = api.fifo(build, frames=frames, seed=seed, steps=timer)
    if as_json:
        emit(sizing.plain())
        return
    from rich.console import Console

    from hw_flow.report.terminal import fifo_table

    Console().print(fifo_table(sizing))
    bits = sizing.bits
    how = "as sized before" if sizing.reused else f"{sizing.trials} trials in {sizing.seconds:.1f} s"
    print(f"{build}: FIFOs of {bits['gauged']:,} bits ({sizing.source}), {bits['model']:,} before and {bits['finn_rule']:,} by"
          f" FINN's rule (model); {how}")
    print(f"  interval {sizing.interval_cycles:,} cycles, first-output latency {sizing.latency_cycles:,} cycles, as before")


def simulate(
    build: options.BuildDirectory, *,
    inputs: options.Inputs = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", "-l", metavar="Y.npy", help="Classes [N]; gives the accuracy.")] = None,
    samples: options.Samples = 16,
    seed: options.Seed = 0,
    stalls: Annotated[bool, typer.Option("--stalls", help="Random stalls on all ports.")] = False,
    profile: options.Profile = "check",
    trace: Annotated[Path | None, typer.Option("--trace", help="Write waves, .vcd or .fst.")] = None,
    save: Annotated[Path | None, typer.Option("--save", metavar="Y.npy", help="Write the results of the model.")] = None,
    as_json: options.Json = False,
) -> None:
    """Run frames through a build cycle by cycle and compare with the golden model and QONNX. Exit code 1 if they differ."""
    from hw_flow import api
    from hw_flow.backends import inputs as frames
    from hw_flow.report.records import plain
    from hw_flow.storage import check_writable

    with json_only(as_json), steps() as timer:
        made = api.load(build)
        known = frames.load_labels(labels) if labels is not None else None
        if save is not None:
            check_writable(save)
        run = api.simulate(made, inputs, samples=samples, seed=seed, stalls=stalls, trace=trace, labels=known, profile=profile,
                           steps=timer)
        if save is not None:
            frames.save_array(save, run.results)
        record = api.simulation_record(made)
    outcome = record.verification
    assert outcome is not None
    if as_json:
        emit({**outcome.model_dump(), **plain(record.performance), **plain(record.accuracy), "source": run.source,
              "streams": {name: plain(values) for name, values in record.streams.items()}, "seconds": record.seconds})
    else:
        verdict = f"bit-exact over {outcome.samples:,} samples" if outcome.bit_exact else (
            f"{outcome.mismatches:,} of {outcome.samples:,} samples differ, first at {outcome.first_mismatch}")
        print(f"{build}: {verdict}, {outcome.ties} ties")
        if outcome.hardware_fault is not None:
            print(f"  hardware differs from the golden model: {outcome.hardware_fault}")
        if outcome.decisions_agree is not None:
            print(f"  decisions agree with QONNX execution in {outcome.decisions_agree:,} of {outcome.samples:,} samples")
        for name, figure in {**record.performance, **record.accuracy}.items():
            print(f"  {name.replace('_', ' ')}: {figure.value:,} {figure.unit} ({figure.source})")
    if not outcome.bit_exact:
        raise typer.Exit(1)


def synth(
    design: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx|BUILD", help="QONNX file, or a build directory.", show_default=False)], *,
    target: Annotated[str, typer.Option("--target", "-T", help="xc7, xcup, ecp5, ice40 or generic.")] = "xc7",
    nodsp: Annotated[bool, typer.Option("--nodsp", help="No DSP blocks: LUTs only.")] = False,
    flatten: Annotated[bool, typer.Option("--flatten", help="Also synthesise the whole top in one run.")] = False,
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
    as_json: options.Json = False,
) -> None:
    """Synthesise with Yosys: LUTs, flip-flops, RAM and DSP of every layer, FIFO and converter, and of the whole."""
    from hw_flow import api

    with json_only(as_json), steps() as timer:
        if design.is_dir():
            given = {"--folding": folding, "--target-cycles": target_cycles, "--unfold": unfold or None,
                     "--fps": fps, "--clock": clock, "--target-latency": target_latency, "--budget-luts": budget_luts,
                     "--budget-brams": budget_brams, "--budget-dsps": budget_dsps,
                     "--pipeline-levels": pipeline_levels, "--input-type": input_type,
                     "--input-scale": input_scale}
            for flag, value in given.items():
                if value is not None:
                    raise FlowError(f"{flag} goes with a MODEL.onnx, and {design} is built already; build it anew")
            made = api.load(design)
        else:
            wanted = api.BuildOptions(
                folding=folding, target_cycles=target_cycles, unfold=unfold, fps=fps, clock_mhz=clock,
                target_latency=target_latency, budget_luts=budget_luts, budget_brams=budget_brams, budget_dsps=budget_dsps,
                pipeline_levels=pipeline_levels,
                input_type=input_type, input_scale=input_scale)
            made = api.build_cached(design, wanted, steps=timer)
        resources = api.synth(made, target=target, nodsp=nodsp, flatten=flatten, steps=timer)
    if as_json:
        from hw_flow.report.records import plain

        emit({
            "design": str(design), "target": target, "source": next(iter(resources.total.values())).source,
            "totals": plain(resources.total), "flat": plain(resources.flat) if resources.flat is not None else None,
            "layers": {name: {"kind": resources.kinds[name], **plain(values)} for name, values in resources.layers.items()},
            "folding": {name: {"PE": own.pe, "SIMD": own.simd} for name, own in made.folding.items()},
            "notes": list(made.notes), "seconds": timer.seconds,
        })
        return
    from rich.console import Console

    from hw_flow.report.terminal import resources_table

    if not design.is_dir():
        for text in made.notes:
            note(text)
    Console().print(resources_table(resources))


def report(
    build: options.BuildDirectory,
    as_json: options.Json = False,
) -> None:
    """Write report.json, report.png and FINN's report files of a build, and show the tables."""
    from hw_flow import api

    with json_only(as_json):
        result = api.report(build)
    if as_json:
        emit(result.model_dump())
        return
    from rich.console import Console

    from hw_flow.report.terminal import show

    show(result, Console())
    print(f"  written: {build / 'report.json'}, {build / 'report.png'}, {build / 'report'}")
