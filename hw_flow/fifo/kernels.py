"""What each kernel does beat by beat: the exact rules of ``hw_flow/rtl/kernels``.

A kernel has one process that reads and, where it holds data that it may write later, a second one that writes. Everything else
is a pipeline that moves as a whole: a step enters it, its result leaves ``latency`` steps later, and nothing moves while the
result at its end is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, singledispatch
from typing import cast

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import (
    MVAU,
    VVAU,
    Add,
    Concat,
    GlobalPool,
    Graph,
    LabelSelect,
    Lookup,
    Multiply,
    Node,
    Pool,
    Reorder,
    Requantise,
    Slice,
    SlidingWindow,
    Thresholding,
)
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl import encode
from hw_flow.rtl.choose import buffer_depth, buffer_style, constant_logic
from hw_flow.rtl.constant import unit_logic
from hw_flow.rtl.latency import Kind, dot_acc_latency
from hw_flow.rtl.window import Geometry
from hw_flow.rtl.wrappers.joins import digits, result_limits
from hw_flow.rtl.wrappers.matrix import ascending
from hw_flow.rtl.wrappers.module import number_kind
from hw_flow.rtl.wrappers.spatial import as_matrix
from hw_flow.rtl.wrappers.weights import weight_format


@dataclass(frozen=True, eq=False)
class Kernel:
    """Steps of a node in one frame.

    Attributes
    ----------
    gaps : least cycles between steps of the process that reads; the first counts from the frame before.
    reads : per input the step that takes each beat.
    writes : the step that makes each output beat, of the second process if there is one.
    latency : cycles from that step to the beat at the output, of all beats or of each.
    register : beats that a register behind the pipeline holds, 0 without one.
    loose : only steps that write wait for the beat at the end of the pipeline; the others go on.
    writer : gaps of the second process, or None.
    needs : per step of the second process the step of the first that must be over.
    ahead : per output beat, how many steps of the next frame bring it out; None for no such beats.
    frees : per step of the first process the step of the second that must be over; below 0 in earlier frames.
    """

    gaps: IntArray
    reads: tuple[IntArray, ...]
    writes: IntArray
    latency: int | IntArray
    register: int = 0
    loose: bool = False
    writer: IntArray | None = None
    needs: IntArray | None = None
    frees: IntArray | None = None
    ahead: IntArray | None = None


@singledispatch
def kernel(node: Node, _graph: Graph, _folding: NodeFolding, _cut: bool) -> Kernel:
    """The steps of ``node``.

    The last argument says that some reader of the output has no FIFO, so that the kernel ends in a register if it can.

    Raises
    ------
    FlowError : an operator without a schedule.
    """
    raise FlowError(f"{node.name}: no schedule for a {type(node).__name__}; its FIFOs cannot be sized")


@kernel.register
def _(node: MVAU, graph: Graph, folding: NodeFolding, cut: bool) -> Kernel:
    source = graph.input_of(node)
    fold, folds, count = node.mw // folding.simd, node.mh // folding.pe, source.elements // node.mw
    if constant_logic(node, folding, graph):
        steps = np.arange(count)
        stages = unit_logic(node, graph, folding).pipeline.stages
        return Kernel(np.ones(count, dtype=np.int64), (steps,), steps, stages, register=2 * cut)
    # A vector: its beats as they come, then the ends of the other folds.
    gaps = np.ones((count, fold + folds - 1), dtype=np.int64)
    gaps[:, fold:] = fold
    step = np.arange(gaps.size).reshape(gaps.shape)
    latency = 1 + _sum_latency(node, graph, folding) + _threshold_latency(node, graph, folding.pe)
    return Kernel(gaps.ravel(), (step[:, :fold].ravel(),), step[:, fold - 1:].ravel(), latency,
                  register=(1 if fold > 1 else 2) * cut)


@kernel.register
def _(node: VVAU, graph: Graph, folding: NodeFolding, cut: bool) -> Kernel:
    latency = 1 + _sum_latency(node, graph, folding) + _threshold_latency(node, graph, folding.pe)
    return _reduce(node, graph, folding, latency, register=(1 if node.taps > folding.simd else 2) * cut)


@kernel.register
def _(node: Pool, graph: Graph, folding: NodeFolding, cut: bool) -> Kernel:
    latency = max(1, (folding.simd - 1).bit_length())
    return _reduce(node, graph, folding, latency, register=(1 if node.taps > folding.simd else 2) * cut)


@kernel.register
def _(node: GlobalPool, graph: Graph, folding: NodeFolding, cut: bool) -> Kernel:
    steps = _beats(node, graph, folding)
    results = graph.output_of(node).elements // folding.pe
    return Kernel(np.ones(len(steps), dtype=np.int64), (steps,), steps[-results:], 1, register=2 * cut, loose=True)


@kernel.register
def _(node: SlidingWindow, graph: Graph, folding: NodeFolding, cut: bool) -> Kernel:
    geometry = Geometry.of(node, graph.input_of(node).shape, folding.simd)
    return _parallel_window(geometry, cut) if folding.parallel_window else _window(node, graph, folding, geometry)


def _window(node: SlidingWindow, graph: Graph, folding: NodeFolding, geometry: Geometry) -> Kernel:
    """A tap a beat, out of a buffer that reads ahead."""
    source, out = graph.input_of(node), graph.output_of(node)
    needs, tails, depth = geometry.needs() - 1, geometry.tails(), geometry.depth()
    # Of one-bit elements, only padding needs more than the bit that is stored.
    stored = 1 if source.dtype == "BIPOLAR" != out.dtype else out.width
    depth = buffer_depth(depth, buffer_style(folding, depth, folding.simd * stored))
    steps = np.arange(geometry.reads)
    # The room for beat r comes with the first write after which place r - depth is free.
    periods = np.arange(-(depth // geometry.reads) - 2, 2)
    unrolled = (tails + periods[:, None] * geometry.reads).ravel()
    frees = np.searchsorted(unrolled, steps - depth + 1) + periods[0] * len(tails)
    return Kernel(np.ones(len(steps), dtype=np.int64), (steps,), np.arange(len(needs)), 1,
                  writer=np.ones(len(needs), dtype=np.int64), needs=needs, frees=frees)


def _parallel_window(geometry: Geometry, cut: bool) -> Kernel:
    """A window a beat, out of a chain that shifts with each beat that comes.

    Windows behind the frame's last beat leave with beats of the next frame, or with empty shifts if that is not there.
    Padding in front of the chain, beyond what a window spans, is counted as if the chain made it.
    """
    front, chain, _ = geometry.split()
    slots = chain.slots()
    if front is not None:
        # Beats of the padded map, at the first beat of the map itself that is not before them.
        slots = np.minimum(front.needs()[np.minimum(slots, chain.reads) - 1] + np.maximum(0, slots - chain.reads), geometry.reads)
    steps = np.arange(geometry.reads)
    shifts = np.maximum(slots - geometry.reads, 0)
    gaps = np.ones(len(steps), dtype=np.int64)
    gaps[0] += max(0, chain.reads - geometry.reads)
    writes = np.minimum(slots, geometry.reads) - 1
    return Kernel(gaps, (steps,), writes, 1 + int(cut) + shifts, ahead=shifts if shifts.any() else None)


@kernel.register
def _(node: Reorder, graph: Graph, folding: NodeFolding, _cut: bool) -> Kernel:
    steps = _beats(node, graph, folding)
    needs = np.maximum.accumulate(node.index()[::folding.pe] // folding.pe)
    needs[-1] = steps[-1]
    # Two banks: a frame may come once the last but one has gone.
    return Kernel(np.ones(len(steps), dtype=np.int64), (steps,), np.arange(len(needs)), 1,
                  writer=np.ones(len(needs), dtype=np.int64), needs=needs, frees=np.full(len(steps), -len(needs) - 1))


@kernel.register
def _(node: LabelSelect, graph: Graph, folding: NodeFolding, _cut: bool) -> Kernel:
    steps, fold = _beats(node, graph, folding), graph.input_of(node).channels // folding.pe
    return Kernel(np.ones(len(steps), dtype=np.int64), (steps,), steps[fold - 1::fold], (folding.pe - 1).bit_length() + 1)


@kernel.register
def _(node: Concat, graph: Graph, folding: NodeFolding, cut: bool) -> Kernel:
    widths = [graph.tensors[name].channels // folding.pe for name in node.inputs]
    steps = np.arange(graph.output_of(node).elements // folding.pe).reshape(-1, sum(widths))
    parts = np.split(steps, np.cumsum(widths)[:-1], axis=1)
    return Kernel(np.ones(steps.size, dtype=np.int64), tuple(part.ravel() for part in parts), steps.ravel(), 0,
                  register=2 * cut)


@kernel.register
def _(node: Slice, graph: Graph, folding: NodeFolding, _cut: bool) -> Kernel:
    steps = _beats(node, graph, folding)
    parts = steps.reshape(-1, graph.input_of(node).channels // folding.pe)
    return Kernel(np.ones(len(steps), dtype=np.int64), (steps,),
                  parts[:, node.begin // folding.pe:node.end // folding.pe].ravel(), 0, loose=True)


@kernel.register
def _(node: Thresholding, graph: Graph, folding: NodeFolding, _cut: bool) -> Kernel:
    if constant_logic(node, folding, graph):
        steps = _beats(node, graph, folding)
        return Kernel(np.ones(len(steps), dtype=np.int64), (steps,), steps, unit_logic(node, graph, folding).pipeline.stages)
    return _elements(node, graph, folding, _cut)


@kernel.register(Add)
@kernel.register(Multiply)
@kernel.register(Lookup)
@kernel.register(Requantise)
def _elements(node: Node, graph: Graph, folding: NodeFolding, _cut: bool) -> Kernel:
    steps = _beats(node, graph, folding)
    return Kernel(np.ones(len(steps), dtype=np.int64), (steps,) * len(node.inputs), steps, _element_latency(node, graph, folding))


def _beats(node: Node, graph: Graph, folding: NodeFolding) -> IntArray:
    return np.arange(graph.input_of(node).elements // folding.pe)


def _reduce(node: VVAU | Pool, graph: Graph, folding: NodeFolding, latency: int, *, register: int) -> Kernel:
    steps = np.arange(graph.input_of(node).elements // (folding.pe * folding.simd))
    fold = node.taps // folding.simd
    return Kernel(np.ones(len(steps), dtype=np.int64), (steps,), steps[fold - 1::fold], latency, register)


def _sum_latency(node: MVAU | VVAU, graph: Graph, folding: NodeFolding) -> int:
    source, made = graph.input_of(node), weight_format(node, folding, graph)
    return dot_acc_latency(folding.simd, act_width=source.width, act_kind=cast(Kind, number_kind(source)),
                           weight_width=made.width, weight_kind=made.kind, mul=made.mul)


def _element_latency(node: Node, graph: Graph, folding: NodeFolding) -> int:
    after = _threshold_latency(node, graph, folding.pe)
    match node:
        case Thresholding():
            return after
        case Add():
            terms = sum(len(digits(factor)) for factor in node.coefficients)
            return max(1, (terms - 1).bit_length()) + after
        case Multiply():
            return 2 + after
        case Lookup():
            return 1
        case _:
            return 4


@lru_cache(maxsize=128)
def _threshold_latency(node: Node, graph: Graph, pe: int) -> int:
    """Cycles of ``bw_threshold`` with the table that is emitted for ``node``, 0 without thresholds."""
    match node:
        case MVAU():
            table = encode.table_of_mvau(ascending(node), graph, pe)
        case VVAU():
            table = encode.table_of_mvau(ascending(as_matrix(node)), graph, pe)
        case Thresholding():
            table = encode.table_of_thresholding(node, graph, pe)
        case Add() | Multiply() if node.thresholds is not None:
            table = encode.table_of_values(node.thresholds, graph.output_of(node), *result_limits(node, graph), pe=pe,
                                           name=node.name)
        case _:
            table = None
    return 0 if table is None else table.cycles
