// SPDX-License-Identifier: Apache-2.0

/// Passes the beats Begin up to End (exclusive) of every Beats, and drops the others.
///
/// One input beat a cycle, dropped ones whether or not the reader is ready. Latency 0. ready_o depends on ready_i, valid_o on
/// valid_i: not cut.
module bw_slice #(
  parameter int unsigned Width = 8,
  parameter int unsigned Beats = 4,
  parameter int unsigned Begin = 1,
  parameter int unsigned End = 3
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             valid_i,
  output logic             ready_o,
  input  logic [Width-1:0] data_i,
  output logic             valid_o,
  input  logic             ready_i,
  output logic [Width-1:0] data_o
);

  if (Begin == 0 && End == Beats) begin : gen_all
    assign valid_o = valid_i;
    assign ready_o = ready_i;
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni};
  end else begin : gen_count
    localparam int unsigned CountWidth = $clog2(Beats);
    logic [CountWidth-1:0] count_q;
    // A register of its own, set a beat ahead: no comparison stands in the stream's way.
    logic pass_q;
    logic step;

    assign valid_o = valid_i && pass_q;
    assign ready_o = ready_i || !pass_q;
    assign step    = valid_i && ready_o;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        count_q <= '0;
        pass_q  <= Begin == 0;
      end else if (step) begin
        count_q <= (count_q == CountWidth'(Beats - 1)) ? '0 : count_q + 1'b1;
        if (count_q == CountWidth'(End - 1)) pass_q <= 1'b0;
        if (count_q == CountWidth'((Begin + Beats - 1) % Beats)) pass_q <= 1'b1;
      end
    end
  end
  assign data_o = data_i;

  if (Width == 0 || Begin >= End || End > Beats) begin : gen_check
    $error("bw_slice: Width must be positive and Begin < End <= Beats");
  end

endmodule
