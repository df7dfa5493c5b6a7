"""Exporters' own forms of operators in standard ones, before anything else looks at the graph.

Channels-last operators get transposes around a channels-first one, which is how QONNX executes them; FINN's quantised pool
becomes a pool and two quantisers; zeros put around a map by a Pad become an attribute of the Conv that reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper

from hw_flow.errors import FlowError

CHANNELS_LAST = "qonnx.custom_op.channels_last"
_QONNX = "qonnx.custom_op.general"


def rewrite(graph: onnx.GraphProto) -> None:
    """Rewrite ``graph`` in place; the nodes stay sorted, and those that do the work keep their names."""
    for node in graph.node:
        _fill(graph, node)
    nodes = [new for node in list(graph.node) for new in _standard(graph, node)]
    del graph.node[:]
    graph.node.extend(nodes)
    _fold_pads(graph)


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Value of an attribute of ``node``."""
    found = next((item for item in node.attribute if item.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


def _fill(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    """Write out operands that are left empty, which QONNX cannot execute."""
    while node.input and not node.input[-1]:
        del node.input[-1]
    ends = np.finfo(np.float32)
    operands: dict[str, list[Any]] = {"Resize": [[], []], "Clip": [ends.min, ends.max]}
    blank = operands.get(node.op_type)
    for index in range(1, len(node.input)):
        if not node.input[index] and blank is not None:
            node.input[index] = _constant(graph, f"{node.output[0]}_operand{index}", blank[index - 1])


def _constant(graph: onnx.GraphProto, name: str, value: Any, kind: type = np.float32) -> str:
    graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value, dtype=kind), name))
    return name


