// SPDX-License-Identifier: Apache-2.0

/// Dot product by bit planes: one-bit products, counted.
///
/// Activation bit j times weight bit k is one bit for each element. Three such products have six
/// inputs, so their sum and carry are one six-input table each; `bw_bit_heap` and `bw_row_sum` add
/// those. A product of negative weight (a sign bit and one other) enters inverted, and a product of
/// a Bipolar activation as the equality of the bits, which leaves constants for `bw_dot` to mend.
/// sum_o is cut to MaxWidth bits. Latency bw_pkg::plane_latency(...) enabled cycles, a new operand in every cycle.
module bw_dot_planes #(
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 2,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 2,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned MaxWidth = 32,
  localparam int unsigned FullWidth = bw_pkg::plane_sum_width(Simd, ActWidth, WeightWidth),
  localparam int unsigned Width = FullWidth < MaxWidth ? FullWidth : MaxWidth
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        en_i,
  input  logic [Simd*ActWidth-1:0]    act_i,
  input  logic [Simd*WeightWidth-1:0] weight_i,
  output logic [Width-1:0]            sum_o
);

  localparam bw_pkg::heights_t Heights = bw_pkg::plane_heights(Simd, ActWidth, WeightWidth);
  localparam bw_pkg::heights_t Final = bw_pkg::heap_final(Heights);
  localparam int unsigned Groups = Simd / 3;

  // Sums and carries have an activation register each, one of them with a reset, so that no tool
  // merges the two. A mapper that sees both tables of three products share their inputs splits
  // them into three smaller tables.
  logic [Simd*ActWidth-1:0] act_sum, act_carry;
  logic [Simd*WeightWidth-1:0] weight;
  logic [bw_pkg::heap_bits(Heights)-1:0] bits_d, bits_q;
  logic [bw_pkg::heap_bits(Final)-1:0] bits_final;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      act_carry <= '0;
    end else if (en_i) begin
      act_carry <= act_i;
    end
    if (en_i) begin
      act_sum <= act_i;
      weight  <= weight_i;
    end
  end

  for (genvar k = 0; k < WeightWidth; k++) begin : gen_weight_bit
    for (genvar j = 0; j < ActWidth; j++) begin : gen_act_bit
      localparam bit Equal = ActKind == bw_pkg::Bipolar;
      localparam bit Invert = bw_pkg::plane_negative(ActWidth, ActKind, WeightWidth, WeightKind, j, k);
      localparam logic [1:0][63:0] Product = bw_pkg::product_table(Equal, Invert);
      localparam int unsigned Sum = bw_pkg::plane_offset(Simd, ActWidth, WeightWidth, j, k, 1'b0);
      localparam int unsigned Carry = bw_pkg::plane_offset(Simd, ActWidth, WeightWidth, j, k, 1'b1);

      for (genvar g = 0; g < Groups; g++) begin : gen_group
        logic [5:0] six_sum, six_carry;
        for (genvar t = 0; t < 3; t++) begin : gen_product
          assign six_sum[2*t]     = act_sum[(3*g+t)*ActWidth+j];
          assign six_sum[2*t+1]   = weight[(3*g+t)*WeightWidth+k];
          assign six_carry[2*t]   = act_carry[(3*g+t)*ActWidth+j];
          assign six_carry[2*t+1] = weight[(3*g+t)*WeightWidth+k];
        end
        assign bits_d[Sum+g]   = Product[0][six_sum];
        assign bits_d[Carry+g] = Product[1][six_carry];
      end

      for (genvar i = 3 * Groups; i < Simd; i++) begin : gen_rest
        logic act_bit, weight_bit;
        assign act_bit = act_sum[i*ActWidth+j];
        assign weight_bit = weight[i*WeightWidth+k];
        assign bits_d[Sum+i-2*Groups] = (Equal ? act_bit ~^ weight_bit : act_bit & weight_bit) ^ Invert;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i) bits_q <= bits_d;
  end

  if (Groups == 0) begin : gen_unused
    logic unused;
    assign unused = &{1'b0, act_carry};
  end

  bw_bit_heap #(
    .Heights(Heights)
  ) u_heap (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en_i),
    .bits_i(bits_q),
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
