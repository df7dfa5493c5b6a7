// SPDX-License-Identifier: Apache-2.0

/// Memory with a write port and a registered read port, for distributed or block RAM.
///
/// data_o changes in cycles with read_i only: to the word at raddr_i, or to Clear if clear_i is high. What is read
/// of a word that is written in the same cycle is undefined.
module bw_ram #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 64,
  parameter RamStyle = "auto",                // auto, distributed, block
  parameter logic [Width-1:0] Clear = '0,
  localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  input  logic                 clk_i,
  input  logic                 write_i,
  input  logic [AddrWidth-1:0] waddr_i,
  input  logic [Width-1:0]     data_i,
  input  logic                 read_i,
  input  logic                 clear_i,
  input  logic [AddrWidth-1:0] raddr_i,
  output logic [Width-1:0]     data_o
);

  (* ram_style = RamStyle, no_rw_check *)
  logic [Width-1:0] mem [Depth];

  always_ff @(posedge clk_i) begin
    if (write_i) mem[waddr_i] <= data_i;
  end
  // The clear is a reset of the register, which costs no gates.
  always_ff @(posedge clk_i) begin
    if (read_i) begin
      if (clear_i) data_o <= Clear;
      else data_o <= mem[raddr_i];
    end
  end

  if (Width == 0 || Depth == 0) begin : gen_check
    $error("bw_ram: Width and Depth must be positive");
  end

endmodule
