// SPDX-License-Identifier: Apache-2.0

/// Dot products of four rows of 4-bit weights with 4-bit activations, four products a DSP block.
///
/// The measure for why bw_dot_pack stops where lanes would overlap: four weights stand 7 bits apart, but a sum of four
/// products takes 10 bits. The low 3 bits of every upper lane's sum are formed beside the DSP blocks, so that what the
/// lanes share can be taken apart again. Weights are -7 to 7. Latency 8 enabled cycles, new operands in every cycle.
module four_lanes (
  input  logic                  clk_i,
  input  logic                  en_i,
  input  logic [15:0][3:0]      act_i,
  input  logic [3:0][15:0][3:0] weight_i,
  output logic [3:0][12:0]      sum_o
);

  localparam int unsigned Length = 4;  // products of a chain
  localparam int unsigned Chains = 4;
  localparam int unsigned Shift = 7;
  localparam int unsigned Width = 3 * Shift + 10;
  // Half of the range of each lane but the last: no lane borrows from the next.
  localparam logic [Width-1:0] Start = Width'(512) | Width'(512) << Shift | Width'(512) << (2 * Shift);

  logic [15:0][Width-1:0] chain;
  logic [15:0][2:0][2:0] low;
  logic [Chains-1:0][3:0][9:0] part;

  for (genvar c = 0; c < Chains; c++) begin : gen_chain
    for (genvar p = 0; p < Length; p++) begin : gen_product
      localparam int unsigned I = c * Length + p;
      logic [p:0][3:0] act;
      logic [p:0][3:0][3:0] weight;
      logic [3:0] act_q;
      logic signed [24:0] operand_d, operand_q;
      logic [2:0][2:0] low_q;
      logic signed [Width-1:0] product;

      assign act[0] = act_i[I];
      for (genvar l = 0; l < 4; l++) begin : gen_weight
        assign weight[0][l] = weight_i[l][I];
      end
      for (genvar d = 0; d < p; d++) begin : gen_delay
        always_ff @(posedge clk_i) begin
          if (en_i) begin
            act[d+1] <= act[d];
            weight[d+1] <= weight[d];
          end
        end
      end
      always_comb begin
        operand_d = '0;
        for (int l = 0; l < 4; l++) operand_d += 25'($signed(weight[p][l])) <<< (l * Shift);
      end
      always_ff @(posedge clk_i) begin
        if (en_i) begin
          operand_q <= operand_d;
          act_q <= act[p];
          for (int l = 0; l < 3; l++) low_q[l] <= 3'(act[p][2:0] * weight[p][l+1][2:0]);
        end
      end
      assign product = $signed({1'b0, act_q}) * operand_q;
      if (p == 0) begin : gen_first
        always_ff @(posedge clk_i) begin
          if (en_i) begin
            chain[I] <= product + Start;
            low[I] <= low_q;
          end
        end
      end else begin : gen_next
        always_ff @(posedge clk_i) begin
          if (en_i) begin
            chain[I] <= chain[I-1] + product;
            for (int l = 0; l < 3; l++) low[I][l] <= low[I-1][l] + low_q[l];
          end
        end
      end
    end

    // What a lane has above its 7 bits is the sum's low bits of the next lane, less those of that lane alone.
    logic [Width-1:0] whole;
    logic [2:0][2:0] below, above;
    logic [3:0] carry;
    logic [3:0][6:0] field;
    assign whole = chain[c*Length+Length-1];
    assign below = low[c*Length+Length-1];
    assign field[0] = whole[9:3];
    assign carry[0] = 1'b0;
    for (genvar l = 0; l < 3; l++) begin : gen_above
      assign above[l] = field[l][6:4] - below[l];
      assign carry[l+1] = 4'(below[l]) + 4'(above[l]) >= 4'd8 || (&field[l] && carry[l]);
      assign field[l+1] = whole[l*Shift+10+:7] - 7'(carry[l+1]);
    end
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        part[c] <= {
          field[3], below[2],
          !above[2][2], above[2][1:0], field[2][3:0], below[1],
          !above[1][2], above[1][1:0], field[1][3:0], below[0],
          !above[0][2], above[0][1:0], whole[6:0]
        };
      end
    end
  end

  for (genvar l = 0; l < 4; l++) begin : gen_sum
    logic signed [10:0] left, right;
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        left <= 11'($signed(part[0][l])) + 11'($signed(part[1][l]));
        right <= 11'($signed(part[2][l])) + 11'($signed(part[3][l]));
        sum_o[l] <= 13'(left) + 13'(right);
      end
    end
  end

endmodule
