// SPDX-License-Identifier: Apache-2.0

/// Counts steps modulo Folds; constant 0 with one fold. fold_o depends on registers only.
module bw_fold_counter #(
  parameter int unsigned Folds = 4,
  localparam int unsigned Width = Folds > 1 ? $clog2(Folds) : 1
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             step_i,
  output logic [Width-1:0] fold_o
);

  if (Folds == 1) begin : gen_none
    assign fold_o = '0;
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni, step_i};
  end else begin : gen_count
    logic [Width-1:0] fold_q;
    assign fold_o = fold_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        fold_q <= '0;
      end else if (step_i) begin
        fold_q <= (fold_q == Width'(Folds - 1)) ? '0 : fold_q + 1'b1;
      end
    end
  end

  if (Folds == 0) begin : gen_check
    $error("bw_fold_counter: Folds must be positive");
  end

endmodule
