// SPDX-License-Identifier: Apache-2.0

/// Marks the last of every Beats beats that pass a stream. last_o depends on registers only.
module bw_last_counter #(
  parameter int unsigned Beats = 4
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic transfer_i,  // valid and ready of the stream
  output logic last_o
);

  if (Beats == 1) begin : gen_always
    assign last_o = 1'b1;
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni, transfer_i};
  end else begin : gen_count
    localparam int unsigned CountWidth = $clog2(Beats);
    logic [CountWidth-1:0] count_q;
    assign last_o = count_q == CountWidth'(Beats - 1);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        count_q <= '0;
      end else if (transfer_i) begin
        count_q <= last_o ? '0 : count_q + 1'b1;
      end
    end
  end

  if (Beats == 0) begin : gen_check
    $error("bw_last_counter: Beats must be positive");
  end

endmodule
