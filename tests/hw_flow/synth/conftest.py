"""Small SystemVerilog modules, one per kind of resource, and a cache of this test run's own."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

ADD = """
module add (input logic clk_i, input logic [7:0] a_i, b_i, output logic [8:0] s_o);
  always_ff @(posedge clk_i) s_o <= a_i + b_i;
endmodule
"""
FIFO = """
module {name} (input logic clk_i, rst_ni, push_i, pop_i, input logic [7:0] data_i, output logic [7:0] data_o);
  logic [7:0] mem [32];
  logic [4:0] w_q, r_q;
  assign data_o = mem[r_q];
  always_ff @(posedge clk_i) if (push_i) mem[w_q] <= data_i;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin w_q <= '0; r_q <= '0; end
    else begin
      if (push_i) w_q <= w_q + 1'b1;
      if (pop_i) r_q <= r_q + 1'b1;
    end
  end
endmodule
"""
SRL = """
module srl (input logic clk_i, input logic [15:0] d_i, output logic [15:0] d_o);
  logic [15:0] s [8];
  always_ff @(posedge clk_i) begin
    s[0] <= d_i;
    for (int i = 1; i < 8; i++) s[i] <= s[i-1];
  end
  assign d_o = s[7];
endmodule
"""
MUL = """
module mul (input logic clk_i, input logic signed [7:0] a_i, b_i, output logic signed [15:0] p_o);
  always_ff @(posedge clk_i) p_o <= a_i * b_i;
endmodule
"""
BAD = """
module bad (input logic a_i, output logic b_o);
  assign b_o = a_i +;
endmodule
"""


def rom() -> str:
    """512 random words of 32 bits with a registered output: one RAMB18."""
    rng = random.Random(1)
    rows = "\n".join(f"      9'd{i}: word = 32'd{rng.getrandbits(32)};" for i in range(512))
    return (
        "module rom (input logic clk_i, input logic [8:0] addr_i, output logic [31:0] data_o);\n  logic [31:0] word;\n"
        f"  always_comb unique case (addr_i)\n{rows}\n      default: word = '0;\n    endcase\n"
        "  always_ff @(posedge clk_i) data_o <= word;\nendmodule\n"
    )


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with one file a module."""
    directory = tmp_path_factory.mktemp("rtl with space")
    texts = {"add": ADD, "fifo": FIFO.format(name="fifo"), "srl": SRL, "mul": MUL, "bad": BAD, "rom": rom()}
    for name, text in texts.items():
        (directory / f"{name}.sv").write_text(text)
    return directory


@pytest.fixture(scope="session")
def cache_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cache(cache_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test of this folder shares one cache, so that a module is synthesised once."""
    monkeypatch.setenv("BITWRIGHT_CACHE", str(cache_root))


@pytest.fixture
def no_tool(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and from then on starting Yosys fails the test."""
    def forbid() -> None:
        def fail(*_args: object, **_kwargs: object) -> int:
            raise AssertionError("a tool was started")
        monkeypatch.setattr("hw_flow.synth.runner.run_process", fail)
    return forbid
