"""Nodes that join two activations, as regions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.branches import JOINS, combine
from hw_flow.frontend.context import Context
from hw_flow.frontend.cores import Move, Product, Sum
from hw_flow.frontend.ops import Fractions
from hw_flow.frontend.quantisers import IntQuant
from hw_flow.frontend.regions import Integers, constant, counting
from hw_flow.frontend.values import Value, arranged, channel_axis
from hw_flow.ir.joins import Concat
from hw_flow.ir.tensor import IntArray, smallest_datatype


def join(context: Context, node: onnx.NodeProto) -> Value:
    """The value of an Add, Sub, Mul, ... node with two moving operands."""
    where = f"{node.name} ({node.op_type})"
    operands = context.operands(node)
    if len(operands) != 2 or len(node.input) != 2:
        raise FlowError(f"{where}: joins {len(operands)} activations ({', '.join(operands)}); join two at a time")
    one, other = (context.values[name] for name in operands)
    if one.base is other.base and np.array_equal(one.order, other.order) and node.op_type in JOINS:
        common = len(one.base.meaning)
        ops = combine(node.name, node.op_type, one.chain, other.chain)
        if len(ops) > common:
            nodes = context.sorted(one.nodes, other.nodes, (node.name,))
            return Value(one.base, one.order, ops[common:], nodes)
    if node.op_type not in ("Add", "Sub", "Mul"):
        raise FlowError(f"{where}: joins two activations ({', '.join(operands)}); of such operators only Add, Sub and Mul can be "
                        "compiled, use one of them")
    values = [context.integer(node, name) for name in operands]
    if node.op_type == "Mul":
        values = [_without_zero(context, node, name, value) for name, value in zip(operands, values, strict=True)]
    one, other = _aligned(context, node, operands, values)
    order = one.order.reshape(context.frame(node.output[0]))
    (a, p), (b, q) = one.affine or ((), ()), other.affine or ((), ())
    name = context.name(node.output[0])
    if node.op_type == "Mul":
        size = max(len(a), len(b))
        scale = tuple(a[i % len(a)] * b[i % len(b)] for i in range(size))
        sink = Integers(name, node.output[0], one.base.shape, order, constant(scale), constant(Fraction(0)))
        return context.emit(Product(node.name), (one, other), (node.name,), sink)
    signs = (1, -1 if node.op_type == "Sub" else 1)
    unit, factors = _common(where, operands, a, tuple(signs[1] * number for number in b))
    size = max(len(p), len(q))
    offset = tuple(p[i % len(p)] + signs[1] * q[i % len(q)] for i in range(size))
    sink = Integers(name, node.output[0], one.base.shape, order, constant(unit), constant(offset))
    return context.emit(Sum(node.name, factors, signs), (one, other), (node.name,), sink)


def _without_zero(context: Context, node: onnx.NodeProto, tensor: str, value: Value) -> Value:
    """``value`` with integers of which 0 stands for 0."""
    assert value.affine is not None
    scale, offset = value.affine
    if not any(offset):
        return value
    limits, zero = value.base.limits, offset[0] / scale[0] if scale[0] else Fraction(1, 2)
    if limits is None or max(len(scale), len(offset)) > 1 or zero.denominator > 1:
        raise FlowError(f"{node.name} ({node.op_type}): no integer of its input '{tensor}' stands for 0, or another one on each "
                        "channel; insert a Quant node with a whole zero point before it")
    low, high = (int(end + zero) for end in limits)
    unit, none = constant(scale), constant(Fraction(0))
    return context.quantised(tensor, value, IntQuant(node=node.name, low=low, high=high, dtype=smallest_datatype(low, high),
                                                     scale=unit, offset=none, zero=none, rounding="HALF_EVEN"))


def _common(where: str, operands: list[str], a: Fractions, b: Fractions) -> tuple[Fractions, tuple[int, int]]:
    """The unit per channel of a sum, and the whole factors that bring scales ``a`` and ``b`` to it."""
    size = max(len(a), len(b))
    pairs = [(a[i % len(a)], b[i % len(b)]) for i in range(size)]
    if not all(x and y for x, y in pairs):
        raise FlowError(f"{where}: one of its operands ({', '.join(operands)}) is multiplied by zero; check the export")
    ratio = pairs[0][0] / pairs[0][1]
    if any(x / y != ratio for x, y in pairs):
        raise FlowError(f"{where}: the scales of its operands ({', '.join(operands)}) have another ratio on each channel; insert "
                        "Quant nodes with one scale before it")
    factors = abs(ratio.numerator), ratio.denominator * (1 if ratio > 0 else -1)
    if max(map(abs, factors)) >= 1 << 31:
        raise FlowError(f"{where}: the scales of its operands ({', '.join(operands)}) have the ratio {ratio.numerator}/"
                        f"{ratio.denominator}, for which the sum needs more than 53 bits; give both the same quantiser scale")
    return tuple(x / factors[0] for x, _ in pairs), factors


def _aligned(context: Context, node: onnx.NodeProto, operands: list[str], values: list[Value]) -> tuple[Value, Value]:
    """Both operands as streams of the same frame, broadcast where ONNX does it."""
    frame = context.frame(node.output[0])
    first = 0 if values[0].frame == frame else 1
    spread = [_spread(value, frame) for value in values]
    if any(part is None for part in spread) or values[first].frame != frame:
        frames = " and ".join(str(list(value.frame)) for value in values)
        raise FlowError(f"{node.name} ({node.op_type}): joins frames of {frames}; one must have the frame of the result")
    lead = values[first]
    elements = _elements(lead)
    lead = context.stream(operands[first], lead, elements)
    index = spread[1 - first]
    assert index is not None
    follow = values[1 - first]
    if follow.frame != frame:
        follow = Value(follow.base, index, follow.ops, follow.nodes)
    follow = context.stream(operands[1 - first], follow, elements)
    return (lead, follow) if first == 0 else (follow, lead)


def _elements(value: Value) -> IntArray:
    """ONNX elements in the order of the base's stream where it holds just them, else in an order of their own."""
    if value.order.size == np.prod(value.base.shape):
        elements = np.empty(value.order.size, dtype=np.int64)
        elements[value.order.ravel()] = np.arange(value.order.size)
        return elements.reshape(value.base.shape)
    return arranged(value.frame, channel_axis(value.order))


