"""FIFO depths from the kernels' read and write schedules.

Kernels have static rates, so a graph of them is a marked graph: every event (a beat read or written)
happens as soon as its data and its space are there, and making anything earlier never makes anything
else later. Therefore, if *some* schedule with one frame every ``interval`` cycles keeps at most ``D``
beats in a stream, hardware with FIFOs of ``D`` beats, which runs as early as it can, is at least as fast:
its interval is no longer. The depths below are the peaks of such a schedule:

* A matrix unit reads its vector once, during the first neuron fold (MW/SIMD beats), and replays it from
  its own buffer for the other MH/PE - 1 folds. It writes one beat at the end of each fold.
* Thresholding writes each beat it reads; label selection writes once per vector, after the last beat.
* Beats are read as early as they are there, but not so early that the node would still be busy when its
  next frame is due: with last input at ``A``, and ``C`` cycles of the node's own work of which ``r`` are
  reads, no read happens before ``A + 1 + C - r - interval``.

While a node that needs the whole interval replays, its FIFO must take in what the producer makes
meanwhile. That is never more than one frame, the second bound. Pipeline latencies shift schedules and cost no
throughput; registers in FIFOs and converters are covered by ``SLACK`` beats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_flow.folding import Folding, check, input_lanes, interval_cycles, node_cycles, output_lanes, vectors
from hw_flow.ir import MVAU, Graph, LabelSelect, Node
from hw_flow.ir.tensor import IntArray

# Beats that a FIFO and a width converter hold in their own registers while the schedule counts them as gone.
SLACK = 2


@dataclass(frozen=True)
class Schedule:
    """When a node moves each beat of one frame, in cycles from the frame's start.

    Attributes
    ----------
    reads : cycle of each input beat.
    writes : cycle of each output beat.
    """

    reads: IntArray
    writes: IntArray


def depths(graph: Graph, folding: Folding) -> dict[str, int]:
    """Beats that each inner stream must hold so that nothing throttles the steady interval.

    Returns
    -------
    Depth by tensor name, in beats of the producer; graph inputs and outputs have none.

    Raises
    ------
    FlowError : illegal folding.
    """
    check(graph, folding)
    interval = interval_cycles(graph, folding)
    schedules: dict[str, Schedule] = {}
    result: dict[str, int] = {}
    for node in graph:
        source = graph.producer(node.inputs[0])
        beats = graph.input_of(node).elements // input_lanes(node, folding[node.name])
        if source is None:
            schedules[node.name] = schedule(node, folding, graph, np.zeros(beats, dtype=np.int64), interval)
            continue
        lanes = output_lanes(source, folding[source.name])
        written = schedules[source.name].writes
        arrival = _arrivals(written, lanes, input_lanes(node, folding[node.name]), beats)
        schedules[node.name] = schedule(node, folding, graph, arrival, interval)
        read = _taken(schedules[node.name].reads, input_lanes(node, folding[node.name]), lanes, len(written))
        result[node.inputs[0]] = min(_peak(written, read, interval) + SLACK, len(written) + SLACK)
    return result


def schedule(node: Node, folding: Folding, graph: Graph, arrival: IntArray, interval: int) -> Schedule:
    """Schedule of ``node`` when its input beats arrive at the cycles ``arrival``, one frame every ``interval``."""
    own = folding[node.name]
    if isinstance(node, MVAU):
        fold, folds, count = node.mw // own.simd, node.mh // own.pe, vectors(node, graph)
        work = fold * folds * count
        # Beat i of a vector is due i cycles after its first; vectors follow each other every fold * folds cycles.
        pattern = (np.arange(count)[:, None] * fold * folds + np.arange(fold)[None, :]).ravel()
        reads = _read(arrival, pattern, work, interval)
        last = reads.reshape(count, fold)[:, -1]
        writes = (last[:, None] + 1 + np.arange(folds)[None, :] * fold).ravel()
        return Schedule(reads, writes)
    reads = _read(arrival, np.arange(len(arrival)), len(arrival), interval)
    if isinstance(node, LabelSelect):
        return Schedule(reads, reads.reshape(vectors(node, graph), -1)[:, -1] + 1)
    return Schedule(reads, reads + 1)


def _read(arrival: IntArray, pattern: IntArray, work: int, interval: int) -> IntArray:
    """Earliest read cycles that keep ``pattern``'s spacing and end the node's work within ``interval``."""
    tail = work - int(pattern[-1]) - 1
    start = max(int(arrival[0]), int(arrival[-1]) + 1 + tail - interval)
    # reads[i] = max(start + pattern[i], arrival[i], reads[i-1] + pattern[i] - pattern[i-1])
    slip = np.maximum.accumulate(np.maximum(arrival - pattern, start))
    return np.asarray(slip + pattern, dtype=np.int64)


def _arrivals(written: IntArray, lanes: int, wanted: int, beats: int) -> IntArray:
    """Cycle at which the last element of each consumer beat of ``wanted`` lanes has been written."""
    last_element = (np.arange(beats) + 1) * wanted - 1
    return np.asarray(written[last_element // lanes] + 1, dtype=np.int64)


def _taken(reads: IntArray, wanted: int, lanes: int, beats: int) -> IntArray:
    """Cycle at which each producer beat of ``lanes`` leaves: when its last element is read."""
    last_element = (np.arange(beats) + 1) * lanes - 1
    return np.asarray(reads[last_element // wanted], dtype=np.int64)


def _peak(written: IntArray, taken: IntArray, interval: int) -> int:
    """Most beats present at once when the frame repeats every ``interval`` cycles."""
    # A beat stays (taken - written) cycles. Whole intervals count fully; the rest is folded into one period.
    stay = np.maximum(taken - written, 0)
    whole = int((stay // interval).sum())
    events = np.zeros(interval + 1, dtype=np.int64)
    begin, rest = written % interval, stay % interval
    end = begin + rest
    np.add.at(events, begin, 1)
    np.add.at(events, np.minimum(end, interval), -1)
    wraps = end > interval
    np.add.at(events, np.zeros(int(wraps.sum()), dtype=np.int64), 1)
    np.add.at(events, end[wraps] - interval, -1)
    return whole + int(np.cumsum(events)[:interval].max(initial=0))


def latency_cycles(graph: Graph, folding: Folding) -> int:
    """Cycles from the first input beat to the last output beat of a lone frame, without the kernels' pipeline registers."""
    written: dict[str, tuple[IntArray, int]] = {}
    last = 0
    for node in graph:
        lanes = input_lanes(node, folding[node.name])
        beats = graph.input_of(node).elements // lanes
        if node.inputs[0] in written:
            source, wide = written[node.inputs[0]]
            arrival = _arrivals(source, wide, lanes, beats)
        else:
            arrival = np.arange(beats)
        # An interval without bound: nothing but data decides when a beat is read.
        events = schedule(node, folding, graph, arrival, int(arrival[-1]) + 2 * node_cycles(node, folding[node.name], graph) + 2)
        written[node.outputs[0]] = (events.writes, output_lanes(node, folding[node.name]))
        last = max(last, int(events.writes[-1]))
    return last + 1
