"""Element-wise functions other than thresholds: look-up tables, and multiply-shift requantisation."""

from __future__ import annotations

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import Graph, Lookup, Requantise
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.choose import Style, multiplier, weight_style
from hw_flow.rtl.encode import signed_width
from hw_flow.rtl.memory import address_width, literal, memory_lines, rom_module
from hw_flow.rtl.wrappers.lanes import check_range, signed_bits, signed_lines
from hw_flow.rtl.wrappers.module import Module, comment, instance, node_module, wrapper


@node_module.register
def lookup_module(node: Lookup, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A table per channel; it has no output register beyond the memory's."""
    source, out, pe = graph.input_of(node), graph.output_of(node), folding.pe
    words = lookup_words(node, graph, pe)
    folds = words.shape[1] >> source.width
    parameters = {"Pe": pe, "InWidth": source.width, "Folds": folds, "OutWidth": out.width}
    bits, memory = address_width(words.shape[1]), f"{module}_table"
    body = [
        "  logic memory_en;",
        f"  logic [{pe - 1}:0][{bits - 1}:0] table_addr;",
        f"  logic [{pe - 1}:0][{out.width - 1}:0] table_word;",
        "",
        *_memory_instance(memory),
        *instance("bw_lookup", parameters, {"table_en_o": "memory_en", "table_addr_o": "table_addr", "table_i": "table_word"}),
    ]
    what = f"{node.name}: tables of {source.dtype} to {out.dtype}, PE {pe}"
    text = wrapper(module, what, source.width * pe, out.width * pe, body)
    style = weight_style(folding, words.shape[1], out.width)
    lines = [
        "// SPDX-License-Identifier: Apache-2.0", "// Generated; do not edit.", "",
        f"/// Tables of {comment(node.name)}, {words.shape[1]} words a lane, read in one enabled cycle.",
        f"module {memory} (", "  input  logic clk_i,", "  input  logic en_i,",
        f"  input  logic [{pe - 1}:0][{bits - 1}:0] addr_i,", f"  output logic [{pe - 1}:0][{out.width - 1}:0] data_o", ");", "",
    ]
    for lane, row in enumerate(words):
        lines += _lane_lines(lane, [int(word) for word in row], out.width, style)
    lines += ["", "  logic unused;", "  assign unused = &{1'b0, clk_i, en_i, addr_i};", "", "endmodule", ""]
    return Module(module, "lookup", "bw_lookup", {f"{module}.sv": text, f"{memory}.sv": "\n".join(lines)})


@node_module.register
def requantise_module(node: Requantise, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """Multiply, add, shift, clip; its pipeline ends in a register that does not cut ready."""
    source, out, pe = graph.input_of(node), graph.output_of(node), folding.pe
    if out.dtype == "BIPOLAR":
        raise FlowError(f"{node.name}: output '{out.name}' is BIPOLAR, which a requantisation cannot give; use thresholds")
    check_range(out, node.low, node.high)
    in_width = signed_bits(source)
    widths = [signed_width(int(values.min()), int(values.max())) for values in (node.multiplier, node.addend)]
    low, high = _product_limits(node, source.limits)
    sum_width = max(signed_width(low, high), in_width + widths[0], widths[1], signed_width(node.low, node.high))
    rows = source.channels if max(len(node.multiplier), len(node.addend)) > 1 else pe
    fields = [np.broadcast_to(values, (rows,)) & ((1 << width) - 1)
              for values, width in zip((node.multiplier, node.addend), widths, strict=True)]
    packed = [int(m) | int(a) << widths[0] for m, a in zip(*fields, strict=True)]
    word = sum(widths)
    words = [sum(value << (lane * word) for lane, value in enumerate(packed[first:first + pe])) for first in range(0, rows, pe)]
    if len(set(words)) == 1:
        words = words[:1]
    bits, memory = address_width(len(words)), f"{module}_table"
    parameters = {
        "Pe": pe, "InWidth": in_width, "MultiplierWidth": widths[0], "AddendWidth": widths[1], "SumWidth": sum_width,
        "Shift": node.shift, "Low": _longint(node.low), "High": _longint(node.high), "Folds": len(words), "OutWidth": out.width,
        "Mul": f"bw_pkg::{multiplier(folding, in_width, widths[0])}",
    }
    body = [
        f"  logic [{pe - 1}:0][{in_width - 1}:0] x;",
        *signed_lines("x", "s_data_i", source, pe, width=in_width),
        "  logic memory_en;",
        f"  logic [{bits - 1}:0] table_addr;",
        f"  logic [{pe * word - 1}:0] table_word;",
        "",
        *(_memory_instance(memory) if len(words) > 1 else _constant(words[0], pe * word)),
        *instance("bw_requantise", parameters,
                  {"data_i": "x", "table_en_o": "memory_en", "table_addr_o": "table_addr", "table_i": "table_word"}),
    ]
    text = wrapper(module, f"{node.name}: {source.dtype} to {out.dtype}, shift {node.shift}, PE {pe}", source.width * pe,
                   out.width * pe, body)
    texts = {f"{module}.sv": text}
    if len(words) > 1:
        style = weight_style(folding, len(words), pe * word)
        texts[f"{memory}.sv"] = rom_module(memory, words, pe * word, style, f"Constants of {comment(node.name)}")
    return Module(module, "requantise", "bw_requantise", texts)


def lookup_words(node: Lookup, graph: Graph, pe: int) -> IntArray:
    """Words ``[lanes, folds * 2**width]`` by fold and element on the wire; elements outside the table get its last entry.

    Raises
    ------
    FlowError : an entry that the output cannot hold.
    """
    source, out = graph.input_of(node), graph.output_of(node)
    check_range(out, int(node.table.min()), int(node.table.max()))
    values = np.arange(1 << source.width)
    if source.dtype == "BIPOLAR":
        values = 2 * values - 1
    elif source.signed:
        values = np.where(values >> (source.width - 1), values - (1 << source.width), values)
    table = node.table[:, np.clip(values - node.low, 0, node.table.shape[1] - 1)]
    table = (table + 1) // 2 if out.dtype == "BIPOLAR" else table & ((1 << out.width) - 1)
    if len(table) == 1:
        return np.repeat(table, pe, axis=0)
    return np.ascontiguousarray(table.reshape(-1, pe, table.shape[1]).transpose(1, 0, 2)).reshape(pe, -1)


def _longint(value: int) -> str:
    return f"{'-' if value < 0 else ''}64'sd{abs(value)}"


def _product_limits(node: Requantise, limits: tuple[int, int]) -> tuple[int, int]:
    """Smallest and largest value before the shift."""
    ends = np.stack([node.multiplier * limit + node.addend for limit in limits])
    return int(ends.min()), int(ends.max())


def _memory_instance(memory: str) -> list[str]:
    return [f"  {memory} u_table (", "    .clk_i (clk_i),", "    .en_i  (memory_en),", "    .addr_i(table_addr),",
            "    .data_o(table_word)", "  );", ""]


def _constant(word: int, width: int) -> list[str]:
    """One word needs no memory, and outside of one its bits simplify the multiplication."""
    return [f"  assign table_word = {literal(word, width)};", "  logic unused;",
            "  assign unused = &{1'b0, memory_en, table_addr};", ""]


def _lane_lines(lane: int, words: list[int], width: int, style: Style) -> list[str]:
    if len(set(words)) == 1:
        return [f"  assign data_o[{lane}] = {literal(words[0], width)};"]
    name = f"mem_{lane}"
    return [*memory_lines(name, words, width, style),
            "  always_ff @(posedge clk_i) begin", f"    if (en_i) data_o[{lane}] <= {name}[addr_i[{lane}]];", "  end"]
