"""Nodes that only move elements: layout changes, slices, splits, upsampling."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.context import Context
from hw_flow.frontend.cores import Move
from hw_flow.frontend.pools import integers_of
from hw_flow.frontend.regions import Integers, constant, counting
from hw_flow.frontend.rewrite import constant_pads
from hw_flow.frontend.site import Site
from hw_flow.frontend.translate import elementwise
from hw_flow.frontend.values import Value, arranged, channel_axis, channels_last
from hw_flow.ir.spatial import SlidingWindow
from hw_flow.ir.tensor import IntArray

# Largest integer around a map: that of the widest tensor.
_FARTHEST = 1 << 31


def layout(context: Context, node: onnx.NodeProto, value: Value) -> Value:
    """The value of a Reshape, Transpose, ... node: the same elements, seen in another order."""
    site = context.site(node, value)
    if node.op_type == "Transpose":
        axes = site.attribute("perm", list(reversed(range(len(site.frame) + 1))))
        if axes[0] != 0:
            raise FlowError(f"{site.where}: moves the batch axis; keep it as the first one")
        return value.seen(node.name, value.order.transpose([axis - 1 for axis in axes[1:]]))
    elementwise(site)  # casts to integers, and sizes
    return value.seen(node.name, value.order.reshape(site.out_frame))


def _moved(context: Context, value: Value, order: IntArray, tensor: str, axis: int = 0) -> Value:
    """Elements of ``value`` in a real new ``order`` ``[*frame]`` with channels on ``axis``, as the stream of ``tensor``."""
    node = next(node.name for node in context.moving if tensor in node.output)
    return context.stream(tensor, value.seen(node, order), arranged(order.shape, axis))


def slices(context: Context, node: onnx.NodeProto) -> Value:
    """The value of a Slice node."""
    site = context.site(node)
    value = context.settled(node.input[0])
    parts = [slice(None)] * (len(site.frame) + 1)
    if len(node.input) > 1:
        starts, ends = (site.array(index, what).ravel().tolist() for index, what in ((1, "starts"), (2, "ends")))
        axes, steps = (site.array(index, what).ravel().tolist() if index < len(node.input) and node.input[index] else default
                       for index, what, default in ((3, "axes", list(range(len(starts)))), (4, "steps", [1] * len(starts))))
    else:
        starts, ends = site.attribute("starts", []), site.attribute("ends", [])
        axes, steps = site.attribute("axes", list(range(len(starts)))), [1] * len(starts)
    for begin, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        parts[axis] = slice(int(begin), int(end) if step > 0 or end >= -(1 << 31) else None, int(step))
    if parts[0] != slice(None) and site.out_frame != () and range(1)[parts[0]] != range(1):
        raise FlowError(f"{site.where}: slices the batch axis; slice the others only")
    order = value.order[tuple(parts[1:])]
    if order.shape != site.out_frame or not order.size:
        raise FlowError(f"{site.where}: makes frames of {list(order.shape)}; check its attributes")
    return _moved(context, value, order, node.output[0], channel_axis(value.order))


def pad(context: Context, node: onnx.NodeProto) -> Value:
    """The value of a Pad node that puts one number around the positions of a map."""
    site = context.site(node)
    static = {name: onnx.numpy_helper.from_array(context.static[name]) for name in node.input if name in context.static}
    pads, number = constant_pads(node, static) or ([], 0.0)
    rank = len(site.frame) + 1
    if len(pads) != 2 * rank or rank not in (3, 4) or not np.isfinite(number):
        raise FlowError(f"{site.where}: only a constant number around 1-D and 2-D maps can be compiled; use mode constant")
    if any([*pads[:2], *pads[rank:rank + 2]]) or min(pads) < 0:
        raise FlowError(f"{site.where}: attribute pads is {list(pads)}; pad the positions only, by at least 0")
    value = context.integer(node, node.input[0])
    value = context.stream(node.input[0], value, channels_last(site.frame, 0))
    found = integers_of(value, Fraction(number))
    if found is None or len(found) != 1 or found[0].denominator != 1 or abs(found[0]) > _FARTHEST:
        raise FlowError(f"{site.where}: puts {number:g}, but no integer of its input '{node.input[0]}' stands for it; use 0 and "
                        "a whole zero point")
    around = [*([0] * (4 - rank)), *pads[2:rank], *([0] * (4 - rank)), *pads[rank + 2:]]
    window = SlidingWindow(name=node.name, inputs=("x",), outputs=("y",), kernel=(1, 1), pads=tuple(around),  # type: ignore[arg-type]  # four
                           pad_value=int(found[0]))
    core = Move(node.name, window, number)
    shape = core.shape(value.base.shape)
    made = counting(shape)
    order = np.moveaxis(made if rank == 4 else made[0], -1, 0)
    base = value.base
    assert value.affine is not None
    scale, offset = (constant(part) for part in value.affine)
    quantiser = base.quantiser if not value.ops else None
    sink = Integers(context.name(node.output[0]), node.output[0], shape, order, scale, offset, quantiser=quantiser)
    return context.emit(core, [value], (node.name,), sink)


def split(context: Context, node: onnx.NodeProto) -> dict[str, Value]:
    """The values of a Split node's outputs."""
    site = context.site(node)
    value = context.settled(node.input[0])
    axis = site.attribute("axis", 0) % (len(site.frame) + 1) - 1
    if axis < 0:
        raise FlowError(f"{site.where}: splits the batch axis; split the channels")
    found, begin = {}, 0
    for name in filter(None, node.output):
        size = context.frame(name)[axis]
        order = np.take(value.order, range(begin, begin + size), axis)
        found[name] = _moved(context, value, order, name, channel_axis(value.order))
        begin += size
    return found


