// SPDX-License-Identifier: Apache-2.0

/// Multi-threshold in the way that Flat chooses: bw_threshold_flat or bw_threshold_search.
module bw_threshold #(
  parameter int unsigned Pe = 4,
  parameter int unsigned InWidth = 8,
  parameter bit InSigned = 1'b1,
  parameter int unsigned ThresholdWidth = 8,
  parameter int unsigned Bits = 2,
  parameter int unsigned Folds = 4,
  parameter bit Descending = 1'b0,
  parameter int Base = 0,
  parameter int unsigned OutWidth = 2,
  parameter bit TableLatency = 1'b0,
  parameter bit Flat = 1'b1,
  localparam int unsigned Tables = Flat ? 2 ** Bits - 1 : Bits,
  localparam int unsigned IndexWidth = $clog2(Folds) + (Flat ? 0 : Bits - 1),
  localparam int unsigned AddrWidth = IndexWidth > 0 ? IndexWidth : 1,
  localparam int unsigned WordWidth = ThresholdWidth + 32'(Descending)
) (
  input  logic                                     clk_i,
  input  logic                                     rst_ni,
  input  logic                                     en_i,
  input  logic                                     valid_i,
  input  logic [Pe-1:0][InWidth-1:0]               data_i,
  output logic [Tables-1:0][Pe-1:0][AddrWidth-1:0] addr_o,
  input  logic [Tables-1:0][Pe-1:0][WordWidth-1:0] table_i,
  output logic                                     valid_o,
  output logic [Pe-1:0][OutWidth-1:0]              data_o
);

  if (Flat) begin : gen_flat
    bw_threshold_flat #(
      .Pe(Pe),
      .InWidth(InWidth),
      .InSigned(InSigned),
      .ThresholdWidth(ThresholdWidth),
      .Bits(Bits),
      .Folds(Folds),
      .Descending(Descending),
      .Base(Base),
      .OutWidth(OutWidth),
      .TableLatency(TableLatency)
    ) u_flat (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .valid_i(valid_i),
      .data_i(data_i),
      .addr_o(addr_o),
      .table_i(table_i),
      .valid_o(valid_o),
      .data_o(data_o)
    );
  end else begin : gen_search
    bw_threshold_search #(
      .Pe(Pe),
      .InWidth(InWidth),
      .InSigned(InSigned),
      .ThresholdWidth(ThresholdWidth),
      .Bits(Bits),
      .Folds(Folds),
      .Descending(Descending),
      .Base(Base),
      .OutWidth(OutWidth),
      .TableLatency(TableLatency)
    ) u_search (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .valid_i(valid_i),
      .data_i(data_i),
      .addr_o(addr_o),
      .table_i(table_i),
      .valid_o(valid_o),
      .data_o(data_o)
    );
  end

endmodule
