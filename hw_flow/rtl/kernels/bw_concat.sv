// SPDX-License-Identifier: Apache-2.0

/// Channels of several streams side by side: Beats[0] beats of input 0, Beats[1] of input 1, and so on, for every position.
///
/// One beat a cycle. Latency 0, or 1 with OutputRegister. With it ready_o depends on registers only, without it on ready_i.
/// It never depends on valid_i.
module bw_concat #(
  parameter int unsigned Inputs = 2,
  parameter bit [Inputs-1:0][31:0] Beats = {32'd3, 32'd2},  // that of input 0 lowest
  parameter int unsigned Width = 8,
  parameter bit OutputRegister = 1'b1
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  input  logic [Inputs-1:0]            valid_i,
  output logic [Inputs-1:0]            ready_o,
  input  logic [Inputs-1:0][Width-1:0] data_i,
  output logic                         valid_o,
  input  logic                         ready_i,
  output logic [Width-1:0]             data_o
);

  localparam int unsigned TurnWidth = Inputs > 1 ? $clog2(Inputs) : 1;

  function automatic int unsigned most();
    int unsigned found = 1;
    for (int unsigned i = 0; i < Inputs; i++) begin
      if (Beats[i] > found) found = Beats[i];
    end
    return found;
  endfunction

  localparam int unsigned Most = most();
  localparam int unsigned CountWidth = Most > 1 ? $clog2(Most) : 1;

  logic [TurnWidth-1:0] turn_q;
  logic [CountWidth-1:0] count_q, last_count;
  logic valid, ready, last;
  logic [Width-1:0] data;

  always_comb begin
    valid      = 1'b0;
    data       = '0;
    ready_o    = '0;
    last_count = '0;
    for (int unsigned i = 0; i < Inputs; i++) begin
      if (turn_q == TurnWidth'(i)) begin
        valid      = valid_i[i];
        data       = data_i[i];
        ready_o[i] = ready;
        last_count = CountWidth'(Beats[i] - 1);
      end
    end
  end
  assign last = count_q == last_count;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      turn_q  <= '0;
      count_q <= '0;
    end else if (valid && ready) begin
      count_q <= last ? '0 : count_q + 1'b1;
      if (last) turn_q <= (turn_q == TurnWidth'(Inputs - 1)) ? '0 : turn_q + 1'b1;
    end
  end

  bw_spill_register #(
    .Width(Width),
    .Cut(OutputRegister)
  ) u_out (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(valid),
    .ready_o(ready),
    .data_i(data),
    .valid_o(valid_o),
    .ready_i(ready_i),
    .data_o(data_o)
  );

`ifndef SYNTHESIS
  bw_stream_check #(
    .Width(Width)
  ) u_check (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(valid_o),
    .ready_i(ready_i),
    .data_i(data_o)
  );
`endif

  if (Inputs == 0 || Width == 0) begin : gen_check
    $error("bw_concat: Inputs and Width must be positive");
  end
  for (genvar i = 0; i < Inputs; i++) begin : gen_check_input
    if (Beats[i] == 0) begin : gen_none
      $error("bw_concat: every input has at least one beat");
    end
  end

endmodule