def gather(context: Context, node: onnx.NodeProto) -> Value:
    """The value of a Gather node with constant indices, or of a Tile node."""
    site = context.site(node)
    value = context.settled(node.input[0])
    if node.op_type == "Tile":
        repeats = site.array(1, "repeats").ravel().tolist()
        if len(repeats) != len(site.frame) + 1 or repeats[0] != 1:
            raise FlowError(f"{site.where}: repeats the batch axis; repeat the others only")
        order: IntArray = np.tile(value.order, repeats[1:])
    else:
        axis = site.attribute("axis", 0) % (len(site.frame) + 1) - 1
        if axis < 0:
            raise FlowError(f"{site.where}: takes elements along the batch axis; take them along the others only")
        order = np.take(value.order, site.array(1, "indices"), axis)
    if order.ndim not in (1, 2, 3) or not order.size:
        raise FlowError(f"{site.where}: makes frames of {list(order.shape)}; only vectors and 1-D and 2-D maps can be compiled")
    return _moved(context, value, order, node.output[0], channel_axis(value.order if order.ndim == value.order.ndim else order))


def depth_to_space(context: Context, node: onnx.NodeProto) -> Value:
    """The value of a DepthToSpace or SpaceToDepth node."""
    site = context.site(node)
    value = context.settled(node.input[0])
    block = site.attribute("blocksize", 0)
    channels, high, wide = site.frame
    order = value.order
    if node.op_type == "SpaceToDepth":
        parts = order.reshape(channels, high // block, block, wide // block, block).transpose(2, 4, 0, 1, 3)
    elif str(site.attribute("mode", "DCR")) == "CRD":
        parts = order.reshape(-1, block, block, high, wide).transpose(0, 3, 1, 4, 2)
    else:
        parts = order.reshape(block, block, -1, high, wide).transpose(2, 3, 0, 4, 1)
    return _moved(context, value, parts.reshape(site.out_frame), node.output[0])


def resize(context: Context, node: onnx.NodeProto) -> Value:
    """The value of a Resize or Upsample node with nearest neighbours."""
    site = context.site(node)
    value = context.settled(node.input[0])
    mode = str(site.attribute("mode", "nearest"))
    if mode != "nearest":
        raise FlowError(f"{site.where}: attribute mode is '{mode}'; only nearest can be compiled, or run it on the host")
    order = value.order
    for axis, (old, new) in enumerate(zip(site.frame, site.out_frame, strict=True)):
        if old != new:
            order = np.take(order, _nearest(site, axis, old, new), axis)
    return _moved(context, value, order, node.output[0])


def _nearest(site: Site, axis: int, old: int, new: int) -> list[int]:
    """Element that each of ``new`` positions shows, by ONNX's rules, in rationals."""
    scale = Fraction(new, old)
    index = 1 if site.node.op_type == "Upsample" else 2
    if index < len(site.node.input) and site.node.input[index] and site.array(index, "scales").size:
        given = site.array(index, "scales").ravel()[axis + 1]
        scale = Fraction(float(given)).limit_denominator(1 << 12)
    plain = site.node.op_type == "Upsample"
    where = "asymmetric" if plain else str(site.attribute("coordinate_transformation_mode", "half_pixel"))
    rounding = "floor" if plain else str(site.attribute("nearest_mode", "round_prefer_floor"))
    found = []
    for position in range(new):
        match where:
            case "asymmetric":
                at = position / scale
            case "half_pixel" | "pytorch_half_pixel":
                centre = where == "half_pixel" or new > 1
                at = (position + Fraction(1, 2)) / scale - Fraction(1, 2) if centre else Fraction(0)
            case "align_corners":
                at = Fraction(position * (old - 1), new - 1) if new > 1 else Fraction(0)
            case _:
                raise FlowError(f"{site.where}: attribute coordinate_transformation_mode is '{where}'; use asymmetric or "
                                "half_pixel")
        half = Fraction(1, 2)
        whole = {"floor": floor(at), "ceil": ceil(at), "round_prefer_floor": ceil(at - half),
                 "round_prefer_ceil": floor(at + half)}.get(rounding)
        if whole is None:
            raise FlowError(f"{site.where}: attribute nearest_mode is '{rounding}'; use floor or round_prefer_floor")
        found.append(min(max(whole, 0), old - 1))
    return found
