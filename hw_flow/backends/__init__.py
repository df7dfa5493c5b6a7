"""Back ends behind one protocol: build, simulate, resources, report."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from hw_flow.backends.directory import BuildOptions, stamp_of
from hw_flow.backends.protocol import Backend, Build, Simulation
from hw_flow.backends.rtl import RtlBackend
from hw_flow.errors import FlowError

# Module and class by name; a back end is imported when it is asked for.
BACKENDS = {
    "rtl": ("hw_flow.backends.rtl", "RtlBackend"),
    "finn": ("hw_flow.backends.finn.backend", "FinnBackend"),
    "hls4ml": ("hw_flow.backends.hls4ml", "Hls4mlBackend"),
}
# Those that simulate hardware cycle by cycle; the others run its arithmetic as a program.
CYCLE_ACCURATE = ("rtl", "finn")

__all__ = ["BACKENDS", "CYCLE_ACCURATE", "Backend", "Build", "BuildOptions", "RtlBackend", "Simulation", "get", "stamp_of"]


def get(name: str) -> Backend:
    """The back end called ``name``; FlowError lists those there are."""
    if name not in BACKENDS:
        raise FlowError(f"back end '{name}' is not known; choose one of {', '.join(BACKENDS)}")
    module, kind = BACKENDS[name]
    return cast(Backend, getattr(import_module(module), kind)())
