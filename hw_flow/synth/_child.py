"""Run a Yosys script: ``python -P _child.py SCRIPT``, one command a line.

A line ``if-memory COMMAND`` runs COMMAND only if the design has a memory cell.

Yosys ends its process on any error, and its area depends on what the process did before, so every job gets
a process of its own. This file is run by its path and imports nothing of ours: the child starts in 0.1 s.
"""

from __future__ import annotations

import ctypes
import importlib
import signal
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def main(script: Path) -> None:
    """Run each line of ``script`` on one design; Yosys logs to stdout and exits with 1 on an error."""
    # A killed parent must not leave hours of synthesis behind.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    yosys: Any = importlib.import_module("pyosys.libyosys")  # built with pybind11, without types
    design = yosys.Design()
    for line in script.read_text().splitlines():
        command = line.strip()
        if command.startswith("if-memory "):
            yosys.run_pass("tee -q -o memories.txt select -count t:$mem*", design)
            if Path("memories.txt").read_text().split()[0] == "0":
                continue
            command = command.removeprefix("if-memory ")
        if command:
            yosys.run_pass(command, design)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
