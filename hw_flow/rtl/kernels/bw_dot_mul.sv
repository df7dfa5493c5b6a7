// SPDX-License-Identifier: Apache-2.0

/// Dot product by multipliers, which synthesis places in DSP blocks.
///
/// bw_pkg::MulChain elements at a time form a chain: each multiplier adds to the registered sum of
/// the one before, in the adder of the DSP block, and gets its operands a cycle later. A tree of
/// registered adders takes the chains' sums. Latency bw_pkg::mul_latency(Simd) enabled cycles, new
/// operands in every cycle.
module bw_dot_mul #(
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 8,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 8,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned SumWidth = 24
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        en_i,
  input  logic [Simd*ActWidth-1:0]    act_i,
  input  logic [Simd*WeightWidth-1:0] weight_i,
  output logic [SumWidth-1:0]         sum_o
);

  localparam int unsigned Chains = (Simd + bw_pkg::MulChain - 1) / bw_pkg::MulChain;
  localparam int unsigned Length = Simd < bw_pkg::MulChain ? Simd : bw_pkg::MulChain;
  localparam int unsigned Levels = $clog2(Chains);
  // One bit more than the elements: +1 of a Bipolar element and the sign of an Unsigned one.
  localparam int unsigned ActBits = ActWidth + 1;
  localparam int unsigned WeightBits = WeightWidth + 1;
  localparam int unsigned TreeWidth = ActBits + WeightBits + $clog2(Simd);

  logic signed [Simd-1:0][TreeWidth-1:0] chain;
  logic signed [Levels:0][Chains-1:0][TreeWidth-1:0] node;

  for (genvar i = 0; i < Simd; i++) begin : gen_product
    localparam int unsigned Place = i % bw_pkg::MulChain;
    logic signed [ActBits-1:0] act_d, act_q;
    logic signed [WeightBits-1:0] weight_d, weight_q;

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

    bw_delay #(
      .Width(ActBits + WeightBits),
      .Cycles(Place + 1)
    ) u_delay (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i({act_d, weight_d}),
      .data_o({act_q, weight_q})
    );
    if (Place == 0) begin : gen_first
      always_ff @(posedge clk_i) begin
        if (en_i) chain[i] <= TreeWidth'(act_q) * TreeWidth'(weight_q);
      end
    end else begin : gen_next
      always_ff @(posedge clk_i) begin
        if (en_i) chain[i] <= chain[i-1] + TreeWidth'(act_q) * TreeWidth'(weight_q);
      end
    end
  end

  // A shorter last chain is ready earlier and waits.
  for (genvar c = 0; c < Chains; c++) begin : gen_chain
    localparam int unsigned Last = (c + 1) * Length < Simd ? (c + 1) * Length - 1 : Simd - 1;
    bw_delay #(
      .Width(TreeWidth),
      .Cycles(Length - 1 - Last % bw_pkg::MulChain)
    ) u_wait (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i(chain[Last]),
      .data_o(node[0][c])
    );
  end

  for (genvar l = 0; l < Levels; l++) begin : gen_level
    localparam int unsigned Operands = (Chains + 2 ** l - 1) / 2 ** l;
    for (genvar i = 0; i < Chains; i++) begin : gen_node
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
