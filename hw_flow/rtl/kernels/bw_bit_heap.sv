// SPDX-License-Identifier: Apache-2.0

/// Compresses a heap of Heights[k] bits of weight 2^k until no weight has six bits.
///
/// bits_i holds column 0 in the lowest bits, then column 1, and so on; bits_o holds the heap
/// bw_pkg::heap_final(Heights) of the same sum, bw_pkg::heap_levels(Heights) enabled cycles later. Every
/// level takes six bits of a column to three, one six-input table for each bit that goes, and ends
/// in a register. A new heap is accepted in every cycle, nothing moves while en_i is low.
module bw_bit_heap #(
  parameter bw_pkg::heights_t Heights = '{0: 32'd6, default: '0},
  localparam int unsigned Bits = bw_pkg::heap_bits(Heights),
  localparam int unsigned FinalBits = bw_pkg::heap_bits(bw_pkg::heap_final(Heights))
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 en_i,
  input  logic [Bits-1:0]      bits_i,
  output logic [FinalBits-1:0] bits_o
);

  localparam logic [2:0][63:0] Count = bw_pkg::count_table();
  localparam int unsigned Levels = bw_pkg::heap_levels(Heights);

  for (genvar l = 0; l <= Levels; l++) begin : gen_level
    localparam bw_pkg::heights_t Now = bw_pkg::heap_at(Heights, l);
    logic [bw_pkg::heap_bits(Now)-1:0] bits;

    if (l == 0) begin : gen_input
      assign bits = bits_i;
    end else begin : gen_compress
      localparam bw_pkg::heights_t Before = bw_pkg::heap_at(Heights, l - 1);
      logic [bw_pkg::heap_bits(Now)-1:0] bits_d;

      // A column of the new level: what was left over, the sums, the carries from one and from two
      // columns below. What is left over comes first so that it does not wait twice.
      for (genvar k = 0; k < bw_pkg::heap_columns(Before); k++) begin : gen_column
        localparam int unsigned From = bw_pkg::heap_offset(Before, k);
        localparam int unsigned To = bw_pkg::heap_offset(Now, k);
        localparam int unsigned Groups = Before[k] / 6;
        localparam int unsigned Rest = Before[k] % 6;
        // As localparams: Verilator would call the functions in every evaluation otherwise.
        localparam int unsigned Sum = bw_pkg::heap_place(Before, k, 0);
        localparam int unsigned Carry = bw_pkg::heap_place(Before, k, 1);
        localparam int unsigned Carry2 = bw_pkg::heap_place(Before, k, 2);
        for (genvar g = 0; g < Groups; g++) begin : gen_group
          logic [5:0] six;
          assign six = gen_level[l-1].bits[From+6*g+:6];
          assign bits_d[Sum+g] = Count[0][six];
          assign bits_d[Carry+g] = Count[1][six];
          assign bits_d[Carry2+g] = Count[2][six];
        end
        if (Rest > 0) begin : gen_rest
          assign bits_d[To+:Rest] = gen_level[l-1].bits[From+6*Groups+:Rest];
        end
      end

      if (l % 2 == 1) begin : gen_reset
        // The reset only keeps waiting bits in flip-flops: without it three in a row become a shift
        // register, which takes a table.
        always_ff @(posedge clk_i) begin
          if (!rst_ni) begin
            bits <= '0;
          end else if (en_i) begin
            bits <= bits_d;
          end
        end
      end else begin : gen_no_reset
        always_ff @(posedge clk_i) begin
          if (en_i) bits <= bits_d;
        end
      end
    end
  end

  assign bits_o = gen_level[Levels].bits;

  if (Levels == 0) begin : gen_unused
    logic unused;
    assign unused = &{1'b0, clk_i, rst_ni, en_i};
  end

endmodule
