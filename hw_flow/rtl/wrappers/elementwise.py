"""Nodes that take a beat at a time: thresholds and label selection."""

from __future__ import annotations

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding, input_lanes, output_lanes
from hw_flow.ir import Graph, LabelSelect, Thresholding
from hw_flow.rtl import encode
from hw_flow.rtl.choose import constant_logic
from hw_flow.rtl.wrappers.activation import table_instance, table_module, table_parameters, table_wires
from hw_flow.rtl.wrappers.constant import constant_unit
from hw_flow.rtl.wrappers.module import Module, instance, node_module, wrapper


@node_module.register
def thresholding_module(node: Thresholding, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A stand-alone multi-threshold; it has no output register."""
    if constant_logic(node, folding, graph):
        return constant_unit(node, graph, folding, module, cut=False)
    source, out, pe = graph.input_of(node), graph.output_of(node), folding.pe
    table = encode.table_of_thresholding(node, graph, pe)
    parameters: dict[str, object] = {
        "Pe": pe, "InWidth": source.width, "InSigned": f"1'b{int(source.signed)}", "ThresholdWidth": table.threshold_width,
        "Bits": table.bits, "Folds": table.folds, **table_parameters(table), "OutWidth": out.width,
    }
    what = f"{node.name}: {source.channels} channels of {source.dtype} to {out.dtype}, PE {pe}"
    ports = {"table_en_o": "memory_en", "table_addr_o": "table_addr", "table_i": "table_word"}
    body = ["  logic memory_en;", *table_wires(table, pe), "", *table_instance(table, module)]
    text = wrapper(module, what, source.width * pe, out.width * pe,
                    [*body, *instance("bw_thresholding", parameters, ports)])
    return Module(module, "thresholding", "bw_thresholding",
                  {f"{module}.sv": text, f"{module}_thresholds.sv": table_module(f"{module}_thresholds", table, pe, node.name)})


@node_module.register
def label_select_module(node: LabelSelect, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """The index of the largest element; it has no output register."""
    source, out = graph.input_of(node), graph.output_of(node)
    if out.signed or source.channels - 1 > out.limits[1]:
        raise FlowError(f"{node.name}: {out.dtype} cannot hold the index of {source.channels} channels;"
                        f" declare output '{out.name}' UINT{(source.channels - 1).bit_length() or 1}")
    parameters = {"Channels": source.channels, "Pe": folding.pe, "InWidth": source.width,
                  "InSigned": f"1'b{int(source.signed)}", "OutWidth": out.width}
    what = f"{node.name}: index of the largest of {source.channels} {source.dtype}, PE {folding.pe}"
    text = wrapper(module, what, source.width * input_lanes(node, folding), out.width * output_lanes(node, folding),
                    instance("bw_label_select", parameters))
    return Module(module, "label_select", "bw_label_select", {f"{module}.sv": text})
