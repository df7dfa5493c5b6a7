// SPDX-License-Identifier: Apache-2.0

/// Multi-threshold with one comparator a threshold: Base + the number of thresholds reached.
///
/// For few thresholds, where it is faster than bw_threshold_search and little larger. Table t of lane p
/// answers addr_o[t][p], the fold, with threshold t in the same cycle (TableLatency == 0) or in the
/// next enabled one. Latency 1 + TableLatency enabled cycles, a beat a cycle. Nothing but a reset
/// moves while en_i is low. addr_o depends on registers only; inputs are not registered.
module bw_threshold_flat #(
  parameter int unsigned Pe = 4,
  parameter int unsigned InWidth = 8,
  parameter bit InSigned = 1'b1,
  parameter int unsigned ThresholdWidth = 8,
  parameter int unsigned Bits = 2,       // there are 2**Bits - 1 thresholds
  parameter int unsigned Folds = 4,
  parameter bit Descending = 1'b0,
  parameter int Base = 0,
  parameter int unsigned OutWidth = 2,
  parameter bit TableLatency = 1'b0,
  localparam int unsigned Tables = 2 ** Bits - 1,
  localparam int unsigned AddrWidth = Folds > 1 ? $clog2(Folds) : 1,
  localparam int unsigned WordWidth = ThresholdWidth + 32'(Descending)
) (
  input  logic                                     clk_i,
  input  logic                                     rst_ni,
  input  logic                                     en_i,
  input  logic                                     valid_i,
  input  logic [Pe-1:0][InWidth-1:0]               data_i,
  output logic [Tables-1:0][Pe-1:0][AddrWidth-1:0] addr_o,
  input  logic [Tables-1:0][Pe-1:0][WordWidth-1:0] table_i,
  output logic                                     valid_o,
  output logic [Pe-1:0][OutWidth-1:0]              data_o
);

  logic [AddrWidth-1:0] fold;
  logic valid;
  logic [Pe-1:0][InWidth-1:0] value;

  bw_fold_counter #(
    .Folds(Folds)
  ) u_fold (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(en_i && valid_i),
    .fold_o(fold)
  );

  if (TableLatency) begin : gen_wait
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid <= 1'b0;
      end else if (en_i) begin
        valid <= valid_i;
      end
      if (en_i) value <= data_i;
    end
  end else begin : gen_direct
    assign valid = valid_i;
    assign value = data_i;
  end

  for (genvar p = 0; p < Pe; p++) begin : gen_lane
    logic [Tables-1:0] reached;
    logic [Bits-1:0] count_d, count_q;
    for (genvar t = 0; t < Tables; t++) begin : gen_threshold
      assign addr_o[t][p] = fold;
      bw_threshold_compare #(
        .InWidth(InWidth),
        .InSigned(InSigned),
        .ThresholdWidth(ThresholdWidth),
        .Descending(Descending),
        .SmallTable(Folds <= 16)
      ) u_compare (
        .value_i(value[p]),
        .word_i(table_i[t][p]),
        .reached_o(reached[t])
      );
    end
    always_comb begin
      count_d = '0;
      for (int unsigned t = 0; t < Tables; t++) begin
        count_d += Bits'(reached[t]);
      end
    end
    always_ff @(posedge clk_i) begin
      if (en_i) count_q <= count_d;
    end
    assign data_o[p] = OutWidth'(Base) + OutWidth'(count_q);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
    end else if (en_i) begin
      valid_o <= valid;
    end
  end

  if (Pe == 0 || Bits == 0 || Folds == 0 || OutWidth == 0) begin : gen_check
    $error("bw_threshold_flat: Pe, Bits, Folds and OutWidth must be positive");
  end

endmodule
