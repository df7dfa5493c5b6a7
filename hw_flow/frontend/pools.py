"""Pools as regions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.context import Context
from hw_flow.frontend.cores import Pooling
from hw_flow.frontend.ops import Fractions
from hw_flow.frontend.regions import Integers, constant, counting
from hw_flow.frontend.site import Site
from hw_flow.frontend.values import Value, channels_last
from hw_flow.frontend.windows import Window, window_of
from hw_flow.ir.nodes import Shape
from hw_flow.ir.spatial import SlidingWindow


def pool(context: Context, node: onnx.NodeProto) -> Value:
    """The value of a MaxPool or AveragePool node."""
    site = context.site(node)
    kernel = site.attribute("kernel_shape", None)
    if kernel is None:
        raise FlowError(f"{site.where}: attribute kernel_shape is missing; export the network again")
    window = window_of(site, 0, tuple(kernel))
    value = _rising(context, node) if node.op_type == "MaxPool" else context.integer(node, node.input[0])
    value = context.stream(node.input[0], value, channels_last(site.frame, 0))
    if node.op_type == "MaxPool":
        if len(node.output) > 1 and node.output[1]:
            raise FlowError(f"{site.where}: its indices are read; only the maxima can be compiled")
        return _largest(context, site, value, window.node(0, depthwise=True), 0)
    padded = any(window.pads)
    if padded and (site.attribute("ceil_mode", 0) or not site.attribute("count_include_pad", 0)):
        name = "ceil_mode" if site.attribute("ceil_mode", 0) else "count_include_pad"
        raise FlowError(f"{site.where}: attribute {name} makes it divide by fewer elements at the border; use "
                        "count_include_pad = 1 without ceil_mode, or no padding")
    return _mean(context, site, value, window.node(_zero(site, value) if padded else 0, depthwise=True), 0)


def global_pool(context: Context, node: onnx.NodeProto) -> Value:
    """The value of a GlobalMaxPool, GlobalAveragePool, ReduceMean or ReduceMax node."""
    site = context.site(node)
    largest = node.op_type in ("GlobalMaxPool", "ReduceMax")
    value = _rising(context, node) if largest else context.integer(node, node.input[0])
    if len(site.frame) == 1:
        raise FlowError(f"{site.where}: reduces frames of {list(site.frame)}, which have no positions; check the export")
    axis, window = _reduced(site) if node.op_type.startswith("Reduce") else (0, None)
    value = context.stream(node.input[0], value, channels_last(site.frame, axis))
    return (_largest if largest else _mean)(context, site, value, window, axis)


def _reduced(site: Site) -> tuple[int, SlidingWindow | None]:
    """The axis of the channels, and the window over what is reduced if that is not all positions."""
    rank = len(site.frame) + 1
    given: Sequence[int] | None = site.attribute("axes", None)
    if given is None and len(site.node.input) > 1 and site.node.input[1]:
        given = [int(number) for number in site.array(1, "axes").ravel()]
    axes = set(range(rank)) if given is None else {number % rank for number in given}
    kept = [index for index in range(1, rank) if index not in axes]
    if 0 not in axes and len(kept) == 1:
        return kept[0] - 1, None
    if 0 not in axes and len(kept) == 2 and kept[0] == 1:
        _, *space = site.frame
        span = (1, space[1]) if kept[1] == 2 else (space[0], 1)
        return 0, Window(span, span, (1, 1), (0, 0, 0, 0)).node(0, depthwise=True)
    raise FlowError(f"{site.where}: attribute axes is {sorted(axes)}; it must be rows, columns or both, neither the batch nor "
                    "the channels")


def _sink(context: Context, site: Site, shape: Shape, axis: int) -> Integers:
    """The result without its meaning: ``[*positions, C]`` with the channels of the ONNX frame on ``axis``."""
    order = np.moveaxis(counting(shape) if len(site.frame) == 3 else counting(shape)[0], -1, axis)
    name = context.name(site.node.output[0])
    one, zero = constant(Fraction(1)), constant(Fraction(0))
    return Integers(name, site.node.output[0], shape, order.reshape(site.out_frame), one, zero)


def _largest(context: Context, site: Site, value: Value, window: SlidingWindow | None, axis: int) -> Value:
    core = Pooling(site.node.name, "max", window)
    plain = _sink(context, site, core.shape(value.base.shape), axis)
    base, quantiser = value.base, value.base.quantiser if not value.ops else None
    scale, offset, after = base.scale, base.offset, (*base.after, *value.ops)
    if value.affine is not None:
        (scale, offset), after = (constant(part) for part in value.affine), ()
    sink = Integers(plain.name, plain.tensor, plain.shape, plain.order, scale, offset, base.dtype, after, quantiser)
    return context.emit(core, [value], (site.node.name,), sink)


def _rising(context: Context, node: onnx.NodeProto) -> Value:
    """The input of a node that takes the largest element, as integers that rise with the real values."""
    value = context.values[node.input[0]]
    falling = _falling(value)
    if falling is not None:
        value = context.settled(node.input[0], always=True)
        value = value if _falling(value) is None else context.risen(node.input[0])
        falling = _falling(value)
    if falling is not None:
        raise FlowError(f"{node.name} ({node.op_type}): takes the largest element behind {falling}, which does not rise on every "
                        f"channel; insert a Quant node between {falling} and {node.name}")
    return value


def _falling(value: Value) -> str | None:
    return next((op.node for op in value.chain if not (op.sign() >= 0).all()), None)


def _mean(context: Context, site: Site, value: Value, window: SlidingWindow | None, axis: int) -> Value:
    assert value.affine is not None
    core = Pooling(site.node.name, "sum", window)
    plain = _sink(context, site, core.shape(value.base.shape), axis)
    taps = window.taps if window is not None else int(np.prod(value.base.shape[:-1]))
    scale, offset = value.affine
    sink = Integers(plain.name, plain.tensor, plain.shape, plain.order,
                    constant(tuple(number / taps for number in scale)), constant(offset))
    return context.emit(core, [value], (site.node.name,), sink)


def _zero(site: Site, value: Value) -> int:
    zeros = integers_of(value, Fraction(0))
    if zeros is None or len(zeros) != 1 or zeros[0].denominator != 1:
        raise FlowError(f"{site.where}: attribute pads adds zeros, but no integer of its input '{site.node.input[0]}' stands for "
                        "0; use a whole zero point, or no padding")
    return int(zeros[0])


def integers_of(value: Value, number: Fraction) -> Fractions | None:
    """Per channel what stands for ``number`` (once where all channels agree), or None if nothing does."""
    if value.affine is None or not all(value.affine[0]):
        return None
    scale, offset = value.affine
    size = max(len(scale), len(offset))
    found = tuple((number - offset[i % len(offset)]) / scale[i % len(scale)] for i in range(size))
    return found[:1] if len(set(found)) == 1 else found
