"""The command line ``bitwright``: thin, every verb calls the function of the same name in ``hw_flow.api``."""

from hw_flow.cli.entry import main

__all__ = ["main"]
