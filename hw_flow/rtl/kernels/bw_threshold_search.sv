// SPDX-License-Identifier: Apache-2.0

/// Multi-threshold by binary search: Base + the number of thresholds that each element reaches.
///
/// Bits stages, each of one comparator a lane, find the Bits bits of the count from the highest to
/// the lowest. Stage s looks its threshold up at word fold * 2^s + (the s bits found so far) of a
/// table outside: table_i answers addr_o in the same cycle (TableLatency == 0) or in the next
/// enabled one (TableLatency == 1). A table word is {descending, threshold}; the first bit is
/// there only if Descending is set and inverts the comparison.
/// Latency Bits * (1 + TableLatency) enabled cycles, a beat a cycle. Nothing but a reset moves while
/// en_i is low. addr_o of stage 0 depends on registers only; inputs are not registered.
module bw_threshold_search #(
  parameter int unsigned Pe = 4,
  parameter int unsigned InWidth = 8,
  parameter bit InSigned = 1'b1,
  parameter int unsigned ThresholdWidth = 8,  // at least InWidth, same signedness
  parameter int unsigned Bits = 2,
  parameter int unsigned Folds = 4,           // beats after which the thresholds repeat
  parameter bit Descending = 1'b0,
  parameter int Base = 0,
  parameter int unsigned OutWidth = 2,
  parameter bit TableLatency = 1'b0,
  localparam int unsigned FoldWidth = Folds > 1 ? $clog2(Folds) : 0,
  localparam int unsigned AddrWidth = FoldWidth + Bits > 1 ? FoldWidth + Bits - 1 : 1,
  localparam int unsigned WordWidth = ThresholdWidth + 32'(Descending)
) (
  input  logic                                     clk_i,
  input  logic                                     rst_ni,
  input  logic                                     en_i,
  input  logic                                     valid_i,
  input  logic [Pe-1:0][InWidth-1:0]               data_i,
  output logic [Bits-1:0][Pe-1:0][AddrWidth-1:0]   addr_o,
  input  logic [Bits-1:0][Pe-1:0][WordWidth-1:0]   table_i,
  output logic                                     valid_o,
  output logic [Pe-1:0][OutWidth-1:0]              data_o
);

  // Entry s is the input of stage s, entry Bits the result.
  logic [Bits:0] valid;
  logic [Bits:0][AddrWidth-1:0] fold;
  logic [Bits:0][Pe-1:0][Bits-1:0] count;  // the bits found so far, right-aligned
  logic [Bits:0][Pe-1:0][InWidth-1:0] value;

  assign valid[0] = valid_i;
  assign count[0] = '0;
  assign value[0] = data_i;
  assign valid_o  = valid[Bits];

  logic [(FoldWidth > 0 ? FoldWidth : 1)-1:0] fold_now;
  bw_fold_counter #(
    .Folds(Folds)
  ) u_fold (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(en_i && valid_i),
    .fold_o(fold_now)
  );
  assign fold[0] = AddrWidth'(fold_now);

  for (genvar s = 0; s < Bits; s++) begin : gen_stage
    // Operands of the comparison, beside the table's answer.
    logic valid_here;
    logic [AddrWidth-1:0] fold_here;
    logic [Pe-1:0][Bits-1:0] count_here;
    logic [Pe-1:0][InWidth-1:0] value_here;

    if (TableLatency) begin : gen_wait
      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          valid_here <= 1'b0;
        end else if (en_i) begin
          valid_here <= valid[s];
        end
        if (en_i) begin
          fold_here  <= fold[s];
          count_here <= count[s];
          value_here <= value[s];
        end
      end
    end else begin : gen_direct
      assign valid_here = valid[s];
      assign fold_here  = fold[s];
      assign count_here = count[s];
      assign value_here = value[s];
    end

    logic [Pe-1:0] reached;
    for (genvar p = 0; p < Pe; p++) begin : gen_lane
      if (Folds == 1) begin : gen_addr_count
        assign addr_o[s][p] = AddrWidth'(count[s][p]);
      end else begin : gen_addr
        assign addr_o[s][p] = (fold[s] << s) | AddrWidth'(count[s][p]);
      end
      bw_threshold_compare #(
        .InWidth(InWidth),
        .InSigned(InSigned),
        .ThresholdWidth(ThresholdWidth),
        .Descending(Descending),
        .SmallTable(FoldWidth + s <= 4)
      ) u_compare (
        .value_i(value_here[p]),
        .word_i(table_i[s][p]),
        .reached_o(reached[p])
      );
      always_ff @(posedge clk_i) begin
        if (en_i) count[s+1][p] <= Bits'({count_here[p], reached[p]});
      end
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid[s+1] <= 1'b0;
      end else if (en_i) begin
        valid[s+1] <= valid_here;
      end
      if (en_i) begin
        fold[s+1]  <= fold_here;
        value[s+1] <= value_here;
      end
    end
  end

  for (genvar p = 0; p < Pe; p++) begin : gen_out
    assign data_o[p] = OutWidth'(Base) + OutWidth'(count[Bits][p]);
  end

  logic unused;
  assign unused = &{1'b0, fold[Bits], value[Bits]};

  if (Pe == 0 || InWidth == 0 || Bits == 0 || Folds == 0 || OutWidth == 0) begin : gen_check
    $error("bw_threshold_search: Pe, InWidth, Bits, Folds and OutWidth must be positive");
  end

endmodule
