// SPDX-License-Identifier: Apache-2.0

/// Simulation only: asserts the handshake of a stream. Once valid is high, valid and data stay until ready.
///
/// Written with registers of the past instead of `|=>`, which not every tool reads.
module bw_stream_check #(
  parameter int unsigned Width = 8
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             valid_i,
  input logic             ready_i,
  input logic [Width-1:0] data_i
);

  logic stalled_q;
  logic [Width-1:0] data_q;

  always_ff @(posedge clk_i) begin
    stalled_q <= rst_ni && valid_i && !ready_i;
    data_q    <= data_i;
  end

  assert property (@(posedge clk_i) disable iff (!rst_ni) (!stalled_q || valid_i))
  else $error("%m: valid fell before ready");
  assert property (@(posedge clk_i) disable iff (!rst_ni) (!stalled_q || data_i == data_q))
  else $error("%m: data changed before ready");

endmodule
