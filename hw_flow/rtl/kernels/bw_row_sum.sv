// SPDX-License-Identifier: Apache-2.0

/// Sum of a low heap, Heights[k] bits of weight 2^k, modulo 2^Width.
///
/// bits_i holds column 0 in the lowest bits, then column 1, and so on. The rows of the heap are the
/// leaves of a tree of carry chains with a register after each. sum_o comes
/// bw_pkg::row_latency(Heights) enabled cycles later (none if there is but one row).
module bw_row_sum #(
  parameter bw_pkg::heights_t Heights = '{0: 32'd5, default: '0},
  parameter int unsigned Width = 3,
  localparam int unsigned Bits = bw_pkg::heap_bits(Heights)
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             en_i,
  input  logic [Bits-1:0]  bits_i,
  output logic [Width-1:0] sum_o
);

  localparam int unsigned Rows = bw_pkg::heap_rows(Heights);
  localparam int unsigned Steps = $clog2(Rows);
  logic [Steps:0][Rows-1:0][Width-1:0] row;

  for (genvar r = 0; r < Rows; r++) begin : gen_row
    for (genvar k = 0; k < Width; k++) begin : gen_column
      if (r < Heights[k]) begin : gen_bit
        assign row[0][r][k] = bits_i[bw_pkg::heap_offset(Heights, k)+r];
      end else begin : gen_zero
        assign row[0][r][k] = 1'b0;
      end
    end
  end

  for (genvar s = 0; s < Steps; s++) begin : gen_step
    localparam int unsigned Operands = (Rows + 2 ** s - 1) / 2 ** s;
    for (genvar r = 0; r < Rows; r++) begin : gen_sum
      if (2 * r < Operands) begin : gen_used
        logic [Width-1:0] sum;
        if (2 * r + 1 < Operands) begin : gen_pair
          assign sum = row[s][2*r] + row[s][2*r+1];
        end else begin : gen_single
          assign sum = row[s][2*r];
        end
        if (s % 2 == 1) begin : gen_reset
          // Keeps waiting bits in flip-flops, see bw_bit_heap.
          always_ff @(posedge clk_i) begin
            if (!rst_ni) begin
              row[s+1][r] <= '0;
            end else if (en_i) begin
              row[s+1][r] <= sum;
            end
          end
        end else begin : gen_no_reset
          always_ff @(posedge clk_i) begin
            if (en_i) row[s+1][r] <= sum;
          end
        end
      end else begin : gen_unused
        assign row[s+1][r] = '0;
      end
    end
  end

  assign sum_o = row[Steps][0];

  if (Steps < 2) begin : gen_unused
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni, en_i};
  end

endmodule
