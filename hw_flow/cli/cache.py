"""``bitwright cache``: make room."""

from __future__ import annotations

from typing import Annotated

import typer

from hw_flow.cli import options

app = typer.Typer(
    name="cache", no_args_is_help=True, help="Make room: `bitwright doctor` shows what is kept.")


@app.command()
def trim(
    keep: Annotated[str, typer.Option("--keep", "-k", metavar="SIZE", help="Bytes to keep, for example 500M or 2G.")], *,
    as_json: options.Json = False,
) -> None:
    """Delete what was used longest ago until SIZE is left; what was used within the last hour stays."""
    from hw_flow import caches

    _tell(caches.trim(caches.size_of(keep)), as_json)


@app.command()
def clear(*, as_json: options.Json = False) -> None:
    """Delete all of it. Runs that are under way may have to be started again."""
    from hw_flow import caches

    _tell(caches.clear(), as_json)


def _tell(gone: tuple[int, int], as_json: bool) -> None:
    from hw_flow import caches
    from hw_flow.cli.console import emit

    left = caches.usage().values()
    count, size = sum(number for number, _ in left), sum(size for _, size in left)
    if as_json:
        emit({"deleted": {"entries": gone[0], "bytes": gone[1]}, "left": {"entries": count, "bytes": size}})
    else:
        print(f"{gone[0]} entries deleted, {caches.shown(gone[1])}; {count} left, {caches.shown(size)}")
