// SPDX-License-Identifier: Apache-2.0

/// Dot product of wider operands in look-up tables: two weight bits at a time choose a multiple.
///
/// Digit r of a weight chooses 0, 1, 2 or 3 times the activation (0, 1, -2, -1 for the top digit of a
/// signed weight), one five-input choice a bit, which shares a six-input table with the carry chain
/// that adds it to the digits below. The multiples depend on the activations only, so that the
/// lanes of a matrix unit share them. Multiples that can be negative enter with their top bit
/// inverted; bw_pkg::dot_bias has the constants. sum_o is cut to SumWidth bits.
/// Latency bw_pkg::digit_latency(...) enabled cycles, a new operand in every cycle.
module bw_dot_digits #(
  parameter int unsigned Simd = 4,
  parameter int unsigned ActWidth = 8,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 8,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned SumWidth = 24
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        en_i,
  input  logic [Simd*ActWidth-1:0]    act_i,
  input  logic [Simd*WeightWidth-1:0] weight_i,
  output logic [SumWidth-1:0]         sum_o
);

  localparam int unsigned Digits = (WeightWidth + 1) / 2;
  localparam int unsigned PartWidth = ActWidth + 2;
  localparam int unsigned ProductWidth = PartWidth + 2 * (Digits - 1) + 32'(Digits > 1);
  localparam int unsigned RowWidth = ProductWidth < SumWidth ? ProductWidth : SumWidth;
  localparam bw_pkg::heights_t Rows = bw_pkg::digit_heights(Simd, RowWidth);

  logic [Simd*RowWidth-1:0] columns;

  for (genvar i = 0; i < Simd; i++) begin : gen_element
    logic [PartWidth-1:0] act_d, act_q;
    logic [2*Digits-1:0] weight_d, weight_q;
    logic [Digits-1:0][PartWidth-1:0] once, thrice;  // of the activation, when digit r needs it
    logic [PartWidth-1:0] minus_q, minus;
    logic [Digits-1:0][ProductWidth-1:0] product;

    assign act_d = {
      {2{ActKind == bw_pkg::Signed && act_i[(i+1)*ActWidth-1]}}, act_i[i*ActWidth+:ActWidth]
    };
    if (WeightWidth % 2 == 1) begin : gen_extend
      assign weight_d = {
        WeightKind != bw_pkg::Unsigned && weight_i[(i+1)*WeightWidth-1],
        weight_i[i*WeightWidth+:WeightWidth]
      };
    end else begin : gen_even
      assign weight_d = weight_i[i*WeightWidth+:WeightWidth];
    end

    always_ff @(posedge clk_i) begin
      if (en_i) begin
        act_q     <= act_d;
        weight_q  <= weight_d;
        once[0]   <= act_q;
        thrice[0] <= act_q + (act_q << 1);
        minus_q   <= -act_q;
      end
    end
    bw_delay #(
      .Width(PartWidth),
      .Cycles(Digits - 1)
    ) u_delay_minus (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .data_i(minus_q),
      .data_o(minus)
    );

    for (genvar r = 0; r < Digits; r++) begin : gen_digit
      localparam bit Top = r == Digits - 1 && WeightKind != bw_pkg::Unsigned;
      localparam bit Invert = Top || ActKind == bw_pkg::Signed;
      logic [1:0] digit;
      logic [PartWidth-1:0] part;

      bw_delay #(
        .Width(2),
        .Cycles(r + 1)
      ) u_delay_digit (
        .clk_i(clk_i),
        .rst_ni(rst_ni),
        .en_i(en_i),
        .data_i(weight_q[2*r+:2]),
        .data_o(digit)
      );

      // A table, see bw_pkg::count_table; bit b of twice the activation is bit b - 1 of it.
      for (genvar b = 0; b < PartWidth; b++) begin : gen_bit
        logic [3:0] choice;
        if (Top) begin : gen_top
          assign choice = {minus[b], b > 0 && minus[b>0?b-1 : 0], once[r][b], 1'b0};
        end else begin : gen_low
          assign choice = {thrice[r][b], b > 0 && once[r][b>0?b-1 : 0], once[r][b], 1'b0};
        end
        assign part[b] = choice[digit] ^ (Invert && b == PartWidth - 1);
      end

      if (r == 0) begin : gen_first
        always_ff @(posedge clk_i) begin
          if (en_i) product[0] <= ProductWidth'(part);
        end
      end else begin : gen_next
        // x - ~y is x + y + 1. Written so because the first operand of a carry chain feeds it directly:
        // a mapper may swap those of a sum, and the choice would then take a second table.
        localparam int unsigned HighWidth = ProductWidth - 2 * r;
        logic [HighWidth-1:0] high, part_inverted;
        assign part_inverted = ~HighWidth'(part);
        assign high = product[r-1][ProductWidth-1:2*r] - part_inverted;
        // The low bits only wait; the reset keeps them in flip-flops, see bw_bit_heap.
        always_ff @(posedge clk_i) begin
          if (!rst_ni) begin
            product[r] <= '0;
          end else if (en_i) begin
            product[r] <= {high, product[r-1][2*r-1:0]};
          end
        end
        always_ff @(posedge clk_i) begin
          if (!rst_ni) begin
            once[r]   <= '0;
            thrice[r] <= '0;
          end else if (en_i) begin
            once[r]   <= once[r-1];
            thrice[r] <= thrice[r-1];
          end
        end
      end
    end

    for (genvar k = 0; k < RowWidth; k++) begin : gen_column
      assign columns[k*Simd+i] = product[Digits-1][k];
    end
    if (RowWidth < ProductWidth) begin : gen_unused
      logic unused;
      assign unused = &{1'b0, product[Digits-1][ProductWidth-1:RowWidth]};
    end
    logic unused_top;
    assign unused_top = &{1'b0, thrice[Digits-1], minus};
  end

  bw_row_sum #(
    .Heights(Rows),
    .Width(SumWidth)
  ) u_rows (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .en_i(en_i),
    .bits_i(columns),
    .sum_o(sum_o)
  );

endmodule
