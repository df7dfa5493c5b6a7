"""FIFO depths measured: one simulator whose FIFOs take their limits at run time, and a search that only sets limits.

The model's depths are checked first: the interval must be that of the slowest node. Then each FIFO is shrunk by bisection, the
one with the most bits first, as long as interval, latency and results stay and the model shows that nothing locks up. Last, the
limits found must survive random stalls on the ports. What a run showed goes into a journal, if there is one, so that an
interrupted search carries on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.fifo.network import LEAST_DEPTH, Buffer, network, producer_beats
from hw_flow.fifo.performance import Prediction, predict
from hw_flow.fifo.sizing import completes
from hw_flow.fifo.trials import Trials
from hw_flow.folding import Folding, interval_cycles
from hw_flow.ir import Graph
from hw_flow.rtl.edges import readers
from hw_flow.storage import digest

if TYPE_CHECKING:
    from sim import Model, SimResult

# FIFOs of the simulator are deeper than the model's, so that a peak beyond it shows.
_MARGIN = 8
# Cycles that a run with smaller FIFOs may take more in all; with the same interval and latency it takes none.
_SLACK = 64


@dataclass(frozen=True)
class Tick:
    """How far a search is.

    Attributes
    ----------
    done : trials so far, those that a journal knew among them.
    total : how many there can be.
    text : what has just been found, or nothing.
    """

    done: int
    total: int
    text: str = ""


@dataclass(frozen=True)
class Gauged:
    """What the runs found.

    Attributes
    ----------
    depths : shrunk depths, as `hw_flow.fifo.depths` returns them.
    predicted : what the model said about the depths before.
    interval_cycles, latency_cycles : measured with the depths before.
    peaks : measured in that run with limits that never bind, in beats of the FIFO.
    bits, shrunk_bits : of all FIFOs before and after.
    trials : limits that were tried, those that a journal knew among them.
    seconds : of this call, the simulator's compilation included.
    source : of the measured figures.
    """

    depths: Mapping[str, int]
    predicted: Prediction
    interval_cycles: int
    latency_cycles: int
    peaks: Mapping[str, int]
    bits: int
    shrunk_bits: int
    trials: int
    seconds: float
    source: str


def gauge(graph: Graph, folding: Folding, depths: Mapping[str, int], directory: Path, *, frames: int = 6, seed: int = 0,
          journal: Path | None = None, progress: Callable[[Tick], None] | None = None) -> Gauged:
    """Check ``depths`` in simulation and shrink them without building again.

    Parameters
    ----------
    directory : where the design with limits is written.
    frames : of every run, back to back, at least 3.
    journal : file that keeps the outcomes of all runs; a call that was interrupted takes them from there.
    progress : told after every run.

    Raises
    ------
    FlowError : the simulation contradicts the model: it locks up, is slower, or differs with stalls.
    """
    check_frames(frames)
    return _Gauge(graph, folding, depths, directory, frames=frames, seed=seed, journal=journal,
                  progress=progress or _silent).search()


def check_frames(frames: int) -> None:
    """Raise FlowError if runs of so many frames show no interval."""
    if frames < 3:
        raise FlowError(f"FIFO sizing with {frames} frames a run; give at least 3, or no interval shows")


class _Gauge:
    def __init__(self, graph: Graph, folding: Folding, depths: Mapping[str, int], directory: Path, *, frames: int, seed: int,
                 journal: Path | None, progress: Callable[[Tick], None]) -> None:
        import sim
        from hw_flow import rtl

        self.begun, self.done = time.perf_counter(), 0
        self.progress, self.graph, self.folding, self.seed = progress, graph, folding, seed
        self.buffers: list[Buffer] = network(graph, folding, depths).buffers
        self.none = {key: 0 for key, depth in depths.items() if not depth}
        self.target = interval_cycles(graph, folding)
        # Without branches no FIFO can lock up, however small: each waits for its own reader only.
        self.branched = any(len(readers(graph, folding, tensor)) > 1 for tensor in graph.tensors)
        # A first run, a bisection of each FIFO, and a run with stalls.
        self.total = 2 + sum((_depth(buffer) - LEAST_DEPTH).bit_length() for buffer in self.buffers)
        self.predicted = predict(graph, folding, depths, frames=frames)
        roomy = {buffer.reader.key: producer_beats(buffer.reader, _depth(buffer) + _MARGIN) for buffer in self.buffers}
        design = rtl.emit(graph, folding, roomy, directory, graph.name, gauge=True)
        progress(Tick(0, self.total, f"a simulator with {len(self.buffers)} limits is compiled"))
        source = sim.Source(top=design.top, files=design.paths, defines=("BW_MONITOR", "BW_GAUGE"))
        self.model: Model = sim.build(source, design.ports, profile="fast")
        texts = (path.read_bytes() for path in design.paths)
        settings = frames, seed, self.model.source, sorted(depths.items())
        self.trials = Trials.open(journal, digest((repr(settings), *texts)))
        port, (low, high) = design.inputs[0], graph.tensors[graph.inputs[0]].limits
        x = np.random.default_rng(seed).integers(low, high, (frames, port.beats * port.lanes), endpoint=True)
        self.frames = {port.name: np.where(x > 0, 1, -1) if port.bipolar else x}
        self.out = design.outputs[0].name

    def search(self) -> Gauged:
        """All steps."""
        limits = [_depth(buffer) for buffer in self.buffers]
        first = self._run(limits)
        self.done += 1
        peaks = {buffer.reader.key: first.monitors[buffer.reader.key].peak for buffer in self.buffers}
        self._confirm(first)
        self._tick("the depths of the model keep the interval of the slowest node")
        bits = [_beat_bits(buffer) for buffer in self.buffers]
        for number in sorted(range(len(limits)), key=lambda index: -limits[index] * bits[index]):
            limits[number] = self._least(limits, number, first)
            own = self.buffers[number]
            self._tick(f"{own.reader.key}: {_depth(own)} -> {limits[number]} beats of {bits[number]} bits")
        stalled = self._run(limits, stalled=True)
        self.done = self.total
        if stalled.status != "done" or not np.array_equal(stalled.outputs[self.out], first.outputs[self.out]):
            raise FlowError(f"graph '{self.graph.name}': with the FIFOs found, random stalls end in {stalled.status} or another "
                            "result; report this bug")
        self._tick("random stalls change nothing")
        return Gauged(self._depths(limits), self.predicted, first.interval_cycles, first.latency_cycles, peaks,
                      sum(_depth(buffer) * each for buffer, each in zip(self.buffers, bits, strict=True)),
                      sum(limit * each for limit, each in zip(limits, bits, strict=True)), 2 + len(self.trials.known),
                      time.perf_counter() - self.begun, first.source)

    def _least(self, limits: list[int], number: int, first: SimResult) -> int:
        """The least limit of one FIFO at which nothing changes, the others as they are."""
        low, high = LEAST_DEPTH - 1, limits[number]
        while high - low > 1:
            middle = (low + high) // 2
            trial = [*limits[:number], middle, *limits[number + 1:]]
            if self.trials.outcome(trial, partial(self._keeps, trial, first)):
                high = middle
            else:
                low = middle
            self.done += 1
            self._tick()
        return high

    def _confirm(self, run: SimResult) -> None:
        if run.status != "done":
            raise FlowError(f"graph '{self.graph.name}': the FIFOs of the model end in a {run.status} ({run.reason}); report this"
                            " bug")
        if run.interval_cycles > self.target:
            raise FlowError(f"graph '{self.graph.name}': {run.interval_cycles:,} cycles a frame with the FIFOs of the model,"
                            f" which says {self.target:,}; report this bug")

    def _keeps(self, limits: list[int], first: SimResult) -> bool:
        run = self._run(limits, max_cycles=first.cycles + _SLACK)
        return run.status == "done" and run.interval_cycles <= first.interval_cycles \
            and run.latency_cycles <= first.latency_cycles and np.array_equal(run.outputs[self.out], first.outputs[self.out]) \
            and (not self.branched or completes(self.graph, self.folding, self._depths(limits)).done)

    def _run(self, limits: list[int], *, stalled: bool = False, max_cycles: int | None = None) -> SimResult:
        import sim

        pins = {f"limit_{number}_i": limit for number, limit in enumerate(limits)}
        return self.model.run(self.frames, stalls=sim.Stalls() if stalled else None, seed=self.seed, pins=pins, progress=False,
                              max_idle_cycles=4 * self.target + 10_000, max_cycles=max_cycles)

    def _depths(self, limits: list[int]) -> dict[str, int]:
        return self.none | {buffer.reader.key: producer_beats(buffer.reader, limit)
                            for buffer, limit in zip(self.buffers, limits, strict=True)}

    def _tick(self, text: str = "") -> None:
        self.progress(Tick(min(self.done, self.total), self.total, text))


def _depth(buffer: Buffer) -> int:
    assert buffer.depth is not None
    return buffer.depth


def _beat_bits(buffer: Buffer) -> int:
    return buffer.lanes * buffer.reader.tensor.width


def _silent(_tick: Tick) -> None:
    pass
