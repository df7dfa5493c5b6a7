"""FIFO depths measured: one simulator whose FIFOs take their limits at run time, and a search that only sets limits.

The model's depths are checked first: the interval must be that of the slowest node. Then each FIFO is shrunk by bisection, the
one with the most bits first, as long as interval, latency and results stay. Last, the limits found must survive random stalls
on the ports.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.fifo.network import LEAST_DEPTH, Buffer, network, producer_beats
from hw_flow.fifo.performance import Prediction, predict
from hw_flow.folding import Folding, interval_cycles
from hw_flow.ir import Graph

if TYPE_CHECKING:
    from sim import Model, SimResult

# FIFOs of the simulator are deeper than the model's, so that a peak beyond it shows.
_MARGIN = 8


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
    runs, seconds : of the simulator, its compilation included in the time.
    source : of the measured figures.
    """

    depths: Mapping[str, int]
    predicted: Prediction
    interval_cycles: int
    latency_cycles: int
    peaks: Mapping[str, int]
    bits: int
    shrunk_bits: int
    runs: int
    seconds: float
    source: str


def gauge(graph: Graph, folding: Folding, depths: Mapping[str, int], directory: Path, *, frames: int = 6, seed: int = 0,
          progress: Callable[[str], None] | None = None) -> Gauged:
    """Check ``depths`` in simulation and shrink them without building again.

    Parameters
    ----------
    directory : where the design with limits is written.
    frames : of every run, back to back.
    progress : gets a line for each step.

    Raises
    ------
    FlowError : the simulation contradicts the model: it locks up, is slower, or differs with stalls.
    """
    return _Gauge(graph, folding, depths, directory, frames=frames, seed=seed, progress=progress or _silent).search()


class _Gauge:
    def __init__(self, graph: Graph, folding: Folding, depths: Mapping[str, int], directory: Path, *, frames: int, seed: int,
                 progress: Callable[[str], None]) -> None:
        import sim
        from hw_flow import rtl

        self.begun, self.runs = time.perf_counter(), 0
        self.progress, self.graph, self.seed = progress, graph, seed
        self.buffers: list[Buffer] = network(graph, folding, depths).buffers
        self.target = interval_cycles(graph, folding)
        self.predicted = predict(graph, folding, depths, frames=frames)
        roomy = {buffer.reader.key: producer_beats(buffer.reader, _depth(buffer) + _MARGIN) for buffer in self.buffers}
        design = rtl.emit(graph, folding, roomy, directory, graph.name, gauge=True)
        progress(f"compile a simulator with {len(self.buffers)} limits")
        source = sim.Source(top=design.top, files=design.paths, defines=("BW_MONITOR", "BW_GAUGE"))
        self.model: Model = sim.build(source, design.ports, profile="fast")
        port, (low, high) = design.inputs[0], graph.tensors[graph.inputs[0]].limits
        x = np.random.default_rng(seed).integers(low, high, (frames, port.beats * port.lanes), endpoint=True)
        self.frames = {port.name: np.where(x > 0, 1, -1) if port.bipolar else x}
        self.out = design.outputs[0].name

    def search(self) -> Gauged:
        """All steps."""
        limits = [_depth(buffer) for buffer in self.buffers]
        first = self._run(limits)
        peaks = {buffer.reader.key: first.monitors[buffer.reader.key].peak for buffer in self.buffers}
        self._confirm(first)
        wanted = first.outputs[self.out]
        bits = [_beat_bits(buffer) for buffer in self.buffers]
        for number in sorted(range(len(limits)), key=lambda index: -limits[index] * bits[index]):
            low, high = LEAST_DEPTH - 1, limits[number]
            while high - low > 1:
                middle = (low + high) // 2
                trial = [*limits[:number], middle, *limits[number + 1:]]
                if self._keeps(trial, first):
                    high = middle
                else:
                    low = middle
            limits[number] = high
            own = self.buffers[number]
            self.progress(f"{own.reader.key}: {_depth(own)} -> {high} beats of {bits[number]} bits ({self.runs} runs,"
                          f" {time.perf_counter() - self.begun:.0f} s)")
        stalled = self._run(limits, stalled=True)
        if stalled.status != "done" or not np.array_equal(stalled.outputs[self.out], wanted):
            raise FlowError(f"graph '{self.graph.name}': with the FIFOs found, random stalls end in {stalled.status} or another "
                            "result; report this bug")
        found = {buffer.reader.key: producer_beats(buffer.reader, limit)
                 for buffer, limit in zip(self.buffers, limits, strict=True)}
        return Gauged(found, self.predicted, first.interval_cycles, first.latency_cycles, peaks,
                      sum(_depth(buffer) * each for buffer, each in zip(self.buffers, bits, strict=True)),
                      sum(limit * each for limit, each in zip(limits, bits, strict=True)), self.runs,
                      time.perf_counter() - self.begun, first.source)

    def _confirm(self, run: SimResult) -> None:
        if run.status != "done":
            raise FlowError(f"graph '{self.graph.name}': the FIFOs of the model end in a {run.status} ({run.reason}); report this"
                            " bug")
        if run.interval_cycles > self.target:
            raise FlowError(f"graph '{self.graph.name}': {run.interval_cycles:,} cycles a frame with the FIFOs of the model,"
                            f" which says {self.target:,}; report this bug")

    def _keeps(self, limits: list[int], first: SimResult) -> bool:
        run = self._run(limits, max_cycles=2 * first.cycles)
        return run.status == "done" and run.interval_cycles <= first.interval_cycles \
            and run.latency_cycles <= first.latency_cycles and np.array_equal(run.outputs[self.out], first.outputs[self.out])

    def _run(self, limits: list[int], *, stalled: bool = False, max_cycles: int | None = None) -> SimResult:
        import sim

        self.runs += 1
        pins = {f"limit_{number}_i": limit for number, limit in enumerate(limits)}
        return self.model.run(self.frames, stalls=sim.Stalls() if stalled else None, seed=self.seed, pins=pins, progress=False,
                              max_idle_cycles=4 * self.target + 10_000, max_cycles=max_cycles)


def _depth(buffer: Buffer) -> int:
    assert buffer.depth is not None
    return buffer.depth


def _beat_bits(buffer: Buffer) -> int:
    return buffer.lanes * buffer.reader.tensor.width


def _silent(_line: str) -> None:
    pass
