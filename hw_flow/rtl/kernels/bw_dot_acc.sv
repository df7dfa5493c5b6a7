// SPDX-License-Identifier: Apache-2.0

/// Dot product over several beats: one output row of a matrix unit.
///
/// Takes a beat of Simd activations and weights in every enabled cycle in which valid_i is high;
/// last_i marks a row's last beat. A row may have any number of beats, rows may follow each other
/// without a gap, and beats may be any number of cycles apart. valid_o is high for one enabled cycle
/// for each row, bw_pkg::dot_acc_latency(...) enabled cycles after its last beat, and sum_o is then
/// the row's dot product modulo 2^SumWidth. Nothing but a reset moves while en_i is low.
module bw_dot_acc #(
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 2,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 2,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned Beats = 4,  // beats of a row
  parameter int unsigned SumWidth = 12,
  parameter bw_pkg::mul_e Mul = bw_pkg::MulLut
) (
  input  logic                           clk_i,
  input  logic                           rst_ni,    // synchronous
  input  logic                           en_i,
  input  logic                           valid_i,
  input  logic                           last_i,
  input  logic [Simd*ActWidth-1:0]       act_i,     // element 0 in the lowest bits
  input  logic [Simd*WeightWidth-1:0]    weight_i,  // element 0 in the lowest bits
  output logic                           valid_o,
  output logic signed [SumWidth-1:0]     sum_o
);

  localparam int unsigned Latency = bw_pkg::dot_latency(
      Simd, ActWidth, ActKind, WeightWidth, WeightKind, Mul);

  logic [Latency:0] valid;
  logic [Latency:0] last;
  logic signed [SumWidth-1:0] dot;
  logic signed [SumWidth-1:0] acc_q;
  logic signed [SumWidth-1:0] acc_d;

  bw_dot #(
    .Simd(Simd),
    .ActWidth(ActWidth),
    .ActKind(ActKind),
    .WeightWidth(WeightWidth),
    .WeightKind(WeightKind),
    .SumWidth(SumWidth),
    .Mul(Mul)
  ) u_dot (
    .clk_i(clk_i),
    .en_i(en_i),
    .act_i(act_i),
    .weight_i(weight_i),
    .sum_o(dot)
  );

  assign valid[0] = valid_i;
  assign last[0]  = last_i;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid[Latency:1] <= '0;
    end else if (en_i) begin
      valid[Latency:1] <= valid[Latency-1:0];
    end
    if (en_i) last[Latency:1] <= last[Latency-1:0];
  end

  assign acc_d = acc_q + dot;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      acc_q   <= '0;
      valid_o <= 1'b0;
    end else if (en_i) begin
      valid_o <= valid[Latency] && last[Latency];
      if (valid[Latency]) acc_q <= last[Latency] ? '0 : acc_d;
    end
    if (en_i) sum_o <= acc_d;
  end

  if (Beats == 0) begin : gen_check_beats
    $error("bw_dot_acc: Beats must be positive");
  end

endmodule
