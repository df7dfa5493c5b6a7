"""FIFO depths: what a periodic schedule at the interval of the slowest node needs.

First every event of the accelerator's marked graph (`hw_flow.fifo.network`) happens as early as it can with FIFOs without end and
frames ``interval`` cycles apart. Then, from the output back, every event is moved as late as those that wait for it allow: what
stands before the slowest node delivers just in time instead of filling FIFOs with whole frames. Last, the model runs the
accelerator with FIFOs of the peaks of that schedule and frames that begin ``interval`` cycles apart, until it repeats itself;
work spreads out where data come slowly, and FIFOs hold less. Depths are what this run needs.

Why the depths are enough, and why nothing locks up. The accelerator is a marked graph: data arcs run forward without tokens
and, as the graph has no cycles, close none; each FIFO of ``d`` beats adds an arc back with ``d`` tokens, so every cycle holds at
least one space arc. The run above meets all data arcs by construction, and the space arcs because each depth is the most that
it ever needs. So it is an execution S in which every event of every frame happens.

Hardware never falls behind S. An event happens as soon as its arcs allow, which is no later than in S if that holds for all
events before it. One thing is no arc: a pipeline stands still while the beat at its end waits for space, and does not close
up. Depths therefore count a beat from the step that begins it (`Run.needed`): in S, its place is free by then. If hardware is
not behind S before that step, it has the place no later; every wait of an earlier beat at the pipeline's end is then over before
the step is due, and none follows until its own beat has left. Hence no deadlock, on branches neither, and no longer interval.
Units of constant logic in a chain of one beat a frame have wires between them (`hw_flow.rtl.edges.direct`). Each waits for the
next one only, so the chain is one pipeline whose parts close up; a beat moves in every cycle in which its end is taken, and
no data arc leads back.
`completes` checks any depths in the same way, by playing the graph without times.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.fifo.marked import earliest, latest, periodic
from hw_flow.fifo.network import LEAST_DEPTH, Buffer, Network, network, producer_beats
from hw_flow.fifo.performance import Run
from hw_flow.folding import Folding, check, interval_cycles
from hw_flow.ir import Graph
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.edges import wires

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
    inputs with one reader and graph outputs have none. Where constant logic follows constant logic the depth is 0: no FIFO.

    Raises
    ------
    FlowError : illegal folding.
    """
    check(graph, folding)
    interval = interval_cycles(graph, folding)
    net = network(graph, folding, None)
    times = latest(net.graph, interval, earliest(net.graph, interval), {net.last})
    beats = {buffer.reader.key: _needed(buffer, times, interval) for buffer in net.buffers}
    run = Run(network(graph, folding, _in_producer_beats(net, beats)), pace=interval)
    if run.play(_MOST_FRAMES, until_settled=True) and run.ends()[-1] - run.ends()[-2] == interval:
        beats = {buffer.reader.key: run.needed(buffer) for buffer in run.net.buffers}
    return {**dict.fromkeys(wires(graph, folding), 0), **_in_producer_beats(net, beats)}


def _in_producer_beats(net: Network, beats: Mapping[str, int]) -> dict[str, int]:
    return {buffer.reader.key: producer_beats(buffer.reader, max(LEAST_DEPTH, beats[buffer.reader.key]))
            for buffer in net.buffers}


def completes(graph: Graph, folding: Folding, depths: Mapping[str, int]) -> Progress:
    """Whether ``graph`` runs forever with FIFOs of ``depths``, at whatever speed.

    A step begins only when the FIFO behind has a place for its beat. A run of the model under that rule that repeats itself is
    the proof. Else frames are played without times: each sequence goes on as far as data and space allow. Order does not matter
    (a marked graph is persistent), so the play ends early only if every such execution does; if it does not, hardware cannot
    lock up.
    """
    net = network(graph, folding, depths, reserve=True)
    with suppress(FlowError):
        if Run(net, pace=interval_cycles(graph, folding)).play(_MOST_FRAMES, until_settled=True):
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


def _needed(buffer: Buffer, times: list[IntArray], interval: int) -> int:
    """Depth at which the FIFO always has a place for a beat when the step begins that makes it; see `Run.needed`."""
    written = periodic(times[buffer.issuer], buffer.issued, interval)
    taken = periodic(times[buffer.taken], buffer.event, interval)
    frames, phase = np.divmod(written - taken[0], interval)
    left = frames * len(taken) + np.searchsorted(taken, phase + taken[0], side="left")
    return max(1, int((np.arange(len(written)) + 1 - left).max()))
