"""``bitwright estimate``: costs of a model by every back end, before anything is built."""

from __future__ import annotations

from typing import Annotated

import typer

from hw_flow.cli import options
from hw_flow.cli.console import emit, json_only, steps


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command(short_help="Costs by every back end, in seconds.")(estimate)


def estimate(
    model: options.Model, *,
    folding: options.Folding = None,
    target_cycles: options.TargetCycles = None,
    fps: options.Fps = None,
    clock: options.Clock = None,
    target_latency: options.TargetLatency = None,
    budget_luts: options.BudgetLuts = None,
    budget_brams: options.BudgetBrams = None,
    budget_dsps: options.BudgetDsps = None,
    unfold: options.Unfold = False,
    input_type: options.InputType = None,
    input_scale: options.InputScale = None,
    backends: Annotated[
        str, typer.Option("--backends", "-b", metavar="NAMES", help="Those to ask; finn takes longest.")] = "rtl,finn,hls4ml",
    as_json: options.Json = False,
) -> None:
    """Say what a QONNX file will cost as our RTL, with FINN and with hls4ml, as far as each states it; nothing is built."""
    from hw_flow import api

    with json_only(as_json), steps() as timer, timer("estimate"):
        result = api.estimate(model, api.BuildOptions(
            folding=folding, target_cycles=target_cycles, fps=fps, clock_mhz=clock, target_latency=target_latency,
            budget_luts=budget_luts, budget_brams=budget_brams, budget_dsps=budget_dsps, unfold=unfold, input_type=input_type,
            input_scale=input_scale), [name.strip() for name in backends.split(",") if name.strip()])
    if as_json:
        emit(result.model_dump())
        return
    from rich.console import Console

    from hw_flow.report import compare_text
    from hw_flow.report.compare import of_subjects
    from hw_flow.report.estimate import subjects

    compare_text.show(of_subjects(subjects(result)), Console())
    for name, own in result.backends.items():
        if own.status == "unavailable":
            print(f"  {name}: unavailable, {own.reason}")
    print(f"  {result.seconds:.1f} s")
