// SPDX-License-Identifier: Apache-2.0

/// Product of two streams of signed elements, beat by beat, then thresholds (see bw_activation).
///
/// In: a beat of each input at once (bw_join). Latency 2 cycles (bw_product) and that of the thresholds, one beat a cycle.
/// ready_o depends on ready_i: not cut.
module bw_multiply #(
  parameter int unsigned Pe = 4,
  parameter int unsigned AWidth = 4,
  parameter int unsigned BWidth = 4,
  parameter int unsigned SumWidth = AWidth + BWidth,  // holds every product
  parameter bw_pkg::mul_e Mul = bw_pkg::MulLut,
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
  input  logic [1:0]                                    valid_i,
  output logic [1:0]                                    ready_o,
  input  logic [Pe-1:0][AWidth-1:0]                     a_i,
  input  logic [Pe-1:0][BWidth-1:0]                     b_i,
  output logic                                          table_en_o,
  output logic [Tables-1:0][Pe-1:0][TableAddrWidth-1:0] table_addr_o,
  input  logic [Tables-1:0][Pe-1:0][TableWidth-1:0]     table_i,
  output logic                                          valid_o,
  input  logic                                          ready_i,
  output logic [Pe-1:0][OutWidth-1:0]                   data_o
);

  logic en;
  logic both, operands_q, product_q;
  logic [Pe-1:0][SumWidth-1:0] product;

  assign en = !valid_o || ready_i;
  assign table_en_o = en;

  bw_join #(
    .Inputs(2)
  ) u_join (
    .valid_i(valid_i),
    .ready_o(ready_o),
    .en_i(en),
    .valid_o(both)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      operands_q <= 1'b0;
      product_q  <= 1'b0;
    end else if (en) begin
      operands_q <= both;
      product_q  <= operands_q;
    end
  end

  for (genvar p = 0; p < Pe; p++) begin : gen_lane
    logic [AWidth+BWidth-1:0] full;
    assign product[p] = SumWidth'($signed(full));
    logic unused;
    assign unused = &{1'b0, full};
    bw_product #(
      .AWidth(AWidth),
      .BWidth(BWidth),
      .Mul(Mul)
    ) u_product (
      .clk_i(clk_i),
      .en_i(en),
      .a_i(a_i[p]),
      .b_i(b_i[p]),
      .product_o(full)
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
    .OutWidth(OutWidth),
    .OutBipolar(OutBipolar)
  ) u_activation (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en),
    .valid_i(product_q),
    .data_i(product),
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

  if (Pe == 0 || AWidth == 0 || BWidth == 0 || SumWidth == 0) begin : gen_check
    $error("bw_multiply: Pe, AWidth, BWidth and SumWidth must be positive");
  end

endmodule
