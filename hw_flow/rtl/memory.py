"""Read-only memories as SystemVerilog text.

A memory is an array declared with all its words, ``logic [..] mem [N] = '{..}``. Of the forms tried (assignments in an
``initial`` block, ``case``, packed literals with a loop) it is the only one that all tools take as data. Yosys makes one cell
of it that maps to block RAM or LUTs. Verilator gets the same text as a ``localparam``, which becomes a constant in C++; a
variable is copied word by word, and that compiles for minutes. At 64,000 words of 64 bits the C++ of assignments takes 40 times
as long to compile, and Yosys reads packed literals 12 times as slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.choose import Style

# Verilator reads literals of up to 64 Kibit.
_LITERAL_BITS = 1 << 15


def pack_words(values: IntArray, width: int) -> list[int]:
    """Elements ``[words, lanes]`` of ``width`` bits as one integer a word, lane 0 lowest."""
    bits = (values[..., None] >> np.arange(width)) & 1
    octets = np.packbits(bits.astype(np.uint8).reshape(len(values), -1), axis=-1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in octets]


def literal(value: int, width: int) -> str:
    """``value`` in hexadecimal, as a concatenation if it is very wide."""
    if width <= _LITERAL_BITS:
        return f"{width}'h{value:0{-(-width // 4)}x}"
    parts = []
    for low in range(0, width, _LITERAL_BITS):
        size = min(_LITERAL_BITS, width - low)
        parts.append(literal((value >> low) & ((1 << size) - 1), size))
    return "{" + ", ".join(reversed(parts)) + "}"


def address_width(words: int) -> int:
    """Bits of an address, at least 1."""
    return max(1, (words - 1).bit_length())


def table_lines(target: str, selector: str, name: str, words: Sequence[int], width: int) -> list[str]:
    """A combinational look-up in the memory ``name``; what lies beyond the last word is as the last."""
    if len(set(words)) == 1:
        return [f"  assign {target} = {literal(words[0], width)};"]
    filled = [*words, *[words[-1]] * ((1 << address_width(len(words))) - len(words))]
    return [*memory_lines(name, filled, width, "distributed"), f"  assign {target} = {name}[{selector}];"]


def memory_lines(name: str, words: Sequence[int], width: int, style: Style | Literal["auto"]) -> list[str]:
    """A declared and filled memory."""
    # Yosys takes "distributed" for LUT RAM alone and refuses a ROM; logic_block is its word for LUTs.
    attributes = "logic_block = 1" if style == "distributed" else f'ram_style = "{style}", rom_style = "{style}"'
    shape = f"logic [{width - 1}:0] {name} [{len(words)}] = '{{"
    return [
        "`ifdef VERILATOR",
        f"  localparam {shape}",
        "`else",
        f"  (* {attributes} *) {shape}",
        "`endif",
        *(f"    {literal(word, width)}," for word in words[:-1]),
        f"    {literal(words[-1], width)}",
        "  };",
    ]


def rom_module(module: str, words: Sequence[int], width: int, style: Style, what: str) -> str:
    """A module with a registered, enabled read port."""
    bits = address_width(len(words))
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated; do not edit.",
        "",
        f"/// {what}: {len(words)} words of {width} bits, read in one enabled cycle.",
        f"module {module} (",
        "  input  logic clk_i,",
        "  input  logic en_i,",
        f"  input  logic [{bits - 1}:0] addr_i,",
        f"  output logic [{width - 1}:0] data_o",
        ");",
        "",
    ]
    if len(set(words)) == 1:
        lines += [f"  assign data_o = {literal(words[0], width)};", "",
                  "  logic unused;", "  assign unused = &{1'b0, clk_i, en_i, addr_i};"]
    else:
        lines += [*memory_lines("mem", words, width, style), "",
                  "  always_ff @(posedge clk_i) begin", "    if (en_i) data_o <= mem[addr_i];", "  end"]
    return "\n".join([*lines, "", "endmodule", ""])
