// SPDX-License-Identifier: Apache-2.0

/// Sum of several streams, beat by beat, then thresholds (see bw_activation).
///
/// In: a beat of each input at once (bw_join). The sum is that of Terms signed operands of SumWidth bits, each added
/// or subtracted; an input with an integer coefficient is a term for every digit of the coefficient, shifted outside.
/// A tree of registered adders: latency max(1, ceil(log2(Terms))) cycles and that of the thresholds, one beat a cycle.
/// ready_o depends on ready_i: not cut.
module bw_add #(
  parameter int unsigned Inputs = 2,
  parameter int unsigned Terms = 2,
  parameter bit [Terms-1:0] Negate = '0,
  parameter int unsigned Pe = 4,
  parameter int unsigned SumWidth = 8,
  parameter int unsigned ThresholdBits = 0,
  parameter int unsigned ThresholdWidth = SumWidth,
  parameter int unsigned ThresholdFolds = 1,
  parameter bit Descending = 1'b0,
  parameter int Base = 0,
  parameter bit TableLatency = 1'b0,
  parameter bit Flat = 1'b1,
  parameter int unsigned OutWidth = SumWidth,
  parameter bit OutBipolar = 1'b0,
  localparam int unsigned Bits = ThresholdBits > 0 ? ThresholdBits : 1,
  localparam int unsigned Tables = Flat ? 2 ** Bits - 1 : Bits,
  localparam int unsigned IndexWidth = $clog2(ThresholdFolds) + (Flat ? 0 : Bits - 1),
  localparam int unsigned TableAddrWidth = IndexWidth > 0 ? IndexWidth : 1,
  localparam int unsigned TableWidth = ThresholdWidth + 32'(Descending)
) (
  input  logic                                          clk_i,
  input  logic                                          rst_ni,
  input  logic [Inputs-1:0]                             valid_i,
  output logic [Inputs-1:0]                             ready_o,
  input  logic [Terms-1:0][Pe-1:0][SumWidth-1:0]        data_i,
  output logic                                          table_en_o,
  output logic [Tables-1:0][Pe-1:0][TableAddrWidth-1:0] table_addr_o,
  input  logic [Tables-1:0][Pe-1:0][TableWidth-1:0]     table_i,
  output logic                                          valid_o,
  input  logic                                          ready_i,
  output logic [Pe-1:0][OutWidth-1:0]                   data_o
);

  localparam int unsigned Levels = Terms > 1 ? $clog2(Terms) : 1;

  logic en;
  logic [Levels:0] valid;
  logic [Levels:0][Terms-1:0][Pe-1:0][SumWidth-1:0] node;

  assign en = !valid_o || ready_i;
  assign table_en_o = en;
  assign node[0] = data_i;

  bw_join #(
    .Inputs(Inputs)
  ) u_join (
    .valid_i(valid_i),
    .ready_o(ready_o),
    .en_i(en),
    .valid_o(valid[0])
  );

  for (genvar l = 0; l < Levels; l++) begin : gen_level
    localparam int unsigned Operands = (Terms + 2 ** l - 1) / 2 ** l;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid[l+1] <= 1'b0;
      end else if (en) begin
        valid[l+1] <= valid[l];
      end
    end
    for (genvar i = 0; i < Terms; i++) begin : gen_node
      if (2 * i < Operands) begin : gen_used
        localparam bit Pair = 2 * i + 1 < Operands;
        localparam int unsigned Right = Pair ? 2 * i + 1 : 2 * i;
        localparam bit LeftMinus = l == 0 && Negate[2*i];
        localparam bit RightMinus = l == 0 && Negate[Right];
        for (genvar p = 0; p < Pe; p++) begin : gen_lane
          logic [SumWidth-1:0] a, b, sum;
          assign a = node[l][2*i][p];
          assign b = Pair ? node[l][Right][p] : '0;
          if (LeftMinus && RightMinus) begin : gen_minus
            assign sum = -a - b;
          end else if (LeftMinus) begin : gen_left
            assign sum = b - a;
          end else if (RightMinus) begin : gen_right
            assign sum = a - b;
          end else begin : gen_plus
            assign sum = a + b;
          end
          always_ff @(posedge clk_i) begin
            if (en) node[l+1][i][p] <= sum;
          end
        end
      end else begin : gen_unused
        assign node[l+1][i] = '0;
      end
    end
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
    .OutWidth(OutWidth),
    .OutBipolar(OutBipolar)
  ) u_activation (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en),
    .valid_i(valid[Levels]),
    .data_i(node[Levels][0]),
    .table_addr_o(table_addr_o),
    .table_i(table_i),
    .valid_o(valid_o),
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

  if (Inputs == 0 || Terms == 0 || Pe == 0 || SumWidth == 0) begin : gen_check
    $error("bw_add: Inputs, Terms, Pe and SumWidth must be positive");
  end

endmodule
