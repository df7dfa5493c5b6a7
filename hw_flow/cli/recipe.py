"""``bitwright recipe``: a chain of compression techniques."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hw_flow.cli import options
from hw_flow.cli.console import emit, json_only, note

app = typer.Typer(name="recipe", no_args_is_help=True, help="Compress a network by a chain of techniques.")


@app.command()
def run(
    recipe: Annotated[
        Path, typer.Argument(metavar="FILE", help="The recipe (YAML), see docs/training.md.", show_default=False)], *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the stages; carries on if it was begun there.")],
    as_json: options.Json = False,
) -> None:
    """Train, distil, prune and quantise as FILE says, and export what comes out as QONNX.

    What is done is kept: run it again after an interruption, or with stages changed, and only what is missing is done.
    """
    from hw_flow import api

    with json_only(as_json):
        result = api.recipe(recipe, output, progress=sys.stderr.isatty())
    if as_json:
        emit({"directory": str(result.directory), "model": result.model and str(result.model), "stages": result.rows})
        return
    _show(result.rows)
    if result.model is None:
        note("the last stage has float tensors, so there is no QONNX file; end with types such as w4a4")
    print(f"{result.directory}: the last stage" + (f"; {result.model}: its QONNX file, bit-exact" if result.model else ""))


@app.command()
def show(
    directory: Annotated[Path, typer.Argument(help="Folder of an earlier 'recipe run'.")], *, as_json: options.Json = False,
) -> None:
    """Print the table of a recipe that ran."""
    from hw_flow.storage import read_json
    from quant_training.recipes.run import SUMMARY

    summary: dict[str, Any] = read_json(directory / SUMMARY)
    if as_json:
        emit(summary)
    else:
        _show(summary["stages"])


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console

    from quant_training.recipes.rows import table

    Console(width=None if sys.stdout.isatty() else 160).print(table(rows))
    for row in rows:
        if "note" in row:
            print(f"{row['stage']}: {row['note']}")
    print("sizes and operations are counted, not measured: source counted")
