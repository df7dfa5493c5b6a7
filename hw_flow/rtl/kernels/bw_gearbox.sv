// SPDX-License-Identifier: Apache-2.0

/// Width converter for widths that do not divide each other, bits in order.
///
/// Works in units of gcd(InWidth, OutWidth) bits and holds at most InWidth + OutWidth bits less one
/// unit, so the least common multiple is never stored. Latency 1 cycle; one beat a cycle on the
/// narrower side. ready_o depends on ready_i: not cut.
module bw_gearbox #(
  parameter int unsigned InWidth = 28,
  parameter int unsigned OutWidth = 49
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                valid_i,
  output logic                ready_o,
  input  logic [InWidth-1:0]  data_i,
  output logic                valid_o,
  input  logic                ready_i,
  output logic [OutWidth-1:0] data_o
);

  function automatic int unsigned gcd(int unsigned a, int unsigned b);
    int unsigned rest;
    while (b != 0) begin
      rest = a % b;
      a = b;
      b = rest;
    end
    return a;
  endfunction

  localparam int unsigned Unit = gcd(InWidth, OutWidth);
  localparam int unsigned In = InWidth / Unit;
  localparam int unsigned Out = OutWidth / Unit;
  localparam int unsigned Capacity = In + Out - 1;
  localparam int unsigned FillWidth = $clog2(Capacity + 1);
  localparam int unsigned BufferWidth = Capacity * Unit;

  // Bits above the fill level are zero, so that an input beat can be merged by OR.
  logic [BufferWidth-1:0] buffer_q, rest;
  logic [FillWidth-1:0] fill_q, rest_fill;
  logic take, give;

  assign valid_o   = fill_q >= FillWidth'(Out);
  assign data_o    = buffer_q[OutWidth-1:0];
  assign give      = valid_o && ready_i;
  assign rest      = give ? buffer_q >> OutWidth : buffer_q;
  assign rest_fill = give ? fill_q - FillWidth'(Out) : fill_q;
  assign ready_o   = rest_fill < FillWidth'(Out);
  assign take      = valid_i && ready_o;

  // Where an input beat may land: a multiplexer over the few fill levels that occur.
  logic [BufferWidth-1:0] placed;
  always_comb begin
    placed = '0;
    for (int unsigned level = 0; level < Out; level++) begin
      if (rest_fill == FillWidth'(level)) begin
        placed[level*Unit+:InWidth] = data_i;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      buffer_q <= '0;
      fill_q   <= '0;
    end else if (take) begin
      buffer_q <= rest | placed;
      fill_q   <= rest_fill + FillWidth'(In);
    end else if (give) begin
      buffer_q <= rest;
      fill_q   <= rest_fill;
    end
  end

  if (InWidth == 0 || OutWidth == 0) begin : gen_check
    $error("bw_gearbox: InWidth and OutWidth must be positive");
  end

endmodule
