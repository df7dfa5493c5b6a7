// SPDX-License-Identifier: Apache-2.0

/// Dot product over several beats: one output row of a matrix unit.
///
/// Takes a beat of Simd activations and weights in every enabled cycle in which valid_i is high;
/// last_i marks the last of a row's Beats beats. Rows may follow each other without a gap, and beats
/// may be any number of cycles apart. valid_o is high for one enabled cycle for each row,
/// bw_pkg::dot_acc_latency(...) enabled cycles after its last beat, and sum_o is then the row's dot
/// product modulo 2^SumWidth. Nothing but a reset moves while en_i is low.
module bw_dot_acc #(
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 2,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 2,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned Beats = 4,
  parameter int unsigned SumWidth = 12,
  parameter bw_pkg::mul_e Mul = bw_pkg::MulLut
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,    // synchronous
  input  logic                        en_i,
  input  logic                        valid_i,
  input  logic                        last_i,
  input  logic [Simd*ActWidth-1:0]    act_i,     // element 0 in the lowest bits
  input  logic [Simd*WeightWidth-1:0] weight_i,  // element 0 in the lowest bits
  output logic                        valid_o,
  output logic signed [SumWidth-1:0]  sum_o
);

  localparam int unsigned Latency = bw_pkg::dot_latency(
      Simd, ActWidth, ActKind, WeightWidth, WeightKind, Mul);

  // dot = 2^Shift * sum - Bias in each beat. The accumulator starts at minus the bias of a row,
  // rounded up to a multiple of 2^Shift; the rest of it is the constant low bit of the result.
  localparam int unsigned Shift = bw_pkg::dot_shift(ActKind, WeightKind, Mul);
  localparam longint Bias = longint'(Beats) * bw_pkg::dot_bias(
      Simd, ActWidth, ActKind, WeightWidth, WeightKind, Mul);
  localparam int unsigned AccWidth = SumWidth > Shift ? SumWidth - Shift : 1;
  localparam logic [AccWidth-1:0] Start = AccWidth'(-((Bias + longint'(Shift)) >>> Shift));

  logic valid, last, step, clear;
  logic [AccWidth-1:0] dot, acc_d, acc_q, sum_q;

  bw_dot #(
    .Simd(Simd),
    .ActWidth(ActWidth),
    .ActKind(ActKind),
    .WeightWidth(WeightWidth),
    .WeightKind(WeightKind),
    .SumWidth(AccWidth),
    .Mul(Mul)
  ) u_dot (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en_i),
    .act_i(act_i),
    .weight_i(weight_i),
    .sum_o(dot)
  );

  bw_delay #(
    .Width(2),
    .Cycles(Latency)
  ) u_delay (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en_i),
    .data_i({valid_i, last_i}),
    .data_o({valid, last})
  );

  // One clear for reset and for the end of a row: flip-flops have it for nothing, a multiplexer
  // would not fit in the adder's tables.
  assign step  = en_i && valid;
  assign clear = !rst_ni || (step && last);
  assign acc_d = acc_q + dot;
  always_ff @(posedge clk_i) begin
    if (clear) begin
      acc_q <= Start;
    end else if (step) begin
      acc_q <= acc_d;
    end
    if (en_i) sum_q <= acc_d;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
    end else if (en_i) begin
      valid_o <= valid && last;
    end
  end

  if (Shift == 0) begin : gen_sum
    assign sum_o = sum_q;
  end else begin : gen_shifted_sum
    assign sum_o = SumWidth'({sum_q, Bias[0]});
  end

  if (Beats == 0) begin : gen_check_beats
    $error("bw_dot_acc: Beats must be positive");
  end

endmodule
