"""What besides the point and the problem decides a measurement: our code and the tools."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

from hw_flow.storage import digest

# Rooms of hw_flow that take part in a measurement.
_ROOMS = ("ir", "frontend", "folding", "fifo", "rtl", "backends", "export", "synth")
_FILES = ("codesign/evaluate.py", "codesign/finetune.py")
_PACKAGES = ("models", "quant_training", "sim")
_SOURCES = (".py", ".sv", ".svh", ".h", ".cpp")


def measurement_version(number: str, tools: Mapping[str, str]) -> str:
    """One line of versions, such as ``2 code-1f0c.. verilator-5.048 yosys-0.70 torch-2.9.0 brevitas-0.12.1``.

    Parameters
    ----------
    number : raised by hand.
    tools : version by name, of what simulates and synthesises.
    """
    trained = {name: importlib.metadata.version(name) for name in ("torch", "brevitas")}
    named = {"code": code_digest(Path(__file__).parents[2])[:12], **tools, **trained}
    return " ".join([number, *(f"{name}-{version}" for name, version in named.items())])


def code_digest(root: Path) -> str:
    """Hash of our own code below ``root`` that takes part in a measurement."""
    places = [root / "hw_flow" / room for room in (*_ROOMS, *_FILES)] + [root / package for package in _PACKAGES]
    files = sorted(path for place in places for path in (place, *place.rglob("*")) if path.suffix in _SOURCES and path.is_file())
    return digest(part for path in files for part in (path.relative_to(root).as_posix(), path.read_bytes()))
