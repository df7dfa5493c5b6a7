"""``bitwright run`` and ``bitwright doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hw_flow.cli import options
from hw_flow.cli.console import emit, json_only, note, steps


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command(short_help="The whole chain from one YAML.")(run)
    app.command(short_help="Which tools are there.")(doctor)


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="The whole chain in one file.", show_default=False)],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the run; default: runs/<name>.")] = None,
    as_json: options.Json = False,
) -> None:
    """Train, export, build, simulate, synthesise and report from one YAML; steps that are done are not repeated."""
    from hw_flow.pipeline import config as configs
    from hw_flow.pipeline.run import run as run_chain

    with json_only(as_json), steps() as timer:
        wanted = configs.load(config)
        result = run_chain(wanted, output or Path("runs") / wanted.name, timer)
    if as_json:
        emit({"directory": str(result.directory), "reused": list(result.reused), "report": result.report.model_dump()})
    else:
        from rich.console import Console

        from hw_flow.report.terminal import show

        for text in result.report.notes:
            note(text)
        show(result.report, Console())
        if result.reused:
            print(f"  taken from before: {', '.join(result.reused)}")
        print(f"  written: {result.directory}")
    outcome = result.report.verification
    if outcome is not None and not outcome.bit_exact:
        raise typer.Exit(1)


def doctor(as_json: options.Json = False) -> None:
    """Which tools were found, in what version, and how to get the others. Exit code 1 if a required one is missing."""
    from dataclasses import asdict

    from hw_flow import caches
    from hw_flow.pipeline.doctor import examine
    from sim.cache import cache_root

    with json_only(as_json):
        tools, cached = examine(), caches.usage()
    healthy = all(tool.found for tool in tools if tool.required)
    if as_json:
        emit({"healthy": healthy, "tools": [{**asdict(tool), "found": tool.found} for tool in tools],
              "cache": {"directory": str(cache_root()),
                        **{kind: {"entries": count, "bytes": size} for kind, (count, size) in cached.items()}}})
    else:
        for tool in tools:
            need = "" if tool.required else ", optional"
            state = f"{tool.version:<12} {tool.place}" if tool.found else f"missing; {tool.remedy}"
            print(f"{'ok ' if tool.found else '-- '}{tool.name:<14} {state}  ({tool.needed_for}{need})")
        total = caches.shown(sum(size for _, size in cached.values()))
        parts = ", ".join(f"{kind} {caches.shown(size)}" for kind, (count, size) in cached.items() if count)
        print(f"    cache          {total} in {cache_root()}{f' ({parts})' if parts else ''}; bitwright cache --help")
    if not healthy:
        raise typer.Exit(1)
