"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="QONNX file.", show_default=False)]
BuildDirectory = Annotated[Path, typer.Argument(metavar="BUILD", help="Directory made by `bitwright build`.", show_default=False)]
Folding = Annotated[Path | None, typer.Option("--folding", "-f", metavar="FILE.json", help="Folding in FINN's JSON.")]
TargetCycles = Annotated[int | None, typer.Option("--target-cycles", "-c", help="Fold for this many cycles a frame.")]
Fps = Annotated[float | None, typer.Option("--fps", help="Fold for this many frames a second, with --clock.")]
Clock = Annotated[float | None, typer.Option(
    "--clock", help="Clock in MHz that --fps is meant at, and that unrolled layers are pipelined for.")]
PipelineLevels = Annotated[int | None, typer.Option(
    "--pipeline-levels", help="Levels of logic between the registers of unrolled layers; default: 2, or by --clock.")]
TargetLatency = Annotated[int | None, typer.Option("--target-latency", help="Fold for a first output within so many cycles.")]
BudgetLuts = Annotated[int | None, typer.Option("--budget-luts", help="As fast as possible within so many LUTs (model).")]
BudgetBrams = Annotated[
    int | None, typer.Option("--budget-brams", help="As fast as possible within so many 18 kbit block RAMs (model).")]
BudgetDsps = Annotated[int | None, typer.Option("--budget-dsps", help="As fast as possible within so many DSP blocks (model).")]
Unfold = Annotated[bool, typer.Option("--unfold", help="Every layer at full width.")]
InputType = Annotated[
    str | None, typer.Option("--input-type", "-t", help="Take the input as integers of this type, for example UINT8.")]
InputScale = Annotated[
    str | None, typer.Option("--input-scale", help="Real value of one step of the integer input, for example 1/255.")]
Inputs = Annotated[
    Path | None,
    typer.Option("--inputs", "-i", metavar="X.npy", help="Frames [N, ...]; without it random ones, extremes among them.")]
Samples = Annotated[int, typer.Option("--samples", "-n", help="Number of random frames.")]
Seed = Annotated[int, typer.Option("--seed", "-s", min=0, help="Of random frames and stalls.")]
Profile = Annotated[str, typer.Option(
    "--profile", "-p", help="Simulator: check (assertions, three start values of registers) or fast (neither).")]
Json = Annotated[bool, typer.Option("--json", "-j", help="Print JSON on stdout, everything else on stderr.")]
Settings = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE.yaml", help="The back end's own settings, see docs/.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a project of another build in the output folder.")]
