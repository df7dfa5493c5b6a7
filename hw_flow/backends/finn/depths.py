"""FIFO depths: FINN's where its graph or the folding file has them, else ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw_flow.errors import FlowError

if TYPE_CHECKING:
    from hw_flow.backends.finn.hardware import HardwareGraph
    from hw_flow.backends.finn.importer import Imported

_KIND = "StreamingFIFO"


@dataclass(frozen=True)
class Fifo:
    """A FIFO of FINN's: its depth in beats of what is in front, and the nodes that it stands between, where there are any."""

    depth: int
    producer: str | None
    reader: str | None


def given(hardware: HardwareGraph, folding: Path | None, places: Sequence[Mapping[str, Any]]) -> tuple[Fifo, ...]:
    """FIFOs with a depth.

    Parameters
    ----------
    folding : FINN's folding file, in which ``StreamingFIFO`` entries have a ``depth``.
    places : name, producer and reader of every FIFO as FINN will insert it.

    Raises
    ------
    FlowError : a depth is no whole number from 1 on.
    """
    found = [Fifo(node.number("depth"), *_ends(hardware, node.inputs[0], node.outputs[0]))
             for node in hardware.nodes if node.kind == _KIND]
    named = json.loads(folding.read_text(encoding="utf-8")) if folding is not None else {}
    for place in places:
        entry = named.get(str(place["name"]))
        if isinstance(entry, dict) and "depth" in entry:
            depth = entry["depth"]
            if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
                raise FlowError(f"folding file: {place['name']}: depth {depth!r}; give a whole number from 1 on")
            found.append(Fifo(depth, place["producer"], place["reader"]))
    return tuple(found)


def taken(imported: Imported, ours: Mapping[str, int], fifos: Sequence[Fifo]) -> tuple[dict[str, int], list[str]]:
    """Our depths by stream with FINN's in their place, and a line that says where they are from.

    FINN's depths are kept where the simulated kernels can run forever with them: they are not FINN's own and may need more.
    """
    from hw_flow.fifo import completes

    theirs = {key: fifo.depth for fifo in fifos for key in _streams(imported, ours, fifo)}
    if not theirs:
        return dict(ours), ["FIFO depths: from our sizing; FINN finds its own in Vivado's simulator"]
    depths = {**ours, **theirs}
    progress = completes(imported.graph, imported.folding, depths)
    if not progress.done:
        return dict(ours), [f"FIFO depths: from our sizing; with FINN's {len(theirs)} the simulated kernels lock up at "
                            f"{', '.join(progress.stuck)}"]
    rest = len(depths) - len(theirs)
    return depths, [f"FIFO depths: FINN's on {len(theirs)} streams" + (f", ours on {rest}" if rest else "")]


def _streams(imported: Imported, ours: Mapping[str, int], fifo: Fifo) -> Iterator[str]:
    """Our streams that a FIFO of FINN's is: the one behind its producer, or a fork's to its reader."""
    nodes = {placed.finn: placed.node for placed in imported.placed if placed.node is not None}
    producer, reader = nodes.get(str(fifo.producer)), nodes.get(str(fifo.reader))
    if producer is not None:
        tensor = imported.graph.node(producer).outputs[0]
        if tensor in ours:
            yield tensor
    elif reader is not None:
        yield from (key for key in ours if key.endswith(f"@{reader}"))


def _ends(hardware: HardwareGraph, source: str, sink: str) -> tuple[str | None, str | None]:
    """Names of the nodes that write ``source`` and read ``sink``."""
    producer = next((node.name for node in hardware.nodes if source in node.outputs), None)
    return producer, next((node.name for node in hardware.readers(sink)), None)
