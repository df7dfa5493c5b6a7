// SPDX-License-Identifier: Apache-2.0

/// Beats of a frame in another order: output beat (i0, i1, ..) of nested counters, last fastest, is input beat
/// Offset + sum(i[k] * stride[k]).
///
/// Two banks of a frame each: one fills while the other is read, so max(InBeats, product of Counts) cycles a frame, back to
/// back. A beat is read as soon as it has been written, only the last one of a frame waits for the whole frame. Latency
/// 2 cycles from the beat that an output is. Addresses advance by Deltas[k] = stride[k] minus what the faster counters have gone.
/// ready_o depends on registers only; ready_i is cut by the banks. Block or distributed RAM: the read is registered.
module bw_reorder #(
  parameter int unsigned Width = 8,
  parameter int unsigned InBeats = 6,
  parameter int unsigned Levels = 2,
  parameter logic [Levels-1:0][31:0] Counts = {32'd2, 32'd3},   // that of the fastest counter lowest
  parameter logic [Levels-1:0][31:0] Deltas = {32'd0, 32'd1},   // two's complement
  parameter int unsigned Offset = 0,
  parameter RamStyle = "auto"                                 // auto, distributed, block
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

  localparam int unsigned AddrWidth = $clog2(2 * InBeats);

  logic [1:0] full_q;                     // banks that hold a whole frame
  logic write_bank_q, read_bank_q;
  logic [AddrWidth-1:0] write_q, read_q;  // bank * InBeats + beat
  logic write, write_last, read, read_last, there, en;

  assign ready_o    = !full_q[write_bank_q];
  assign write      = valid_i && ready_o;
  assign write_last = write_q == (write_bank_q ? AddrWidth'(2 * InBeats - 1) : AddrWidth'(InBeats - 1));
  // The last read frees the bank, which must be full for that.
  assign there      = full_q[read_bank_q]
      || (write_bank_q == read_bank_q && read_q < write_q && !read_last);
  assign en         = !valid_o || ready_i;
  assign read       = en && there;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      full_q       <= '0;
      write_bank_q <= 1'b0;
      write_q      <= '0;
    end else begin
      if (write) begin
        write_q <= (write_last && write_bank_q) ? '0 : write_q + 1'b1;
        if (write_last) begin
          write_bank_q         <= !write_bank_q;
          full_q[write_bank_q] <= 1'b1;
        end
      end
      if (read && read_last) full_q[read_bank_q] <= 1'b0;
    end
  end

  // Counter k steps when all faster ones are in their last turn.
  logic [Levels-1:0] last;
  logic [AddrWidth-1:0] delta;

  bw_loop_nest #(
    .Loops(Levels),
    .Turns(Counts)
  ) u_counters (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(read),
    .last_o(last)
  );

  assign read_last = &last;
  always_comb begin
    logic inner_last;
    delta      = AddrWidth'(Deltas[0]);
    inner_last = last[0];
    for (int unsigned k = 1; k < Levels; k++) begin
      if (inner_last) delta = AddrWidth'(Deltas[k]);
      inner_last = inner_last && last[k];
    end
  end
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read_bank_q <= 1'b0;
      read_q      <= AddrWidth'(Offset);
    end else if (read) begin
      read_bank_q <= read_bank_q ^ read_last;
      if (read_last) begin
        read_q <= read_bank_q ? AddrWidth'(Offset) : AddrWidth'(InBeats + Offset);
      end else begin
        read_q <= read_q + delta;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
    end else if (en) begin
      valid_o <= there;
    end
  end

  bw_ram #(
    .Width(Width),
    .Depth(2 * InBeats),
    .RamStyle(RamStyle)
  ) u_ram (
    .clk_i(clk_i),
    .write_i(write),
    .waddr_i(write_q),
    .data_i(data_i),
    .read_i(read),
    .clear_i(1'b0),
    .raddr_i(read_q),
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

  if (Width == 0 || InBeats == 0 || Levels == 0) begin : gen_check
    $error("bw_reorder: Width, InBeats and Levels must be positive");
  end
  if (Offset >= InBeats) begin : gen_check_offset
    $error("bw_reorder: Offset must lie in the frame");
  end

endmodule
