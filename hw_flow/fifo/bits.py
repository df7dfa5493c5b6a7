"""What FIFOs hold in bits, and what FINN's sizing rule would make of the same accelerator."""

from __future__ import annotations

from collections.abc import Mapping

from hw_flow.fifo.network import fifo_beats, network
from hw_flow.fifo.performance import Run
from hw_flow.folding import Folding
from hw_flow.ir import MVAU, Graph, SlidingWindow

# FINN measures with two frames, then rounds: at least 2, then 32, then powers of two (``optimize_depth``).
_FINN_FRAMES = 2
_FINN_SHALLOW = (2, 32)


def fifo_bits(graph: Graph, folding: Folding, depths: Mapping[str, int]) -> dict[str, int]:
    """Bits of each FIFO that is emitted for ``depths``."""
    return {buffer.reader.key: fifo_beats(buffer.reader, depths[buffer.reader.key]) * buffer.lanes * buffer.reader.tensor.width
            for buffer in network(graph, folding, depths).buffers}


def fifo_widths(graph: Graph, folding: Folding) -> dict[str, int]:
    """Bits of a beat of each FIFO."""
    return {buffer.reader.key: buffer.lanes * buffer.reader.tensor.width for buffer in network(graph, folding, None).buffers}


def finn_bits(graph: Graph, folding: Folding) -> dict[str, int]:
    """Bits of each FIFO by FINN's rule (``InsertAndSetFIFODepths``, large FIFOs).

    FIFOs without end are filled by a source that never pauses, for two frames; a depth is the peak, rounded up. Between a window
    and its matrix unit it is at most a row of windows (``CapConvolutionFIFODepths``).
    """
    net = network(graph, folding, None)
    run = Run(net)
    run.play(_FINN_FRAMES)
    result = {}
    for buffer in net.buffers:
        reader = buffer.reader
        depth = _finn_depth(run.peak(buffer))
        producer = graph.producer(reader.tensor.name)
        if isinstance(producer, SlidingWindow) and isinstance(reader.node, MVAU) and len(reader.tensor.shape) == 3:
            row = reader.tensor.shape[1] * reader.tensor.channels // buffer.lanes
            depth = min(depth, _finn_depth(row))
        result[reader.key] = depth * buffer.lanes * reader.tensor.width
    return result


def _finn_depth(peak: int) -> int:
    for shallow in _FINN_SHALLOW:
        if peak <= shallow:
            return shallow
    return 1 << (peak - 1).bit_length()
