// SPDX-License-Identifier: Apache-2.0

/// A table per channel: each lane's element, as it is on the wire, is the address of its word.
///
/// The tables lie in a memory outside with a registered, enabled output: word fold * 2^InWidth + element for each lane, where
/// fold counts the beats of a position. Latency 1 cycle, one beat a cycle. ready_o depends on ready_i: not cut.
module bw_lookup #(
  parameter int unsigned Pe = 4,
  parameter int unsigned InWidth = 8,
  parameter int unsigned Folds = 1,   // beats after which the tables repeat
  parameter int unsigned OutWidth = 8,
  localparam int unsigned AddrWidth = InWidth + $clog2(Folds)
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  input  logic                         valid_i,
  output logic                         ready_o,
  input  logic [Pe-1:0][InWidth-1:0]   data_i,
  output logic                         table_en_o,
  output logic [Pe-1:0][AddrWidth-1:0] table_addr_o,
  input  logic [Pe-1:0][OutWidth-1:0]  table_i,
  output logic                         valid_o,
  input  logic                         ready_i,
  output logic [Pe-1:0][OutWidth-1:0]  data_o
);

  localparam int unsigned FoldWidth = Folds > 1 ? $clog2(Folds) : 1;

  logic en;
  logic [FoldWidth-1:0] fold;

  assign en         = !valid_o || ready_i;
  assign ready_o    = en;
  assign table_en_o = en;
  assign data_o     = table_i;

  bw_fold_counter #(
    .Folds(Folds)
  ) u_fold (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(en && valid_i),
    .fold_o(fold)
  );

  for (genvar p = 0; p < Pe; p++) begin : gen_lane
    assign table_addr_o[p] = AddrWidth'({fold, data_i[p]});
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
    end else if (en) begin
      valid_o <= valid_i;
    end
  end

`ifndef SYNTHESIS
  bw_stream_check #(
    .Width(Pe * OutWidth)
  ) u_check (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(valid_o),
    .ready_i(ready_i),
    .data_i(data_o)
  );
`endif

  if (Pe == 0 || InWidth == 0 || Folds == 0 || OutWidth == 0) begin : gen_check
    $error("bw_lookup: Pe, InWidth, Folds and OutWidth must be positive");
  end

endmodule
