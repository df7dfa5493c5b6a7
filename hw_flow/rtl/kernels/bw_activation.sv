// SPDX-License-Identifier: Apache-2.0

/// What follows an accumulator: thresholds (see bw_threshold), or with ThresholdBits == 0 the value itself.
///
/// The value itself is taken modulo 2^OutWidth, or as its sign with OutBipolar; that needs no cycle. Nothing but a reset moves
/// while en_i is low.
module bw_activation #(
  parameter int unsigned Pe = 4,
  parameter int unsigned InWidth = 8,         // signed
  parameter int unsigned ThresholdBits = 0,
  parameter int unsigned ThresholdWidth = InWidth,
  parameter int unsigned ThresholdFolds = 1,
  parameter bit Descending = 1'b0,
  parameter int Base = 0,
  parameter bit TableLatency = 1'b0,
  parameter bit Flat = 1'b1,
  parameter int unsigned OutWidth = InWidth,
  parameter bit OutBipolar = 1'b0,
  localparam int unsigned Bits = ThresholdBits > 0 ? ThresholdBits : 1,
  localparam int unsigned Tables = Flat ? 2 ** Bits - 1 : Bits,
  localparam int unsigned IndexWidth = $clog2(ThresholdFolds) + (Flat ? 0 : Bits - 1),
  localparam int unsigned TableAddrWidth = IndexWidth > 0 ? IndexWidth : 1,
  localparam int unsigned TableWidth = ThresholdWidth + 32'(Descending)
) (
  input  logic                                          clk_i,
  input  logic                                          rst_ni,
  input  logic                                          en_i,
  input  logic                                          valid_i,
  input  logic [Pe-1:0][InWidth-1:0]                    data_i,
  output logic [Tables-1:0][Pe-1:0][TableAddrWidth-1:0] table_addr_o,
  input  logic [Tables-1:0][Pe-1:0][TableWidth-1:0]     table_i,
  output logic                                          valid_o,
  output logic [Pe-1:0][OutWidth-1:0]                   data_o
);

  if (ThresholdBits > 0) begin : gen_threshold
    bw_threshold #(
      .Pe(Pe),
      .InWidth(InWidth),
      .InSigned(1'b1),
      .ThresholdWidth(ThresholdWidth),
      .Bits(ThresholdBits),
      .Folds(ThresholdFolds),
      .Descending(Descending),
      .Base(Base),
      .OutWidth(OutWidth),
      .TableLatency(TableLatency),
      .Flat(Flat)
    ) u_threshold (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .valid_i(valid_i),
      .data_i(data_i),
      .addr_o(table_addr_o),
      .table_i(table_i),
      .valid_o(valid_o),
      .data_o(data_o)
    );
  end else begin : gen_raw
    assign valid_o = valid_i;
    for (genvar p = 0; p < Pe; p++) begin : gen_lane
      if (OutBipolar) begin : gen_sign
        assign data_o[p] = OutWidth'(!data_i[p][InWidth-1]);
      end else begin : gen_value
        assign data_o[p] = OutWidth'($signed(data_i[p]));
      end
    end
    assign table_addr_o = '0;
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni, en_i, table_i, data_i};
  end

  if (Pe == 0 || InWidth == 0 || OutWidth == 0) begin : gen_check
    $error("bw_activation: Pe, InWidth and OutWidth must be positive");
  end

endmodule
