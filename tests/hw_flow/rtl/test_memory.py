"""Read-only memories: Verilator reads the words that were written, and Yosys holds the same ones."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hw_flow.rtl.memory import address_width, rom_module, table_lines
from hw_flow.synth import SynthJob, run, runner
from sim import Source, StreamPort, build

# Words that are few, no power of two, wider than Verilator's literals, and none but one.
SHAPES = [(12, 5, "distributed"), (300, 9, "block"), (70, 600, "distributed"), (3, 40_000, "block"), (7, 8, "lut")]
WRAPPER = """
module {top} (
  input  logic clk_i, input logic rst_ni,
  input  logic [15:0] s_data_i, input logic s_valid_i, output logic s_ready_o,
  output logic [{last}:0] m_data_o, output logic m_valid_o, input logic m_ready_i
);
  logic full;
  assign s_ready_o = !full || m_ready_i;
  assign m_valid_o = full;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) full <= 1'b0;
    else if (s_ready_o) full <= s_valid_i;
  end
  rom u_rom (.clk_i, .en_i(s_ready_o), .addr_i(s_data_i[{addr}:0]), .data_o(m_data_o[{width}:0]));
  if ({last} > {width}) assign m_data_o[{last}:{width}+1] = '0;
endmodule
"""


def text(words: list[int], width: int, style: str) -> str:
    """A memory of the module, or of the combinational form with a register behind it."""
    if style != "lut":
        return rom_module("rom", words, width, "block" if style == "block" else "distributed", "Test")
    bits = address_width(len(words))
    return "\n".join([
        f"module rom (input logic clk_i, en_i, input logic [{bits - 1}:0] addr_i, output logic [{width - 1}:0] data_o);",
        f"  logic [{width - 1}:0] word;", *table_lines("word", "addr_i", "mem", words, width),
        "  always_ff @(posedge clk_i) if (en_i) data_o <= word;", "endmodule", ""])


@pytest.mark.parametrize(("count", "width", "style"), SHAPES)
def test_verilator_and_yosys_hold_the_words(tmp_path: Path, count: int, width: int, style: str) -> None:
    draw = random.Random(count)
    words = [draw.getrandbits(width) for _ in range(count)]
    (tmp_path / "rom.sv").write_text(text(words, width, style))
    assert verilated(tmp_path, words, width) == words
    assert synthesised(tmp_path)[:count] == words


def verilated(folder: Path, words: list[int], width: int) -> list[int]:
    lanes = -(-width // 32)
    top = WRAPPER.format(top="top", last=32 * lanes - 1, width=width - 1, addr=address_width(len(words)) - 1)
    (folder / "top.sv").write_text(top)
    ports = (StreamPort("s", "in", width=16, lanes=1, beats=1), StreamPort("m", "out", width=32, lanes=lanes, beats=1))
    model = build(Source("top", (folder / "rom.sv", folder / "top.sv")), ports)
    found = model.run({"s": np.arange(len(words))[:, None]}).outputs["m"]
    return [sum(int(part) << 32 * lane for lane, part in enumerate(row)) for row in found]


def synthesised(folder: Path) -> list[int]:
    """Contents of the one memory as Yosys has it, before it is mapped."""
    (folder / "dump.ys").write_text("read_slang --top rom rom.sv\nproc\nmemory_collect\ntee -q -o dump.txt dump t:$mem_v2\n")
    child = Path(runner.__file__).with_name("_child.py")
    subprocess.run([sys.executable, "-P", str(child), "dump.ys"], cwd=folder, check=True, capture_output=True, timeout=120)
    dump = (folder / "dump.txt").read_text()
    size, width = (int(re.search(rf"parameter (?:signed )?\\{name} (\d+)", dump)[1]) for name in ("SIZE", "WIDTH"))  # type: ignore[index]  # a dump always has both
    init = re.search(r"parameter \\INIT \d+'([01x]+)", dump)
    assert init is not None
    bits = init[1].zfill(size * width)
    return [int(bits[len(bits) - (index + 1) * width:len(bits) - index * width], 2) for index in range(size)]


@pytest.mark.parametrize(("style", "luts", "blocks"), [("block", False, True), ("distributed", True, False)])
def test_the_style_is_what_is_built(tmp_path: Path, style: str, *, luts: bool, blocks: bool) -> None:
    draw = random.Random(0)
    (tmp_path / "rom.sv").write_text(text([draw.getrandbits(16) for _ in range(1024)], 16, style))
    result = run(SynthJob(top="rom", files=(tmp_path / "rom.sv",)))
    assert (result.luts > 100, any("RAMB" in cell for cell in result.cells)) == (luts, blocks)
