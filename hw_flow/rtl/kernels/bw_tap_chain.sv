// SPDX-License-Identifier: Apache-2.0

/// The beats under a kernel that moves over a map beat by beat.
///
/// A chain of registers and delay lines as long as the kernel spans, which moves with shift_i. Tap (ky, kx) is number
/// ky * KernelWidth + kx; the last is the newest, the beat of the last shift.
module bw_tap_chain #(
  parameter int Width = 8,                 // places of a row of the map
  parameter int Groups = 1,                // beats of a place
  parameter int unsigned BeatWidth = 8,
  parameter int KernelHeight = 3,
  parameter int KernelWidth = 3,
  parameter int DilationHeight = 1,
  parameter int DilationWidth = 1,
  parameter RamStyle = "auto",
  localparam int Taps = KernelHeight * KernelWidth
) (
  input  logic                           clk_i,
  input  logic                           rst_ni,
  input  logic                           shift_i,
  input  logic [BeatWidth-1:0]           data_i,
  output logic [Taps-1:0][BeatWidth-1:0] tap_o
);

  localparam int KH = KernelHeight;
  localparam int KW = KernelWidth;
  localparam int RowShifts = (DilationHeight * Width - (KW - 1) * DilationWidth) * Groups;

  if (KH > 1 && RowShifts < 1) begin : gen_narrow
    // The kernel spans more than a row, so its rows overlap in the stream.
    localparam int Row = DilationHeight * Width * Groups;
    localparam int Column = DilationWidth * Groups;
    localparam int Span = (KH - 1) * Row + (KW - 1) * Column + 1;
    logic [Span-1:0][BeatWidth-1:0] chain_q;
    always_ff @(posedge clk_i) begin
      if (shift_i) begin
        chain_q[0] <= data_i;
        for (int s = 1; s < Span; s++) chain_q[s] <= chain_q[s-1];
      end
    end
    for (genvar y = 0; y < KH; y++) begin : gen_row
      for (genvar x = 0; x < KW; x++) begin : gen_column
        assign tap_o[y*KW+x] = chain_q[(KH-1-y)*Row+(KW-1-x)*Column];
      end
    end
    logic unused_reset;
    assign unused_reset = &{1'b0, rst_ni};
  end else begin : gen_lines
    always_ff @(posedge clk_i) begin
      if (shift_i) tap_o[Taps-1] <= data_i;
    end
    if (KH > 1) begin : gen_row_lines
      logic [KH-2:0][BeatWidth-1:0] oldest, next;
      for (genvar y = 0; y < KH - 1; y++) begin : gen_row
        assign oldest[y] = tap_o[(y+1)*KW];
        assign tap_o[y*KW+KW-1] = next[y];
      end
      bw_delay_line #(
        .Width((KH - 1) * BeatWidth),
        .Shifts(RowShifts),
        .RamStyle(RamStyle)
      ) u_rows (
        .clk_i(clk_i),
        .rst_ni(rst_ni),
        .shift_i(shift_i),
        .data_i(oldest),
        .data_o(next)
      );
    end
    if (KW > 1) begin : gen_column_lines
      logic [KH*(KW-1)-1:0][BeatWidth-1:0] newer, older;
      for (genvar y = 0; y < KH; y++) begin : gen_row
        for (genvar x = 0; x < KW - 1; x++) begin : gen_column
          assign newer[y*(KW-1)+x] = tap_o[y*KW+x+1];
          assign tap_o[y*KW+x] = older[y*(KW-1)+x];
        end
      end
      bw_delay_line #(
        .Width(KH * (KW - 1) * BeatWidth),
        .Shifts(DilationWidth * Groups),
        .RamStyle(RamStyle)
      ) u_columns (
        .clk_i(clk_i),
        .rst_ni(rst_ni),
        .shift_i(shift_i),
        .data_i(newer),
        .data_o(older)
      );
    end
    if (Taps == 1) begin : gen_one
      logic unused_reset;
      assign unused_reset = &{1'b0, rst_ni};
    end
  end

  if (Groups < 1 || BeatWidth == 0 || Taps < 1) begin : gen_check
    $error("bw_tap_chain: Groups, BeatWidth and the kernel must be positive");
  end

endmodule
