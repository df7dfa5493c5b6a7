// SPDX-License-Identifier: Apache-2.0

/// First-in first-out buffer of Depth beats, first word falls through.
///
/// Latency 1 cycle, one beat a cycle. ready_o and valid_o depend on registers only. data_o is read asynchronously from
/// distributed RAM. With Block it is the output register of a block RAM, which reads the word of the next cycle; a word that is
/// written in that very cycle goes around the memory.
module bw_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 16,
  parameter bit Block = 1'b0,
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
`ifdef BW_GAUGE
  input  logic [LevelWidth-1:0] limit_i,  // simulation only: beats that it takes, at most Depth
`endif
  output logic [LevelWidth-1:0] level_o   // beats held
);

  localparam int unsigned AddrWidth = $clog2(Depth);

  logic [AddrWidth-1:0] write_q, read_q, read_d;
  logic [LevelWidth-1:0] level_q;
  logic write, read;

`ifdef BW_GAUGE
  assign ready_o = level_q < limit_i;
`else
  assign ready_o = level_q != LevelWidth'(Depth);
`endif
  assign valid_o = level_q != '0;
  assign level_o = level_q;
  assign write   = valid_i && ready_o;
  assign read    = valid_o && ready_i;
  assign read_d  = read ? next(read_q) : read_q;

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
      read_q <= read_d;
      if (write != read) level_q <= write ? level_q + 1'b1 : level_q - 1'b1;
    end
  end

  if (Block) begin : gen_block
    logic around_q;
    logic [Width-1:0] data_q, mem_q;
    assign data_o = around_q ? data_q : mem_q;
    always_ff @(posedge clk_i) begin
      around_q <= write && write_q == read_d;
      data_q   <= data_i;
    end
    bw_ram #(
      .Width(Width),
      .Depth(Depth),
      .RamStyle("block")
    ) u_ram (
      .clk_i(clk_i),
      .write_i(write),
      .waddr_i(write_q),
      .data_i(data_i),
      .read_i(1'b1),
      .clear_i(1'b0),
      .raddr_i(read_d),
      .data_o(mem_q)
    );
  end else begin : gen_distributed
    logic [Width-1:0] mem [Depth];
    assign data_o = mem[read_q];
    always_ff @(posedge clk_i) begin
      if (write) mem[write_q] <= data_i;
    end
  end

  if (Width == 0 || Depth < 2) begin : gen_check
    $error("bw_fifo: Width must be positive and Depth at least 2");
  end

endmodule
