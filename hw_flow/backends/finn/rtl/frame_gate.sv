// SPDX-License-Identifier: Apache-2.0

/// Keeps the beats of a frame back until that frame's first input beat is there.
/// FINN's padding needs no input for the rows above a frame, so it sends those of a frame that never comes: a node without
/// windows behind it would make results of them, beats too many after the last frame.
/// Stands beside the padding and looks on at its input; no latency, an interval of one beat; cuts nothing.
module frame_gate #(
  parameter int unsigned InBeats,   // of a frame
  parameter int unsigned OutBeats
) (
  input  logic clk_i,
  input  logic rst_ni,

  input  logic s_valid_i,   // what the padding is offered
  input  logic s_ready_i,

  input  logic valid_i,     // what the padding gives
  output logic ready_o,

  output logic valid_o,
  input  logic ready_i
);

  localparam int unsigned AheadBits = $clog2(2 * InBeats + 2);
  localparam int unsigned SentBits = $clog2(OutBeats + 1);

  logic [AheadBits-1:0] ahead_q;  // beats taken for frames that are not finished
  logic [SentBits-1:0] sent_q;    // beats given of this frame
  logic begun, taken, given, last;

  assign begun = sent_q != '0 || ahead_q != '0 || s_valid_i;
  assign valid_o = valid_i && begun;
  assign ready_o = ready_i && begun;
  assign taken = s_valid_i && s_ready_i;
  assign given = valid_o && ready_i;
  assign last = given && sent_q == SentBits'(OutBeats - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ahead_q <= '0;
      sent_q <= '0;
    end else begin
      ahead_q <= ahead_q + AheadBits'(taken) - (last ? AheadBits'(InBeats) : '0);
      if (given) sent_q <= last ? '0 : sent_q + 1'b1;
    end
  end

  if (InBeats == 0 || OutBeats == 0) begin : gen_check
    $error("frames have beats");
  end

endmodule
