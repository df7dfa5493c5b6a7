// SPDX-License-Identifier: Apache-2.0

/// One comparison of a threshold search: whether a value reaches the threshold of a table word.
///
/// A word is {descending, threshold}; the first bit is there only if Descending is set and inverts
/// the result. Combinational.
module bw_threshold_compare #(
  parameter int unsigned InWidth = 8,
  parameter bit InSigned = 1'b1,
  parameter int unsigned ThresholdWidth = 8,  // at least InWidth, same signedness
  parameter bit Descending = 1'b0,
  parameter bit SmallTable = 1'b1,            // of at most 16 words, or constant
  localparam int unsigned WordWidth = ThresholdWidth + 32'(Descending)
) (
  input  logic [InWidth-1:0]   value_i,
  input  logic [WordWidth-1:0] word_i,
  output logic                 reached_o
);

  // One bit more makes both signed.
  logic signed [ThresholdWidth:0] value, threshold;
  logic reach;

  assign value = $signed({{ThresholdWidth + 1 - InWidth{InSigned && value_i[InWidth-1]}}, value_i});
  assign threshold = $signed({InSigned && word_i[ThresholdWidth-1], word_i[ThresholdWidth-1:0]});

  // A comparison takes one look-up table for two bits, also together with a table of 16 words. Mappers
  // blow it up when they draw a larger table into it; the sign of a difference is smaller then.
  if (SmallTable) begin : gen_compare
    assign reach = value >= threshold;
  end else begin : gen_subtract
    logic signed [ThresholdWidth:0] difference;
    assign difference = value - threshold;
    assign reach = !difference[ThresholdWidth];
    logic unused;
    assign unused = &{1'b0, difference[ThresholdWidth-1:0]};
  end

  if (Descending) begin : gen_flip
    assign reached_o = reach ^ word_i[ThresholdWidth];
  end else begin : gen_straight
    assign reached_o = reach;
  end

  if (ThresholdWidth < InWidth || InWidth == 0) begin : gen_check
    $error("bw_threshold_compare: ThresholdWidth must be at least InWidth, which must be positive");
  end

endmodule
