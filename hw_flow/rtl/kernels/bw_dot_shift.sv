// SPDX-License-Identifier: Apache-2.0

/// Dot product with weights that are powers of two: each code shifts its activation.
///
/// A weight is {sign, exponent} and stands for plus or minus 2^exponent, with all ones in the exponent for 0. The
/// exponent's low two bits shift first, one table a bit, into a register. A third bit, the zero and the sign share a table
/// with the carry chain that adds the product: the inverted product takes its missing 1 through the chain's carry input.
/// bw_pkg::MulChain elements at a time form a chain, each adding to the registered sum of the one before and getting its
/// operands a cycle later; `bw_row_sum` adds the chains' sums. These enter with their top bit inverted, see
/// bw_pkg::dot_bias. sum_o is cut to SumWidth bits.
/// Latency bw_pkg::shift_latency(Simd) enabled cycles, new operands in every cycle.
module bw_dot_shift #(
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 4,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 4,
  parameter int unsigned SumWidth = 24
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        en_i,
  input  logic [Simd*ActWidth-1:0]    act_i,
  input  logic [Simd*WeightWidth-1:0] weight_i,
  output logic [SumWidth-1:0]         sum_o
);

  localparam int unsigned ExpWidth = WeightWidth - 1;
  localparam int unsigned Length = Simd < bw_pkg::MulChain ? Simd : bw_pkg::MulChain;
  localparam int unsigned Chains = (Simd + Length - 1) / Length;
  localparam int unsigned ChainWidth = bw_pkg::shift_width(Length, ActWidth, WeightWidth);
  localparam int unsigned RowWidth = ChainWidth < SumWidth ? ChainWidth : SumWidth;
  localparam bw_pkg::heights_t Rows = bw_pkg::act_heights(Chains, RowWidth);
  // An activation that was shifted by up to two or three places.
  localparam int unsigned ShiftedWidth = ActWidth + (ExpWidth == 2 ? 2 : 3);

  logic [Simd-1:0][ChainWidth-1:0] chain;
  logic [Chains*RowWidth-1:0] columns;

  for (genvar i = 0; i < Simd; i++) begin : gen_product
    localparam int unsigned Place = i % Length;
    // Sums grow along the chain; the bits above repeat the sign.
    localparam int unsigned Width = bw_pkg::shift_width(Place + 1, ActWidth, WeightWidth);
    logic [ActWidth-1:0] act;
    logic [ExpWidth-1:0] exponent;
    logic negative_d, negative_q;
    logic [ShiftedWidth-1:0] shifted_d, shifted_q;
    logic [Width-1:0] chained, extended, product, product_inverted, sum_d, sum_q;
    logic unused_carry;

    bw_delay #(
      .Width(ActWidth + WeightWidth),
      .Cycles(Place + 1)
    ) u_delay (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i({act_i[i*ActWidth+:ActWidth], weight_i[i*WeightWidth+:WeightWidth]}),
      .data_o({act, negative_d, exponent})
    );

    // A table, see bw_pkg::count_table; a multiplexer with zeros would become resets with tables of their own.
    for (genvar b = 0; b < ShiftedWidth; b++) begin : gen_bit
      logic [3:0] choice;
      for (genvar s = 0; s < 4; s++) begin : gen_shift
        if (ExpWidth == 2 && s == 3 || b < s) begin : gen_zero
          assign choice[s] = 1'b0;
        end else if (b - s < ActWidth) begin : gen_act
          assign choice[s] = act[b-s];
        end else begin : gen_sign
          assign choice[s] = ActKind == bw_pkg::Signed && act[ActWidth-1];
        end
      end
      assign shifted_d[b] = choice[exponent[1:0]];
    end
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        negative_q <= negative_d;
        shifted_q  <= shifted_d;
      end
    end

    assign extended = {
      {(Width-ShiftedWidth){ActKind == bw_pkg::Signed && shifted_q[ShiftedWidth-1]}}, shifted_q
    };
    if (ExpWidth == 2) begin : gen_near
      assign product = extended;
    end else begin : gen_far
      logic far_q, some_q;
      always_ff @(posedge clk_i) begin
        if (en_i) begin
          far_q  <= exponent[2];
          some_q <= exponent != '1;
        end
      end
      assign product = (far_q ? extended << 4 : extended) & {Width{some_q}};
    end

    if (Place == 0) begin : gen_first
      assign chained = '0;
    end else begin : gen_next
      localparam int unsigned BeforeWidth = bw_pkg::shift_width(Place, ActWidth, WeightWidth);
      assign chained = Width'($signed(chain[i-1][BeforeWidth-1:0]));
    end
    // x - ~y is x + y + 1, see bw_dot_digits; here the place below makes the 1 of the sign.
    assign product_inverted = ~(product ^ {Width{negative_q}});
    assign {sum_d, unused_carry} = {chained, negative_q} - {product_inverted, 1'b1};
    always_ff @(posedge clk_i) begin
      if (en_i) sum_q <= sum_d;
    end
    assign chain[i] = ChainWidth'($signed(sum_q));
  end

  for (genvar c = 0; c < Chains; c++) begin : gen_chain
    localparam int unsigned Last = (c + 1) * Length < Simd ? (c + 1) * Length - 1 : Simd - 1;
    logic [ChainWidth-1:0] sum;
    // A shorter last chain is ready earlier and waits.
    bw_delay #(
      .Width(ChainWidth),
      .Cycles(Length - 1 - Last % Length)
    ) u_wait (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i(chain[Last]),
      .data_o(sum)
    );
    for (genvar k = 0; k < RowWidth; k++) begin : gen_column
      assign columns[k*Chains+c] = sum[k] ^ (k == ChainWidth - 1);
    end
    if (RowWidth < ChainWidth) begin : gen_unused
      logic unused;
      assign unused = &{1'b0, sum[ChainWidth-1:RowWidth]};
    end
  end

  bw_row_sum #(
    .Heights(Rows),
    .Width(SumWidth)
  ) u_rows (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en_i),
    .bits_i(columns),
    .sum_o(sum_o)
  );

  if (Simd == 0 || ActKind == bw_pkg::Bipolar || (WeightWidth != 3 && WeightWidth != 4)) begin : gen_check
    $error("bw_dot_shift: Simd must be positive, activations Unsigned or Signed, and WeightWidth 3 or 4");
  end

endmodule