def _standard(graph: onnx.GraphProto, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    if node.op_type == "Sum" and not node.domain:
        yield from _sum(node)
        return
    pool = node.op_type == "QuantAvgPool2d"
    last = node.op_type == "MaxPoolNHWC" if not pool else attribute(node, "data_layout", b"NCHW") == b"NHWC"
    if not last and node.domain != CHANNELS_LAST:
        yield from _pool(graph, node) if pool else [node]
        return
    rank = _rank(graph, node)
    first, back = [0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1]
    inner = onnx.NodeProto.FromString(node.SerializeToString())
    inner.domain = node.domain if pool else ""
    inner.op_type = "MaxPool" if node.op_type == "MaxPoolNHWC" else node.op_type
    for index in range(2 if inner.op_type == "Conv" else 1):
        inner.input[index] = f"{node.output[0]}_first{index}"
        label = f"{node.name}_first{index}"
        yield helper.make_node("Transpose", [node.input[index]], [inner.input[index]], name=label, perm=first)
    inner.output[0] = f"{node.output[0]}_made"
    yield from _pool(graph, inner) if pool else [inner]
    yield helper.make_node("Transpose", [inner.output[0]], [node.output[0]], name=f"{node.name}_last", perm=back)


def _sum(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """A Sum of any number of operands, from left to right as float32 execution takes them."""
    so_far, stem = node.input[0], node.output[0]
    for index, name in enumerate(node.input[1:-1], start=1):
        partial = f"{stem}_sum{index}"
        yield helper.make_node("Add", [so_far, name], [partial], name=f"{node.name}_sum{index}")
        so_far = partial
    if len(node.input) == 1:
        yield helper.make_node("Identity", [so_far], [stem], name=node.name)
    else:
        yield helper.make_node("Add", [so_far, node.input[-1]], [stem], name=node.name)


def _rank(graph: onnx.GraphProto, node: onnx.NodeProto) -> int:
    """Rank of the tensor that a channels-last ``node`` reads."""
    if node.op_type == "QuantAvgPool2d":
        return 4
    kernel = attribute(node, "kernel_shape")
    if kernel:
        return len(kernel) + 2
    name = node.input[0]
    known = {value.name: len(value.type.tensor_type.shape.dim) for value in (*graph.input, *graph.value_info, *graph.output)}
    writers = {out: item for item in graph.node for out in item.output}
    while name not in known and name in writers:
        kernel = attribute(writers[name], "kernel_shape")
        if kernel:
            return len(kernel) + 2
        name = writers[name].input[0]
    if name not in known:
        raise FlowError(f"{node.name} ({node.op_type}): the rank of its input '{node.input[0]}' is unknown; export the network "
                        "with shapes")
    return known[name]


def _pool(graph: onnx.GraphProto, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """FINN's QuantAvgPool2d: a sum, shifted right until it has ``obits`` bits."""
    kernel, stride, bits, out = (int(attribute(node, name, 0)) for name in ("kernel", "stride", "ibits", "obits"))
    if min(kernel, stride, bits, out) < 1:
        raise FlowError(f"{node.name} ({node.op_type}): attributes kernel, stride, ibits and obits must be at least 1")
    signed = int(attribute(node, "signed", 0))
    total = (((1 << bits) - 1) * kernel * kernel).bit_length()
    stem = node.output[0]
    unit = 2.0 ** max(0, total - out)
    yield helper.make_node("AveragePool", [node.input[0]], [f"{stem}_mean"], name=node.name, kernel_shape=[kernel] * 2,
                           strides=[stride] * 2)
    yield helper.make_node("Mul", [f"{stem}_mean", _constant(graph, f"{stem}_taps", kernel * kernel)], [f"{stem}_sum"],
                           name=f"{node.name}_sum")
    for source, sink, scale, width, mode in ((f"{stem}_sum", f"{stem}_whole", 1.0, min(total + 1, 32), "ROUND"),
                                             (f"{stem}_whole", f"{stem}_cut", unit, min(total + 1, 32), "FLOOR")):
        operands = [source, _constant(graph, f"{sink}_scale", scale), _constant(graph, f"{sink}_zero", 0.0),
                    _constant(graph, f"{sink}_bits", float(width))]
        yield helper.make_node("Quant", operands, [sink], name=f"{node.name}_{mode.lower()}", domain=_QONNX, signed=signed,
                               narrow=0, rounding_mode=mode)
    yield helper.make_node("Mul", [f"{stem}_cut", _constant(graph, f"{stem}_unit", 1 / unit)], [stem], name=f"{node.name}_shift")


def _fold_pads(graph: onnx.GraphProto) -> None:
    """Zero padding in front of a Conv, as its own attribute."""
    static = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    for node in [node for node in graph.node if node.op_type == "Pad" and not node.domain]:
        readers = [item for item in graph.node if node.output[0] in item.input]
        pads, value = constant_pads(node, static) or ([], 1.0)
        if value or not pads or node.output[0] in outputs:
            continue
        if [reader.op_type for reader in readers] != ["Conv"] or readers[0].domain:
            continue
        rank, conv = len(pads) // 2, readers[0]
        own = list(attribute(conv, "pads", [0] * 2 * (rank - 2)))
        outside = [*pads[:2], *pads[rank:rank + 2]]
        spatial = [*pads[2:rank], *pads[rank + 2:]]
        if any(outside) or min(spatial, default=0) < 0 or len(own) != len(spatial):
            continue
        if attribute(conv, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID", b""):
            continue
        for item in [item for item in conv.attribute if item.name in ("pads", "auto_pad")]:
            conv.attribute.remove(item)
        conv.attribute.append(helper.make_attribute("pads", [a + b for a, b in zip(own, spatial, strict=True)]))
        conv.input[0] = node.input[0]
        graph.node.remove(node)


def constant_pads(node: onnx.NodeProto, static: Mapping[str, onnx.TensorProto]) -> tuple[list[int], float] | None:
    """Padding of a Pad node, and the number that it puts; None if that is not constant or on axes of its own."""
    if attribute(node, "mode", b"constant") != b"constant" or (len(node.input) > 3 and node.input[3]):
        return None
    if len(node.input) < 2:
        return list(attribute(node, "pads", [])), float(attribute(node, "value", 0.0))
    names = [name for name in node.input[1:3] if name]
    if any(name not in static for name in names):
        return None
    pads, *value = (onnx.numpy_helper.to_array(static[name]).ravel().tolist() for name in names)
    return [int(size) for size in pads], float(value[0][0]) if value and value[0] else 0.0
