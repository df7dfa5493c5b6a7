// SPDX-License-Identifier: Apache-2.0

/// Dot product of Simd activations and Simd weights, up to two constants:
///   dot = 2^bw_pkg::dot_shift(...) * sum_o - bw_pkg::dot_bias(...), modulo 2^SumWidth.
///
/// `bw_dot_acc` folds the constants into its accumulator. Accepts new operands in every cycle in which
/// en_i is high and gives their sum bw_pkg::dot_latency(...) enabled cycles later; only a reset moves
/// anything while en_i is low, and what leaves before the first operands is undefined.
module bw_dot #(
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 2,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 2,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned SumWidth = 12,
  parameter bw_pkg::mul_e Mul = bw_pkg::MulLut
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        en_i,
  input  logic [Simd*ActWidth-1:0]    act_i,     // element 0 in the lowest bits
  input  logic [Simd*WeightWidth-1:0] weight_i,  // element 0 in the lowest bits
  output logic [SumWidth-1:0]         sum_o
);

  localparam bw_pkg::dot_e Method = bw_pkg::dot_method(
      ActWidth, ActKind, WeightWidth, WeightKind, Mul);

  if (Method == bw_pkg::DotMul) begin : gen_mul

    bw_dot_mul #(
      .Simd(Simd),
      .ActWidth(ActWidth),
      .ActKind(ActKind),
      .WeightWidth(WeightWidth),
      .WeightKind(WeightKind),
      .SumWidth(SumWidth)
    ) u_mul (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .act_i(act_i),
      .weight_i(weight_i),
      .sum_o(sum_o)
    );

  end else if (Method == bw_pkg::DotDigits) begin : gen_digits

    bw_dot_digits #(
      .Simd(Simd),
      .ActWidth(ActWidth),
      .ActKind(ActKind),
      .WeightWidth(WeightWidth),
      .WeightKind(WeightKind),
      .SumWidth(SumWidth)
    ) u_digits (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .act_i(act_i),
      .weight_i(weight_i),
      .sum_o(sum_o)
    );

  end else if (Method == bw_pkg::DotShift) begin : gen_shift

    bw_dot_shift #(
      .Simd(Simd),
      .ActWidth(ActWidth),
      .ActKind(ActKind),
      .WeightWidth(WeightWidth),
      .SumWidth(SumWidth)
    ) u_shift (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .act_i(act_i),
      .weight_i(weight_i),
      .sum_o(sum_o)
    );

  end else begin : gen_planes

    localparam int unsigned FullWidth = bw_pkg::plane_sum_width(Simd, ActWidth, WeightWidth);
    localparam int unsigned PlaneWidth = FullWidth < SumWidth ? FullWidth : SumWidth;
    logic [PlaneWidth-1:0] planes;

    bw_dot_planes #(
      .Simd(Simd),
      .ActWidth(ActWidth),
      .ActKind(ActKind),
      .WeightWidth(WeightWidth),
      .WeightKind(WeightKind),
      .MaxWidth(SumWidth)
    ) u_planes (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .act_i(act_i),
      .weight_i(weight_i),
      .sum_o(planes)
    );

    if (!bw_pkg::dot_corrects(ActKind, WeightKind)) begin : gen_sum
      assign sum_o = SumWidth'(planes);
    end else begin : gen_correct
      // a * (2w - 1) = 2 * (a and w) - a for Bipolar weights; for Bipolar activations the equalities
      // of the bits exceed the product by the activation.
      localparam int unsigned ActSumWidth = bw_pkg::plane_sum_width(Simd, ActWidth, 1);
      localparam int unsigned PlaneLatency = bw_pkg::plane_latency(Simd, ActWidth, WeightWidth);
      localparam int unsigned ActLatency = bw_pkg::act_sum_latency(Simd, ActWidth);
      localparam int unsigned Double = WeightKind == bw_pkg::Bipolar ? 1 : 0;
      logic [ActSumWidth-1:0] acts, acts_q, acts_inverted;
      logic [PlaneWidth-1:0] planes_q;

      bw_act_sum #(
        .Simd(Simd),
        .ActWidth(ActWidth),
        .ActKind(ActKind)
      ) u_acts (
        .clk_i(clk_i),
        .rst_ni(rst_ni),
        .en_i(en_i),
        .act_i(act_i),
        .sum_o(acts)
      );
      bw_delay #(
        .Width(ActSumWidth),
        .Cycles(PlaneLatency > ActLatency ? PlaneLatency - ActLatency : 0)
      ) u_delay_acts (
        .clk_i(clk_i),
        .rst_ni(rst_ni),
        .en_i(en_i),
        .data_i(acts),
        .data_o(acts_q)
      );
      bw_delay #(
        .Width(PlaneWidth),
        .Cycles(ActLatency > PlaneLatency ? ActLatency - PlaneLatency : 0)
      ) u_delay_planes (
        .clk_i(clk_i),
        .rst_ni(rst_ni),
        .en_i(en_i),
        .data_i(planes),
        .data_o(planes_q)
      );
      assign acts_inverted = ~acts_q;
      always_ff @(posedge clk_i) begin
        if (en_i) sum_o <= (SumWidth'(planes_q) << Double) + SumWidth'(acts_inverted);
      end
    end

  end

  if (Simd == 0 || ActWidth == 0 || WeightWidth == 0 || SumWidth == 0) begin : gen_check_size
    $error("bw_dot: Simd, ActWidth, WeightWidth and SumWidth must be positive");
  end
  if (ActKind == bw_pkg::Bipolar && ActWidth != 1) begin : gen_check_act
    $error("bw_dot: a Bipolar activation has 1 bit");
  end
  if (WeightKind == bw_pkg::Bipolar && WeightWidth != 1) begin : gen_check_weight
    $error("bw_dot: a Bipolar weight has 1 bit");
  end
  if (ActKind == bw_pkg::Bipolar && WeightKind == bw_pkg::Unsigned) begin : gen_check_pair
    $error("bw_dot: Unsigned weights need an Unsigned or Signed activation");
  end
  if (ActWidth + WeightWidth + $clog2(Simd) + 2 > bw_pkg::HeapColumns) begin : gen_check_columns
    $error("bw_dot: the sum has more bits than bw_pkg::HeapColumns");
  end

endmodule
