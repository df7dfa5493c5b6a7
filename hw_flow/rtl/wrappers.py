"""One generated module without parameters for every node, FIFO and converter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding, input_lanes, output_lanes
from hw_flow.ir import MVAU, Graph, LabelSelect, Node, Tensor, Thresholding
from hw_flow.rtl import encode
from hw_flow.rtl.choose import multiplier, weight_style
from hw_flow.rtl.memory import address_width, case_lines, literal, memory_lines, pack_words, rom_module


@dataclass(frozen=True)
class Module:
    """A generated module.

    Attributes
    ----------
    name : of the module.
    kind : see `Instance`.
    kernel : kernel that it instantiates.
    texts : file name -> content, the module itself and its memories.
    level_bits : width of a FIFO's ``level_o``, 0 for other kinds.
    """

    name: str
    kind: str
    kernel: str
    texts: Mapping[str, str]
    level_bits: int = 0

    @property
    def files(self) -> tuple[str, ...]:
        """Names of ``texts``, memories first."""
        return tuple(reversed(tuple(self.texts)))


def node_module(node: Node, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """The module of a graph node; ``cut`` asks for an output register that cuts ready, where the kernel has one."""
    match node:
        case MVAU():
            return _mvau(node, graph, folding, module, cut)
        case Thresholding():
            return _thresholding(node, graph, folding, module)
        case LabelSelect():
            return _label_select(node, graph, folding, module)
        case _:
            raise FlowError(f"{node.name}: the rtl back end has no kernel for {type(node).__name__}; use MVAU, Thresholding"
                            " or LabelSelect")


def fifo_module(module: str, tensor: Tensor, lanes: int, depth: int) -> Module:
    """A FIFO of ``depth`` beats; ``level_o`` tells the monitor how full it is."""
    width, level = tensor.width * lanes, depth.bit_length()
    text = _wrapper(module, f"FIFO of {depth} beats of {lanes} x {tensor.dtype}", width, width,
                    _instance("bw_fifo", {"Width": width, "Depth": depth}, {"level_o": "level_o"}),
                    f"  output logic [{level - 1}:0] level_o")
    return Module(module, "fifo", "bw_fifo", {f"{module}.sv": text}, level_bits=level)


def dwc_module(module: str, tensor: Tensor, source: int, sink: int) -> Module:
    """A converter from ``source`` to ``sink`` lanes."""
    text = _wrapper(module, f"{source} to {sink} lanes of {tensor.dtype}", tensor.width * source, tensor.width * sink,
                    _instance("bw_dwc", {"ElementWidth": tensor.width, "InLanes": source, "OutLanes": sink}))
    return Module(module, "dwc", "bw_dwc", {f"{module}.sv": text})


def _mvau(node: MVAU, graph: Graph, folding: NodeFolding, module: str, cut: bool) -> Module:
    node = encode.straighten(node)
    source, out = graph.input_of(node), graph.output_of(node)
    pe, simd = folding.pe, folding.simd
    weight_type = DataType[node.weight_dtype]
    weight_width = int(weight_type.bitwidth())
    words = pack_words(encode.weight_words(node, pe, simd), weight_width)
    word_width = pe * simd * weight_width
    style = weight_style(folding, len(words), word_width)
    table = encode.table_of_mvau(node, graph, pe)
    low, high = encode.sum_limits(node.weights, source)
    sum_width = encode.signed_width(int(low.min()), int(high.max())) if table else out.width
    parameters: dict[str, object] = {
        "Mw": node.mw, "Mh": node.mh, "Pe": pe, "Simd": simd,
        "ActWidth": source.width, "ActKind": f"bw_pkg::{_act_kind(source)}",
        "WeightWidth": weight_width, "WeightKind": f"bw_pkg::{_weight_kind(node.weight_dtype)}",
        "SumWidth": sum_width, "Mul": f"bw_pkg::{multiplier(folding, source.width, weight_width)}",
    }
    if table:
        parameters |= {"ThresholdBits": table.bits, "ThresholdWidth": table.threshold_width, "ThresholdFolds": table.folds}
        parameters |= _common_table_parameters(table)
    parameters |= {"OutWidth": out.width, "OutputRegister": f"1'b{int(cut)}"}
    what = f"{node.name}: {node.mh} x {node.mw} {node.weight_dtype} by {source.dtype} to {out.dtype}, PE {pe} SIMD {simd}"
    memory = f"{module}_weights"
    texts = {f"{memory}.sv": rom_module(memory, words, word_width, style, f"Weights of {_comment(node.name)}")}
    addr = address_width(len(words))
    body = [
        "  logic memory_en;",
        f"  logic [{addr - 1}:0] weight_addr;",
        f"  logic [{word_width - 1}:0] weight;",
        *_table_wires(table, pe),
        "",
        f"  {module}_weights u_weights (",
        "    .clk_i (clk_i),",
        "    .en_i  (memory_en),",
        "    .addr_i(weight_addr),",
        "    .data_o(weight)",
        "  );",
        "",
        *_table_instance(table, module),
    ]
    ports = {"memory_en_o": "memory_en", "weight_addr_o": "weight_addr", "weight_i": "weight",
             "table_addr_o": "table_addr", "table_i": "table_word" if table else "'0"}
    if table:
        texts[f"{module}_thresholds.sv"] = _table_module(f"{module}_thresholds", table, pe, node.name)
    text = _wrapper(module, what, source.width * simd, out.width * pe, [*body, *_instance("bw_mvau", parameters, ports)])
    return Module(module, "mvau", "bw_mvau", {f"{module}.sv": text, **texts})


def _thresholding(node: Thresholding, graph: Graph, folding: NodeFolding, module: str) -> Module:
    source, out, pe = graph.input_of(node), graph.output_of(node), folding.pe
    table = encode.table_of_thresholding(node, graph, pe)
    parameters: dict[str, object] = {
        "Pe": pe, "InWidth": source.width, "InSigned": f"1'b{int(source.signed)}", "ThresholdWidth": table.threshold_width,
        "Bits": table.bits, "Folds": table.folds, **_common_table_parameters(table), "OutWidth": out.width,
    }
    what = f"{node.name}: {source.channels} channels of {source.dtype} to {out.dtype}, PE {pe}"
    ports = {"table_en_o": "memory_en", "table_addr_o": "table_addr", "table_i": "table_word"}
    body = ["  logic memory_en;", *_table_wires(table, pe), "", *_table_instance(table, module)]
    text = _wrapper(module, what, source.width * pe, out.width * pe,
                    [*body, *_instance("bw_thresholding", parameters, ports)])
    return Module(module, "thresholding", "bw_thresholding",
                  {f"{module}.sv": text, f"{module}_thresholds.sv": _table_module(f"{module}_thresholds", table, pe, node.name)})


def _label_select(node: LabelSelect, graph: Graph, folding: NodeFolding, module: str) -> Module:
    source, out = graph.input_of(node), graph.output_of(node)
    if out.signed or source.channels - 1 > out.limits[1]:
        raise FlowError(f"{node.name}: {out.dtype} cannot hold the index of {source.channels} channels;"
                        f" declare output '{out.name}' UINT{(source.channels - 1).bit_length() or 1}")
    parameters = {"Channels": source.channels, "Pe": folding.pe, "InWidth": source.width,
                  "InSigned": f"1'b{int(source.signed)}", "OutWidth": out.width}
    what = f"{node.name}: index of the largest of {source.channels} {source.dtype}, PE {folding.pe}"
    text = _wrapper(module, what, source.width * input_lanes(node, folding), out.width * output_lanes(node, folding),
                    _instance("bw_label_select", parameters))
    return Module(module, "label_select", "bw_label_select", {f"{module}.sv": text})


def _act_kind(tensor: Tensor) -> str:
    if tensor.dtype == "BIPOLAR":
        return "Bipolar"
    return "Signed" if tensor.signed else "Unsigned"


def _weight_kind(dtype: str) -> str:
    if dtype in ("BIPOLAR", "TERNARY"):
        return dtype.capitalize()
    return "Signed" if DataType[dtype].signed() else "Unsigned"


def _comment(text: str) -> str:
    return " ".join(text.split())


def _wrapper(module: str, what: str, in_width: int, out_width: int, body: Sequence[str], *more: str) -> str:
    ports = [
        "  input  logic clk_i",
        "  input  logic rst_ni",
        "  input  logic s_valid_i",
        "  output logic s_ready_o",
        f"  input  logic [{in_width - 1}:0] s_data_i",
        "  output logic m_valid_o",
        "  input  logic m_ready_i",
        f"  output logic [{out_width - 1}:0] m_data_o",
        *more,
    ]
    return "\n".join([
        "// SPDX-License-Identifier: Apache-2.0", "// Generated; do not edit.", "", f"/// {_comment(what)}.",
        f"module {module} (", ",\n".join(ports), ");", "", *body, "", "endmodule", "",
    ])


def _instance(kernel: str, parameters: Mapping[str, object], ports: Mapping[str, str] | None = None) -> list[str]:
    wires = {"clk_i": "clk_i", "rst_ni": "rst_ni", "valid_i": "s_valid_i", "ready_o": "s_ready_o", "data_i": "s_data_i",
             "valid_o": "m_valid_o", "ready_i": "m_ready_i", "data_o": "m_data_o", **(ports or {})}
    return [
        f"  {kernel} #(",
        ",\n".join(f"    .{key}({value})" for key, value in parameters.items()),
        "  ) u_kernel (",
        ",\n".join(f"    .{key}({value})" for key, value in wires.items()),
        "  );",
    ]


def _common_table_parameters(table: encode.Table) -> dict[str, object]:
    return {"Descending": f"1'b{int(table.descending)}", "Base": table.base, "TableLatency": f"1'b{table.latency}",
            "Flat": f"1'b{int(table.flat)}"}


def _table_wires(table: encode.Table | None, pe: int) -> list[str]:
    tables, addr, word = (len(table.words), table.addr_width, table.word_width) if table else (1, 1, 0)
    lines = [f"  logic [{tables - 1}:0][{pe - 1}:0][{addr - 1}:0] table_addr;"]
    if table:
        return [*lines, f"  logic [{tables - 1}:0][{pe - 1}:0][{word - 1}:0] table_word;"]
    return lines


def _table_instance(table: encode.Table | None, module: str) -> list[str]:
    if table is None:
        return ["  logic unused;", "  assign unused = &{1'b0, table_addr};", ""]
    return [
        f"  {module}_thresholds u_thresholds (",
        "    .clk_i (clk_i),",
        "    .en_i  (memory_en),",
        "    .addr_i(table_addr),",
        "    .data_o(table_word)",
        "  );",
        "",
    ]


def _table_module(module: str, table: encode.Table, pe: int, node: str) -> str:
    shape = f"[{len(table.words) - 1}:0][{pe - 1}:0]"
    width, addr = table.word_width, table.addr_width
    per = "threshold" if table.flat else "stage"
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated; do not edit.",
        "",
        f"/// Thresholds of {_comment(node)}, a table for each lane and {per}, read in {table.latency} enabled cycles.",
        f"module {module} (",
        "  input  logic clk_i,",
        "  input  logic en_i,",
        f"  input  logic {shape}[{addr - 1}:0] addr_i,",
        f"  output logic {shape}[{width - 1}:0] data_o",
        ");",
        "",
    ]
    for index, lanes in enumerate(table.words):
        for lane in range(pe):
            words = [int(word) for word in lanes[lane]]
            lines += _table_lines(f"{index}][{lane}", words, width, address_width(len(words)), table.latency)
    lines += ["", "  logic unused;", "  assign unused = &{1'b0, clk_i, en_i, addr_i};", "", "endmodule", ""]
    return "\n".join(lines)


def _table_lines(index: str, words: list[int], width: int, bits: int, latency: int) -> list[str]:
    selector = f"addr_i[{index}][{bits - 1}:0]"
    if latency == 0:
        return case_lines(f"data_o[{index}]", selector, bits, words, width)
    if len(set(words)) == 1:
        return [f"  assign data_o[{index}] = {literal(words[0], width)};"]
    name = "mem_" + index.replace("][", "_")
    return [*memory_lines(name, words, width, "auto"),
            "  always_ff @(posedge clk_i) begin", f"    if (en_i) data_o[{index}] <= {name}[{selector}];", "  end"]
