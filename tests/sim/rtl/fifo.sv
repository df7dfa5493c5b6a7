// First-in first-out buffer between two streams with tlast; the smallest design worth simulating.
module fifo #(
    parameter int unsigned Width = 8,
    parameter int unsigned Depth = 4  // a power of two
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [Width-1:0] s_axis_tdata,
    input  logic             s_axis_tvalid,
    output logic             s_axis_tready,
    input  logic             s_axis_tlast,
    output logic [Width-1:0] m_axis_tdata,
    output logic             m_axis_tvalid,
    input  logic             m_axis_tready,
    output logic             m_axis_tlast
);
  localparam int unsigned Index = $clog2(Depth);

  logic [Width:0] memory[Depth];
  logic [Index-1:0] read_q, write_q;
  logic [Index:0] count_q;

  wire push = s_axis_tvalid && s_axis_tready;
  wire pop = m_axis_tvalid && m_axis_tready;

  assign s_axis_tready = count_q != (Index + 1)'(Depth);
  assign m_axis_tvalid = count_q != 0;
  assign {m_axis_tlast, m_axis_tdata} = memory[read_q];

  always_ff @(posedge clk_i) begin
    if (push) memory[write_q] <= {s_axis_tlast, s_axis_tdata};
    if (!rst_ni) begin
      read_q  <= '0;
      write_q <= '0;
      count_q <= '0;
    end else begin
      if (push) write_q <= write_q + 1'b1;
      if (pop) read_q <= read_q + 1'b1;
      count_q <= count_q + (Index + 1)'(push) - (Index + 1)'(pop);
    end
  end

  a_stable :
  assert property (@(posedge clk_i) disable iff (!rst_ni) m_axis_tvalid && !m_axis_tready |=> m_axis_tvalid && $stable(
      m_axis_tdata
  ));

`ifdef BW_MONITOR
  import "DPI-C" context function void bw_monitor(
    input string  name,
    input longint transfers,
    input longint stalls,
    input longint starves,
    input longint peak
  );
  longint transfers_q, peak_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      transfers_q <= 0;
      peak_q <= 0;
    end else begin
      if (push) transfers_q <= transfers_q + 1;
      if (longint'(count_q) > peak_q) peak_q <= longint'(count_q);
    end
  end
  final bw_monitor($sformatf("%m"), transfers_q, 0, 0, peak_q);
`endif
endmodule
