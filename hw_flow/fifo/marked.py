"""A dataflow graph as a timed marked graph, and its earliest and latest periodic schedules.

A *sequence* is what one piece of hardware does in order: the steps of a kernel, the handshakes of a stream. A frame has the same
events each time. An *arc* says that event ``a`` of one sequence comes at least ``delay`` cycles after event ``index[a]`` of
another; an index below 0 means an earlier frame, so the arc holds tokens. Data go along arcs without tokens, space comes back
along arcs with as many tokens as there are places. Indices never fall, and those of the next frame are one frame further on.

Every event happens as soon as its arcs allow, and making anything earlier never makes anything else later (all rules are a
maximum of sums). Hence, if *some* schedule meets all rules, hardware is at least as fast as that schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir.tensor import IntArray

# Bound on the work for a periodic schedule, in evaluations of each sequence.
_ROUNDS = 200


@dataclass(frozen=True, eq=False)
class Arc:
    """Event ``a`` of the sequence that holds it comes ``delay[a]`` cycles after event ``index[a]`` of sequence ``source``.

    Where ``ahead[a]`` is k > 0, ``index[a]`` is the source's last event of a frame, and ``delay[a]`` counts k more behind it,
    one a cycle; once the next frame begins, they are that frame's events.
    """

    source: int
    index: IntArray
    delay: IntArray | int
    ahead: IntArray | None = None


@dataclass(eq=False)
class Sequence:
    """Events in order.

    Attributes
    ----------
    name : for messages.
    gaps : least cycles from the event before; the first counts from the last event of the frame before.
    arcs : what it waits for.
    """

    name: str
    gaps: IntArray
    arcs: list[Arc] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.offsets: IntArray = np.cumsum(self.gaps) - self.gaps[0]

    @property
    def events(self) -> int:
        """Events in one frame."""
        return len(self.gaps)


@dataclass(eq=False)
class MarkedGraph:
    """Sequences, producers before consumers."""

    sequences: list[Sequence] = field(default_factory=list)

    def add(self, name: str, gaps: IntArray) -> int:
        """A new sequence; returns its number."""
        self.sequences.append(Sequence(name, gaps))
        return len(self.sequences) - 1

    def wait(self, target: int, source: int, index: IntArray, delay: IntArray | int, ahead: IntArray | None = None) -> None:
        """Make ``target`` wait for ``source``."""
        self.sequences[target].arcs.append(Arc(source, np.asarray(index, dtype=np.int64), delay, ahead))

    def readers(self) -> list[list[int]]:
        """For each sequence those that wait for it."""
        found: list[set[int]] = [set() for _ in self.sequences]
        for number, sequence in enumerate(self.sequences):
            for arc in sequence.arcs:
                found[arc.source].add(number)
        return [sorted(numbers) for numbers in found]


def periodic(values: IntArray, index: IntArray, period: int) -> IntArray:
    """``values`` continued to all integers, ``period`` more with each repetition, at ``index``."""
    frames, local = np.divmod(index, len(values))
    return np.asarray(values[local] + frames * period, dtype=np.int64)


def earliest(graph: MarkedGraph, interval: int) -> list[IntArray]:
    """Earliest schedule that repeats every ``interval`` cycles: the cycle of each event of frame 0.

    Raises
    ------
    FlowError : there is none; a sequence has more work than that, or a cycle of arcs too few tokens.
    """
    times = [sequence.offsets.copy() for sequence in graph.sequences]
    readers = graph.readers()

    def relax(number: int) -> bool:
        sequence = graph.sequences[number]
        low = np.maximum(times[number] - sequence.offsets, 0)
        for arc in sequence.arcs:
            np.maximum(low, periodic(times[arc.source], arc.index, interval) + arc.delay - sequence.offsets, out=low)
        np.maximum.accumulate(low, out=low)
        # The frame before this one must have ended.
        np.maximum(low, low[-1] + sequence.offsets[-1] + sequence.gaps[0] - interval, out=low)
        found = low + sequence.offsets
        changed = not np.array_equal(found, times[number])
        times[number] = found
        return changed

    settle(range(len(times)), readers, relax, _ROUNDS, lambda number: _unsettled(graph, number, interval))
    return times


def latest(graph: MarkedGraph, interval: int, bound: list[IntArray], ends: set[int]) -> list[IntArray]:
    """Latest periodic schedule in which the sequences ``ends`` stay where they are in the schedule ``bound``."""
    count = len(graph.sequences)
    far = np.int64(2**60)
    times = [bound[number].copy() if number in ends else np.full(graph.sequences[number].events, far) for number in range(count)]
    leaving: list[list[tuple[int, IntArray, IntArray | int]]] = [[] for _ in range(count)]
    sources: list[list[int]] = [[] for _ in range(count)]
    for number, sequence in enumerate(graph.sequences):
        for arc in sequence.arcs:
            first = _first_after(arc.index, graph.sequences[arc.source].events)
            delay = arc.delay if isinstance(arc.delay, int) else arc.delay[first % sequence.events]
            leaving[arc.source].append((number, first, delay))
            sources[number].append(arc.source)

    def relax(number: int) -> bool:
        if number in ends:
            return False
        sequence = graph.sequences[number]
        high = times[number] - sequence.offsets
        for target, first, delay in leaving[number]:
            np.minimum(high, periodic(times[target], first, interval) - delay - sequence.offsets, out=high)
        high = np.minimum.accumulate(high[::-1])[::-1]
        np.minimum(high, high[0] + interval - sequence.gaps[0] - sequence.offsets[-1], out=high)
        found = high + sequence.offsets
        changed = not np.array_equal(found, times[number])
        times[number] = found
        return changed

    readers = [sorted(set(numbers)) for numbers in sources]
    settle(range(count - 1, -1, -1), readers, relax, _ROUNDS, lambda number: _unsettled(graph, number, interval))
    # What nothing waits for keeps its place.
    return [np.where(time < far // 2, time, old) for time, old in zip(times, bound, strict=True)]


def _first_after(index: IntArray, events: int) -> IntArray:
    """For each of the source's ``events`` the first event whose arc starts there or later, as a periodic index."""
    low, high = -int(index.max()) // events - 2, -(int(index.min()) // events) + 2
    unrolled = np.concatenate([index + period * events for period in range(low, high)])
    return np.asarray(np.searchsorted(unrolled, np.arange(events)) + low * len(index), dtype=np.int64)


def _unsettled(graph: MarkedGraph, number: int, interval: int) -> str:
    return f"{graph.sequences[number].name}: no schedule repeats every {interval} cycles; this is a fault of the FIFO model"


def settle(
    order: Iterable[int], readers: list[list[int]], relax: Callable[[int], bool], rounds: int, fault: Callable[[int], str]
) -> None:
    """Evaluate sequences in ``order``, and again whenever one that they wait for has changed.

    Parameters
    ----------
    readers : by sequence, those that wait for it.
    relax : evaluates one; whether it changed.
    rounds : evaluations of each sequence, on average, after which FlowError says ``fault(sequence)``.
    """
    places = list(order)
    rank = {number: place for place, number in enumerate(places)}
    queue = list(range(len(places)))
    waiting = set(queue)
    budget = rounds * max(1, len(queue))
    while queue:
        place = heappop(queue)
        waiting.discard(place)
        budget -= 1
        number = places[place]
        if budget < 0:
            raise FlowError(fault(number))
        if relax(number):
            for reader in readers[number]:
                if rank[reader] not in waiting:
                    waiting.add(rank[reader])
                    heappush(queue, rank[reader])
