// SPDX-License-Identifier: Apache-2.0

/// Exact dot product of Simd activations and Simd weights, modulo 2^SumWidth.
///
/// Accepts new operands in every cycle in which en_i is high and gives their sum
/// bw_pkg::dot_latency(...) enabled cycles later; nothing moves while en_i is low. No reset: what
/// leaves before the first operands have passed through is undefined.
module bw_dot #(
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 2,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 2,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned SumWidth = 12,
  parameter bw_pkg::mul_e Mul = bw_pkg::MulLut
) (
  input  logic                           clk_i,
  input  logic                           en_i,
  input  logic [Simd*ActWidth-1:0]       act_i,     // element 0 in the lowest bits
  input  logic [Simd*WeightWidth-1:0]    weight_i,  // element 0 in the lowest bits
  output logic signed [SumWidth-1:0]     sum_o
);

  localparam int unsigned Levels = $clog2(Simd);
  localparam int unsigned Width = ActWidth + WeightWidth + Levels + 2;

  // Nodes of a binary tree: level 0 holds the products, level Levels the sum.
  logic signed [Levels:0][2**Levels-1:0][Width-1:0] node;

  for (genvar i = 0; i < 2 ** Levels; i++) begin : gen_product
    if (i < Simd) begin : gen_used
      logic signed [ActWidth+1:0] act;
      logic signed [WeightWidth+1:0] weight;
      if (ActKind == bw_pkg::Bipolar) begin : gen_act_bipolar
        assign act = act_i[i] ? 3'sd1 : -3'sd1;
      end else if (ActKind == bw_pkg::Unsigned) begin : gen_act_unsigned
        assign act = {2'b00, act_i[i*ActWidth+:ActWidth]};
      end else begin : gen_act_signed
        assign act = {{2{act_i[(i+1)*ActWidth-1]}}, act_i[i*ActWidth+:ActWidth]};
      end
      if (WeightKind == bw_pkg::Bipolar) begin : gen_weight_bipolar
        assign weight = weight_i[i] ? 3'sd1 : -3'sd1;
      end else if (WeightKind == bw_pkg::Unsigned) begin : gen_weight_unsigned
        assign weight = {2'b00, weight_i[i*WeightWidth+:WeightWidth]};
      end else begin : gen_weight_signed
        assign weight = {
          {2{weight_i[(i+1)*WeightWidth-1]}}, weight_i[i*WeightWidth+:WeightWidth]
        };
      end
      always_ff @(posedge clk_i) begin
        if (en_i) node[0][i] <= Width'(act) * Width'(weight);
      end
    end else begin : gen_unused
      assign node[0][i] = '0;
    end
  end

  for (genvar l = 0; l < Levels; l++) begin : gen_level
    for (genvar i = 0; i < 2 ** Levels; i++) begin : gen_node
      if (i < 2 ** (Levels - l - 1)) begin : gen_used
        always_ff @(posedge clk_i) begin
          if (en_i) node[l+1][i] <= node[l][2*i] + node[l][2*i+1];
        end
      end else begin : gen_unused
        assign node[l+1][i] = '0;
      end
    end
  end

  assign sum_o = SumWidth'($signed(node[Levels][0]));

  if (Simd == 0 || ActWidth == 0 || WeightWidth == 0 || SumWidth == 0) begin : gen_check_size
    $error("bw_dot: Simd, ActWidth, WeightWidth and SumWidth must be positive");
  end
  if (ActKind == bw_pkg::Bipolar && ActWidth != 1) begin : gen_check_act
    $error("bw_dot: a Bipolar activation has 1 bit");
  end
  if (WeightKind == bw_pkg::Bipolar && WeightWidth != 1) begin : gen_check_weight
    $error("bw_dot: a Bipolar weight has 1 bit");
  end

endmodule
