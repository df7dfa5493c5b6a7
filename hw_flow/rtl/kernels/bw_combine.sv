// SPDX-License-Identifier: Apache-2.0

/// The larger of two numbers, or their sum modulo 2^Width. Combinational.
module bw_combine #(
  parameter int unsigned Width = 8,
  parameter bit Sum = 1'b0,
  parameter bit Signed = 1'b0
) (
  input  logic [Width-1:0] a_i,
  input  logic [Width-1:0] b_i,
  output logic [Width-1:0] data_o
);

  if (Sum) begin : gen_sum
    assign data_o = a_i + b_i;
  end else if (Signed) begin : gen_max_signed
    assign data_o = $signed(a_i) > $signed(b_i) ? a_i : b_i;
  end else begin : gen_max
    assign data_o = a_i > b_i ? a_i : b_i;
  end

endmodule
