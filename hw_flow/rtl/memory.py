"""Read-only memories as SystemVerilog text.

Large contents are assignments in an ``initial`` block, small ones a ``case``: of the styles tried (also array
parameters and packed literals) these two are read fast by Verilator and by Yosys at 1,024 words of 8,192 bits, and
map to block RAM with contents and to plain LUTs.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def case_lines(target: str, selector: str, bits: int, words: Sequence[int], width: int) -> list[str]:
    """A combinational look-up; what lies beyond the last word is as the last."""
    if len(set(words)) == 1:
        return [f"  assign {target} = {literal(words[0], width)};"]
    return [
        "  always_comb begin",
        f"    unique case ({selector})",
        *(f"      {bits}'d{index}: {target} = {literal(word, width)};" for index, word in enumerate(words[:-1])),
        f"      default: {target} = {literal(words[-1], width)};",
        "    endcase",
        "  end",
    ]


def memory_lines(name: str, words: Sequence[int], width: int, style: str) -> list[str]:
    """A declared and filled memory."""
    return [
        f'  (* ram_style = "{style}", rom_style = "{style}" *) logic [{width - 1}:0] {name} [{len(words)}];',
        "  initial begin",
        *(f"    {name}[{index}] = {literal(word, width)};" for index, word in enumerate(words)),
        "  end",
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
    elif style == "block":
        lines += [*memory_lines("mem", words, width, "block"), "",
                  "  always_ff @(posedge clk_i) begin", "    if (en_i) data_o <= mem[addr_i];", "  end"]
    else:
        lines += [f'  (* rom_style = "distributed" *) logic [{width - 1}:0] word;',
                  *case_lines("word", "addr_i", bits, words, width), "",
                  "  always_ff @(posedge clk_i) begin", "    if (en_i) data_o <= word;", "  end"]
    return "\n".join([*lines, "", "endmodule", ""])
