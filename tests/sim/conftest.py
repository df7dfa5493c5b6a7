"""Designs to simulate, and a cache of their own for the tests that look at the cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from sim import Model, Profile, SimResult, Source, StreamPort, build

RTL = Path(__file__).parent / "rtl"


@pytest.fixture(scope="session")
def fifo() -> Callable[..., Model]:
    """Build the FIFO for elements of `width` bits."""

    def make(width: int = 8, lanes: int = 1, beats: int = 10, profile: Profile = Profile.CHECK, depth: int = 4) -> Model:
        ends = [StreamPort(name, way, width, lanes, beats) for name, way in (("s_axis", "in"), ("m_axis", "out"))]  # type: ignore[arg-type]  # zip of literals
        source = Source("fifo", (RTL / "fifo.sv",), parameters={"Width": ends[0].tdata_bits, "Depth": depth})
        return build(source, ends, profile)

    return make


FAULTS = ("none", "deadlock", "withdraw", "tlast", "padding", "start", "spurious", "error", "finish", "assert")


@pytest.fixture(scope="session")
def faulty() -> Callable[..., SimResult]:
    """Run the design that copies 12-bit beats, frames of 4, with a fault after some beats."""
    ends = (StreamPort("s_axis", "in", 12, 1, 4), StreamPort("m_axis", "out", 12, 1, 4))
    model = build(Source("faulty", (RTL / "faulty.sv",)), ends)

    def run(fault: str, values: NDArray[Any], *, after: int = 5, offset: int = 0, **options: Any) -> SimResult:
        pins = {"fault_i": FAULTS.index(fault), "after_i": after, "offset_i": offset}
        return model.run({"s_axis": values}, pins=pins, **options)

    return run
