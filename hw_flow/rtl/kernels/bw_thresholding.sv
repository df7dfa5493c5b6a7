// SPDX-License-Identifier: Apache-2.0

/// Stand-alone multi-threshold on a stream, Pe lanes; see bw_threshold_flat and bw_threshold_search for the tables.
///
/// Latency (Flat ? 1 : Bits) * (1 + TableLatency) cycles, one beat a cycle. ready_o depends on ready_i: not cut.
module bw_thresholding #(
  parameter int unsigned Pe = 4,
  parameter int unsigned InWidth = 8,
  parameter bit InSigned = 1'b0,
  parameter int unsigned ThresholdWidth = 8,
  parameter int unsigned Bits = 1,
  parameter int unsigned Folds = 1,
  parameter bit Descending = 1'b0,
  parameter int Base = 0,
  parameter int unsigned OutWidth = 1,
  parameter bit TableLatency = 1'b0,
  parameter bit Flat = 1'b1,
  localparam int unsigned Tables = Flat ? 2 ** Bits - 1 : Bits,
  localparam int unsigned IndexWidth = $clog2(Folds) + (Flat ? 0 : Bits - 1),
  localparam int unsigned AddrWidth = IndexWidth > 0 ? IndexWidth : 1,
  localparam int unsigned WordWidth = ThresholdWidth + 32'(Descending)
) (
  input  logic                                   clk_i,
  input  logic                                   rst_ni,
  input  logic                                   valid_i,
  output logic                                   ready_o,
  input  logic [Pe*InWidth-1:0]                  data_i,
  output logic                                   table_en_o,
  output logic [Tables-1:0][Pe-1:0][AddrWidth-1:0] table_addr_o,
  input  logic [Tables-1:0][Pe-1:0][WordWidth-1:0] table_i,
  output logic                                   valid_o,
  input  logic                                   ready_i,
  output logic [Pe*OutWidth-1:0]                 data_o
);

  logic en;

  assign en = !valid_o || ready_i;
  assign ready_o = en;
  assign table_en_o = en;

  bw_threshold #(
    .Pe(Pe),
    .InWidth(InWidth),
    .InSigned(InSigned),
    .ThresholdWidth(ThresholdWidth),
    .Bits(Bits),
    .Folds(Folds),
    .Descending(Descending),
    .Base(Base),
    .OutWidth(OutWidth),
    .TableLatency(TableLatency),
    .Flat(Flat)
  ) u_threshold (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en),
    .valid_i(valid_i),
    .data_i(data_i),
    .addr_o(table_addr_o),
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

endmodule
