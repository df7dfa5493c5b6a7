// SPDX-License-Identifier: Apache-2.0

/// Stream register that cuts valid, data and ready.
///
/// Latency 1 cycle. Full (HalfRate == 0): two registers, one beat a cycle. HalfRate == 1: one
/// register and no multiplexer, one beat in two cycles, for producers that need no more.
/// ready_o depends on registers only. Cut == 0: wires, for kernels whose user decides.
module bw_spill_register #(
  parameter int unsigned Width = 8,
  parameter bit HalfRate = 1'b0,
  parameter bit Cut = 1'b1
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

  if (!Cut) begin : gen_wires
    assign ready_o = ready_i;
    assign valid_o = valid_i;
    assign data_o  = data_i;
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni};
  end else if (HalfRate) begin : gen_half
    logic valid_q;
    logic [Width-1:0] data_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid_q <= 1'b0;
      end else begin
        valid_q <= valid_q ? !ready_i : valid_i;
      end
      if (!valid_q) data_q <= data_i;
    end
    assign ready_o = !valid_q;
    assign valid_o = valid_q;
    assign data_o  = data_q;
  end else begin : gen_full
    // b holds the beat that arrived in the cycle in which the sink first stalled.
    logic a_valid_q, b_valid_q;
    logic [Width-1:0] a_q, b_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        a_valid_q <= 1'b0;
        b_valid_q <= 1'b0;
      end else if (!a_valid_q || ready_i) begin
        a_valid_q <= b_valid_q || valid_i;
        b_valid_q <= 1'b0;
      end else if (!b_valid_q) begin
        b_valid_q <= valid_i;
      end
      if (!a_valid_q || ready_i) a_q <= b_valid_q ? b_q : data_i;
      if (!b_valid_q) b_q <= data_i;
    end
    assign ready_o = !b_valid_q;
    assign valid_o = a_valid_q;
    assign data_o  = a_q;
  end

  if (Width == 0) begin : gen_check
    $error("bw_spill_register: Width must be positive");
  end

endmodule
