// SPDX-License-Identifier: Apache-2.0

/// Handshake around a pipeline of constant logic that stands beside it.
///
/// The logic takes the stream's data and gives result_i Stages cycles of en_o later; everything in it
/// moves or waits together. One beat in is one beat out, a beat in every cycle: the interval is 1. Latency
/// Stages + OutputRegister cycles; with 0 stages result_i is of the same cycle. With OutputRegister ready_o
/// depends on registers only, without it also on ready_i.
module bw_constant #(
  parameter int unsigned Stages = 2,
  parameter int unsigned OutWidth = 8,
  parameter bit OutputRegister = 1'b1  // 0 where ready_i comes from a FIFO's registers
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                valid_i,
  output logic                ready_o,
  output logic                en_o,      // of the logic
  input  logic [OutWidth-1:0] result_i,  // from the logic
  output logic                valid_o,
  input  logic                ready_i,
  output logic [OutWidth-1:0] data_o
);

  logic result_valid, result_ready;

  if (Stages == 0) begin : gen_wires
    assign en_o = result_ready;
    assign result_valid = valid_i;
  end else begin : gen_stages
    logic [Stages-1:0] valid_q;
    // Nothing waits behind a bubble at the end: the whole pipeline moves unless its result is stuck.
    assign en_o = !result_valid || result_ready;
    assign result_valid = valid_q[Stages-1];
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid_q <= '0;
      end else if (en_o) begin
        valid_q <= Stages'({valid_q, valid_i});
      end
    end
  end

  assign ready_o = en_o;

  bw_spill_register #(
    .Width(OutWidth),
    .Cut(OutputRegister)
  ) u_out (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(result_valid),
    .ready_o(result_ready),
    .data_i(result_i),
    .valid_o(valid_o),
    .ready_i(ready_i),
    .data_o(data_o)
  );

`ifndef SYNTHESIS
  bw_stream_check #(
    .Width(OutWidth)
  ) u_check (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(valid_o),
    .ready_i(ready_i),
    .data_i(data_o)
  );
`endif

  if (OutWidth == 0) begin : gen_check
    $error("bw_constant: OutWidth must be positive");
  end

endmodule
