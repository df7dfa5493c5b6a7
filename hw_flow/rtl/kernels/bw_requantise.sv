// SPDX-License-Identifier: Apache-2.0

/// Multiply, add, shift, clip: clip((x * multiplier + addend) >>> Shift, Low, High) for signed elements.
///
/// Constants come from a memory outside with a registered, enabled output: word fold for each lane, {addend, multiplier}, where
/// fold counts the beats of a position. Operands, product, sum and result have a register each, so that multiplication and
/// addition fit one DSP block: latency 4 cycles, one beat a cycle. ready_o depends on ready_i: not cut.
module bw_requantise #(
  parameter int unsigned Pe = 4,
  parameter int unsigned InWidth = 8,
  parameter int unsigned MultiplierWidth = 8,  // signed
  parameter int unsigned AddendWidth = 16,     // signed
  parameter int unsigned SumWidth = 18,        // holds every sum, Low and High
  parameter int unsigned Shift = 8,
  parameter longint Low = -8,
  parameter longint High = 7,
  parameter int unsigned Folds = 1,            // beats after which the constants repeat
  parameter int unsigned OutWidth = 4,
  parameter bw_pkg::mul_e Mul = bw_pkg::MulDsp,
  localparam int unsigned AddrWidth = Folds > 1 ? $clog2(Folds) : 1,
  localparam int unsigned WordWidth = MultiplierWidth + AddendWidth
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  input  logic                         valid_i,
  output logic                         ready_o,
  input  logic [Pe-1:0][InWidth-1:0]   data_i,
  output logic                         table_en_o,
  output logic [AddrWidth-1:0]         table_addr_o,
  input  logic [Pe-1:0][WordWidth-1:0] table_i,
  output logic                         valid_o,
  input  logic                         ready_i,
  output logic [Pe-1:0][OutWidth-1:0]  data_o
);

  localparam int unsigned ProductWidth = InWidth + MultiplierWidth;
  localparam int unsigned Places = Shift < SumWidth ? Shift : SumWidth - 1;  // beyond, only the sign is left

  logic en;
  logic [3:0] valid_q;

  assign en         = !valid_o || ready_i;
  assign ready_o    = en;
  assign table_en_o = en;
  assign valid_o    = valid_q[3];

  bw_fold_counter #(
    .Folds(Folds)
  ) u_fold (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(en && valid_i),
    .fold_o(table_addr_o)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= '0;
    end else if (en) begin
      valid_q <= {valid_q[2:0], valid_i};
    end
  end

  for (genvar p = 0; p < Pe; p++) begin : gen_lane
    logic signed [InWidth-1:0] value_q;
    logic signed [MultiplierWidth-1:0] multiplier;
    logic signed [AddendWidth-1:0] addend, addend_q;
    logic signed [ProductWidth-1:0] product_q;
    logic signed [SumWidth-1:0] sum_q, shifted;
    logic [OutWidth-1:0] result_q;

    assign {addend, multiplier} = table_i[p];
    assign shifted = sum_q >>> Places;

    if (Mul == bw_pkg::MulDsp) begin : gen_dsp
      always_ff @(posedge clk_i) begin
        if (en) product_q <= ProductWidth'(value_q) * ProductWidth'(multiplier);
      end
    end else begin : gen_lut
      // A shifted copy of one operand for every bit of the other: of a constant, whose zeros cost nothing, or of the narrower.
      localparam bit OverMultiplier = Folds == 1 || MultiplierWidth < InWidth;
      localparam int unsigned Rows = OverMultiplier ? MultiplierWidth : InWidth;
      logic [ProductWidth-1:0] sum, copied;
      logic [Rows-1:0] rows;
      if (OverMultiplier) begin : gen_multiplier
        assign copied = ProductWidth'(value_q);
        assign rows   = multiplier;
      end else begin : gen_value
        assign copied = ProductWidth'(multiplier);
        assign rows   = value_q;
      end
      always_comb begin
        sum = '0;
        for (int unsigned k = 0; k < Rows; k++) begin
          if (k == Rows - 1) begin
            sum -= rows[k] ? copied << k : '0;
          end else begin
            sum += rows[k] ? copied << k : '0;
          end
        end
      end
      always_ff @(posedge clk_i) begin
        if (en) product_q <= sum;
      end
    end

    always_ff @(posedge clk_i) begin
      if (en) begin
        value_q  <= data_i[p];
        addend_q <= addend;
        sum_q    <= SumWidth'(product_q) + SumWidth'(addend_q);
        result_q <= (shifted < SumWidth'(Low)) ? OutWidth'(Low)
            : (shifted > SumWidth'(High)) ? OutWidth'(High) : OutWidth'(shifted);
      end
    end
    assign data_o[p] = result_q;
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

  if (Pe == 0 || InWidth == 0 || SumWidth < ProductWidth || SumWidth < AddendWidth) begin : gen_check
    $error("bw_requantise: Pe and InWidth must be positive and SumWidth hold product and addend");
  end
  if (Low > High || (SumWidth < 64 && (Low < -(longint'(1) <<< (SumWidth - 1))
                                       || High >= longint'(1) <<< (SumWidth - 1)))) begin : gen_check_range
    $error("bw_requantise: SumWidth must hold Low and High, and Low not exceed High");
  end

endmodule
