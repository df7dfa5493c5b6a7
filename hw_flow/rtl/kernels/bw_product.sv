// SPDX-License-Identifier: Apache-2.0

/// Registered product of two signed numbers: latency 2 enabled cycles (operands, product), a product a cycle.
///
/// MulDsp leaves the multiplication to the synthesiser, which finds a DSP block with its registers. MulLut adds shifted
/// copies of a_i, one for every bit of b_i, which should be the narrower operand.
module bw_product #(
  parameter int unsigned AWidth = 8,
  parameter int unsigned BWidth = 8,
  parameter bw_pkg::mul_e Mul = bw_pkg::MulLut,
  localparam int unsigned OutWidth = AWidth + BWidth
) (
  input  logic                clk_i,
  input  logic                en_i,
  input  logic [AWidth-1:0]   a_i,
  input  logic [BWidth-1:0]   b_i,
  output logic [OutWidth-1:0] product_o
);

  logic signed [AWidth-1:0] a_q;
  logic signed [BWidth-1:0] b_q;

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      a_q <= a_i;
      b_q <= b_i;
    end
  end

  if (Mul == bw_pkg::MulDsp) begin : gen_dsp
    always_ff @(posedge clk_i) begin
      if (en_i) product_o <= OutWidth'(a_q) * OutWidth'(b_q);
    end
  end else begin : gen_lut
    logic [OutWidth-1:0] sum;
    always_comb begin
      sum = '0;
      for (int unsigned k = 0; k < BWidth; k++) begin
        if (k == BWidth - 1) begin
          sum -= b_q[k] ? OutWidth'(a_q) << k : '0;
        end else begin
          sum += b_q[k] ? OutWidth'(a_q) << k : '0;
        end
      end
    end
    always_ff @(posedge clk_i) begin
      if (en_i) product_o <= sum;
    end
  end

  if (AWidth == 0 || BWidth == 0) begin : gen_check
    $error("bw_product: AWidth and BWidth must be positive");
  end

endmodule
