// SPDX-License-Identifier: Apache-2.0

/// Index of the largest of Channels elements, Pe a beat; the lowest index wins a draw.
///
/// A registered tree compares the lanes of a beat, a register keeps the best of the beats so far.
/// Interval Channels/Pe cycles; latency from the last beat ceil(log2(Pe)) + 1 cycles.
/// ready_o depends on ready_i: not cut.
module bw_label_select #(
  parameter int unsigned Channels = 10,
  parameter int unsigned Pe = 1,
  parameter int unsigned InWidth = 8,
  parameter bit InSigned = 1'b1,
  parameter int unsigned OutWidth = 4
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  valid_i,
  output logic                  ready_o,
  input  logic [Pe*InWidth-1:0] data_i,
  output logic                  valid_o,
  input  logic                  ready_i,
  output logic [OutWidth-1:0]   data_o
);

  localparam int unsigned Beats = Channels / Pe;
  localparam int unsigned Levels = $clog2(Pe);

  // One more bit makes every element signed.
  logic signed [Levels:0][2**Levels-1:0][InWidth:0] value;
  logic [Levels:0][2**Levels-1:0][OutWidth-1:0] lane;
  logic [Levels:0] valid;
  logic en;

  assign en       = !valid_o || ready_i;
  assign ready_o  = en;
  assign valid[0] = valid_i;

  for (genvar i = 0; i < 2 ** Levels; i++) begin : gen_in
    assign lane[0][i] = OutWidth'(i);
    if (i < Pe) begin : gen_used
      assign value[0][i] = {InSigned && data_i[(i+1)*InWidth-1], data_i[i*InWidth+:InWidth]};
    end else begin : gen_unused
      assign value[0][i] = '0;
    end
  end

  for (genvar l = 0; l < Levels; l++) begin : gen_level
    localparam int unsigned Nodes = (Pe + 2 ** l - 1) / 2 ** l;  // on level l
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        valid[l+1] <= 1'b0;
      end else if (en) begin
        valid[l+1] <= valid[l];
      end
    end
    for (genvar i = 0; i < 2 ** Levels; i++) begin : gen_node
      if (2 * i + 1 < Nodes) begin : gen_pair
        logic right;
        assign right = $signed(value[l][2*i+1]) > $signed(value[l][2*i]);
        always_ff @(posedge clk_i) begin
          if (en) begin
            value[l+1][i] <= right ? value[l][2*i+1] : value[l][2*i];
            lane[l+1][i]  <= right ? lane[l][2*i+1] : lane[l][2*i];
          end
        end
      end else if (2 * i < Nodes) begin : gen_single
        always_ff @(posedge clk_i) begin
          if (en) begin
            value[l+1][i] <= value[l][2*i];
            lane[l+1][i]  <= lane[l][2*i];
          end
        end
      end else begin : gen_unused
        assign value[l+1][i] = '0;
        assign lane[l+1][i]  = '0;
      end
    end
  end

  logic first, last, better, take;
  logic [OutWidth-1:0] offset;
  logic signed [InWidth:0] best_q;
  logic [OutWidth-1:0] index_q;

  if (Beats == 1) begin : gen_one_beat
    assign first  = 1'b1;
    assign last   = 1'b1;
    assign offset = '0;
  end else begin : gen_beats
    logic [OutWidth-1:0] offset_q;  // index of the beat's lane 0
    assign offset = offset_q;
    assign first  = offset_q == '0;
    assign last   = offset_q == OutWidth'(Channels - Pe);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        offset_q <= '0;
      end else if (take) begin
        offset_q <= last ? '0 : offset_q + OutWidth'(Pe);
      end
    end
  end

  assign take   = en && valid[Levels];
  assign better = first || $signed(value[Levels][0]) > best_q;
  assign data_o = index_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
    end else if (en) begin
      valid_o <= take && last;
    end
    if (take && better) begin
      best_q  <= value[Levels][0];
      index_q <= offset + lane[Levels][0];
    end
  end

`ifndef SYNTHESIS
  bw_stream_check #(
    .Width(OutWidth)
  ) u_check (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(valid_o),
    .ready_i(ready_i),
    .data_i(data_o)
  );
`endif

  if (Pe == 0 || InWidth == 0 || Channels % Pe != 0) begin : gen_check
    $error("bw_label_select: Pe and InWidth must be positive and Pe must divide Channels");
  end
  if (OutWidth < 32 && Channels > 2 ** OutWidth) begin : gen_check_out
    $error("bw_label_select: OutWidth cannot hold every index");
  end

endmodule
