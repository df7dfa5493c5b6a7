// SPDX-License-Identifier: Apache-2.0

/// Delays a word by a number of shifts: in a register, shift-register tables, or a memory with a registered output.
///
/// What leaves before the first word is undefined.
module bw_delay_line #(
  parameter int unsigned Width = 8,
  parameter int unsigned Shifts = 4,
  parameter RamStyle = "auto"
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             shift_i,
  input  logic [Width-1:0] data_i,
  output logic [Width-1:0] data_o
);

  localparam int unsigned TableDepth = 32;

  if (Shifts <= TableDepth) begin : gen_shift
    // Not reset, so that tables can hold it.
    logic [Shifts-1:0][Width-1:0] data_q;
    always_ff @(posedge clk_i) begin
      if (shift_i) begin
        data_q[0] <= data_i;
        for (int unsigned s = 1; s < Shifts; s++) data_q[s] <= data_q[s-1];
      end
    end
    assign data_o = data_q[Shifts-1];
    logic unused;
    assign unused = &{1'b0, rst_ni};
  end else begin : gen_memory
    // A word is read Shifts - 1 shifts after it was written; the output register is the last delay.
    localparam int unsigned AddrWidth = $clog2(Shifts);
    logic [AddrWidth-1:0] waddr_q, raddr_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        waddr_q <= '0;
        raddr_q <= AddrWidth'(1);
      end else if (shift_i) begin
        waddr_q <= raddr_q;
        raddr_q <= (raddr_q == AddrWidth'(Shifts - 1)) ? '0 : raddr_q + 1'b1;
      end
    end
    bw_ram #(
      .Width(Width),
      .Depth(Shifts),
      .RamStyle(RamStyle)
    ) u_ram (
      .clk_i(clk_i),
      .write_i(shift_i),
      .waddr_i(waddr_q),
      .data_i(data_i),
      .read_i(shift_i),
      .clear_i(1'b0),
      .raddr_i(raddr_q),
      .data_o(data_o)
    );
  end

  if (Width == 0 || Shifts == 0) begin : gen_check
    $error("bw_delay_line: Width and Shifts must be positive");
  end

endmodule
