"""Back ends behind one protocol: build, simulate, resources, report."""

from __future__ import annotations

from hw_flow.backends.directory import BuildOptions, stamp_of
from hw_flow.backends.protocol import Backend, Build, Simulation
from hw_flow.backends.rtl import RtlBackend
from hw_flow.errors import FlowError

BACKENDS: dict[str, type[RtlBackend]] = {"rtl": RtlBackend}

__all__ = ["BACKENDS", "Backend", "Build", "BuildOptions", "RtlBackend", "Simulation", "get", "stamp_of"]


def get(name: str) -> Backend:
    """The back end called ``name``; FlowError lists those there are."""
    if name not in BACKENDS:
        raise FlowError(f"back end '{name}' is not known; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name]()
