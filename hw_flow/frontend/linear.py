"""Convolutions and dense layers as regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm, prod

import numpy as np
import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.context import Context
from hw_flow.frontend.cores import Depthwise, Linear
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, Fractions, Mul, Op, compose_affine, spread
from hw_flow.frontend.regions import Integers, Region, constant, counting
from hw_flow.frontend.site import Site
from hw_flow.frontend.values import Value, channels_last, common
from hw_flow.frontend.weights import Weights, narrowest, weights_of
from hw_flow.frontend.windows import window_of
from hw_flow.ir.tensor import IntArray


@dataclass(frozen=True, eq=False)
class _Input:
    """What the integers of a linear operator stand for: ``integer * scale * factors + offset``, the last two per channel."""

    scale: Fraction
    factors: IntArray | None
    offset: Fractions


def linear(context: Context, node: onnx.NodeProto) -> Value:
    """The value of a MatMul, Gemm or Conv node."""
    site = context.site(node)
    if site.source != 0:
        raise FlowError(f"{site.where}: its activation is the second operand; export it as activation times weights")
    if len(context.operands(node)) > 1:
        raise FlowError(f"{site.where}: multiplies two activations; only products with constant weights can be compiled, use a "
                        "convolution or a dense layer, or cut the model before it")
    value = context.integer(node, node.input[0])
    return _conv(context, site, value) if node.op_type == "Conv" else _dense(context, site, value)


def _input(context: Context, node: onnx.NodeProto, value: Value, per_channel: bool = False) -> _Input:
    """The scale and the offsets of the input, or FlowError."""
    where = f"{node.name} ({node.op_type})"
    assert value.affine is not None
    scale, offset = value.affine
    if not all(scale) and not any(scale):
        raise FlowError(f"{where}: its input '{node.input[0]}' is multiplied by zero; check the export")
    if len(scale) == 1 or per_channel:
        return _Input(scale[0], None, offset)
    shared = common(scale)
    if shared is None or np.abs(shared[1]).max() > 255:
        culprit = next((op.node for op in value.ops if (affine := op.affine()) and affine[0].size > 1), None)
        what = f"{culprit} scales each channel" if culprit else f"'{value.base.tensor}' has one scale per channel"
        raise FlowError(f"{where}: non-integer accumulator: its input '{node.input[0]}' has no common "
                        f"scale ({what}); insert a Quant node with one scale before {node.name}")
    context.notes.append(f"{node.name}: the channels of its input have different scales; its weights are multiplied by up to "
                         f"{np.abs(shared[1]).max()} to make up for it")
    return _Input(shared[0][0], shared[1], offset)


def accumulate(weights: Weights, scale: Fraction, offset: Fractions, fan: int) -> tuple[Const, Const]:
    """Scale and offset of the accumulators, per row of ``weights``; ``offset`` repeats along its columns, ``fan`` times."""
    per_row = weights.scale.fractions()
    scales = tuple(scale * number for number in per_row)
    if not any(offset):
        return constant(scales), Const.of(0.0)
    denominator = lcm(*(number.denominator for number in offset))
    whole = np.array([int(number * denominator) for number in offset], dtype=object)
    sums = weights.values.reshape(len(weights.values), fan, -1).sum(axis=1)
    totals = sums.sum(axis=1).astype(object) * whole[0] if len(whole) == 1 else sums.astype(object) @ whole
    plus = tuple(Fraction(int(number), denominator) for number in totals)
    return constant(scales), constant(spread(lambda a, b: a * b, plus, per_row))


def _region(context: Context, value: Value, core: Linear | Depthwise, sink: Integers, tail: tuple[Op, ...]) -> Value:
    """Add the region whose accumulators are ``sink`` before the operators of ``tail``."""
    start = sink.meaning
    affine = compose_affine((*start, *tail))
    assert affine is not None
    made = Integers(sink.name, sink.tensor, sink.shape, sink.order, constant(affine[0]), constant(affine[1]))
    nodes = context.sorted(value.nodes, (core.node,))
    context.regions.append(Region(nodes, (value.base,), made, (value.ops,), core, start, tail))
    return Value.of(made)


# --- dense layers --------------------------------------------------------------------------------------------------------


def _dense(context: Context, site: Site, value: Value) -> Value:
    node = site.node
    if node.op_type == "Gemm" and site.attribute("transA", 0):
        raise FlowError(f"{site.where}: transA is set, which mixes frames; export the layer without it")
    matrix = site.array(1, "weight matrix")
    if matrix.ndim != 2:
        raise FlowError(f"{site.where}: its weights have rank {matrix.ndim}; they must be a matrix")
    transposed = node.op_type == "Gemm" and bool(site.attribute("transB", 0))
    weights = weights_of(node, context.model.graph, context.static, axis=0 if transposed else 1)
    mw = weights.values.shape[1]
    if site.frame[-1] != mw:
        raise FlowError(f"{site.where}: weights {list(matrix.shape)} do not fit frames of {list(site.frame)}; check the export")
    found = _vectors(value, mw)
    if found is None:
        frame = value.frame
        elements = counting(frame).reshape(1, -1, mw) if prod(frame) != mw else counting(frame).reshape(mw)
        value = context.stream(node.input[0], value, elements)
        found = _vectors(value, mw)
        assert found is not None
    vectors, columns = found
    given = _input(context, node, value)
    values = np.empty_like(weights.values)
    values[:, columns] = weights.values
    weights = Weights(values, weights.dtype, weights.scale)
    fan = mw // value.base.channels if mw > value.base.channels else 1
    factors = None if given.factors is None else np.tile(given.factors, fan)
    core = Linear(node.name, weights, None, factors)
    shape = core.shape(value.base.shape)
    order = (vectors[:, None] * shape[-1] + np.arange(shape[-1])).reshape(site.out_frame)
    scale, offset = accumulate(weights, given.scale, given.offset, fan)
    sink = Integers(context.name(node.output[0]), node.output[0], shape, order, scale, offset)
    return _region(context, value, core, sink, _gemm_tail(site, sink))


def _vectors(value: Value, mw: int) -> tuple[IntArray, IntArray] | None:
    """Vector of the stream behind each vector of the ONNX frame, and the columns of its elements; None if they are mixed."""
    shape = value.base.shape
    if not any(prod(shape[axis:]) == mw for axis in range(len(shape))) or (mw < shape[-1]):
        return None
    order = value.order.reshape(-1, mw)
    vectors, columns = order // mw, order % mw
    if (vectors != vectors[:, :1]).any() or (columns != columns[0]).any():
        return None
    return vectors[:, 0], columns[0]


def _gemm_tail(site: Site, sink: Integers) -> tuple[Op, ...]:
    if site.node.op_type != "Gemm":
        return ()
    name, ops = site.node.name, []
    alpha = float(np.float32(site.attribute("alpha", 1.0)))
    if alpha != 1:
        ops.append(Mul(node=name, by=Const.of(alpha)))
    if len(site.node.input) > 2 and site.node.input[2]:
        beta = float(np.float32(site.attribute("beta", 1.0)))
        after = Site(site.node, site.static, site.out_frame, site.out_frame, lambda: sink.order % sink.channels)
        bias = after.const(2, "bias")
        by = bias if beta == 1 else constant(tuple(Fraction(beta) * number for number in bias.fractions()))
        return (*ops, Add(node=name, by=by))
    return tuple(ops)


# --- convolutions --------------------------------------------------------------------------------------------------------


def _conv(context: Context, site: Site, value: Value) -> Value:
    node = site.node
    kernel = site.array(1, "weight tensor")
    if kernel.ndim != len(site.frame) + 1 or kernel.ndim not in (3, 4):
        raise FlowError(f"{site.where}: its weights have rank {kernel.ndim} for frames of {list(site.frame)}; only 1-D and 2-D "
                        "convolutions can be compiled")
    weights = weights_of(node, context.model.graph, context.static, axis=0)
    stored: np.ndarray = np.moveaxis(weights.values.reshape(kernel.shape), 1, -1)  # [O, *kernel, I]
    if stored.ndim == 3:
        stored = stored[:, None]
    channels, outputs, groups = site.frame[0], len(stored), site.attribute("group", 1)
    if groups < 1 or stored.shape[-1] * groups != channels or outputs % groups:
        raise FlowError(f"{site.where}: weights {list(kernel.shape)} do not fit {channels} channels in {groups} groups; check "
                        "the export")
    value = context.stream(node.input[0], value, channels_last(site.frame, 0))
    window = window_of(site, 0, kernel.shape[2:])
    depthwise = 1 < groups == channels == outputs
    given = _input(context, node, value, per_channel=depthwise)
    pad = _zero(site, value) if any(window.pads) else 0
    map_ = value.base.shape
    high, wide = window.node(pad).positions(map_)
    if min(high, wide) < 1:
        raise FlowError(f"{site.where}: its kernel does not fit into frames of {list(site.frame)}; check the export")
    shape = (high, wide, outputs)
    made = counting(shape)
    order = np.moveaxis(made if len(site.frame) == 3 else made[0], -1, 0)
    sink_name = context.name(node.output[0])
    core: Linear | Depthwise
    if depthwise:
        taps = Weights(stored.reshape(channels, -1), weights.dtype, weights.scale)
        core = Depthwise(node.name, taps, window.node(pad, depthwise=True))
        scales, offsets = value.affine or ((), ())
        sums = [Fraction(int(number)) for number in taps.values.sum(axis=1)]
        per_row = taps.scale.fractions()
        scale = constant(spread(lambda a, b: a * b, scales, per_row))
        offset = constant(spread(lambda a, b: a * b, spread(lambda a, b: a * b, offsets, tuple(sums)), per_row))
    else:
        if 1 < groups == channels:
            context.notes.append(f"{node.name} makes {outputs // groups} outputs of each channel alone; its matrix holds "
                                 f"zeros for the other {channels - 1} channels")
        dense = _ungrouped(stored, groups).reshape(outputs, -1)
        fan = dense.shape[1] // channels
        factors = None if given.factors is None else np.tile(given.factors, fan)
        matrix = Weights(dense, narrowest(dense), weights.scale)
        core = Linear(node.name, matrix, None if window.trivial else window.node(pad), factors,
                      1 if groups == channels else groups)
        scale, offset = accumulate(matrix, given.scale, given.offset, fan)
    sink = Integers(sink_name, node.output[0], shape, order.reshape(site.out_frame), scale, offset)
    tail: tuple[Op, ...] = ()
    if len(node.input) > 2 and node.input[2]:
        bias = site.array(2, "bias")
        if bias.size not in (1, outputs):
            raise FlowError(f"{site.where}: its bias has {bias.size} elements for {outputs} outputs; check the export")
        tail = (Add(node=node.name, by=Const.of(bias)),)
    return _region(context, value, core, sink, tail)


def _ungrouped(stored: IntArray, groups: int) -> IntArray:
    """Weights ``[O, KH, KW, I/groups]`` as ``[O, KH, KW, I]`` with zeros for the channels of other groups."""
    if groups == 1:
        return stored
    outputs, high, wide, part = stored.shape
    dense = np.zeros((outputs, high, wide, part * groups), dtype=np.int64)
    each = outputs // groups
    for group in range(groups):
        rows = slice(group * each, (group + 1) * each)
        dense[rows, ..., group * part:(group + 1) * part] = stored[rows]
    return dense


def _zero(site: Site, value: Value) -> int:
    """The integer that stands for the 0 of the padding."""
    assert value.affine is not None
    scale, offset = value.affine
    zeros = {-b / a if a else None for a, b in zip(*_same_length(scale, offset), strict=True)}
    if len(zeros) == 1 and (zero := zeros.pop()) is not None and zero.denominator == 1:
        return int(zero)
    why, instead = (("each channel has its own zero point", "one zero point for all channels") if zeros else
                    ("its zero point is no integer", "a whole zero point"))
    raise FlowError(f"{site.where}: attribute pads adds zeros, but no integer of its input '{site.node.input[0]}' stands for 0 "
                    f"({why}); use {instead}, or no padding")


def _same_length(scale: Fractions, offset: Fractions) -> Sequence[Fractions]:
    size = max(len(scale), len(offset))
    return [part * size if len(part) == 1 else part for part in (scale, offset)]
