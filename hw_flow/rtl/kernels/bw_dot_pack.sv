// SPDX-License-Identifier: Apache-2.0

/// Dot products of Lanes rows with the same activations, whose weights share multipliers.
///
/// The weights of an element stand bw_pkg::pack_shift(...) bits apart in one operand, so one product holds that of each
/// lane. A chain of as many as the lanes' guard bits allow adds in the DSP blocks, starting at half of each lower lane's
/// range: no lane then borrows from the next, and inverting its top bit gives the signed sum. Trees of registered
/// adders take the chains' sums. One row above the other is a sum that the block's pre-adder forms.
/// Latency bw_pkg::mul_latency(Simd) enabled cycles, new operands in every cycle.
module bw_dot_pack #(
  parameter int unsigned Lanes = 2,
  parameter int unsigned Simd = 8,
  parameter int unsigned ActWidth = 6,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 6,
  parameter bit WeightNarrow = 1'b0,           // no weight is -2^(WeightWidth-1)
  parameter int unsigned SumWidth = 20
) (
  input  logic                                       clk_i,
  input  logic                                       rst_ni,
  input  logic                                       en_i,
  input  logic [Simd*ActWidth-1:0]                   act_i,
  input  logic [Lanes-1:0][Simd-1:0][WeightWidth-1:0] weight_i,  // signed
  output logic [Lanes-1:0][SumWidth-1:0]             sum_o
);

  localparam int unsigned Shift = bw_pkg::pack_shift(WeightWidth, WeightNarrow, Lanes);
  localparam int unsigned MaxChain = bw_pkg::pack_chain(
      ActWidth, ActKind, WeightWidth, WeightNarrow, Lanes);
  localparam int unsigned Length = Simd < MaxChain ? Simd : MaxChain;
  localparam int unsigned Chains = (Simd + Length - 1) / Length;
  localparam int unsigned Levels = $clog2(Chains);
  localparam int unsigned ActBits = ActWidth + 1;
  localparam int unsigned OperandBits = bw_pkg::DspOperand;
  localparam int unsigned ChainBits = Shift * Lanes;
  localparam int unsigned TreeWidth = Shift + Levels;

  // Half of the range of every lane but the last.
  function automatic logic [ChainBits-1:0] halves();
    logic [ChainBits-1:0] bits = '0;
    for (int unsigned l = 0; l + 1 < Lanes; l++) bits[l*Shift+Shift-1] = 1'b1;
    return bits;
  endfunction
  localparam logic [ChainBits-1:0] Start = halves();

  logic signed [Simd-1:0][ChainBits-1:0] chain;
  logic [Chains-1:0][ChainBits-1:0] chain_end;

  for (genvar i = 0; i < Simd; i++) begin : gen_product
    localparam int unsigned Place = i % Length;
    logic signed [ActBits-1:0] act_d, act_q;
    logic [Lanes-1:0][WeightWidth-1:0] weight_d, weight_wait;
    logic signed [OperandBits-1:0] operand_d, operand_q;
    logic signed [ChainBits-1:0] product;

    if (ActKind == bw_pkg::Bipolar) begin : gen_act_bipolar
      assign act_d = {!act_i[i], 1'b1};
    end else begin : gen_act
      assign act_d = {
        ActKind == bw_pkg::Signed && act_i[(i+1)*ActWidth-1], act_i[i*ActWidth+:ActWidth]
      };
    end
    for (genvar l = 0; l < Lanes; l++) begin : gen_weight
      assign weight_d[l] = weight_i[l][i];
    end
    bw_delay #(
      .Width(ActBits),
      .Cycles(Place + 1)
    ) u_delay_act (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i(act_d),
      .data_o(act_q)
    );
    bw_delay #(
      .Width(Lanes * WeightWidth),
      .Cycles(Place)
    ) u_delay_weight (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i(weight_d),
      .data_o(weight_wait)
    );

    always_comb begin
      operand_d = '0;
      for (int unsigned l = 0; l < Lanes; l++) begin
        operand_d += OperandBits'($signed(weight_wait[l])) <<< (l * Shift);
      end
    end
    always_ff @(posedge clk_i) begin
      if (en_i) operand_q <= operand_d;
    end

    assign product = ChainBits'(act_q) * ChainBits'(operand_q);
    if (Place == 0) begin : gen_first
      always_ff @(posedge clk_i) begin
        if (en_i) chain[i] <= product + Start;
      end
    end else begin : gen_next
      always_ff @(posedge clk_i) begin
        if (en_i) chain[i] <= chain[i-1] + product;
      end
    end
  end

  // A shorter last chain is ready earlier and waits.
  for (genvar c = 0; c < Chains; c++) begin : gen_chain
    localparam int unsigned Last = (c + 1) * Length < Simd ? (c + 1) * Length - 1 : Simd - 1;
    bw_delay #(
      .Width(ChainBits),
      .Cycles(Length - 1 - Last % Length)
    ) u_wait (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i(chain[Last]),
      .data_o(chain_end[c])
    );
  end

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    logic signed [Levels:0][Chains-1:0][TreeWidth-1:0] node;
    logic [SumWidth-1:0] sum;

    for (genvar c = 0; c < Chains; c++) begin : gen_split
      logic signed [Shift-1:0] part;
      if (l + 1 < Lanes) begin : gen_lower
        assign part = {!chain_end[c][l*Shift+Shift-1], chain_end[c][l*Shift+:Shift-1]};
      end else begin : gen_top
        assign part = chain_end[c][l*Shift+:Shift];
      end
      assign node[0][c] = TreeWidth'(part);
    end
    for (genvar v = 0; v < Levels; v++) begin : gen_level
      localparam int unsigned Operands = (Chains + 2 ** v - 1) / 2 ** v;
      for (genvar i = 0; i < Chains; i++) begin : gen_node
        if (2 * i + 1 < Operands) begin : gen_pair
          always_ff @(posedge clk_i) begin
            if (en_i) node[v+1][i] <= node[v][2*i] + node[v][2*i+1];
          end
        end else if (2 * i < Operands) begin : gen_single
          always_ff @(posedge clk_i) begin
            if (en_i) node[v+1][i] <= node[v][2*i];
          end
        end else begin : gen_unused
          assign node[v+1][i] = '0;
        end
      end
    end
    assign sum = SumWidth'($signed(node[Levels][0]));
    // Shorter chains and a deeper tree are never slower than those of bw_dot_mul, but can be faster.
    bw_delay #(
      .Width(SumWidth),
      .Cycles(bw_pkg::mul_latency(Simd) - (1 + Length + Levels))
    ) u_even (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i(sum),
      .data_o(sum_o[l])
    );
  end

  if (Lanes < 2 || Simd == 0 || Shift < 2) begin : gen_check
    $error("bw_dot_pack: there must be two lanes at least, and Simd must be positive");
  end

endmodule
