// SPDX-License-Identifier: Apache-2.0

/// Vector-vector-activation unit: depthwise convolution behind a Depthwise window, then thresholds.
///
/// In: for every position, for every group of Pe channels, Taps/Simd beats, Simd taps of Pe channels each, the channel
/// innermost. Out: a beat of Pe results for every group. Simd is 1 or Taps, so the interval is exactly
/// (Channels/Pe)*(Taps/Simd) cycles a position, back to back.
/// Weights come from a memory outside with a registered output: word group * Taps/Simd + beat, lane p's Simd weights
/// at p * Simd * WeightWidth. ThresholdBits == 0 gives the sums (modulo 2^OutWidth), otherwise see bw_threshold_flat
/// and bw_threshold_search for the tables.
/// Latency from a group's last beat: 1 (register) + bw_pkg::dot_acc_latency(...) + that of the thresholds +
/// OutputRegister cycles. With OutputRegister ready_o depends on registers only, without it also on ready_i.
module bw_vvau #(
  parameter int unsigned Channels = 8,
  parameter int unsigned Taps = 9,
  parameter int unsigned Pe = 2,
  parameter int unsigned Simd = 1,
  parameter int unsigned ActWidth = 4,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 4,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned SumWidth = 12,
  parameter bw_pkg::mul_e Mul = bw_pkg::MulLut,
  parameter int unsigned ThresholdBits = 0,
  parameter int unsigned ThresholdWidth = SumWidth,
  parameter int unsigned ThresholdFolds = 1,  // Channels/Pe, or 1 if the thresholds of all groups are equal
  parameter bit Descending = 1'b0,
  parameter int Base = 0,
  parameter int unsigned OutWidth = SumWidth,
  parameter bit TableLatency = 1'b0,
  parameter bit Flat = 1'b1,
  parameter bit OutputRegister = 1'b1,        // 0 where ready_i comes from a FIFO's registers
  localparam int unsigned Words = (Channels / Pe) * (Taps / Simd),
  localparam int unsigned WeightAddrWidth = Words > 1 ? $clog2(Words) : 1,
  localparam int unsigned Bits = ThresholdBits > 0 ? ThresholdBits : 1,
  localparam int unsigned Tables = Flat ? 2 ** Bits - 1 : Bits,
  localparam int unsigned IndexWidth = $clog2(ThresholdFolds) + (Flat ? 0 : Bits - 1),
  localparam int unsigned TableAddrWidth = IndexWidth > 0 ? IndexWidth : 1,
  localparam int unsigned TableWidth = ThresholdWidth + 32'(Descending)
) (
  input  logic                                        clk_i,
  input  logic                                        rst_ni,
  input  logic                                        valid_i,
  output logic                                        ready_o,
  input  logic [Simd*Pe*ActWidth-1:0]                 data_i,
  output logic                                        memory_en_o,  // for both memories
  output logic [WeightAddrWidth-1:0]                  weight_addr_o,
  input  logic [Pe*Simd*WeightWidth-1:0]              weight_i,
  output logic [Tables-1:0][Pe-1:0][TableAddrWidth-1:0] table_addr_o,
  input  logic [Tables-1:0][Pe-1:0][TableWidth-1:0]     table_i,
  output logic                                        valid_o,
  input  logic                                        ready_i,
  output logic [Pe*OutWidth-1:0]                      data_o
);

  localparam int unsigned Beats = Taps / Simd;

  logic en, step, last;
  logic act_valid_q, act_last_q;
  logic [Simd-1:0][Pe-1:0][ActWidth-1:0] act_q;
  logic [Pe-1:0] sum_valid;
  logic [Pe-1:0][SumWidth-1:0] sum;
  logic result_valid, result_ready;
  logic [Pe-1:0][OutWidth-1:0] result;

  // Everything up to the result moves or waits together.
  assign en = !result_valid || result_ready;
  assign memory_en_o = en;
  assign ready_o = en;
  assign step = en && valid_i;

  bw_fold_counter #(
    .Folds(Words)
  ) u_word (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(step),
    .fold_o(weight_addr_o)
  );
  bw_loop_nest #(
    .Loops(1),
    .Turns(Beats)
  ) u_beat (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(step),
    .last_o(last)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      act_valid_q <= 1'b0;
    end else if (en) begin
      act_valid_q <= valid_i;
    end
    if (en) begin
      act_last_q <= last;
      act_q      <= data_i;
    end
  end

  for (genvar p = 0; p < Pe; p++) begin : gen_pe
    logic [Simd-1:0][ActWidth-1:0] act;
    for (genvar k = 0; k < Simd; k++) begin : gen_tap
      assign act[k] = act_q[k][p];
    end
    bw_dot_acc #(
      .Simd(Simd),
      .ActWidth(ActWidth),
      .ActKind(ActKind),
      .WeightWidth(WeightWidth),
      .WeightKind(WeightKind),
      .Beats(Beats),
      .SumWidth(SumWidth),
      .Mul(Mul)
    ) u_dot_acc (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en),
      .valid_i(act_valid_q),
      .last_i(act_last_q),
      .act_i(act),
      .weight_i(weight_i[p*Simd*WeightWidth+:Simd*WeightWidth]),
      .valid_o(sum_valid[p]),
      .sum_o(sum[p])
    );
  end

  bw_activation #(
    .Pe(Pe),
    .InWidth(SumWidth),
    .ThresholdBits(ThresholdBits),
    .ThresholdWidth(ThresholdWidth),
    .ThresholdFolds(ThresholdFolds),
    .Descending(Descending),
    .Base(Base),
    .TableLatency(TableLatency),
    .Flat(Flat),
    .OutWidth(OutWidth)
  ) u_activation (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en),
    .valid_i(sum_valid[0]),
    .data_i(sum),
    .table_addr_o(table_addr_o),
    .table_i(table_i),
    .valid_o(result_valid),
    .data_o(result)
  );

  bw_spill_register #(
    .Width(Pe * OutWidth),
    .HalfRate(Beats > 1),
    .Cut(OutputRegister)
  ) u_out (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(result_valid),
    .ready_o(result_ready),
    .data_i(result),
    .valid_o(valid_o),
    .ready_i(ready_i),
    .data_o(data_o)
  );

  logic unused_valid;
  assign unused_valid = &{1'b0, sum_valid};

`ifndef SYNTHESIS
  bw_stream_check #(
    .Width(Pe * OutWidth)
  ) u_check (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(valid_o),
    .ready_i(ready_i),
    .data_i(data_o)
  );
`endif

  if (Pe == 0 || Channels % Pe != 0 || (Simd != 1 && Simd != Taps)) begin : gen_check
    $error("bw_vvau: Pe must divide Channels and Simd must be 1 or Taps");
  end
  if (ThresholdFolds != 1 && ThresholdFolds != Channels / Pe) begin : gen_check_folds
    $error("bw_vvau: ThresholdFolds must be 1 or Channels/Pe");
  end

endmodule
