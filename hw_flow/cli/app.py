"""The tree of verbs. Modules of verbs import what they need when they run, so that ``--help`` is fast."""

from __future__ import annotations

from typing import Annotated

import typer

from hw_flow.cli import cache, chain, comparing, compiling, estimating, learning, measuring, recipe, search

app = typer.Typer(
    name="bitwright", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From a Brevitas network to verified, measured hardware.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"bitwright {version('bitwright')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, and the warnings of other packages.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """From a Brevitas network to verified, measured hardware, with no vendor tool.

    Exit codes: 0 done; 1 the finding is negative (a mismatch, a missing tool); 2 a fault of the input; 130 interrupted.
    """
    del version
    # `entry.main` has taken --debug off the arguments, wherever it stood; it is declared here for --help.
    del debug


for module in (learning, compiling, measuring, estimating, comparing, chain):
    module.register(app)
app.add_typer(search.app)
app.add_typer(recipe.app)
app.add_typer(cache.app)
