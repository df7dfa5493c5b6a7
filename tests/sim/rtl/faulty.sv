// Copies a stream of 12-bit beats, with one fault of choice after `After` beats.
module faulty #(
    parameter string Fault = "none",
    parameter int unsigned After = 5
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic [ 7:0] offset_i,
    input  logic [15:0] s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    input  logic        s_axis_tlast,
    output logic [15:0] m_axis_tdata,
    output logic        m_axis_tvalid,
    input  logic        m_axis_tready,
    output logic        m_axis_tlast
);
  logic [11:0] data_q;
  logic valid_q, last_q, again_q;
  logic [11:0] start;  // never written: its value is the simulator's choice
  int unsigned count_q, wait_q;

  wire due = count_q == After;
  wire enable = m_axis_tready || !valid_q;
  wire push = s_axis_tvalid && s_axis_tready;

  assign s_axis_tready = enable && !again_q && !(Fault == "deadlock" && due);
  assign m_axis_tvalid = valid_q && !(Fault == "withdraw" && due && wait_q == 1);
  assign m_axis_tlast = last_q ^ (Fault == "tlast" && due);
  assign m_axis_tdata = {
    3'b0, Fault == "padding" && due, data_q + 12'(offset_i) + ((Fault == "start" && due) ? start : 12'd0)
  };

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      again_q <= 1'b0;
      count_q <= 0;
      wait_q  <= 0;
    end else begin
      if (enable) begin
        valid_q <= push || again_q;
        if (push) data_q <= s_axis_tdata[11:0];
        if (push) last_q <= s_axis_tlast;
        again_q <= push && Fault == "spurious" && s_axis_tlast && due;
      end
      if (push && !due) count_q <= count_q + 1;
      wait_q <= (m_axis_tvalid && !m_axis_tready) ? wait_q + 1 : 0;
      if (push && due && Fault == "error") $error("bad beat %0d", s_axis_tdata);
      if (push && due && Fault == "finish") $finish;
    end
  end

  if (Fault == "assert") begin : gen_assert
    a_never_due :
    assert property (@(posedge clk_i) disable iff (!rst_ni) !due);
  end
endmodule