def _spread(value: Value, frame: tuple[int, ...]) -> IntArray | None:
    try:
        return np.broadcast_to(value.order, frame)
    except ValueError:
        return None


def concat(context: Context, node: onnx.NodeProto) -> Value:
    """The value of a Concat node along the channels."""
    where = f"{node.name} ({node.op_type})"
    operands = context.operands(node)
    if len(operands) != len([name for name in node.input if name]):
        raise FlowError(f"{where}: joins an activation with a constant; only activations can be joined")
    values = [context.integer(node, name) for name in operands]
    rank = len(values[0].frame) + 1
    axis = context.site(node).attribute("axis", 1) % rank - 1
    parts = []
    for name, value in zip(operands, values, strict=True):
        elements = np.moveaxis(counting(value.frame), axis, -1)
        while elements.ndim > 3 and elements.shape[0] == 1:
            elements = elements[0]
        parts.append(context.stream(name, value, elements[None] if elements.ndim == 2 else elements))
    name = context.name(node.output[0])
    core = Move(node.name, Concat(name=name, inputs=tuple(part.base.name for part in parts), outputs=(name,)))
    shape = core.shape(*(part.base.shape for part in parts))
    frame = context.frame(node.output[0])
    order = np.empty(frame, dtype=np.int64)
    np.moveaxis(order, axis, -1)[...] = counting(shape).reshape(np.moveaxis(order, axis, -1).shape)
    scale, offset = (_joined(parts, index) for index in (0, 1))
    sink = Integers(name, node.output[0], shape, order, constant(scale), constant(offset))
    return context.emit(core, parts, (node.name,), sink)


def _joined(parts: list[Value], index: int) -> Fractions:
    numbers: list[Fraction] = []
    for part in parts:
        assert part.affine is not None
        own = part.affine[index]
        numbers += list(own) * part.base.channels if len(own) == 1 else list(own)
    return tuple(numbers)
