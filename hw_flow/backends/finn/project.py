"""The project that a machine with Vivado builds: what the child process left, completed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hw_flow.backends.finn.program import FinnProgram
from hw_flow.storage import write_json


def complete(project: Path, program: FinnProgram, depths: Mapping[str, int]) -> None:
    """Write the FIFO depths of the simulation into ``project`` as FINN reads them."""
    write_json(project / "fifo_depths.json", {program.imported.names.get(name, name): depth for name, depth in depths.items()})
