// SPDX-License-Identifier: Apache-2.0

/// Hands every beat of a stream to each of several readers, each of which takes it when it is ready.
///
/// The beat is released when the last reader takes it. Latency 0, one beat a cycle. valid_o depends on valid_i and on registers
/// only, so that no loop closes over readers whose ready depends on each other's valid. ready_o depends on ready_i: not cut.
module bw_fork #(
  parameter int unsigned Width = 8,
  parameter int unsigned Readers = 2
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          valid_i,
  output logic                          ready_o,
  input  logic [Width-1:0]              data_i,
  output logic [Readers-1:0]            valid_o,
  input  logic [Readers-1:0]            ready_i,
  output logic [Readers-1:0][Width-1:0] data_o
);

  logic [Readers-1:0] taken_q;  // readers that have this beat already
  logic [Readers-1:0] taken;

  assign taken   = taken_q | ready_i;
  assign valid_o = {Readers{valid_i}} & ~taken_q;
  assign ready_o = &taken;
  assign data_o  = {Readers{data_i}};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      taken_q <= '0;
    end else if (valid_i) begin
      taken_q <= ready_o ? '0 : taken;
    end
  end

  if (Width == 0 || Readers == 0) begin : gen_check
    $error("bw_fork: Width and Readers must be positive");
  end

endmodule
