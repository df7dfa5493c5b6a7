// SPDX-License-Identifier: Apache-2.0

/// Matrix-vector-activation unit: for every vector of Mw elements, Mh dot products, then thresholds.
///
/// In: Mw/Simd beats of Simd elements. Out: Mh/Pe beats of Pe results, rows in order. For each of the
/// Mh/Pe neuron folds it runs through the Mw/Simd synapse folds, with Pe*Simd products a cycle, so
/// the interval is exactly (Mw/Simd)*(Mh/Pe) cycles a vector, back to back: the first neuron fold computes
/// while the vector streams in, the others replay it, and the next vector may follow at once.
/// Weights come from a memory outside with a registered output: word nf * Mw/Simd + sf, lane p's
/// Simd weights at p * Simd * WeightWidth. ThresholdBits == 0 gives the sums (modulo 2^OutWidth),
/// otherwise see bw_threshold_flat and bw_threshold_search for the tables.
/// With Mul == MulDsp two or three rows share a multiplier where their products fit side by side.
/// Latency from a fold's last beat: 1 (buffer) + bw_pkg::dot_acc_latency(...) + that of the
/// thresholds + OutputRegister cycles. With OutputRegister ready_o depends on registers only,
/// without it also on ready_i.
module bw_mvau #(
  parameter int unsigned Mw = 64,
  parameter int unsigned Mh = 64,
  parameter int unsigned Pe = 4,
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 2,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 2,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter bit WeightNarrow = 1'b0,          // no weight is -2^(WeightWidth-1)
  parameter int unsigned SumWidth = 12,
  parameter bw_pkg::mul_e Mul = bw_pkg::MulLut,
  parameter int unsigned ThresholdBits = 0,
  parameter int unsigned ThresholdWidth = SumWidth,
  parameter int unsigned ThresholdFolds = 1,  // Mh/Pe, or 1 if the thresholds of all folds are equal
  parameter bit Descending = 1'b0,
  parameter int Base = 0,
  parameter int unsigned OutWidth = SumWidth,
  parameter bit TableLatency = 1'b0,
  parameter bit Flat = 1'b1,
  parameter bit OutputRegister = 1'b1,        // 0 where ready_i comes from a FIFO's registers
  localparam int unsigned Words = (Mw / Simd) * (Mh / Pe),
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
  input  logic [Simd*ActWidth-1:0]                    data_i,
  output logic                                        memory_en_o,  // for both memories
  output logic [WeightAddrWidth-1:0]                  weight_addr_o,
  input  logic [Pe*Simd*WeightWidth-1:0]              weight_i,
  output logic [Tables-1:0][Pe-1:0][TableAddrWidth-1:0] table_addr_o,
  input  logic [Tables-1:0][Pe-1:0][TableWidth-1:0]     table_i,
  output logic                                        valid_o,
  input  logic                                        ready_i,
  output logic [Pe*OutWidth-1:0]                      data_o
);

  localparam int unsigned SynapseFold = Mw / Simd;
  localparam int unsigned NeuronFold = Mh / Pe;
  // Rows that share multipliers.
  localparam int unsigned Lanes = bw_pkg::pack_lanes(
      ActWidth, ActKind, WeightWidth, WeightKind, WeightNarrow, Mul);
  localparam int unsigned Groups = (Pe + Lanes - 1) / Lanes;

  logic en;
  logic act_valid, act_last;
  logic [Simd*ActWidth-1:0] act;
  logic [Groups-1:0] sum_valid;
  logic [Pe-1:0][SumWidth-1:0] sum;
  logic result_valid, result_ready;
  logic [Pe-1:0][OutWidth-1:0] result;

  // Everything up to the result moves or waits together.
  assign en = !result_valid || result_ready;
  assign memory_en_o = en;

  bw_replay #(
    .Width(Simd * ActWidth),
    .Beats(SynapseFold),
    .Repeats(NeuronFold)
  ) u_replay (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en),
    .valid_i(valid_i),
    .ready_o(ready_o),
    .data_i(data_i),
    .addr_o(weight_addr_o),
    .valid_o(act_valid),
    .last_o(act_last),
    .data_o(act)
  );

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    localparam int unsigned First = g * Lanes;
    localparam int unsigned Count = First + Lanes <= Pe ? Lanes : Pe - First;
    bw_dot_acc_lanes #(
      .Lanes(Count),
      .Simd(Simd),
      .ActWidth(ActWidth),
      .ActKind(ActKind),
      .WeightWidth(WeightWidth),
      .WeightKind(WeightKind),
      .WeightNarrow(WeightNarrow),
      .Beats(SynapseFold),
      .SumWidth(SumWidth),
      .Mul(Mul)
    ) u_dot_acc (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en),
      .valid_i(act_valid),
      .last_i(act_last),
      .act_i(act),
      .weight_i(weight_i[First*Simd*WeightWidth+:Count*Simd*WeightWidth]),
      .valid_o(sum_valid[g]),
      .sum_o(sum[First+:Count])
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

  // A result comes every SynapseFold cycles at most.
  bw_spill_register #(
    .Width(Pe * OutWidth),
    .HalfRate(SynapseFold > 1),
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

  if (Pe == 0 || Simd == 0 || Mw % Simd != 0 || Mh % Pe != 0) begin : gen_check
    $error("bw_mvau: Simd must divide Mw and Pe must divide Mh");
  end
  if (ThresholdFolds != 1 && ThresholdFolds != NeuronFold) begin : gen_check_folds
    $error("bw_mvau: ThresholdFolds must be 1 or Mh/Pe");
  end

endmodule
