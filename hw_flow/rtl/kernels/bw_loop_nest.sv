// SPDX-License-Identifier: Apache-2.0

/// Nested loops, the innermost first: last_o[l] is high while loop l is in its last turn.
///
/// A step ends a turn of loop 0, and of each further loop whose inner loops are all in their last turn. last_o depends
/// on registers only: counters run down and their sign tells the last turn, so nothing is compared.
module bw_loop_nest #(
  parameter int unsigned Loops = 3,
  parameter logic [Loops-1:0][31:0] Turns = {Loops{32'd2}}
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             step_i,
  output logic [Loops-1:0] last_o
);

  for (genvar l = 0; l < Loops; l++) begin : gen_loop
    if (Turns[l] == 1) begin : gen_once
      assign last_o[l] = 1'b1;
    end else begin : gen_count
      localparam int unsigned Width = $clog2(Turns[l] - 1) + 1;
      localparam logic [Width-1:0] Start = Width'(Turns[l] - 2);
      logic [Width-1:0] count_q;
      logic turn;
      if (l == 0) begin : gen_inner
        assign turn = step_i;
      end else begin : gen_outer
        assign turn = step_i && &last_o[l-1:0];
      end
      assign last_o[l] = count_q[Width-1];
      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          count_q <= Start;
        end else if (turn) begin
          count_q <= last_o[l] ? Start : count_q - 1'b1;
        end
      end
    end
    if (Turns[l] == 0) begin : gen_check
      $error("bw_loop_nest: every loop takes at least one turn");
    end
  end

  if (Turns == {Loops{32'd1}}) begin : gen_unused
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni, step_i};
  end

endmodule
