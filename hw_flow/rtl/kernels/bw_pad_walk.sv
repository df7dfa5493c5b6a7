// SPDX-License-Identifier: Apache-2.0

/// Whether the tap that a walking window shows lies outside the map on one axis.
///
/// Follows the window's loops: a step whose loop level_i ends a turn moves the tap by Deltas[level_i]. outside_o
/// depends on registers only. Places before the map count as large numbers, so one comparison finds both sides.
module bw_pad_walk #(
  parameter int unsigned Size = 8,         // places of the map
  parameter int unsigned PadBefore = 1,
  parameter int unsigned PadAfter = 1,
  parameter bw_pkg::loops_t Deltas = '0
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       step_i,
  input  logic [2:0] level_i,
  output logic       outside_o
);

  if (PadBefore + PadAfter == 0) begin : gen_never
    assign outside_o = 1'b0;
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni, step_i, level_i};
  end else begin : gen_count
    localparam int unsigned Width = $clog2(Size + PadBefore + PadAfter + 1);
    logic [Width-1:0] place_q, add;
    assign outside_o = place_q >= Width'(Size);
    always_comb begin
      add = '0;
      for (int unsigned l = 0; l < 6; l++) begin
        if (level_i == 3'(l)) add = Width'(Deltas[l]);
      end
    end
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        place_q <= Width'(-int'(PadBefore));
      end else if (step_i) begin
        place_q <= place_q + add;
      end
    end
  end

  if (Size == 0) begin : gen_check
    $error("bw_pad_walk: Size must be positive");
  end

endmodule
