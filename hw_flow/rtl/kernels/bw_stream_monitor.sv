// SPDX-License-Identifier: Apache-2.0

/// Simulation only: counts what happens on a stream and reports it when the simulation ends.
///
/// Per clock cycle out of reset: a transfer (valid and ready), a stall (valid, not ready) or a starve
/// (ready, not valid). level_i is the occupancy of the FIFO that belongs to the stream, 0 without one.
/// Empty unless BW_MONITOR is defined; the simulator provides bw_monitor.
module bw_stream_monitor #(
  parameter Name = "stream",
  parameter int unsigned LevelWidth = 1
) (
  input logic                  clk_i,
  input logic                  rst_ni,
  input logic                  valid_i,
  input logic                  ready_i,
  input logic [LevelWidth-1:0] level_i
);

`ifdef BW_MONITOR
  import "DPI-C" context function void bw_monitor(
    input string name,
    input longint transfers,
    input longint stalls,
    input longint starves,
    input longint peak
  );

  longint transfers_q, stalls_q, starves_q;
  logic [LevelWidth-1:0] peak_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      transfers_q <= 0;
      stalls_q    <= 0;
      starves_q   <= 0;
      peak_q      <= '0;
    end else begin
      if (valid_i && ready_i) transfers_q <= transfers_q + 1;
      if (valid_i && !ready_i) stalls_q <= stalls_q + 1;
      if (!valid_i && ready_i) starves_q <= starves_q + 1;
      if (level_i > peak_q) peak_q <= level_i;
    end
  end

  final bw_monitor(Name, transfers_q, stalls_q, starves_q, 64'(peak_q));
`else
  logic unused;
  assign unused = &{1'b0, clk_i, rst_ni, valid_i, ready_i, level_i};
`endif

endmodule
