// SPDX-License-Identifier: Apache-2.0

/// An element as the pools compute with it. Combinational.
///
/// For sums a number of Width bits. For maxima Width is InWidth and the bits stay: those of Bipolar
/// elements compare as they are.
module bw_pool_number #(
  parameter int unsigned InWidth = 8,
  parameter bw_pkg::num_e InKind = bw_pkg::Unsigned,
  parameter bit Sum = 1'b0,
  parameter int unsigned Width = 8
) (
  input  logic [InWidth-1:0] data_i,
  output logic [Width-1:0]   data_o
);

  if (!Sum || InKind == bw_pkg::Unsigned) begin : gen_plain
    assign data_o = Width'(data_i);
  end else if (InKind == bw_pkg::Bipolar) begin : gen_bipolar
    logic [1:0] value;
    assign value  = {!data_i, 1'b1};
    assign data_o = Width'($signed(value));
  end else begin : gen_signed
    assign data_o = Width'($signed(data_i));
  end

endmodule
