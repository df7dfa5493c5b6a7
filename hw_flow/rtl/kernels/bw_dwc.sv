// SPDX-License-Identifier: Apache-2.0

/// Width converter between streams of InLanes and OutLanes elements a beat, any two numbers.
///
/// One beat a cycle on the narrower side. OutLanes == k*InLanes: latency 1 cycle after the k-th beat.
/// InLanes == k*OutLanes: no register, latency 0; the input beat is released with its last part.
/// Otherwise (bw_gearbox) latency 1 cycle. ready_o depends on ready_i in all three: not cut.
/// A frame must hold a whole number of beats on either side.
module bw_dwc #(
  parameter int unsigned ElementWidth = 2,
  parameter int unsigned InLanes = 8,
  parameter int unsigned OutLanes = 16
) (
  input  logic                             clk_i,
  input  logic                             rst_ni,
  input  logic                             valid_i,
  output logic                             ready_o,
  input  logic [InLanes*ElementWidth-1:0]  data_i,
  output logic                             valid_o,
  input  logic                             ready_i,
  output logic [OutLanes*ElementWidth-1:0] data_o
);

  localparam int unsigned InWidth = InLanes * ElementWidth;
  localparam int unsigned OutWidth = OutLanes * ElementWidth;

  if (InLanes == OutLanes) begin : gen_same
    assign valid_o = valid_i;
    assign ready_o = ready_i;
    assign data_o  = data_i;
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni};
  end else if (OutLanes % InLanes == 0) begin : gen_up
    localparam int unsigned Ratio = OutLanes / InLanes;
    localparam int unsigned CountWidth = $clog2(Ratio);
    logic [CountWidth-1:0] count_q;
    logic valid_q, last;
    logic [OutWidth-1:0] data_q;
    assign last    = count_q == CountWidth'(Ratio - 1);
    assign ready_o = !valid_q || ready_i;
    assign valid_o = valid_q;
    assign data_o  = data_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        count_q <= '0;
        valid_q <= 1'b0;
      end else if (ready_o) begin
        valid_q <= valid_i && last;
        if (valid_i) count_q <= last ? '0 : count_q + 1'b1;
      end
      if (ready_o && valid_i) data_q <= {data_i, data_q[OutWidth-1:InWidth]};
    end
  end else if (InLanes % OutLanes == 0) begin : gen_down
    localparam int unsigned Ratio = InLanes / OutLanes;
    localparam int unsigned CountWidth = $clog2(Ratio);
    logic [CountWidth-1:0] count_q;
    logic last;
    logic [Ratio-1:0][OutWidth-1:0] part;
    assign part    = data_i;
    assign last    = count_q == CountWidth'(Ratio - 1);
    assign valid_o = valid_i;
    assign ready_o = ready_i && last;
    assign data_o  = part[count_q];
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        count_q <= '0;
      end else if (valid_i && ready_i) begin
        count_q <= last ? '0 : count_q + 1'b1;
      end
    end
  end else begin : gen_any
    bw_gearbox #(
      .InWidth (InWidth),
      .OutWidth(OutWidth)
    ) u_gearbox (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_o,
      .data_i,
      .valid_o,
      .ready_i,
      .data_o
    );
  end

  if (ElementWidth == 0 || InLanes == 0 || OutLanes == 0) begin : gen_check
    $error("bw_dwc: ElementWidth, InLanes and OutLanes must be positive");
  end

endmodule
