// SPDX-License-Identifier: Apache-2.0

/// `bw_dot_acc` for Lanes rows on the same activations: row by row, or with multipliers that the rows share.
///
/// Lanes that exceed bw_pkg::pack_lanes(...) are an error; the timing is that of `bw_dot_acc` either way.
module bw_dot_acc_lanes #(
  parameter int unsigned Lanes = 2,
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 6,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 6,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter bit WeightNarrow = 1'b0,
  parameter int unsigned Beats = 4,
  parameter int unsigned SumWidth = 20,
  parameter bw_pkg::mul_e Mul = bw_pkg::MulDsp
) (
  input  logic                                   clk_i,
  input  logic                                   rst_ni,
  input  logic                                   en_i,
  input  logic                                   valid_i,
  input  logic                                   last_i,
  input  logic [Simd*ActWidth-1:0]               act_i,
  input  logic [Lanes-1:0][Simd*WeightWidth-1:0] weight_i,
  output logic                                   valid_o,
  output logic [Lanes-1:0][SumWidth-1:0]         sum_o
);

  if (Lanes == 1) begin : gen_one

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
      .en_i(en_i),
      .valid_i(valid_i),
      .last_i(last_i),
      .act_i(act_i),
      .weight_i(weight_i[0]),
      .valid_o(valid_o),
      .sum_o(sum_o[0])
    );

  end else begin : gen_pack

    logic valid, last, step, clear;
    logic [Lanes-1:0][SumWidth-1:0] dot, acc_q;

    bw_dot_pack #(
      .Lanes(Lanes),
      .Simd(Simd),
      .ActWidth(ActWidth),
      .ActKind(ActKind),
      .WeightWidth(WeightWidth),
      .WeightNarrow(WeightNarrow),
      .SumWidth(SumWidth)
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
      .Cycles(bw_pkg::mul_latency(Simd))
    ) u_delay (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i({valid_i, last_i}),
      .data_o({valid, last})
    );

    // As in bw_dot_acc.
    assign step  = en_i && valid;
    assign clear = !rst_ni || (step && last);
    for (genvar l = 0; l < Lanes; l++) begin : gen_lane
      logic [SumWidth-1:0] acc_d;
      assign acc_d = acc_q[l] + dot[l];
      always_ff @(posedge clk_i) begin
        if (clear) begin
          acc_q[l] <= '0;
        end else if (step) begin
          acc_q[l] <= acc_d;
        end
        if (en_i) sum_o[l] <= acc_d;
      end
    end
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid_o <= 1'b0;
      end else if (en_i) begin
        valid_o <= valid && last;
      end
    end

  end

  if (Lanes > bw_pkg::pack_lanes(ActWidth, ActKind, WeightWidth, WeightKind, WeightNarrow, Mul))
  begin : gen_check
    $error("bw_dot_acc_lanes: so many lanes do not fit into a multiplier");
  end
  if (Beats == 0) begin : gen_check_beats
    $error("bw_dot_acc_lanes: Beats must be positive");
  end

endmodule
