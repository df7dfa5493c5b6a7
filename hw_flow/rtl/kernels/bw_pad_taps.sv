// SPDX-License-Identifier: Apache-2.0

/// Which taps of a window lie outside the map on one axis, for the position that passes.
///
/// outside_o belongs to the position_i of the last cycle with en_i. Taps that are never outside cost nothing.
module bw_pad_taps #(
  parameter int Size = 8,                  // places of the map
  parameter int Positions = 8,
  parameter int Taps = 3,
  parameter int Stride = 1,
  parameter int Dilation = 1,
  parameter int PadBefore = 1,             // negative: places that no window shows
  localparam int unsigned Width = Positions > 1 ? $clog2(Positions) : 1
) (
  input  logic             clk_i,
  input  logic             en_i,
  input  logic [Width-1:0] position_i,
  output logic [Taps-1:0]  outside_o
);

  // Positions up to Before, and from Behind on, show the tap outside.
  for (genvar t = 0; t < Taps; t++) begin : gen_tap
    localparam int Before = bw_pkg::quotient_up(PadBefore - t * Dilation, Stride);
    localparam int Behind = bw_pkg::quotient_up(Size + PadBefore - t * Dilation, Stride);
    if (Before >= Positions || Behind <= 0) begin : gen_always
      assign outside_o[t] = 1'b1;
    end else if (Before <= 0 && Behind >= Positions) begin : gen_never
      assign outside_o[t] = 1'b0;
    end else begin : gen_test
      logic early, late, outside_q;
      if (Before <= 0) begin : gen_not_before
        assign early = 1'b0;
      end else begin : gen_before
        assign early = position_i <= Width'(Before - 1);
      end
      if (Behind >= Positions) begin : gen_not_behind
        assign late = 1'b0;
      end else begin : gen_behind
        assign late = position_i >= Width'(Behind);
      end
      always_ff @(posedge clk_i) begin
        if (en_i) outside_q <= early || late;
      end
      assign outside_o[t] = outside_q;
    end
  end

  // Where no tap needs a test.
  logic unused;
  assign unused = &{1'b0, clk_i, en_i, position_i};

  if (Positions < 1 || Stride < 1) begin : gen_check
    $error("bw_pad_taps: Positions and Stride must be positive");
  end

endmodule
