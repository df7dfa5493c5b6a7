"""Tables of thresholds beside the kernels that apply them."""

from __future__ import annotations

from hw_flow.rtl import encode
from hw_flow.rtl.memory import address_width, literal, memory_lines, table_lines
from hw_flow.rtl.wrappers.module import comment


def table_parameters(table: encode.Table) -> dict[str, object]:
    """Parameters of a kernel with thresholds that all such kernels have."""
    return {"Descending": f"1'b{int(table.descending)}", "Base": table.base, "TableLatency": f"1'b{table.latency}",
            "Flat": f"1'b{int(table.flat)}"}


def table_wires(table: encode.Table | None, pe: int) -> list[str]:
    """Wires between a kernel and its table of thresholds."""
    tables, addr, word = (len(table.words), table.addr_width, table.word_width) if table else (1, 1, 0)
    lines = [f"  logic [{tables - 1}:0][{pe - 1}:0][{addr - 1}:0] table_addr;"]
    if table:
        return [*lines, f"  logic [{tables - 1}:0][{pe - 1}:0][{word - 1}:0] table_word;"]
    return lines


def table_instance(table: encode.Table | None, module: str) -> list[str]:
    """Instance of the table, or what keeps lint quiet without one."""
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


def table_module(module: str, table: encode.Table, pe: int, node: str) -> str:
    """Module that holds the thresholds."""
    shape = f"[{len(table.words) - 1}:0][{pe - 1}:0]"
    width, addr = table.word_width, table.addr_width
    per = "threshold" if table.flat else "stage"
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated; do not edit.",
        "",
        f"/// Thresholds of {comment(node)}, a table for each lane and {per}, read in {table.latency} enabled cycles.",
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
    name = "mem_" + index.replace("][", "_")
    if latency == 0:
        return table_lines(f"data_o[{index}]", selector, name, words, width)
    if len(set(words)) == 1:
        return [f"  assign data_o[{index}] = {literal(words[0], width)};"]
    return [*memory_lines(name, words, width, "auto"),
            "  always_ff @(posedge clk_i) begin", f"    if (en_i) data_o[{index}] <= {name}[{selector}];", "  end"]
