"""``bitwright compare``: designs beside each other, whoever made them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hw_flow.cli import options
from hw_flow.cli.console import emit, json_only
from hw_flow.errors import FlowError

_ENDINGS = (".md", ".csv", ".json", ".png")


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command(short_help="Builds, vendor reports, FINN and hls4ml projects side by side.")(compare)


def compare(
    paths: Annotated[list[Path], typer.Argument(
        metavar="A B ...", help="Builds, folders with reports, FINN or hls4ml projects, report files.", show_default=False)], *,
    baseline: Annotated[
        str | None, typer.Option("--baseline", "-b", help="The one that ratios refer to; default: the first.")] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", "-d", metavar="PART", help="Add percentages of this part, for example zynq-7020.")] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-T", help="Which synthesis of a build to take: xc7, ecp5, ...")] = None,
    layers: Annotated[
        str,
        typer.Option("--layers", "-l", metavar="METRICS", help="Compared layer by layer; '' for nothing.")] = "luts,cycles",
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write .md, .csv, .json or .png; may be repeated.")] = None,
    as_json: options.Json = False,
) -> None:
    """Compare costs, absolute, as ratios and as shares of a device; the source of every figure is shown."""
    from hw_flow import api
    from hw_flow.report import compare_text
    from hw_flow.storage import check_writable, write_text

    wanted = [name.strip() for name in layers.split(",") if name.strip()]
    for path in output or ():
        if path.suffix not in _ENDINGS:
            raise FlowError(f"{path}: no format of that ending; give {', '.join(_ENDINGS)}")
        check_writable(path)
    with json_only(as_json):
        result = api.compare(paths, baseline=baseline, device=device, target=target, layers=wanted)
        for path in output or ():
            if path.suffix == ".png":
                from hw_flow.report.compare_picture import draw

                draw(result, path)
            else:
                write_text(path, compare_text.written(result, path.suffix))
    if as_json:
        emit(result.model_dump())
        return
    from rich.console import Console

    compare_text.show(result, Console())
    for path in output or ():
        print(f"  written: {path}")
