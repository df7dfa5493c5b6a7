"""What a run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sim.errors import SimError

Status = Literal["done", "deadlock", "spurious", "tlast", "padding", "protocol", "fault", "unstable", "timeout"]


@dataclass(frozen=True)
class Stalls:
    """Random stalls: a source that pauses before a beat, a sink that is not ready.

    Attributes
    ----------
    probability : float
        Share of the cycles in which a port is stalled, 0 <= p < 1.
    burst : float
        Mean length of a stall in cycles; 1 draws each cycle by itself (Bernoulli).
    ports : mapping
        Another probability for some streams, by name; 0 for none.
    """

    probability: float = 0.5
    burst: float = 1.0
    ports: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the figures."""
        for name, value in (("probability", self.probability), *self.ports.items()):
            if not 0.0 <= value < 1.0:
                raise SimError(f"stalls: {name} must be at least 0 and below 1, not {value}")
        if self.burst < 1.0:
            raise SimError(f"stalls: burst must be at least 1 cycle, not {self.burst}")

    def chances(self, name: str) -> tuple[float, float]:
        """Chances to begin and to end a stall of the stream `name` in a cycle."""
        share = self.ports.get(name, self.probability)
        # Stalls drawn cycle by cycle already last 1 / (1 - p) cycles in the mean; no burst can be shorter.
        leave = min(1.0 / self.burst, 1.0 - share)
        return share * leave / (1.0 - share), leave


@dataclass(frozen=True)
class Monitor:
    """Counts of one stream: beats moved, cycles with valid and no ready, with ready and no valid, and the FIFO's peak."""

    transfers: int
    stalls: int
    starves: int
    peak: int = 0


@dataclass(frozen=True)
class SimResult:
    """The outputs and the counters of a run.

    Attributes
    ----------
    outputs : dict of str to int64 array [N, elements]
        By stream; frames that did not come out are zero.
    status : str
        "done", or what ended the run early: "deadlock" (nothing moved), "timeout" (max_cycles), "spurious"
        (a beat too many), "tlast" (not at the end of a frame), "padding" (bits not zero), "protocol" (valid
        withdrawn or data changed while waiting), "fault" (assertion, $fatal, $finish), "unstable" (outputs
        depend on what is not initialised).
    reason : str
        One line for a status that is not "done".
    cycles : int
        Clock cycles from the end of the reset to the last expected beat, inclusive.
    latency_cycles : int
        From the first accepted input beat to the last beat of the first output frame, inclusive; 0 if none came.
    interval_cycles : int
        Median of the later half of `intervals`: the steady cycles per frame; 0 with fewer than two frames.
    done_cycles : int64 array [frames]
        Cycle in which each frame's last beat left the first output.
    streams : dict of str to Monitor
        The design's ports, counted by the harness.
    monitors : dict of str to Monitor
        Inner streams, counted by the design's own monitors.
    seconds : float
        Wall-clock time of the native call.
    cpu_seconds : float
        Processor time of the native call.
    source : str
        Of the figures, for example "verilator-5.048".
    log : str
        What the design printed.
    """

    outputs: dict[str, NDArray[Any]]
    status: Status
    reason: str
    cycles: int
    latency_cycles: int
    interval_cycles: int
    done_cycles: NDArray[np.int64]
    streams: dict[str, Monitor]
    monitors: dict[str, Monitor]
    seconds: float
    cpu_seconds: float
    source: str
    log: str = ""

    @property
    def ok(self) -> bool:
        """Whether all expected beats came out and nothing else."""
        return self.status == "done"

    @property
    def intervals(self) -> NDArray[np.int64]:
        """Cycles between the ends of successive output frames, [frames - 1]."""
        return np.diff(self.done_cycles)

    def check(self) -> SimResult:
        """Return the result itself.

        Raises
        ------
        SimError
            The status is not "done"; the message is the reason.
        """
        if not self.ok:
            raise SimError(f"simulation: {self.status}: {self.reason}")
        return self


def steady_interval(done_cycles: NDArray[np.int64]) -> int:
    """Median of the later half of the intervals between frames, 0 without any."""
    intervals = np.diff(done_cycles)
    return int(np.median(intervals[len(intervals) // 2 :])) if len(intervals) else 0
