// SPDX-License-Identifier: Apache-2.0

/// A matrix unit as one would write it first: `*`, `+` and a loop. Only for comparison.
///
/// Same folding, interval, memories and encodings as bw_mvau without thresholds; weight word
/// nf * Mw/Simd + sf is read from a memory with a registered output.
module naive_mvau #(
  parameter int unsigned Mw = 64,
  parameter int unsigned Mh = 64,
  parameter int unsigned Pe = 4,
  parameter int unsigned Simd = 16,
  parameter int unsigned ActWidth = 2,
  parameter bw_pkg::num_e ActKind = bw_pkg::Unsigned,
  parameter int unsigned WeightWidth = 2,
  parameter bw_pkg::num_e WeightKind = bw_pkg::Signed,
  parameter int unsigned SumWidth = 12,
  localparam int unsigned SynapseFold = Mw / Simd,
  localparam int unsigned NeuronFold = Mh / Pe,
  localparam int unsigned AddrWidth = $clog2(SynapseFold * NeuronFold),
  localparam int unsigned BeatWidth = $clog2(SynapseFold)
) (
  input  logic                           clk_i,
  input  logic                           rst_ni,
  input  logic                           valid_i,
  output logic                           ready_o,
  input  logic [Simd*ActWidth-1:0]       data_i,
  output logic                           memory_en_o,
  output logic [AddrWidth-1:0]           weight_addr_o,
  input  logic [Pe*Simd*WeightWidth-1:0] weight_i,
  output logic                           valid_o,
  input  logic                           ready_i,
  output logic [Pe*SumWidth-1:0]         data_o
);

  logic [Simd*ActWidth-1:0] buffer [SynapseFold];
  logic [Simd*ActWidth-1:0] act;
  logic [AddrWidth-1:0] addr;
  logic en, step, first, valid, last;
  logic signed [SumWidth-1:0] acc [Pe];
  logic signed [SumWidth-1:0] sum [Pe];

  assign en            = !valid_o || ready_i;
  assign first         = (addr >> BeatWidth) == '0;
  assign step          = en && (valid_i || !first);
  assign ready_o       = en && first;
  assign memory_en_o   = en;
  assign weight_addr_o = addr;

  function automatic logic signed [SumWidth-1:0] act_value(logic [ActWidth-1:0] x);
    if (ActKind == bw_pkg::Bipolar) return x[0] ? 1 : -1;
    if (ActKind == bw_pkg::Signed) return SumWidth'($signed(x));
    return SumWidth'(x);
  endfunction

  function automatic logic signed [SumWidth-1:0] weight_value(logic [WeightWidth-1:0] x);
    if (WeightKind == bw_pkg::Bipolar) return x[0] ? 1 : -1;
    return SumWidth'($signed(x));
  endfunction

  always_comb begin
    for (int unsigned p = 0; p < Pe; p++) begin
      sum[p] = acc[p];
      for (int unsigned i = 0; i < Simd; i++) begin
        sum[p] += act_value(act[i*ActWidth+:ActWidth])
            * weight_value(weight_i[(p*Simd+i)*WeightWidth+:WeightWidth]);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (step && first) buffer[addr[BeatWidth-1:0]] <= data_i;
    if (en) begin
      act  <= first ? data_i : buffer[addr[BeatWidth-1:0]];
      last <= &addr[BeatWidth-1:0];
      for (int unsigned p = 0; p < Pe; p++) data_o[p*SumWidth+:SumWidth] <= sum[p];
    end
    if (!rst_ni) begin
      addr    <= '0;
      valid   <= 1'b0;
      valid_o <= 1'b0;
      for (int unsigned p = 0; p < Pe; p++) acc[p] <= '0;
    end else if (en) begin
      if (step) addr <= addr + 1'b1;
      valid   <= step;
      valid_o <= valid && last;
      if (valid) for (int unsigned p = 0; p < Pe; p++) acc[p] <= last ? '0 : sum[p];
    end
  end

  if (Mw != Simd * 2 ** BeatWidth || Mh != Pe * 2 ** (AddrWidth - BeatWidth)) begin : gen_check
    $error("naive_mvau: Mw/Simd and Mh/Pe must be powers of two");
  end
  if (BeatWidth == 0) begin : gen_check_beats
    $error("naive_mvau: Mw/Simd must be at least 2");
  end

endmodule
