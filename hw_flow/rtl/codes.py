"""Weight memories: the weights themselves, or codes of them with a small table behind the memory.

Layers with a codebook have few distinct weights on a wide grid. Their memory holds the number of each weight's level, and a
table of constants for each weight of a word makes the level of it: a LUT or two, behind the memory's register.
"""

from __future__ import annotations

import numpy as np

from hw_flow.folding import NodeFolding
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.choose import coded_weights, weight_style
from hw_flow.rtl.memory import address_width, literal, memory_lines, pack_words, rom_module


def code_bits(weights: IntArray) -> int:
    """Bits that number the distinct ``weights``, at least 1."""
    return max(1, (len(np.unique(weights)) - 1).bit_length())


def weight_memory(module: str, words: IntArray, width: int, folding: NodeFolding, what: str) -> str:
    """Text of a memory of ``words [N, lanes]``, each element in ``width`` bits, with a registered, enabled read port."""
    bits = code_bits(words)
    if not coded_weights(folding, words.shape, width, bits):
        whole = words.shape[1] * width
        return rom_module(module, pack_words(words, width), whole, weight_style(folding, len(words), whole), what)
    return _coded_module(module, words, (width, bits), folding, what)


def _coded_module(module: str, words: IntArray, widths: tuple[int, int], folding: NodeFolding, what: str) -> str:
    (width, bits), (count, lanes) = widths, words.shape
    levels, codes = np.unique(words, return_inverse=True)
    packed = pack_words(codes.reshape(words.shape).astype(np.int64), bits)
    style = weight_style(folding, count, lanes * bits)
    mask = (1 << width) - 1
    return "\n".join([
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated; do not edit.",
        "",
        f"/// {what}: {count} words of {lanes} codes of {bits} bits, read in one enabled cycle; each code becomes {width} bits.",
        f"module {module} (",
        "  input  logic clk_i,",
        "  input  logic en_i,",
        f"  input  logic [{address_width(count) - 1}:0] addr_i,",
        f"  output logic [{lanes * width - 1}:0] data_o",
        ");",
        "",
        *memory_lines("mem", packed, lanes * bits, style),
        "",
        f"  logic [{lanes * bits - 1}:0] codes;",
        "  always_ff @(posedge clk_i) begin",
        "    if (en_i) codes <= mem[addr_i];",
        "  end",
        "",
        f"  function automatic logic [{width - 1}:0] level(logic [{bits - 1}:0] code);",
        "    unique case (code)",
        *(f"      {bits}'d{index}: level = {literal(int(value) & mask, width)};" for index, value in enumerate(levels[:-1])),
        f"      default: level = {literal(int(levels[-1]) & mask, width)};",
        "    endcase",
        "  endfunction",
        "",
        "  always_comb begin",
        f"    for (int unsigned lane = 0; lane < {lanes}; lane++) begin",
        f"      data_o[lane*{width}+:{width}] = level(codes[lane*{bits}+:{bits}]);",
        "    end",
        "  end",
        "",
        "endmodule",
        "",
    ])
