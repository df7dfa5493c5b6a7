"""``bitwright search``: look for bit widths by measurement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hw_flow.cli import options

if TYPE_CHECKING:
    from hw_flow.codesign.problem import Problem

app = typer.Typer(name="search", no_args_is_help=True, help="Choose every layer's bit widths by measurement.")

Trials = Annotated[int | None, typer.Option("--trials", "-n", help="Trials in all, instead of the problem's number.", min=1)]
Limit = Annotated[float | None, typer.Option(
    "--time-limit", help="Seconds over all runs in the folder, after which no trial is begun.", min=1)]
Workers = Annotated[int | None, typer.Option("--workers", "-w", help="Worker processes, instead of the problem's number.", min=1)]


@app.command()
def run(
    problem: Annotated[Path, typer.Argument(help="The search problem (YAML), see benchmarks/search_digits.yaml.")], *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the search; carries on if it was begun there.")],
    trials: Trials = None,
    workers: Workers = None,
    time_limit: Limit = None,
    as_json: options.Json = False,
) -> None:
    """Search PROBLEM.yaml in a folder: train, build, simulate and synthesise every trial."""
    from hw_flow.codesign.problem import load

    _search(_changed(load(problem), trials, workers, time_limit), output, as_json)


@app.command()
def resume(
    directory: Annotated[Path, typer.Argument(help="Folder of an earlier 'search run'.")], *,
    trials: Trials = None,
    workers: Workers = None,
    time_limit: Limit = None,
    as_json: options.Json = False,
) -> None:
    """Carry on a search that was stopped or killed; nothing is lost, nothing measured twice."""
    from hw_flow.codesign.loop import problem_of

    _search(_changed(problem_of(directory), trials, workers, time_limit), directory, as_json)


def _changed(problem: Problem, trials: int | None, workers: int | None, limit: float | None) -> Problem:
    given = {"trials": trials, "workers": workers, "time_limit_s": limit}
    wanted = {name: value for name, value in given.items() if value is not None}
    return problem.model_copy(update={"search": problem.search.model_copy(update=wanted)})


def _search(problem: Problem, directory: Path, as_json: bool) -> None:
    from rich.console import Console

    from hw_flow.cli.console import emit, json_only
    from hw_flow.codesign import loop
    from hw_flow.codesign.plot import plot
    from hw_flow.codesign.progress import Live

    with json_only(as_json):
        summary = loop.run(problem, directory, progress=Live(Console(stderr=True)))
        if summary["front"]:
            plot(summary, directory / "front.png")
    if as_json:
        emit(summary)
    else:
        _show(summary, directory)
    if not summary["complete"]:
        typer.echo(f"stopped; carry on with: bitwright search resume {directory}", err=True)
        raise typer.Exit(130)


def _show(summary: dict[str, Any], directory: Path) -> None:
    from rich.console import Console

    from hw_flow.codesign.table import tables, verdict

    console = Console()
    for table in tables(summary):
        console.print(table)
    counts = summary["counts"]
    console.print(verdict(summary), highlight=False, soft_wrap=True, markup=False)
    console.print(
        f"{counts['measured']} trials measured, {counts['failed']} failed; hypervolume {summary['hypervolume']:.3f}; "
        f"see {directory / 'front.png'} and {directory / 'front.json'}", highlight=False, soft_wrap=True, markup=False,
    )
