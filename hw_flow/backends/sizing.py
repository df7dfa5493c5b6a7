"""FIFO depths of a build, measured and shrunk in simulation, and put into it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw_flow.backends.directory import TRIALS, current, locked, refresh, staged
from hw_flow.backends.protocol import Build
from hw_flow.errors import FlowError
from hw_flow.steps import Steps
from hw_flow.storage import write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from hw_flow.fifo import Tick


@dataclass(frozen=True)
class FifoSize:
    """One FIFO.

    Attributes
    ----------
    before, after : beats that it holds by the model's sizing, and in the build now.
    width : bits of a beat.
    finn_bits : that FINN's sizing rule would give it on this accelerator; source ``model``.
    """

    before: int
    after: int
    width: int
    finn_bits: int


@dataclass(frozen=True)
class FifoSizing:
    """All FIFOs of a build.

    Attributes
    ----------
    fifos : by tensor, or by ``tensor@node``.
    interval_cycles, latency_cycles : measured, the same before and after.
    frames, seed : of the runs.
    trials : limits that were tried.
    seconds : of the search, all of its sessions that this call was the last of not counted.
    source : of cycles and depths.
    reused : whether the build had been sized by the same runs before.
    """

    fifos: Mapping[str, FifoSize]
    interval_cycles: int
    latency_cycles: int
    frames: int
    seed: int
    trials: int
    seconds: float
    source: str
    reused: bool = False

    @property
    def bits(self) -> dict[str, int]:
        """Bits of all FIFOs: ``model`` before, ``gauged`` after, and by FINN's rule."""
        sizes = self.fifos.values()
        return {"model": sum(each.before * each.width for each in sizes),
                "gauged": sum(each.after * each.width for each in sizes),
                "finn_rule": sum(each.finn_bits for each in sizes)}

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "bits": self.bits}


def sized(build: Build) -> FifoSizing | None:
    """What an earlier `size` of ``build`` found, or None."""
    kept = build.stamp.get("fifo")
    if kept is None:
        return None
    fifos = {name: FifoSize(**size) for name, size in kept["fifos"].items()}
    return FifoSizing(**{**kept, "fifos": fifos, "reused": True})


def size(build: Build, *, frames: int, seed: int, steps: Steps, progress: Callable[[Tick], None] | None = None) -> FifoSizing:
    """Shrink the FIFOs of ``build`` in simulation, then emit its hardware with them; what was measured before is gone.

    An interrupted search carries on where it was, as long as the build is the same.

    Raises
    ------
    FlowError : the simulation contradicts the model, or the build changed meanwhile.
    """
    from hw_flow import fifo

    fifo.check_frames(frames)
    known = sized(build)
    if known is not None and (known.frames, known.seed) == (frames, seed):
        return known
    graph, plan = build.graph, build.folding
    with locked(build.directory, "check its permissions, or build anew elsewhere"):
        stamp = current(build.directory, str(build.stamp["key"]))
        if stamp is None:
            raise FlowError(f"{build.directory}: was built anew meanwhile; size its FIFOs again")
        with steps("predict"):
            depths = fifo.depths(graph, plan)
            finn = fifo.finn_bits(graph, plan)
        with steps("size FIFOs", own_display=True), _bar(progress) as tell, tempfile.TemporaryDirectory() as scratch:
            found = fifo.gauge(graph, plan, depths, Path(scratch), frames=frames, seed=seed,
                               journal=build.directory / TRIALS, progress=tell)
        before, after = fifo.fifo_bits(graph, plan, depths), fifo.fifo_bits(graph, plan, found.depths)
        widths = fifo.fifo_widths(graph, plan)
        sizes = {name: FifoSize(before[name] // widths[name], after[name] // widths[name], widths[name], finn[name])
                 for name in before}
        sizing = FifoSizing(sizes, found.interval_cycles, found.latency_cycles, frames, seed, found.trials,
                            round(found.seconds, 3), found.source)
        _install(build, found.depths, {**stamp, "fifo": asdict(sizing)}, steps)
    return sizing


def _install(build: Build, depths: Mapping[str, int], stamp: Mapping[str, Any], steps: Steps) -> None:
    from hw_flow import rtl

    with steps("emit RTL"), staged(build.directory) as staging:
        write_json(staging / "fifo.json", dict(depths))
        rtl.emit(build.graph, build.folding, depths, staging / "rtl", build.name)
        refresh(build.directory, staging, stamp)


@contextmanager
def _bar(progress: Callable[[Tick], None] | None) -> Iterator[Callable[[Tick], None]]:
    """Tell ``progress``, and show a bar with the time left on a terminal once the simulator is compiled."""
    from contextlib import ExitStack

    from sim.progress import Waiting

    with ExitStack() as stack:
        shown: list[Waiting] = []

        def tell(tick: Tick) -> None:
            if progress is not None:
                progress(tick)
            if tick.done and not shown:
                shown.append(stack.enter_context(Waiting("size FIFOs", total=tick.total, unit="trials")))
            if shown:
                shown[0].update(tick.done)

        yield tell
