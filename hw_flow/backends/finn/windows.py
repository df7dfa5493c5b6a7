"""Windows, padding and pools of FINN's."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.backends.finn.hardware import HardwareNode
from hw_flow.backends.finn.made import Made, folded, scaled, wide_enough
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import GlobalPool, Pool, SlidingWindow, smallest_datatype
from hw_flow.ir.spatial import PoolKind

if TYPE_CHECKING:
    from hw_flow.backends.finn.importer import Importer


def window(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source = importer.source(node)
    made = SlidingWindow(
        name=importer.named("SlidingWindow"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
        kernel=node.pair("ConvKernelDim"), stride=node.pair("Stride"), dilation=node.pair("Dilation"), pads=(0, 0, 0, 0),
        depthwise=bool(node.number("depthwise")))
    parallel = bool(node.number("parallel_window"))
    simd = node.number("SIMD")
    if parallel and not made.depthwise and simd != source.channels:
        raise FlowError(f"{node.name}: parallel_window with SIMD {simd} in front of a dense node; give SIMD {source.channels}")
    yield Made(made, folded(node, 1, simd, parallel=parallel and made.taps > 1), node.outputs[0], source.dtype,
                importer.levels[source.name])


def padding(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source = importer.source(node)
    levels = importer.levels[source.name]
    top, left, bottom, right = (int(pad) for pad in node.attributes["Padding"])
    made = SlidingWindow(
        name=importer.named("SlidingWindow"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
        kernel=(1, 1), stride=(1, 1), pads=(top, left, bottom, right),
        pad_value=int(levels.ours(np.zeros(1))[0]))
    yield Made(made, NodeFolding(1, node.number("SIMD", 1)), node.outputs[0], source.dtype, levels)


def window_lanes(importer: Importer, node: HardwareNode, taps: int) -> int:
    """Taps that our reducing node takes a beat: FINN's or all of them, as the window in front hands them over."""
    window = next((one for one in importer.nodes if one.outputs[0] == importer.where[node.streams[0]]), None)
    if not isinstance(window, SlidingWindow):
        return 1
    own = importer.folding[window.name]
    if own.simd != node.number("PE"):
        raise FlowError(f"{node.name}: PE {node.number('PE')} behind {window.source[0]} with SIMD {own.simd}, with which FINN "
                        "computes wrong results; give both the same")
    if node.kind == "VVAU" and (node.number("SIMD", 1) > 1) != own.parallel_window:
        raise FlowError(f"{node.name}: SIMD {node.number('SIMD', 1)} behind {window.source[0]} with parallel_window "
                        f"{int(own.parallel_window)}; give parallel_window 1 with SIMD above 1, and 0 with 1")
    lanes = taps if own.parallel_window else 1
    theirs = node.number("SIMD", 1)
    if lanes != theirs:
        importer.notes.append(f"{node.name}: simulated with {lanes} taps a cycle, FINN's takes {theirs}")
    return lanes


def pool(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source, function = importer.source(node), str(node.attributes["Function"])
    taps = prod(int(size) for size in node.attributes["KernelSize"])
    if function not in ("MaxPool", "AccPool", "QuantAvgPool"):
        raise FlowError(f"{node.name} ({node.op_type}): {function} has no kernel of ours; use MaxPool or TruncAvgPool")
    levels = importer.levels[source.name]
    kind: PoolKind = "max" if function == "MaxPool" else "sum"
    if kind == "sum" and not levels.same:
        raise FlowError(f"{node.name} ({node.op_type}): an average of bits has no kernel of ours; use MaxPool")
    shift, low, high = 0, taps * source.limits[0], taps * source.limits[1]
    output = node.outputs[0]
    if function == "QuantAvgPool":
        bits = ((2**source.width - 1) * taps).bit_length()
        shift = max(0, bits - int(DataType[str(node.attributes["OutputDataType"])].bitwidth()))
    inner = f"{output}:sum" if shift else output
    made = Pool(name=importer.named("Pool"), inputs=(source.name,), outputs=(inner,), source=(node.name,), kind=kind, taps=taps)
    folding = NodeFolding(node.number("PE"), window_lanes(importer, node, taps))
    dtype = source.dtype if kind == "max" else smallest_datatype(low, high)
    yield Made(made, folding, inner, dtype, levels)
    if shift:
        yield scaled(importer, node, inner, 1, np.zeros(1, dtype=np.int64), shift=shift,
                      limits=(low >> shift, high >> shift))


def global_pool(importer: Importer, node: HardwareNode) -> Iterator[Made]:
    source = importer.source(node)
    count = source.elements // source.channels
    low, high = (count * limit for limit in source.limits)
    made = GlobalPool(name=importer.named("GlobalPool"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
                      kind="sum")
    dtype = wide_enough(node, importer.hardware.dtypes[node.outputs[0]], low, high)
    yield Made(made, NodeFolding(node.number("PE")), node.outputs[0], dtype)
