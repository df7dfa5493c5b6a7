"""From a folded graph to a marked graph: kernels, forks, converters and FIFOs with their exact rules.

Between two neighbours stand, as the emitter places them: a fork where several nodes read a tensor, a converter to wider beats, a
FIFO, a converter to narrower beats. A FIFO of ``d`` beats gives a beat from the cycle after it took it, and takes beat ``j`` from
the cycle after beat ``j - d`` left. A converter with a register behaves like a FIFO whose beats change their size; one that
cuts beats into whole parts has none and passes the handshake through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hw_flow.fifo.kernels import Kernel, kernel
from hw_flow.fifo.marked import MarkedGraph, periodic
from hw_flow.folding import Folding
from hw_flow.ir import Graph
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.edges import Reader, readers, wires

# Beats that an emitted FIFO holds at least.
LEAST_DEPTH = 2


@dataclass(frozen=True, eq=False)
class Buffer:
    """A FIFO.

    Attributes
    ----------
    reader : whose FIFO it is; ``reader.key`` names it.
    lanes : elements in one of its beats.
    depth : beats that it holds, or None for any number.
    written : sequence whose event j writes beat j.
    issuer, issued : sequence, and its event that begins each beat of a frame: the step that the pipeline in front started from.
    taken, event : sequence that reads, and its event that takes each beat of a frame.
    """

    reader: Reader
    lanes: int
    depth: int | None
    written: int
    issuer: int
    issued: IntArray
    taken: int
    event: IntArray


@dataclass(eq=False)
class Network:
    """The marked graph of an accelerator.

    Attributes
    ----------
    graph : its sequences.
    buffers : the FIFOs.
    first : sequence whose event 0 is the handshake of the first input beat.
    last : sequence whose events are the output's handshakes.
    processes : sequence of steps by node, the one that writes.
    """

    graph: MarkedGraph = field(default_factory=MarkedGraph)
    buffers: list[Buffer] = field(default_factory=list)
    first: int = -1
    last: int = -1
    processes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Offer:
    """Beats that wait to be taken.

    ``seen`` lists (sequence, event of each beat, delay): beat j is there once all of them have happened. ``taken`` lists
    (sequence, its event that waits until beat j is taken, delay). ``origin`` is the step that began each beat, None where the
    source did.
    """

    beats: int
    lanes: int
    seen: tuple[tuple[int, IntArray, int], ...]
    taken: tuple[tuple[int, IntArray, int], ...]
    origin: tuple[int, IntArray] | None


def fifo_beats(reader: Reader, depth: int) -> int:
    """Beats that the emitted FIFO of ``reader`` holds for ``depth`` beats of the producer, as `hw_flow.rtl.edges` counts."""
    if depth and reader.lanes > reader.written:
        depth = -(-depth * reader.written // reader.lanes) + 1
    return max(LEAST_DEPTH, depth) if depth else 0


def producer_beats(reader: Reader, beats: int) -> int:
    """The depth in beats of the producer that makes the emitter place a FIFO of at least ``beats``."""
    if reader.lanes > reader.written:
        return max(1, (beats - 1) * reader.lanes // reader.written)
    return beats


def network(graph: Graph, folding: Folding, depths: Mapping[str, int] | None, *, reserve: bool = False) -> Network:
    """The marked graph of ``graph``, with FIFOs of ``depths`` (as `hw_flow.rtl.emit` takes them), or without end for None;
    then there are none on `hw_flow.rtl.edges.wires`.

    Pipelines are taken to close up while they wait. Hardware's do not, so that they may hold less; with ``reserve`` a step
    begins only when the FIFO behind has a place for its result, and no pipeline ever waits.
    """
    return _Builder(graph, folding, depths, reserve).build()


class _Builder:
    def __init__(self, graph: Graph, folding: Folding, depths: Mapping[str, int] | None, reserve: bool) -> None:
        self.graph, self.folding, self.depths, self.reserve = graph, folding, depths, reserve
        self.wires = wires(graph, folding)
        self.net = Network()
        self.marked = self.net.graph
        self.offers: dict[tuple[str, str, int], _Offer] = {}

    def build(self) -> Network:
        source = self.graph.inputs[0]
        taking = readers(self.graph, self.folding, source)
        # The source always has a beat; the steps of a lone reader are its handshakes.
        self._spread(source, taking, self.graph.tensors[source].elements // taking[0].written, ())
        for node in self.graph:
            self._place(node.name)
        sink = next(reader for reader in readers(self.graph, self.folding, self.graph.outputs[0]) if reader.node is None)
        beats = sink.tensor.elements // sink.written
        self.net.last = self._steps(f"output {sink.tensor.name}", np.ones(beats, dtype=np.int64))
        self._consume(sink, self.net.last, np.arange(beats))
        return self.net

    def _steps(self, name: str, gaps: IntArray) -> int:
        return self.marked.add(name, gaps)

    def _place(self, name: str) -> None:
        node = self.graph.node(name)
        taking = readers(self.graph, self.folding, node.outputs[0])
        cut = node.outputs[0] not in self.wires and any(self._depth(reader) == 0 for reader in taking)
        own: Kernel = kernel(node, self.graph, self.folding[name], cut)
        process = self._steps(name, own.gaps)
        if self.net.first < 0 and self.graph.inputs[0] in node.inputs:
            self.net.first = process
        for index, (tensor, steps) in enumerate(zip(node.inputs, own.reads, strict=True)):
            reader = next(reader for reader in readers(self.graph, self.folding, tensor)
                          if reader.node is node and reader.index == index)
            self._consume(reader, process, steps)
        if own.writer is not None:
            assert own.needs is not None
            assert own.frees is not None
            writer = self._steps(f"{name} (writes)", own.writer)
            self.marked.wait(writer, process, own.needs, 1)
            self.marked.wait(process, writer, own.frees, 1)
            process = writer
        self.net.processes[name] = process
        beats = len(own.writes)
        if not isinstance(own.latency, int):
            shown = self._steps(f"{name} (shown)", np.ones(beats, dtype=np.int64))
            self.marked.wait(shown, process, own.writes, own.latency, own.ahead)
            seen = ((shown, np.arange(beats), 0),)
        else:
            seen = ((process, own.writes, own.latency),)
        if own.register:
            out = self._steps(f"{name} (register)", np.ones(beats, dtype=np.int64))
            self.marked.wait(out, process, own.writes, own.latency)
            self._rigid(process, out, own)
            self._spread(node.outputs[0], taking, beats, ((out, np.arange(beats), 1),), behind=(out, own.register),
                         origin=(process, own.writes))
        else:
            self._spread(node.outputs[0], taking, beats, seen, behind=(process, own), origin=(process, own.writes))

    def _rigid(self, process: int, out: int, own: Kernel) -> None:
        """A step waits until the beat that has reached the end of the pipeline by then has been taken."""
        sequence = self.marked.sequences[process]
        at, period = sequence.offsets, int(sequence.gaps.sum())
        # Without a pipeline a step and its beat are one; the place that is reserved stands for that.
        ends = at[own.writes] + (np.maximum(1, own.latency) if self.reserve else own.latency)
        if own.loose:
            # Other steps wait no longer than the step before them that writes.
            at = periodic(at[own.writes], np.searchsorted(own.writes, np.arange(len(at)), side="right") - 1, period)
        frames, phase = np.divmod(at - ends[0], period)
        beat = np.searchsorted(ends - ends[0], phase, side="right") - 1
        index = frames * len(ends) + beat
        self.marked.wait(process, out, index, np.asarray(phase - (ends - ends[0])[beat]))

    def _spread(self, tensor: str, taking: tuple[Reader, ...], beats: int, seen: tuple[tuple[int, IntArray, int], ...],
                *, behind: tuple[int, int | Kernel] | None = None, origin: tuple[int, IntArray] | None = None) -> None:
        """Offer each reader of ``tensor`` its beats; ``behind`` is what waits for them to be taken."""
        lanes = taking[0].written
        every = np.arange(beats)
        if len(taking) == 1 and behind is None:
            self.offers[self._key(taking[0])] = _Offer(beats, lanes, seen, (), origin)
            return
        # The handshake at the producer: with a fork, when the last reader has taken the beat.
        out = self._steps(f"stream {tensor}", np.ones(beats, dtype=np.int64))
        for source, index, delay in seen:
            self.marked.wait(out, source, index, delay)
        if behind is None:
            self.net.first = out
        elif isinstance(behind[1], Kernel):
            self._rigid(behind[0], out, behind[1])
        else:
            self.marked.wait(behind[0], out, every - behind[1], 1)
        for reader in taking:
            shown = (*seen, (out, every - 1, 1)) if len(taking) > 1 else seen
            self.offers[self._key(reader)] = _Offer(beats, lanes, shown, ((out, every, 0),), origin)

    def _consume(self, reader: Reader, process: int, steps: IntArray) -> None:
        """Connect ``process``, whose step ``steps[m]`` takes beat m, with what ``reader`` is offered."""
        offer = self.offers.pop(self._key(reader))
        depth = self._depth(reader)
        wide = reader.lanes > reader.written
        if wide:
            offer = self._gear(offer, reader, f"{reader.key} (converter)")
        fifo = None
        if depth != 0:
            written = self._register(offer, f"{reader.key} (FIFO)")
            every = np.arange(offer.beats)
            fifo = reader, offer.lanes, depth, written, *(offer.origin or (written, every))
            waits = [] if depth is None else [(written, every + depth, 1)]
            if offer.origin is not None and depth is not None and self.reserve:
                source, issued = offer.origin
                waits.append((source, periodic(issued, every + depth, self.marked.sequences[source].events), 1))
            offer = _Offer(offer.beats, offer.lanes, ((written, every, 1),), tuple(waits), None)
        whole = offer.lanes // reader.lanes if offer.lanes % reader.lanes == 0 else 0
        if not whole:
            inner = self._gear(offer, reader, f"{reader.key} (converter)")
            if fifo is not None:
                self.net.buffers.append(Buffer(*fifo, inner.seen[0][0], np.arange(offer.beats)))
                fifo = None
            offer, whole = inner, 1
        # Event of the process that takes the last part of each beat.
        last = steps[whole - 1::whole]
        events = self.marked.sequences[process].events
        arrived = np.searchsorted(steps, np.arange(events), side="right") - 1
        for source, index, delay in offer.seen:
            self.marked.wait(process, source, periodic(index, arrived // whole, self.marked.sequences[source].events), delay)
        for source, index, delay in offer.taken:
            self._tell(source, index, delay, process, last)
        if fifo is not None:
            self.net.buffers.append(Buffer(*fifo, process, last))

    def _register(self, offer: _Offer, name: str) -> int:
        """A register that takes what is offered; returns the sequence of its handshakes."""
        taking = self._steps(name, np.ones(offer.beats, dtype=np.int64))
        for source, index, delay in offer.seen:
            self.marked.wait(taking, source, index, delay)
        for source, index, delay in offer.taken:
            self._tell(source, index, delay, taking, np.arange(offer.beats))
        return taking

    def _gear(self, offer: _Offer, reader: Reader, name: str) -> _Offer:
        """A converter with a register, to beats of ``reader.lanes`` elements."""
        taking = self._register(offer, name)
        beats = offer.beats * offer.lanes // reader.lanes
        out = np.arange(beats)
        filled = -(-(out + 1) * reader.lanes // offer.lanes) - 1
        # Beat i may come in the cycle in which beat floor(i * in / out) - 1 leaves: for each beat that leaves the first such i.
        follows = -(-(out + 1) * reader.lanes // offer.lanes)
        origin = None
        if offer.origin is not None:
            source, issued = offer.origin
            origin = source, periodic(issued, filled, self.marked.sequences[source].events)
        return _Offer(beats, reader.lanes, ((taking, filled, 1),), ((taking, follows, 0),), origin)

    def _tell(self, source: int, index: IntArray, delay: int, taker: int, events: IntArray) -> None:
        """Event ``index[j]`` of ``source`` waits for event ``events[j]`` of ``taker``; others wait for the next that does."""
        count, period = self.marked.sequences[source].events, self.marked.sequences[taker].events
        beats = len(index)
        # For each event of the source the last beat that it must wait for, over all frames.
        low = -(int(index.max()) // count) - 2
        unrolled = (index + np.arange(low, 2)[:, None] * count).ravel()
        beat = np.searchsorted(unrolled, np.arange(count), side="right") - 1 + low * beats
        self.marked.wait(source, taker, periodic(events, beat, period), delay)

    def _key(self, reader: Reader) -> tuple[str, str, int]:
        return reader.tensor.name, reader.name, reader.index

    def _depth(self, reader: Reader) -> int | None:
        """Beats of the FIFO in front of ``reader``: 0 for no FIFO, None for one without end."""
        if self.depths is not None:
            return fifo_beats(reader, self.depths.get(reader.key, 0))
        shared = reader.key != reader.tensor.name
        if reader.tensor.name in self.wires:
            return 0
        return 0 if reader.node is None or (reader.tensor.name in self.graph.inputs and not shared) else None
