// Copies a stream of 12-bit beats, with one fault of choice after `after_i` beats.
module faulty (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic [ 7:0] offset_i,
    input  logic [ 3:0] fault_i,
    input  logic [ 7:0] after_i,
    input  logic [15:0] s_axis_tdata,
    input  logic        s_axis_tvalid,
    output logic        s_axis_tready,
    input  logic        s_axis_tlast,
    output logic [15:0] m_axis_tdata,
    output logic        m_axis_tvalid,
    input  logic        m_axis_tready,
    output logic        m_axis_tlast
);
  typedef enum logic [3:0] {
    None,
    Deadlock,
    Withdraw,
    Tlast,
    Padding,
    Start,
    Spurious,
    Error,
    Finish,
    Assert
  } fault_e;

  logic [11:0] data_q;
  logic valid_q, last_q, again_q;
  logic [11:0] start;  // never written: its value is the simulator's choice
  logic [7:0] count_q, wait_q;

  wire due = count_q == after_i;
  wire enable = m_axis_tready || !valid_q;
  wire push = s_axis_tvalid && s_axis_tready;

  assign s_axis_tready = enable && !again_q && !(fault_i == Deadlock && due);
  assign m_axis_tvalid = valid_q && !(fault_i == Withdraw && due && wait_q == 8'd1);
  assign m_axis_tlast = last_q ^ (fault_i == Tlast && due);
  assign m_axis_tdata = {
    3'b0, fault_i == Padding && due, data_q + 12'(offset_i) + ((fault_i == Start && due) ? start : 12'd0)
  };

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      again_q <= 1'b0;
      count_q <= '0;
      wait_q  <= '0;
    end else begin
      if (enable) begin
        valid_q <= push || again_q;
        if (push) data_q <= s_axis_tdata[11:0];
        if (push) last_q <= s_axis_tlast;
        again_q <= push && fault_i == Spurious && s_axis_tlast && due;
      end
      if (push && !due) count_q <= count_q + 8'd1;
      wait_q <= (m_axis_tvalid && !m_axis_tready) ? wait_q + 8'd1 : 8'd0;
      if (push && due && fault_i == Error) $error("bad beat %0d", s_axis_tdata);
      if (push && due && fault_i == Finish) $finish;
    end
  end

  a_never_due :
  assert property (@(posedge clk_i) disable iff (!rst_ni) !(fault_i == Assert && due));
endmodule
