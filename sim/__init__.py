"""Verilator as a service: build a design, stream arrays through it, count cycles.

Knows streams and arrays, nothing of neural networks.
"""

from sim.builder import Source, build
from sim.errors import SimError
from sim.model import Model
from sim.profiles import Profile
from sim.results import Monitor, SimResult, Stalls
from sim.streams import StreamPort, pack, unpack

__all__ = [
    "Model",
    "Monitor",
    "Profile",
    "SimError",
    "SimResult",
    "Source",
    "Stalls",
    "StreamPort",
    "build",
    "pack",
    "unpack",
]
