"""FIFO depths: the peaks of a periodic schedule that keeps the interval of the slowest node.

The schedule comes from two passes over the marked graph of the accelerator (`hw_flow.fifo.network`). In the first every event
happens as early as it can with FIFOs without end and frames ``interval`` cycles apart; a node's work of a frame must end before
its next frame begins. In the second, from the output back, every event is moved as late as those that wait for it allow. What
stands behind the slowest node runs at its pace anyhow; what stands before it now delivers just in time instead of filling FIFOs
with whole frames.

Why the depths are enough, and why nothing locks up. The accelerator is a marked graph: data arcs run forward without tokens
and, as the graph has no cycles, close none; each FIFO of ``d`` beats adds an arc back with ``d`` tokens. A cycle therefore holds
at least one space arc. The schedule meets all data arcs by construction, and the space arcs because no FIFO ever holds more
than its peak in it: so it is an execution of the accelerator with exactly these FIFOs, in which every event of every
frame happens. Hardware runs each event as early as its arcs allow, and that is never later than in any execution
(all rules are a maximum of sums), so it deadlocks nowhere, on branches neither, and its interval is no longer. `completes` checks
the same by playing the graph without times.

The model then runs the accelerator with these FIFOs as hardware would. Most hold less than the schedule foresees; if the model
with FIFOs cut to what they held comes to repeat itself at the same interval, that run is the schedule, and its depths are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw_flow.fifo.marked import earliest, latest, periodic
from hw_flow.fifo.network import LEAST_DEPTH, Buffer, Network, fifo_beats, network, producer_beats
from hw_flow.fifo.performance import Run
from hw_flow.folding import Folding, check, interval_cycles
from hw_flow.ir import Graph
from hw_flow.ir.tensor import IntArray

# Frames that `completes` plays; enough for every space arc to be used, as no FIFO needs more than a few frames.
_FRAMES = 3
# Frames within which the model must repeat itself.
_MOST_FRAMES = 16


@dataclass(frozen=True)
class Progress:
    """How far a graph comes.

    Attributes
    ----------
    done : all events of all frames happened.
    stuck : names of the sequences that wait forever, none if done.
    """

    done: bool
    stuck: tuple[str, ...] = ()


def depths(graph: Graph, folding: Folding) -> dict[str, int]:
    """Beats that each inner stream must hold so that nothing throttles the steady interval.

    Returns
    -------
    Depth in beats of the producer, by tensor, or by ``tensor@node`` for each reader of a tensor that several read. Graph
    inputs with one reader and graph outputs have none.

    Raises
    ------
    FlowError : illegal folding.
    """
    check(graph, folding)
    net, times, interval = _schedule(graph, folding)
    beats = {buffer.reader.key: _needed(buffer, times, interval) for buffer in net.buffers}
    return _tightened(graph, folding, _in_producer_beats(net, beats), interval)


def _tightened(graph: Graph, folding: Folding, depths: dict[str, int], interval: int) -> dict[str, int]:
    """Depths cut to what the model needs of them, if it still keeps the interval.

    The schedule packs the work of each node together. Hardware spreads it out where data come slowly, and holds less.
    """
    net = network(graph, folding, depths)
    run = Run(net, pace=interval)
    if not run.play(_MOST_FRAMES, until_settled=True):
        return depths
    needed = _in_producer_beats(net, {buffer.reader.key: run.needed(buffer) for buffer in net.buffers})
    smaller = {key: min(depth, needed[key]) for key, depth in depths.items()}
    trial = Run(network(graph, folding, smaller), pace=interval)
    return smaller if trial.play(_MOST_FRAMES, until_settled=True) and trial.ends()[-1] - trial.ends()[-2] == interval else depths


def _in_producer_beats(net: Network, beats: Mapping[str, int]) -> dict[str, int]:
    return {buffer.reader.key: producer_beats(buffer.reader, max(LEAST_DEPTH, beats[buffer.reader.key]))
            for buffer in net.buffers}


def completes(graph: Graph, folding: Folding, depths: Mapping[str, int]) -> Progress:
    """Whether ``graph`` runs forever with FIFOs of ``depths``, at whatever speed.

    If the FIFOs hold a periodic schedule, that is the proof. Otherwise frames are played without times: each sequence goes on as
    far as data and space allow. Order does not matter (a marked graph is persistent), so the play ends early only if every
    execution does.
    """
    net = network(graph, folding, depths)
    schedule = _schedule(graph, folding)
    if all(_needed(buffer, schedule[1], schedule[2]) <= fifo_beats(buffer.reader, depths.get(buffer.reader.key, 0))
           for buffer in schedule[0].buffers):
        return Progress(True)
    sequences, readers = net.graph.sequences, net.graph.readers()
    # Per arc the event that it starts at, for every event of all frames.
    starts = [[(arc.source, (arc.index + np.arange(_FRAMES)[:, None] * sequences[arc.source].events).ravel())
               for arc in sequence.arcs] for sequence in sequences]
    done, goal = [0] * len(sequences), [_FRAMES * sequence.events for sequence in sequences]
    queue = dict.fromkeys(range(len(sequences)))
    while queue:
        number = next(iter(queue))
        del queue[number]
        reach = min([goal[number], *(int(np.searchsorted(start, done[source])) for source, start in starts[number])])
        if reach > done[number]:
            done[number] = reach
            queue.update(dict.fromkeys(readers[number]))
    stuck = tuple(sequence.name for sequence, count, whole in zip(sequences, done, goal, strict=True) if count < whole)
    return Progress(not stuck, stuck)


def _schedule(graph: Graph, folding: Folding) -> tuple[Network, list[IntArray], int]:
    """The schedule that depths come from: its network, the cycle of each event of a frame, and its interval."""
    interval = interval_cycles(graph, folding)
    net = network(graph, folding, None)
    return net, latest(net.graph, interval, earliest(net.graph, interval), {net.last}), interval


def _needed(buffer: Buffer, times: list[IntArray], interval: int) -> int:
    """Depth at which the FIFO always has room when the schedule writes.

    Room counts what was held at the beginning of the cycle: beat j needs a place besides those of all beats before it that were
    not taken in an earlier cycle.
    """
    written = times[buffer.written]
    taken = periodic(times[buffer.taken], buffer.event, interval)
    frames, phase = np.divmod(written - taken[0], interval)
    left = frames * len(taken) + np.searchsorted(taken, phase + taken[0], side="left")
    return max(1, int((np.arange(len(written)) + 1 - left).max()))
