"""Nodes that reduce feature maps: depthwise units and pools."""

from __future__ import annotations

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, VVAU, GlobalPool, Graph, Pool, Tensor
from hw_flow.rtl.choose import buffer_style
from hw_flow.rtl.wrappers.matrix import matrix_unit
from hw_flow.rtl.wrappers.module import Module, instance, node_module, number_kind, wrapper
from hw_flow.rtl.wrappers.weights import weight_format


@node_module.register
def vvau_module(node: VVAU, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A depthwise unit: a matrix unit whose lanes read different activations."""
    return matrix_unit(as_matrix(node), graph, folding, module, weight_format(node, folding, graph), kind="vvau",
                       shape={"Channels": node.channels, "Taps": node.taps}, lanes=folding.pe * folding.simd, cut=cut)


def as_matrix(node: VVAU) -> MVAU:
    """The matrix unit with the weights and thresholds of ``node``."""
    return MVAU(name=node.name, inputs=node.inputs, outputs=node.outputs, source=node.source, weights=node.weights,
                weight_dtype=node.weight_dtype, acc_dtype=node.acc_dtype, thresholds=node.thresholds)


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
