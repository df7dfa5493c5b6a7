// SPDX-License-Identifier: Apache-2.0

/// First-in first-out buffer of Depth beats, first word falls through.
///
/// Latency 1 cycle, one beat a cycle. ready_o and valid_o depend on registers only; data_o is read
/// asynchronously from the memory, which is not reset and suits distributed RAM.
module bw_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 16,
  localparam int unsigned LevelWidth = $clog2(Depth + 1)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  valid_i,
  output logic                  ready_o,
  input  logic [Width-1:0]      data_i,
  output logic                  valid_o,
  input  logic                  ready_i,
  output logic [Width-1:0]      data_o,
  output logic [LevelWidth-1:0] level_o  // beats held
);

  localparam int unsigned AddrWidth = $clog2(Depth);

  logic [Width-1:0] mem [Depth];
  logic [AddrWidth-1:0] write_q, read_q;
  logic [LevelWidth-1:0] level_q;
  logic write, read;

  assign ready_o = level_q != LevelWidth'(Depth);
  assign valid_o = level_q != '0;
  assign data_o  = mem[read_q];
  assign level_o = level_q;
  assign write   = valid_i && ready_o;
  assign read    = valid_o && ready_i;

  function automatic logic [AddrWidth-1:0] next(logic [AddrWidth-1:0] index);
    return (index == AddrWidth'(Depth - 1)) ? '0 : index + 1'b1;
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      write_q <= '0;
      read_q  <= '0;
      level_q <= '0;
    end else begin
      if (write) write_q <= next(write_q);
      if (read) read_q <= next(read_q);
      if (write != read) level_q <= write ? level_q + 1'b1 : level_q - 1'b1;
    end
    if (write) mem[write_q] <= data_i;
  end

  if (Width == 0 || Depth < 2) begin : gen_check
    $error("bw_fifo: Width must be positive and Depth at least 2");
  end

endmodule
