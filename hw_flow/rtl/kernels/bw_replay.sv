// SPDX-License-Identifier: Apache-2.0

/// Takes a vector of Beats beats and issues it Repeats times, back to back.
///
/// The first pass issues each beat as it arrives and stores it, the others replay it; the next
/// vector may follow at once, so Beats*Repeats cycles a vector, with no bubble. A word read at
/// addr_o by a memory with a registered, enabled output meets the beat that it belongs to at data_o.
/// Latency 1 enabled cycle. Nothing but a reset moves while en_i is low. ready_o depends on en_i and on registers
/// only. With Repeats == 1 there is no buffer.
module bw_replay #(
  parameter int unsigned Width = 32,
  parameter int unsigned Beats = 4,
  parameter int unsigned Repeats = 16,
  localparam int unsigned Words = Beats * Repeats,
  localparam int unsigned AddrWidth = Words > 1 ? $clog2(Words) : 1
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 en_i,
  input  logic                 valid_i,
  output logic                 ready_o,
  input  logic [Width-1:0]     data_i,
  output logic [AddrWidth-1:0] addr_o,   // repeat * Beats + beat, one enabled cycle ahead of data_o
  output logic                 valid_o,
  output logic                 last_o,   // last beat of a pass
  output logic [Width-1:0]     data_o
);

  localparam int unsigned BeatWidth = Beats > 1 ? $clog2(Beats) : 1;
  localparam bit BeatIsLowAddr = Beats == 2 ** $clog2(Beats);

  logic step;
  logic first;      // first pass: beats come from the stream
  logic beat_last;
  logic [BeatWidth-1:0] beat;

  assign ready_o = en_i && first;
  assign step    = en_i && (valid_i || !first);

  if (Words == 1) begin : gen_addr_none
    assign addr_o = 1'b0;
  end else begin : gen_addr
    logic [AddrWidth-1:0] addr_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        addr_q <= '0;
      end else if (step) begin
        addr_q <= (addr_q == AddrWidth'(Words - 1)) ? '0 : addr_q + 1'b1;
      end
    end
    assign addr_o = addr_q;
  end

  if (Beats == 1) begin : gen_beat_none
    assign beat = 1'b0;
    assign beat_last = 1'b1;
  end else if (BeatIsLowAddr) begin : gen_beat_low
    assign beat = addr_o[BeatWidth-1:0];
    assign beat_last = &beat;
  end else begin : gen_beat_count
    logic [BeatWidth-1:0] beat_q;
    assign beat = beat_q;
    assign beat_last = beat_q == BeatWidth'(Beats - 1);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        beat_q <= '0;
      end else if (step) begin
        beat_q <= beat_last ? '0 : beat_q + 1'b1;
      end
    end
  end

  if (Repeats == 1) begin : gen_first_always
    assign first = 1'b1;
  end else if (BeatIsLowAddr) begin : gen_first_high
    assign first = (addr_o >> $clog2(Beats)) == '0;
  end else begin : gen_first_flag
    logic first_q;
    assign first = first_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        first_q <= 1'b1;
      end else if (step && beat_last) begin
        first_q <= addr_o == AddrWidth'(Words - 1);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
    end else if (en_i) begin
      valid_o <= step;
    end
    if (en_i) last_o <= beat_last;
  end

  if (Repeats == 1 || Beats == 1) begin : gen_register
    logic [Width-1:0] data_q;
    always_ff @(posedge clk_i) begin
      if (step && first) data_q <= data_i;
    end
    assign data_o = data_q;
    logic unused;
    assign unused = &{1'b0, beat};
  end else begin : gen_buffer
    // Written in the first pass and always read one cycle later: no multiplexer, and distributed RAM.
    logic [Width-1:0] mem [Beats];
    logic [BeatWidth-1:0] beat_q;
    always_ff @(posedge clk_i) begin
      if (step && first) mem[beat] <= data_i;
      if (en_i) beat_q <= beat;
    end
    assign data_o = mem[beat_q];
  end

  if (Width == 0 || Beats == 0 || Repeats == 0) begin : gen_check
    $error("bw_replay: Width, Beats and Repeats must be positive");
  end

endmodule
