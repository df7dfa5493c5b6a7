// SPDX-License-Identifier: Apache-2.0

/// Dot product by multipliers, which synthesis places in DSP blocks, and a registered adder tree.
///
/// Latency 2 + $clog2(Simd) enabled cycles, a new operand in every cycle; operands and products are
/// registered as DSP blocks want it. No reset.
module bw_dot_mul #(
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 8,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 8,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned SumWidth = 24
) (
  input  logic                        clk_i,
  input  logic                        en_i,
  input  logic [Simd*ActWidth-1:0]    act_i,
  input  logic [Simd*WeightWidth-1:0] weight_i,
  output logic [SumWidth-1:0]         sum_o
);

  localparam int unsigned Levels = $clog2(Simd);
  // One bit more than the elements: +1 of a Bipolar element and the sign of an Unsigned one.
  localparam int unsigned ActBits = ActWidth + 1;
  localparam int unsigned WeightBits = WeightWidth + 1;
  localparam int unsigned ProductWidth = ActBits + WeightBits;
  localparam int unsigned TreeWidth = ProductWidth + Levels;

  logic signed [Levels:0][Simd-1:0][TreeWidth-1:0] node;

  for (genvar i = 0; i < Simd; i++) begin : gen_product
    logic signed [ActBits-1:0] act_d, act_q;
    logic signed [WeightBits-1:0] weight_d, weight_q;
    logic signed [ProductWidth-1:0] product;

    if (ActKind == bw_pkg::Bipolar) begin : gen_act_bipolar
      assign act_d = {!act_i[i], 1'b1};
    end else begin : gen_act
      assign act_d = {
        ActKind == bw_pkg::Signed && act_i[(i+1)*ActWidth-1], act_i[i*ActWidth+:ActWidth]
      };
    end
    if (WeightKind == bw_pkg::Bipolar) begin : gen_weight_bipolar
      assign weight_d = {!weight_i[i], 1'b1};
    end else begin : gen_weight
      assign weight_d = {
        WeightKind != bw_pkg::Unsigned && weight_i[(i+1)*WeightWidth-1],
        weight_i[i*WeightWidth+:WeightWidth]
      };
    end

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        act_q    <= act_d;
        weight_q <= weight_d;
        product  <= act_q * weight_q;
      end
    end
    assign node[0][i] = TreeWidth'(product);
  end

  for (genvar l = 0; l < Levels; l++) begin : gen_level
    localparam int unsigned Operands = (Simd + 2 ** l - 1) / 2 ** l;
    for (genvar i = 0; i < Simd; i++) begin : gen_node
      if (2 * i + 1 < Operands) begin : gen_pair
        always_ff @(posedge clk_i) begin
          if (en_i) node[l+1][i] <= node[l][2*i] + node[l][2*i+1];
        end
      end else if (2 * i < Operands) begin : gen_single
        always_ff @(posedge clk_i) begin
          if (en_i) node[l+1][i] <= node[l][2*i];
        end
      end else begin : gen_unused
        assign node[l+1][i] = '0;
      end
    end
  end

  assign sum_o = SumWidth'($signed(node[Levels][0]));

endmodule
