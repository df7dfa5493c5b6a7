// SPDX-License-Identifier: Apache-2.0

/// Takes one beat of every input at once, when all of them have one and the pipeline behind moves.
///
/// No registers. ready_o of an input depends on en_i and on the other inputs' valid_i.
module bw_join #(
  parameter int unsigned Inputs = 2
) (
  input  logic [Inputs-1:0] valid_i,
  output logic [Inputs-1:0] ready_o,
  input  logic              en_i,
  output logic              valid_o
);

  assign valid_o = &valid_i;

  for (genvar i = 0; i < Inputs; i++) begin : gen_input
    logic [Inputs-1:0] others;
    always_comb begin
      others = valid_i;
      others[i] = 1'b1;
    end
    assign ready_o[i] = en_i && (&others);
  end

  if (Inputs == 0) begin : gen_check
    $error("bw_join: Inputs must be positive");
  end

endmodule
