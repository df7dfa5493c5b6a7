"""Counts that the resources of a node are proportional to: one rule an operator."""

from __future__ import annotations

from functools import lru_cache, singledispatch
from math import ceil, gcd

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding, input_lanes, output_lanes
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
    Thresholds,
)
from hw_flow.rtl.choose import (
    buffer_depth,
    buffer_style,
    coded_weights,
    constant_logic,
    fifo_style,
    multiplier,
    shift_luts,
    weight_style,
)
from hw_flow.rtl.codes import code_bits
from hw_flow.rtl.constant import unit_logic
from hw_flow.rtl.unread import read_channels
from hw_flow.rtl.window import Geometry
from hw_flow.rtl.wrappers.weights import dsp_blocks, weight_format

_LUT_DEPTH = 64
_REPLAY_DEPTH = 32
_FIFO_DEPTH = 32
_LUT_INPUTS = 6


def features(node: Node, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    """Counts that the LUTs of ``node`` are proportional to, memories included.

    * ``xnor``: products of two BIPOLAR elements a cycle; ``shift``: bits that shift and add for weights that are powers of two;
    * ``bit_products``: other LUT products, weight bits times activation bits each; ``dsp_tree``: bits of DSP products summed;
    * ``accumulator``: bits of all accumulators; ``adder``: bits added or compared elsewhere;
    * ``weights``: LUT ROMs of 64 words by 1 bit; ``replay``: LUTRAMs of 32 words by 1 bit that hold the input vector;
      ``buffer``: LUTRAMs of 64 words by 1 bit that hold part of a frame;
    * ``compare``: bits compared with thresholds a cycle; ``table``: LUT ROMs of thresholds;
    * ``argmax``: bits compared by a LabelSelect; ``counter``: bits of address arithmetic;
    * ``heap``: bits that constant logic adds up, one for each digit of a weight and bit of its input; ``small_row``: LUTs of
      tables, such as bits of outputs that are one LUT each; ``constant_compare``: bits compared with thresholds that are
      constants;
    * ``stream``: bits of the node's streams; ``control.<Operator>``: 1, what the operator's kernel has in any size, with
      ``.parallel`` behind it for a parallel window and ``.constant`` for a matrix as constant logic.
    """
    counts = _counts(node, folding, graph)
    streams = sum(graph.tensors[name].width * input_lanes(node, folding, index) for index, name in enumerate(node.inputs))
    streams += graph.output_of(node).width * output_lanes(node, folding)
    kind = type(node).__name__ + ".parallel" * folding.parallel_window
    if isinstance(node, MVAU) and constant_logic(node, folding, graph):
        kind += ".constant"
    return {f"control.{kind}": 1.0, "stream": float(streams), **counts}


def edge_features(written: int, lanes: int, width: int, depth: int) -> dict[str, dict[str, float]]:
    """Counts of what stands between two nodes, by kind: ``fifo`` of ``depth`` beats, none for 0, and ``dwc``.

    Parameters
    ----------
    written, lanes : elements a beat where the tensor is written and where it is read.
    width : bits of an element.
    """
    found: dict[str, dict[str, float]] = {}
    if depth:
        bits = max(written, lanes) * width
        counts = {"control.fifo": 1.0, "fifo_beat": float(bits), "counter": float(2 * depth.bit_length())}
        if depth > 2 and fifo_style(depth, bits) == "distributed":
            counts["fifo_memory"] = float(ceil(depth / _FIFO_DEPTH) * bits)
        found["fifo"] = counts
    if written != lanes:
        # Whole parts of a beat need a multiplexer only, others a register of a common multiple.
        held = written * lanes // gcd(written, lanes)
        found["dwc"] = {"control.dwc": 1.0, "converter": float(held * width)}
    return found


def memories(node: Node, folding: NodeFolding, graph: Graph) -> list[tuple[str, int, int]]:
    """Big memories of ``node``: (``distributed`` or ``block``, words, bits of a word)."""
    match node:
        case MVAU() if constant_logic(node, folding, graph):
            return []
        case MVAU() | VVAU():
            products = folding.pe * folding.simd
            words, bits = node.weights.size // products, weight_format(node, folding, graph).width
            codes = _code_bits(node)
            width = products * (codes if coded_weights(folding, (words, products), bits, codes) else bits)
            return [(weight_style(folding, words, width), words, width)] if words > 1 else []
        case SlidingWindow():
            geometry = Geometry.of(node, graph.input_of(node).shape, folding.simd)
            # The kernel's exact depth takes its whole schedule; rows of the map and two windows come close to it.
            words = min(geometry.reads + geometry.groups,
                        ((node.kernel[0] - 1) * node.dilation[0] * geometry.size[1] + 2 * node.kernel[1]) * geometry.groups)
            width = folding.simd * graph.input_of(node).width
            style = buffer_style(folding, words, width)
            return [(style, buffer_depth(words, style), width)]
        case Reorder():
            words, width = 2 * graph.input_of(node).elements // folding.pe, folding.pe * graph.output_of(node).width
            return [(buffer_style(folding, words, width), words, width)]
        case Lookup():
            folds = graph.input_of(node).channels // folding.pe if len(node.table) > 1 else 1
            words = folds << graph.input_of(node).width
            return [(weight_style(folding, words, graph.output_of(node).width), words, graph.output_of(node).width)] * folding.pe
        case _:
            return []


@lru_cache(maxsize=64)
def _code_bits(node: MVAU | VVAU) -> int:
    """`code_bits` of a node's weights: a search asks for every folding, and large matrices take long to sort."""
    return code_bits(node.weights)


def dsp_products(node: Node, folding: NodeFolding, graph: Graph) -> int:
    """DSP blocks that multiply; rows of a matrix can share them."""
    match node:
        case MVAU() if constant_logic(node, folding, graph):
            return 0
        case MVAU() | VVAU():
            return dsp_blocks(node, folding, graph, weight_format(node, folding, graph))
        case Multiply():
            widths = [graph.tensors[name].width for name in node.inputs]
            return folding.pe * (multiplier(folding, widths[0], widths[1]) == "MulDsp")
        case Requantise():
            width = max(int(abs(node.multiplier).max()).bit_length() + 1, 1)
            return folding.pe * (multiplier(folding, graph.input_of(node).width, width) == "MulDsp")
        case _:
            return 0


@singledispatch
def _counts(node: Node, _folding: NodeFolding, _graph: Graph) -> dict[str, float]:
    raise FlowError(f"{node.name}: no cost model for {type(node).__name__}; synthesise it instead")


@_counts.register
def _(node: MVAU, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    if constant_logic(node, folding, graph):
        return _constant(node, graph)
    counts = _products(node, folding, graph)
    if node.mh > folding.pe:
        counts["replay"] = float(ceil(node.mw / folding.simd / _REPLAY_DEPTH) * folding.simd * graph.input_of(node).width)
    return counts | _activation(node.thresholds, int(DataType[node.acc_dtype].bitwidth()), folding.pe, node.mh)


@_counts.register
def _(node: VVAU, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    counts = _products(node, folding, graph)
    return counts | _activation(node.thresholds, int(DataType[node.acc_dtype].bitwidth()), folding.pe, node.channels)


@_counts.register
def _(node: SlidingWindow, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    beats = graph.input_of(node).elements // folding.simd
    counts = {"counter": 6.0 * beats.bit_length()} | _memory(node, folding, graph, "buffer")
    if folding.parallel_window:
        # Rows leave their memories side by side; registers hold the taps, and padding masks them.
        counts["adder"] = float(node.taps * folding.simd * graph.input_of(node).width) / 2
    return counts


@_counts.register
def _(node: Pool, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    return {"adder": float(2 * folding.pe * folding.simd * graph.output_of(node).width)}


@_counts.register
def _(node: GlobalPool, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    source, width = graph.input_of(node), graph.output_of(node).width * folding.pe
    groups = source.channels // folding.pe
    return {"adder": 2.0 * width, "buffer": float(ceil(groups / _LUT_DEPTH) * width * (groups > 1)),
            "counter": float(source.elements.bit_length())}


@_counts.register
def _(node: Thresholding, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    if constant_logic(node, folding, graph):
        return {"small_row": float(unit_logic(node, graph, folding).luts)}
    source = graph.input_of(node)
    return _activation(node.thresholds, source.width, folding.pe, source.channels)


@_counts.register
def _(node: LabelSelect, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    return {"argmax": float(folding.pe * graph.input_of(node).width)}


@_counts.register
def _(node: Add, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    limits = [graph.tensors[name].limits for name in node.inputs]
    reach = sum(abs(factor) * max(map(abs, limit)) for factor, limit in zip(node.coefficients, limits, strict=True))
    bits = int(reach).bit_length() + 1
    channels = graph.input_of(node).channels
    return {"adder": float((len(node.inputs) - 1) * folding.pe * bits)} | _activation(node.thresholds, bits, folding.pe, channels)


@_counts.register
def _(node: Multiply, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    widths = [graph.tensors[name].width for name in node.inputs]
    counts = {} if dsp_products(node, folding, graph) else {"bit_products": float(folding.pe * widths[0] * widths[1])}
    return counts | _activation(node.thresholds, sum(widths), folding.pe, graph.input_of(node).channels)


@_counts.register
def _(node: Requantise, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    width = int(abs(node.multiplier).max()).bit_length() + 1
    bits = graph.input_of(node).width
    product = {} if dsp_products(node, folding, graph) else {"bit_products": float(folding.pe * bits * width)}
    return {**product, "adder": 2.0 * folding.pe * (bits + width)}


@_counts.register(Concat)
@_counts.register(Slice)
def _(node: Concat | Slice, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    return {"adder": float(len(node.inputs) - 1) * folding.pe * graph.output_of(node).width / 2}


@_counts.register(Reorder)
@_counts.register(Lookup)
def _(node: Reorder | Lookup, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    if isinstance(node, Lookup):
        return _memory(node, folding, graph, "weights")
    return {"counter": 4.0 * graph.output_of(node).elements.bit_length()} | _memory(node, folding, graph, "buffer")


def _constant(node: MVAU, graph: Graph) -> dict[str, float]:
    """Digits of the weights in signed binary (non-adjacent form) times bits of the input; zeros cost nothing."""
    source, out = graph.input_of(node), graph.output_of(node)
    weights = abs(node.weights[read_channels(graph, node.outputs[0])]).astype(np.int64)
    bits = np.bitwise_count(weights ^ 3 * weights).astype(np.int64).sum(axis=1) * source.width
    small = np.count_nonzero(weights, axis=1) * source.width <= _LUT_INPUTS
    counts = {"heap": float(bits[~small].sum()), "small_row": float((small & (bits > 0)).sum() * out.width)}
    if node.thresholds is not None:
        # The first comparison is the sign of the sum.
        further = node.thresholds.levels.bit_length() - 1
        counts["constant_compare"] = float((~small).sum() * further * int(DataType[node.acc_dtype].bitwidth()))
    return counts


def _memory(node: Node, folding: NodeFolding, graph: Graph, name: str) -> dict[str, float]:
    count = sum(ceil(words / _LUT_DEPTH) * width for style, words, width in memories(node, folding, graph)
                if style == "distributed")
    return {name: float(count)} if count else {}


def _products(node: MVAU | VVAU, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    source = graph.input_of(node)
    made, products = weight_format(node, folding, graph), folding.pe * folding.simd
    counts = {"accumulator": float(folding.pe * int(DataType[node.acc_dtype].bitwidth()))}
    if node.weight_dtype == source.dtype == "BIPOLAR":
        counts["xnor"] = float(products)
    elif made.shifts:
        counts["shift"] = products * shift_luts(source.width, made.width)
    elif made.mul == "MulDsp":
        counts["dsp_tree"] = float(products * (made.width + source.width))
    else:
        counts["bit_products"] = float(products * made.width * source.width)
    return counts | _memory(node, folding, graph, "weights")


def _activation(thresholds: Thresholds | None, bits: int, pe: int, channels: int) -> dict[str, float]:
    if thresholds is None:
        return {}
    folds = channels // pe if len(thresholds.values) > 1 else 1
    # A search of ceil(log2(levels + 1)) stages compares once a stage.
    counts = {"compare": float(pe * thresholds.levels.bit_length() * bits)}
    if folds * thresholds.levels > 1:
        counts["table"] = float(pe * bits * thresholds.levels * ceil(folds / _LUT_DEPTH))
    return counts
