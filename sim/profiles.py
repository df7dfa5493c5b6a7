"""The ways to build a model: what Verilator and the C++ compiler are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Profile(StrEnum):
    """What a model is built for.

    `fast` runs whole data sets; `check` has assertions, protocol checks and random start values
    (the default in tests); `wave` writes VCD, `fst` the smaller FST; `power` counts toggles (SAIF).
    """

    FAST = "fast"
    CHECK = "check"
    WAVE = "wave"
    FST = "fst"
    POWER = "power"


@dataclass(frozen=True)
class Flags:
    """Flags of one profile.

    Attributes
    ----------
    verilator : tuple of str
        Arguments of Verilator.
    optimise : str
        Optimisation of the C++ compiler.
    defines : tuple of str
        Macros of the harness.
    sources : tuple of str
        Files of Verilator's run-time beyond the common ones.
    libraries : tuple of str
        What to link.
    seeds : tuple of int
        Default seeds of the start values: each is a pass of its own.
    suffix : str
        Name ending of the trace files, empty without tracing.
    """

    verilator: tuple[str, ...]
    optimise: str = "-O1"
    defines: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (1,)
    suffix: str = ""

    @property
    def header(self) -> str:
        """The run-time's header of the trace, empty without tracing."""
        return self.sources[0].replace(".cpp", ".h") if self.sources else ""


# Neither Verilator's -O3 nor the compiler's -O2 pay: on TFC w1a1 and w2a2 the models run 0-10 % faster and take a fifth
# longer to build. The monitors cost nothing that can be measured.
_QUIET = ("--x-assign", "fast", "--x-initial", "fast", "--no-assert")
_STRICT = ("--x-assign", "unique", "--x-initial", "unique", "--assert")
_MONITOR = "-DBW_MONITOR"

_FLAGS = {
    Profile.FAST: Flags((*_QUIET, _MONITOR)),
    Profile.CHECK: Flags((*_STRICT, _MONITOR), defines=("BW_CHECK 1",), seeds=(1, 2, 3)),
    Profile.WAVE: Flags(
        ("--trace-vcd", "--trace-structs", *_STRICT, _MONITOR),
        defines=("BW_CHECK 1", "BW_TRACE 1"),
        sources=("verilated_vcd_c.cpp",),
        suffix=".vcd",
    ),
    Profile.FST: Flags(
        ("--trace-fst", "--trace-structs", *_STRICT, _MONITOR),
        defines=("BW_CHECK 1", "BW_TRACE 2"),
        sources=("verilated_fst_c.cpp",),
        libraries=("-llz4", "-lz"),
        suffix=".fst",
    ),
    Profile.POWER: Flags(
        ("--trace-saif", *_QUIET),
        defines=("BW_TRACE 3",),
        sources=("verilated_saif_c.cpp",),
        suffix=".saif",
    ),
}


def flags(profile: Profile) -> Flags:
    """The flags of a profile."""
    return _FLAGS[profile]


def for_trace(suffix: str) -> Profile | None:
    """The profile that writes files of this name ending, or None."""
    return next((profile for profile, each in _FLAGS.items() if each.suffix and each.suffix == suffix), None)
