// SPDX-License-Identifier: Apache-2.0

/// Sum of Simd activations as plain binary, the top bit of each inverted if they are Signed.
///
/// Equal instances are merged by synthesis, so the lanes of a matrix unit share one.
/// Latency bw_pkg::act_sum_latency(...) enabled cycles, a new operand in every cycle.
module bw_act_sum #(
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 2,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  localparam int unsigned Width = bw_pkg::plane_sum_width(Simd, ActWidth, 1)
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     en_i,
  input  logic [Simd*ActWidth-1:0] act_i,
  output logic [Width-1:0]         sum_o
);

  localparam bw_pkg::heights_t Heights = bw_pkg::act_heights(Simd, ActWidth);
  localparam bw_pkg::heights_t Final = bw_pkg::heap_final(Heights);

  logic [Simd*ActWidth-1:0] act;
  logic [Simd*ActWidth-1:0] columns;
  logic [bw_pkg::heap_bits(Final)-1:0] bits_final;

  always_ff @(posedge clk_i) begin
    if (en_i) act <= act_i;
  end

  for (genvar j = 0; j < ActWidth; j++) begin : gen_column
    localparam bit Invert = ActKind == bw_pkg::Signed && j == ActWidth - 1;
    for (genvar i = 0; i < Simd; i++) begin : gen_bit
      assign columns[j*Simd+i] = act[i*ActWidth+j] ^ Invert;
    end
  end

  bw_bit_heap #(
    .Heights(Heights)
  ) u_heap (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en_i),
    .bits_i(columns),
    .bits_o(bits_final)
  );

  bw_row_sum #(
    .Heights(Final),
    .Width(Width)
  ) u_rows (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en_i),
    .bits_i(bits_final),
    .sum_o(sum_o)
  );

endmodule
