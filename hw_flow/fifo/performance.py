"""What an accelerator will do, beat by beat, before it is built: interval, latency, and what each FIFO holds at most.

The marked graph of `hw_flow.fifo.network` is run as hardware runs it, with FIFOs of the given depths: each event as early as
its arcs allow, frames as fast as they are taken. A frame depends on itself and on earlier ones only, so frames are solved one
after another; within one, sequences are evaluated (each in a few NumPy operations over all its events) until none changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw_flow.fifo.marked import Arc, Sequence, settle
from hw_flow.fifo.network import Buffer, Network, network
from hw_flow.folding import Folding, check
from hw_flow.ir import Graph
from hw_flow.ir.tensor import IntArray

SOURCE = "model"
_NEVER = -(2**40)
# Evaluations of each sequence in a frame; far more only happen if the graph locks up.
_ROUNDS = 3000
_MOST_FRAMES = 64
# Runs in which frames learn from the run before when the next frame comes.
_REFINEMENTS = 3


@dataclass(frozen=True)
class Prediction:
    """Figures of source ``model``.

    Attributes
    ----------
    interval_cycles : steady cycles a frame, the median of the later half as in simulation.
    latency_cycles : from the first accepted input beat to the last output beat of the first frame, inclusive.
    peaks : beats that each FIFO holds at most, by ``tensor`` or ``tensor@node``, in beats of the FIFO: of the wider of its sides.
    finished : cycle of each frame's last output beat, the first input beat being accepted in cycle 0.
    frames : how many were run.
    """

    interval_cycles: int
    latency_cycles: int
    peaks: Mapping[str, int]
    finished: tuple[int, ...]

    @property
    def frames(self) -> int:
        """Frames that were run."""
        return len(self.finished)


def predict(graph: Graph, folding: Folding, depths: Mapping[str, int], *, frames: int | None = None) -> Prediction:
    """Run the model of ``graph``.

    Parameters
    ----------
    depths : as `hw_flow.fifo.depths` returns them.
    frames : how many; None for as many as it takes until intervals and FIFO levels repeat, 64 at most.

    Raises
    ------
    FlowError : illegal folding, or FIFOs so small that the accelerator locks up.
    """
    check(graph, folding)
    net = network(graph, folding, depths)
    run = Run(net)
    run.play(frames or _MOST_FRAMES, until_settled=frames is None)
    wanted = run.frames
    waiting = any(arc.ahead is not None for sequence in net.graph.sequences for arc in sequence.arcs)
    for _ in range(_REFINEMENTS if waiting else 0):
        run = Run(net, hint=run.times)
        run.play(wanted)
    done = run.ends()
    intervals = np.diff(done)
    steady = int(np.median(intervals[len(intervals) // 2:])) if len(intervals) else 0
    start = int(run.times[net.first][0])
    return Prediction(steady, int(done[0]) - start + 1, {buffer.reader.key: run.peak(buffer) for buffer in net.buffers},
                      tuple(int(cycle) - start for cycle in done))


def latency_cycles(graph: Graph, folding: Folding) -> int:
    """First-output latency of `predict` if no FIFO is ever full; quick, for searches."""
    run = Run(network(graph, folding, None))
    run.play(1)
    return int(run.ends()[0] - run.times[run.net.first][0]) + 1


class Run:
    """Frames of a network solved so far.

    Attributes
    ----------
    hint : times of a run of the same network; where a frame waits for the next one, it tells when that comes.
    pace : least cycles between the beginnings of frames at the input; 0 for a source that never pauses.
    times : of each sequence the cycle of every event.
    """

    def __init__(self, net: Network, pace: int = 0, hint: list[IntArray] | None = None) -> None:
        self.net, self.pace, self.hint = net, pace, hint or []
        self.sequences = net.graph.sequences
        self.readers = net.graph.readers()
        self.frames = 0
        self.times: list[IntArray] = [np.empty(0, dtype=np.int64) for _ in self.sequences]
        self.plain = [[_is_plain(arc, self.sequences[arc.source]) for arc in sequence.arcs] for sequence in self.sequences]

    def play(self, frames: int, *, until_settled: bool = False) -> bool:
        """Solve up to ``frames`` frames in all, or until they repeat; returns whether they do."""
        while self.frames < frames:
            self._frame()
            if until_settled and self.settled():
                return True
        return self.settled()

    def _frame(self) -> None:
        self.times = [np.concatenate([time, np.full(sequence.events, _NEVER)])
                      for time, sequence in zip(self.times, self.sequences, strict=True)]
        settle(range(len(self.sequences)), self.readers, self._relax, _ROUNDS, self._stuck)
        self.frames += 1

    def _stuck(self, number: int) -> str:
        return (f"{self.sequences[number].name}: no progress in frame {self.frames}; the FIFOs are too small, "
                "give deeper ones")

    def _relax(self, number: int) -> bool:
        sequence = self.sequences[number]
        start = self.frames * sequence.events
        times = self.times[number]
        low = np.full(sequence.events, -sequence.offsets[-1] if not self.frames else _NEVER)
        low[0] = times[start - 1] + sequence.gaps[0] if start else 0
        if number == self.net.first:
            low[0] = max(low[0], self.frames * self.pace)
        for arc, plain in zip(sequence.arcs, self.plain[number], strict=True):
            source = self.times[arc.source]
            index = arc.index + self.frames * self.sequences[arc.source].events
            found = source[index] if plain else np.where(index < 0, _NEVER, source[np.maximum(index, 0)])
            np.maximum(low, found + arc.delay - sequence.offsets, out=low)
            if arc.ahead is not None and self.hint:
                self._follow(arc, low, sequence)
        np.maximum.accumulate(low, out=low)
        low += sequence.offsets
        if np.array_equal(low, times[start:]):
            return False
        times[start:] = low
        return True

    def _follow(self, arc: Arc, low: IntArray, sequence: Sequence) -> None:
        """Delay what events of the next frame bring out, by the cycles that the run before gives those."""
        assert arc.ahead is not None
        events, late = self.sequences[arc.source].events, np.flatnonzero(arc.ahead)
        following = self.hint[arc.source][(self.frames + 1) * events:(self.frames + 2) * events]
        last = int(self.times[arc.source][-1])
        if last < 0 or not len(following):
            return
        count = arc.ahead[late]
        empty = max(0, int(following[0]) - last - 1)
        came = np.where(count <= empty, last + count, following[np.clip(count - empty - 1, 0, events - 1)])
        low[late] = np.maximum(low[late], came + np.asarray(arc.delay)[late] - count - sequence.offsets[late])

    def ends(self) -> IntArray:
        """Cycle of the last output beat of each frame."""
        last = self.sequences[self.net.last].events
        return self.times[self.net.last][last - 1::last]

    def settled(self) -> bool:
        """Whether the last two frames repeat the one before, shifted by an equal number of cycles in all sequences."""
        if self.frames < 3:
            return False
        step = None
        for time, sequence in zip(self.times, self.sequences, strict=True):
            a, b, c = time[-3 * sequence.events:].reshape(3, -1)
            found = int(c[0] - b[0])
            if step not in (None, found) or int(b[0] - a[0]) != found or not np.array_equal(b + found, c):
                return False
            step = found
        return True

    def peak(self, buffer: Buffer) -> int:
        """Most beats that a FIFO held at the end of a cycle."""
        written = self.times[buffer.written]
        left = np.searchsorted(self._taken(buffer), written, side="right")
        return max(0, int((np.arange(len(written)) + 1 - left).max()))

    def needed(self, buffer: Buffer) -> int:
        """Depth at which the FIFO had a place for each beat when the step began that makes it."""
        issued = self.times[buffer.issuer].reshape(-1, self.sequences[buffer.issuer].events)[:, buffer.issued].ravel()
        left = np.searchsorted(self._taken(buffer), issued, side="left")
        return max(0, int((np.arange(len(issued)) + 1 - left).max()))

    def _taken(self, buffer: Buffer) -> IntArray:
        return self.times[buffer.taken].reshape(-1, self.sequences[buffer.taken].events)[:, buffer.event].ravel()


def _is_plain(arc: Arc, source: Sequence) -> bool:
    """Whether an arc stays within the frame."""
    return bool(arc.index[0] >= 0 and arc.index[-1] < source.events)
