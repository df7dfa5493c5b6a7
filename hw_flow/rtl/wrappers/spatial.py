"""Windows over feature maps, and the nodes that reduce them."""

from __future__ import annotations

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, VVAU, GlobalPool, Graph, Pool, SlidingWindow, Tensor
from hw_flow.rtl.choose import buffer_depth, buffer_style
from hw_flow.rtl.memory import literal
from hw_flow.rtl.window import Geometry
from hw_flow.rtl.wrappers.matrix import matrix_unit
from hw_flow.rtl.wrappers.module import Module, instance, node_module, number_kind, wrapper


@node_module.register
def sliding_window_module(node: SlidingWindow, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A window that writes one tap a beat."""
    source, out, simd = graph.input_of(node), graph.output_of(node), folding.simd
    geometry = Geometry.of(node, source.shape, simd)
    stored = _stored(source, out, node)
    depth = geometry.depth()
    style = buffer_style(folding, depth, simd * stored)
    parameters: dict[str, object] = {
        **_geometry_parameters(geometry), "BeatWidth": simd * stored, "Depthwise": f"1'b{int(geometry.depthwise)}",
        "PadBeat": _pad_beat(node, source, out, simd * stored), "ToTernary": f"1'b{int(_to_ternary(source, out))}",
        "Depth": buffer_depth(depth, style), "Lead": geometry.lead(), "RamStyle": f'"{style}"',
    }
    what = f"{node.name}: windows of {node.kernel[0]} x {node.kernel[1]} over {list(source.shape)} {source.dtype}, SIMD {simd}"
    lines, ports = _widen(source, out, stored, simd)
    body = [*lines, *instance("bw_sliding_window", parameters, ports)]
    text = wrapper(module, what, source.width * simd, out.width * simd, body)
    return Module(module, "sliding_window", "bw_sliding_window", {f"{module}.sv": text})


@node_module.register
def vvau_module(node: VVAU, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A depthwise unit: a matrix unit whose lanes read different activations."""
    matrix = MVAU(name=node.name, inputs=node.inputs, outputs=node.outputs, source=node.source, weights=node.weights,
                  weight_dtype=node.weight_dtype, acc_dtype=node.acc_dtype, thresholds=node.thresholds)
    return matrix_unit(matrix, graph, folding, module, kind="vvau", shape={"Channels": node.channels, "Taps": node.taps},
                       lanes=folding.pe * folding.simd, cut=cut)


@node_module.register
def pool_module(node: Pool, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A pool over the taps of a window."""
    source, out = graph.input_of(node), graph.output_of(node)
    pe, simd = folding.pe, folding.simd
    parameters = {"Taps": node.taps, "Pe": pe, "Simd": simd, **_pool_parameters(node, source, out),
                  "OutputRegister": f"1'b{int(cut)}"}
    what = f"{node.name}: {node.kind} of {node.taps} taps of {source.dtype}, PE {pe} SIMD {simd}"
    text = wrapper(module, what, source.width * pe * simd, out.width * pe, instance("bw_pool", parameters))
    return Module(module, "pool", "bw_pool", {f"{module}.sv": text})


@node_module.register
def global_pool_module(node: GlobalPool, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A pool over all positions."""
    source, out, pe = graph.input_of(node), graph.output_of(node), folding.pe
    groups = source.channels // pe
    parameters = {"Positions": source.elements // source.channels, "Groups": groups, "Pe": pe,
                  **_pool_parameters(node, source, out), "RamStyle": f'"{buffer_style(folding, groups, pe * out.width)}"',
                  "OutputRegister": f"1'b{int(cut)}"}
    what = f"{node.name}: {node.kind} of all positions of {list(source.shape)} {source.dtype}, PE {pe}"
    text = wrapper(module, what, source.width * pe, out.width * pe, instance("bw_global_pool", parameters))
    return Module(module, "global_pool", "bw_global_pool", {f"{module}.sv": text})


def _pool_parameters(node: Pool | GlobalPool, source: Tensor, out: Tensor) -> dict[str, object]:
    if node.kind == "max" and (out.width, out.signed) != (source.width, source.signed):
        raise FlowError(f"{node.name}: the largest of {source.dtype} elements is written as {out.dtype}; declare output"
                        f" '{out.name}' {source.dtype}")
    return {"InWidth": source.width, "InKind": f"bw_pkg::{number_kind(source)}", "Sum": f"1'b{int(node.kind == 'sum')}",
            "OutWidth": out.width}


def _geometry_parameters(geometry: Geometry) -> dict[str, object]:
    pairs = {"Kernel": geometry.kernel, "Stride": geometry.stride, "Dilation": geometry.dilation}
    return {
        "Height": geometry.size[0], "Width": geometry.size[1], "Groups": geometry.groups,
        **{f"{name}{axis}": value for name, pair in pairs.items() for axis, value in zip(("Height", "Width"), pair, strict=True)},
        **{f"Pad{side}": pad for side, pad in zip(("Top", "Left", "Bottom", "Right"), geometry.pads, strict=True)},
    }


def _to_ternary(source: Tensor, out: Tensor) -> bool:
    """Whether bits come in and ternary values leave, which the kernel does itself."""
    return source.dtype == "BIPOLAR" and out.dtype != "BIPOLAR"


def _stored(source: Tensor, out: Tensor, node: SlidingWindow) -> int:
    """Bits of an element in the kernel's buffer."""
    if _to_ternary(source, out):
        if node.pad_value != 0 or out.width != 2 or not out.signed:
            raise FlowError(f"{node.name}: pads BIPOLAR data with {node.pad_value} to {out.dtype}; pad it with -1 or 1, or with 0"
                            " to TERNARY")
        return 1
    return out.width


def _pad_beat(node: SlidingWindow, source: Tensor, out: Tensor, width: int) -> str:
    if _to_ternary(source, out):
        return literal(0, width)
    value = (node.pad_value + 1) // 2 if out.dtype == "BIPOLAR" else node.pad_value & ((1 << out.width) - 1)
    return literal(sum(value << bit for bit in range(0, width, out.width)), width)


def _widen(source: Tensor, out: Tensor, stored: int, simd: int) -> tuple[list[str], dict[str, str | None]]:
    """Lines and ports for elements that leave in more bits than they come in, because padding needs them."""
    spare = stored - source.width
    if spare == 0:
        return [], {}
    lines = [f"  logic [{simd - 1}:0][{stored - 1}:0] wide;"]
    for lane in range(simd):
        low = lane * source.width
        top = f"s_data_i[{low + source.width - 1}]" if source.signed else "1'b0"
        lines.append(f"  assign wide[{lane}] = {{{{{spare}{{{top}}}}}, s_data_i[{low}+:{source.width}]}};")
    return [*lines, ""], {"data_i": "wide"}
