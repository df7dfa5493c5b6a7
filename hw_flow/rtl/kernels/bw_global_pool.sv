// SPDX-License-Identifier: Apache-2.0

/// Largest element, or sum, of each channel over all positions of a frame.
///
/// In: Positions*Groups beats of Pe channels. Out: Groups beats, each while the last position passes, so the interval is
/// exactly Positions*Groups cycles a frame, back to back. Sums are taken modulo 2^OutWidth; a largest Bipolar element
/// leaves as one bit. Latency 1 + OutputRegister cycles from an input beat of the last position. With OutputRegister
/// ready_o depends on registers only, without it also on ready_i.
module bw_global_pool #(
  parameter int unsigned Positions = 16,
  parameter int unsigned Groups = 4,
  parameter int unsigned Pe = 2,
  parameter int unsigned InWidth = 4,
  parameter bw_pkg::num_e InKind = bw_pkg::Unsigned,
  parameter bit Sum = 1'b1,
  parameter int unsigned OutWidth = 8,
  parameter RamStyle = "auto",
  parameter bit OutputRegister = 1'b1     // 0 where ready_i comes from a FIFO's registers
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   valid_i,
  output logic                   ready_o,
  input  logic [Pe*InWidth-1:0]  data_i,
  output logic                   valid_o,
  input  logic                   ready_i,
  output logic [Pe*OutWidth-1:0] data_o
);

  localparam bit IsSigned = InKind == bw_pkg::Signed || InKind == bw_pkg::Ternary;

  logic step, first_q, result_valid_q, result_ready;
  logic [1:0] last;
  logic [Pe-1:0][OutWidth-1:0] number, held, combined, result_q;

  // Results leave while the last position passes; only then can one be in the way.
  assign ready_o = !last[1] || !result_valid_q || result_ready;
  assign step    = valid_i && ready_o;

  bw_loop_nest #(
    .Loops(2),
    .Turns({Positions, Groups})
  ) u_loops (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(step),
    .last_o(last)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      first_q        <= 1'b1;
      result_valid_q <= 1'b0;
    end else begin
      if (step && last[0]) first_q <= last[1];
      if (step && last[1]) result_valid_q <= 1'b1;
      else if (result_ready) result_valid_q <= 1'b0;
    end
    if (step && last[1]) result_q <= combined;
  end

  for (genvar p = 0; p < Pe; p++) begin : gen_lane
    logic [OutWidth-1:0] both;
    bw_pool_number #(
      .InWidth(InWidth),
      .InKind(InKind),
      .Sum(Sum),
      .Width(OutWidth)
    ) u_number (
      .data_i(data_i[p*InWidth+:InWidth]),
      .data_o(number[p])
    );
    bw_combine #(
      .Width(OutWidth),
      .Sum(Sum),
      .Signed(IsSigned)
    ) u_combine (
      .a_i(held[p]),
      .b_i(number[p]),
      .data_o(both)
    );
    assign combined[p] = first_q ? number[p] : both;
  end

  if (Positions == 1) begin : gen_none
    assign held = '0;
  end else if (Groups == 1) begin : gen_register
    logic [Pe-1:0][OutWidth-1:0] held_q;
    always_ff @(posedge clk_i) begin
      if (step) held_q <= combined;
    end
    assign held = held_q;
  end else begin : gen_memory
    // What the next beat adds to is read one beat ahead; it was written Groups - 1 beats ago.
    localparam int unsigned AddrWidth = $clog2(Groups);
    logic [AddrWidth-1:0] group_q, group_d;
    assign group_d = last[0] ? '0 : group_q + 1'b1;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        group_q <= '0;
      end else if (step) begin
        group_q <= group_d;
      end
    end
    bw_ram #(
      .Width(Pe * OutWidth),
      .Depth(Groups),
      .RamStyle(RamStyle)
    ) u_held (
      .clk_i(clk_i),
      .write_i(step),
      .waddr_i(group_q),
      .data_i(combined),
      .read_i(step),
      .clear_i(1'b0),
      .raddr_i(group_d),
      .data_o(held)
    );
  end

  bw_spill_register #(
    .Width(Pe * OutWidth),
    .Cut(OutputRegister)
  ) u_out (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(result_valid_q),
    .ready_o(result_ready),
    .data_i(result_q),
    .valid_o(valid_o),
    .ready_i(ready_i),
    .data_o(data_o)
  );

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

  if (Positions == 0 || Groups == 0 || Pe == 0) begin : gen_check
    $error("bw_global_pool: Positions, Groups and Pe must be positive");
  end
  if (!Sum && OutWidth != InWidth) begin : gen_check_width
    $error("bw_global_pool: the largest element has as many bits as any other");
  end

endmodule
