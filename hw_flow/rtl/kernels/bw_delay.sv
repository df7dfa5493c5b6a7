// SPDX-License-Identifier: Apache-2.0

/// Delays a word by a number of enabled cycles. The reset keeps it in flip-flops instead of tables.
module bw_delay #(
  parameter int unsigned Width = 8,
  parameter int unsigned Cycles = 1
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             en_i,
  input  logic [Width-1:0] data_i,
  output logic [Width-1:0] data_o
);

  logic [Cycles:0][Width-1:0] data;

  assign data[0] = data_i;
  for (genvar c = 0; c < Cycles; c++) begin : gen_cycle
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        data[c+1] <= '0;
      end else if (en_i) begin
        data[c+1] <= data[c];
      end
    end
  end
  assign data_o = data[Cycles];

  if (Cycles == 0) begin : gen_unused
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni, en_i};
  end

endmodule
