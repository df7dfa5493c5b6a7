// SPDX-License-Identifier: Apache-2.0

/// Largest element, or sum, of each channel under a Depthwise window.
///
/// In: for every position, for every group of Pe channels, Taps/Simd beats, Simd taps of Pe channels each, the channel
/// innermost. Out: a beat of Pe results for every group. Simd is 1 or Taps; the interval is exactly Taps/Simd cycles a
/// group, back to back. Sums are taken modulo 2^OutWidth; a largest Bipolar element leaves as one bit.
/// Latency from a group's last beat: 1 cycle, or with Simd == Taps a cycle for each level of the tree
/// (max(1, clog2(Taps))), and OutputRegister cycles. With OutputRegister ready_o depends on registers only,
/// without it also on ready_i.
module bw_pool #(
  parameter int unsigned Taps = 4,
  parameter int unsigned Pe = 2,
  parameter int unsigned Simd = 1,
  parameter int unsigned InWidth = 4,
  parameter bw_pkg::num_e InKind = bw_pkg::Unsigned,
  parameter bit Sum = 1'b0,
  parameter int unsigned OutWidth = 4,
  parameter bit OutputRegister = 1'b1     // 0 where ready_i comes from a FIFO's registers
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       valid_i,
  output logic                       ready_o,
  input  logic [Simd*Pe*InWidth-1:0] data_i,
  output logic                       valid_o,
  input  logic                       ready_i,
  output logic [Pe*OutWidth-1:0]     data_o
);

  localparam int unsigned Beats = Taps / Simd;
  localparam int unsigned Levels = $clog2(Simd);
  localparam bit IsSigned = InKind == bw_pkg::Signed || InKind == bw_pkg::Ternary;

  logic en, result_valid, result_ready;
  logic [Simd-1:0][Pe-1:0][OutWidth-1:0] number;
  logic [Pe-1:0][OutWidth-1:0] result;

  assign en = !result_valid || result_ready;
  assign ready_o = en;

  for (genvar k = 0; k < Simd; k++) begin : gen_tap
    for (genvar p = 0; p < Pe; p++) begin : gen_number
      bw_pool_number #(
        .InWidth(InWidth),
        .InKind(InKind),
        .Sum(Sum),
        .Width(OutWidth)
      ) u_number (
        .data_i(data_i[(k*Pe+p)*InWidth+:InWidth]),
        .data_o(number[k][p])
      );
    end
  end

  if (Simd == 1) begin : gen_serial
    logic last, first_q;
    bw_loop_nest #(
      .Loops(1),
      .Turns(Beats)
    ) u_beat (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .step_i(en && valid_i),
      .last_o(last)
    );
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        result_valid <= 1'b0;
        first_q      <= 1'b1;
      end else if (en) begin
        result_valid <= valid_i && last;
        if (valid_i) first_q <= last;
      end
    end
    for (genvar p = 0; p < Pe; p++) begin : gen_lane
      logic [OutWidth-1:0] both;
      bw_combine #(
        .Width(OutWidth),
        .Sum(Sum),
        .Signed(IsSigned)
      ) u_combine (
        .a_i(result[p]),
        .b_i(number[0][p]),
        .data_o(both)
      );
      always_ff @(posedge clk_i) begin
        if (en && valid_i) result[p] <= first_q ? number[0][p] : both;
      end
    end
  end else begin : gen_parallel
    logic [Levels:0] valid;
    logic [Levels:0][Simd-1:0][Pe-1:0][OutWidth-1:0] node;
    assign valid[0] = valid_i;
    assign node[0] = number;
    assign result_valid = valid[Levels];
    assign result = node[Levels][0];
    for (genvar l = 0; l < Levels; l++) begin : gen_level
      localparam int unsigned Operands = (Simd + 2 ** l - 1) / 2 ** l;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          valid[l+1] <= 1'b0;
        end else if (en) begin
          valid[l+1] <= valid[l];
        end
      end
      for (genvar i = 0; i < Simd; i++) begin : gen_node
        for (genvar p = 0; p < Pe; p++) begin : gen_lane
          if (2 * i + 1 < Operands) begin : gen_pair
            logic [OutWidth-1:0] both;
            bw_combine #(
              .Width(OutWidth),
              .Sum(Sum),
              .Signed(IsSigned)
            ) u_combine (
              .a_i(node[l][2*i][p]),
              .b_i(node[l][2*i+1][p]),
              .data_o(both)
            );
            always_ff @(posedge clk_i) begin
              if (en) node[l+1][i][p] <= both;
            end
          end else if (2 * i < Operands) begin : gen_single
            always_ff @(posedge clk_i) begin
              if (en) node[l+1][i][p] <= node[l][2*i][p];
            end
          end else begin : gen_unused
            assign node[l+1][i][p] = '0;
          end
        end
      end
    end
  end

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

  if (Pe == 0 || InWidth == 0 || (Simd != 1 && Simd != Taps)) begin : gen_check
    $error("bw_pool: Pe and InWidth must be positive and Simd must be 1 or Taps");
  end
  if (!Sum && OutWidth != InWidth) begin : gen_check_width
    $error("bw_pool: the largest element has as many bits as any other");
  end

endmodule
