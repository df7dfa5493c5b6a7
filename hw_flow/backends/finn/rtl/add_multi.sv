// SPDX-License-Identifier: Apache-2.0

/// Sum of N addends after Depth enabled cycles, with the ports and parameters of FINN's module of this name, for simulation:
/// FINN's own adder tree does not verilate. Addends are signed where ArgLo is below 0.
/// Registers hold what FINN's do: the first ceil(log2 N) stages move with `en`, further ones every cycle.
/* verilator lint_off UNUSEDPARAM */
module add_multi import mvu_pkg::*; #(
  int unsigned N,
  int unsigned DEPTH,
  int unsigned ARG_WIDTH,
  int ARG_LO = 0,
  int ARG_HI = 0,
  bit RESET_ZERO = 1,
  localparam int unsigned SUM_WIDTH = sumwidth(N, ARG_WIDTH, ARG_LO, ARG_HI)
) (
  input  logic clk,
  input  logic rst,
  input  logic en,
  input  logic [ARG_WIDTH-1:0] arg[N],
  output logic [SUM_WIDTH-1:0] sum
);

  localparam int unsigned Levels = $clog2(N);
  localparam int unsigned Enabled = Levels < DEPTH ? Levels : DEPTH;
  localparam int unsigned Free = DEPTH - Enabled;

  logic [SUM_WIDTH-1:0] total;
  always_comb begin
    total = '0;
    for (int unsigned i = 0; i < N; i++) begin
      total += ARG_LO < 0 ? SUM_WIDTH'($signed(arg[i])) : SUM_WIDTH'(arg[i]);
    end
  end

  logic [SUM_WIDTH-1:0] stage[DEPTH+1];
  assign stage[0] = total;
  for (genvar i = 0; i < DEPTH; i++) begin : gen_stage
    logic [SUM_WIDTH-1:0] held = '0;
    always_ff @(posedge clk) begin
      if (rst) held <= '0;
      else if (en || i >= Enabled) held <= stage[i];
    end
    assign stage[i+1] = held;
  end
  assign sum = stage[DEPTH];

endmodule
