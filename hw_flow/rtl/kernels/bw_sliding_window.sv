// SPDX-License-Identifier: Apache-2.0

/// im2col with one tap a beat: streams the elements under a kernel for every position.
///
/// In: Height*Width*Groups beats a frame. Out: OutHeight*OutWidth*KernelHeight*KernelWidth*Groups beats, ordered by
/// position, kernel row, kernel column, group, or, if Depthwise, by position, group, kernel row, kernel column.
/// Padding is PadBeat, which takes an output beat and no storage. A circular buffer of Depth beats holds what windows
/// to come still need: the input runs ahead of them, into the next frame too, as far as it has room.
///
/// Output beat n of a frame is issued in the first cycle in which the one before has been issued, the beat at its place has
/// been accepted in an earlier cycle (not so for padding, but the first beat of a frame waits for the first input beat of
/// that frame) and the output is free; it stands at data_o one cycle later. An input beat is accepted as soon as fewer than Depth
/// beats lie between it and the window: the last beat of a window's issue moves that on from the next cycle. With
/// Depth from hw_flow.rtl.window.Geometry.depth the interval is exactly max(input beats, output beats), back to back.
/// ready_o depends on registers only; ready_i is not cut on its way to the address.
module bw_sliding_window #(
  parameter int unsigned Height = 8,
  parameter int unsigned Width = 8,
  parameter int unsigned Groups = 2,         // beats of a position
  parameter int unsigned BeatWidth = 8,
  parameter int unsigned KernelHeight = 3,
  parameter int unsigned KernelWidth = 3,
  parameter int unsigned StrideHeight = 1,
  parameter int unsigned StrideWidth = 1,
  parameter int unsigned DilationHeight = 1,
  parameter int unsigned DilationWidth = 1,
  parameter int unsigned PadTop = 0,
  parameter int unsigned PadLeft = 0,
  parameter int unsigned PadBottom = 0,
  parameter int unsigned PadRight = 0,
  parameter bit Depthwise = 1'b0,
  parameter logic [BeatWidth-1:0] PadBeat = '0,
  parameter bit ToTernary = 1'b0,            // one-bit elements leave in two bits, padding as 0
  parameter int unsigned Depth = 64,
  parameter int unsigned Lead = 64,          // places that a window can be ahead of the input, at most
  parameter RamStyle = "auto",
  localparam int unsigned OutBeatWidth = ToTernary ? 2 * BeatWidth : BeatWidth
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    valid_i,
  output logic                    ready_o,
  input  logic [BeatWidth-1:0]    data_i,
  output logic                    valid_o,
  input  logic                    ready_i,
  output logic [OutBeatWidth-1:0] data_o
);

  localparam int H = int'(Height);
  localparam int W = int'(Width);
  localparam int G = int'(Groups);
  localparam int Row = W * G;
  localparam int SpanHeight = (int'(KernelHeight) - 1) * int'(DilationHeight) + 1;
  localparam int SpanWidth = (int'(KernelWidth) - 1) * int'(DilationWidth) + 1;
  localparam int PaddedHeight = H + int'(PadTop + PadBottom);
  localparam int PaddedWidth = W + int'(PadLeft + PadRight);
  localparam int OutHeight = (PaddedHeight - SpanHeight) / int'(StrideHeight) + 1;
  localparam int OutWidth = (PaddedWidth - SpanWidth) / int'(StrideWidth) + 1;
  // Windows outside the map: the place of the window is no bound for what is needed any more, so whole rows are kept.
  localparam bit HoldRows = PaddedHeight - SpanHeight >= H || PaddedWidth - SpanWidth >= W;
  localparam int HeldRows = OutHeight - 1 < H / int'(StrideHeight) ? OutHeight - 1 : H / int'(StrideHeight);

  // Loops from the innermost: turns, and what a turn adds to the place in the stream, the row and the column.
  // Loop 5 is that over the frames, which has no counter.
  localparam bw_pkg::loops_t Turns = Depthwise
      ? {32'd1, OutHeight, OutWidth, Groups, KernelHeight, KernelWidth}
      : {32'd1, OutHeight, OutWidth, KernelHeight, KernelWidth, Groups};
  localparam int TapRow = int'(DilationHeight) * Row;
  localparam int TapColumn = int'(DilationWidth) * G;
  localparam bw_pkg::loops_t Place = bw_pkg::loop_deltas(Turns, Depthwise
      ? {H * Row, int'(StrideHeight) * Row, int'(StrideWidth) * G, 32'd1, TapRow, TapColumn}
      : {H * Row, int'(StrideHeight) * Row, int'(StrideWidth) * G, TapRow, TapColumn, 32'd1});
  localparam bw_pkg::loops_t Rows = bw_pkg::loop_deltas(Turns, Depthwise
      ? {32'd0, StrideHeight, 32'd0, 32'd0, DilationHeight, 32'd0}
      : {32'd0, StrideHeight, 32'd0, DilationHeight, 32'd0, 32'd0});
  localparam bw_pkg::loops_t Columns = bw_pkg::loop_deltas(Turns, Depthwise
      ? {32'd0, 32'd0, StrideWidth, 32'd0, 32'd0, DilationWidth}
      : {32'd0, 32'd0, StrideWidth, 32'd0, DilationWidth, 32'd0});

  // What the end of a window, of a row of windows and of a frame frees.
  localparam int FreeColumn = HoldRows ? 0 : int'(StrideWidth) * G;
  localparam int FreeRow = int'(StrideHeight) * Row - (OutWidth - 1) * FreeColumn;
  localparam int FreedRows = HoldRows ? HeldRows : OutHeight - 1;
  localparam int FreeFrame = H * Row - FreedRows * int'(StrideHeight) * Row - (OutWidth - 1) * FreeColumn;

  localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1;
  localparam int unsigned CountWidth = $clog2(Depth + Lead + PadLeft * Groups + 1) + 1;
  typedef logic signed [CountWidth-1:0] count_t;
  localparam int Ahead = int'(PadTop) * Row + int'(PadLeft) * G;  // places of the first window before the frame
  localparam int Behind = HoldRows ? int'(PadTop) * Row : Ahead;  // places free at the beginning

  logic accept, can, step, en, valid_q, pad, first_q, frees;
  logic [4:0] last;
  logic [2:0] level;      // the loop whose turn ends with this step
  count_t here_q;         // beats that came, from the place of the next output beat on, less one
  count_t room_q;         // beats that may come, less one
  count_t here_add, room_add;
  logic [AddrWidth-1:0] waddr_q, raddr_q, raddr_d;

  assign ready_o = !room_q[CountWidth-1];
  assign accept  = valid_i && ready_o;
  assign en      = !valid_q || ready_i;
  assign step    = en && can;
  assign valid_o = valid_q;

  bw_loop_nest #(
    .Loops(5),
    .Turns(Turns[4:0])
  ) u_loops (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(step),
    .last_o(last)
  );

  always_comb begin
    level = 3'd5;
    for (int unsigned l = 5; l > 0; l--) begin
      if (!last[l-1]) level = 3'(l - 1);
    end
  end

  if (Ahead == 0) begin : gen_start_real
    assign can = pad || !here_q[CountWidth-1];
    logic unused_first;
    assign unused_first = &{1'b0, first_q};
  end else begin : gen_start_padding
    assign can = first_q ? here_q >= count_t'(Ahead) : pad || !here_q[CountWidth-1];
  end

  // Rows of windows that still free rows of the map.
  if (HoldRows && HeldRows < OutHeight - 1) begin : gen_held
    localparam int unsigned HeldWidth = $clog2(HeldRows + 1) + 1;
    logic signed [HeldWidth-1:0] held_q;
    assign frees = !held_q[HeldWidth-1];
    always_ff @(posedge clk_i) begin
      if (!rst_ni || (step && level == 3'd5)) begin
        held_q <= HeldWidth'(HeldRows - 1);
      end else if (step && level == 3'd4 && frees) begin
        held_q <= held_q - 1'b1;
      end
    end
  end else begin : gen_free
    assign frees = 1'b1;
  end

  // One constant each, so that there is one adder.
  always_comb begin
    here_add = accept ? count_t'(1) : '0;
    room_add = accept ? '1 : '0;
    for (int unsigned l = 0; l < 6; l++) begin
      if (step && level == 3'(l)) begin
        here_add = accept ? count_t'(1 - int'(Place[l])) : count_t'(-int'(Place[l]));
      end
    end
    if (step && level == 3'd3) room_add = accept ? count_t'(FreeColumn - 1) : count_t'(FreeColumn);
    if (step && level == 3'd4 && frees) room_add = accept ? count_t'(FreeRow - 1) : count_t'(FreeRow);
    if (step && level == 3'd5) room_add = accept ? count_t'(FreeFrame - 1) : count_t'(FreeFrame);
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      here_q  <= count_t'(Ahead - 1);
      room_q  <= count_t'(int'(Depth) - Behind - 1);
      first_q <= 1'b1;
      valid_q <= 1'b0;
    end else begin
      here_q <= here_q + here_add;
      room_q <= room_q + room_add;
      if (step) first_q <= level == 3'd5;
      if (en) valid_q <= can;
    end
  end

  logic row_outside, column_outside;
  assign pad = row_outside || column_outside;
  bw_pad_walk #(
    .Size(Height),
    .PadBefore(PadTop),
    .PadAfter(PadBottom),
    .Deltas(Rows)
  ) u_pad_rows (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(step),
    .level_i(level),
    .outside_o(row_outside)
  );
  bw_pad_walk #(
    .Size(Width),
    .PadBefore(PadLeft),
    .PadAfter(PadRight),
    .Deltas(Columns)
  ) u_pad_columns (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(step),
    .level_i(level),
    .outside_o(column_outside)
  );

  // The addresses run round the buffer. The distances are taken modulo Depth, so one subtraction mends the sum.
  localparam bw_pkg::loops_t Distance = bw_pkg::loop_modulo(Place, Depth);
  if (Depth == 2 ** $clog2(Depth)) begin : gen_power
    logic [AddrWidth-1:0] add;
    always_comb begin
      add = '0;
      for (int unsigned l = 0; l < 6; l++) begin
        if (level == 3'(l)) add = AddrWidth'(Distance[l]);
      end
    end
    assign raddr_d = raddr_q + add;
  end else begin : gen_modulo
    logic [AddrWidth:0] add, less, sum, reduced;
    always_comb begin
      add  = '0;
      less = '0;
      for (int unsigned l = 0; l < 6; l++) begin
        if (level == 3'(l)) add = (AddrWidth + 1)'(Distance[l]);
        if (level == 3'(l)) less = (AddrWidth + 1)'(int'(Distance[l]) - int'(Depth));
      end
    end
    assign sum     = {1'b0, raddr_q} + add;
    assign reduced = {1'b0, raddr_q} + less;
    assign raddr_d = reduced[AddrWidth] ? sum[AddrWidth-1:0] : reduced[AddrWidth-1:0];
    logic unused_sum;
    assign unused_sum = &{1'b0, sum[AddrWidth]};
  end

  localparam int FirstAddr = bw_pkg::modulo(-Ahead, int'(Depth));
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      raddr_q <= AddrWidth'(FirstAddr);
      waddr_q <= '0;
    end else begin
      if (step) raddr_q <= raddr_d;
      if (accept) waddr_q <= (waddr_q == AddrWidth'(Depth - 1)) ? '0 : waddr_q + 1'b1;
    end
  end

  logic [BeatWidth-1:0] data;
  bw_ram #(
    .Width(BeatWidth),
    .Depth(Depth),
    .RamStyle(RamStyle),
    .Clear(ToTernary ? '1 : PadBeat)
  ) u_ram (
    .clk_i(clk_i),
    .write_i(accept),
    .waddr_i(waddr_q),
    .data_i(data_i),
    .read_i(step),
    .clear_i(pad),
    .raddr_i(raddr_q),
    .data_o(data)
  );

  if (ToTernary) begin : gen_ternary
    // +1 is 01, -1 is 11, padding 00.
    logic inside_q;
    always_ff @(posedge clk_i) begin
      if (step) inside_q <= !pad;
    end
    for (genvar i = 0; i < BeatWidth; i++) begin : gen_element
      assign data_o[2*i+:2] = {!data[i], inside_q};
    end
  end else begin : gen_plain
    assign data_o = data;
  end

`ifndef SYNTHESIS
  bw_stream_check #(
    .Width(OutBeatWidth)
  ) u_check (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(valid_o),
    .ready_i(ready_i),
    .data_i(data_o)
  );
`endif

  if (PaddedHeight < SpanHeight || PaddedWidth < SpanWidth) begin : gen_check
    $error("bw_sliding_window: the kernel does not fit into the padded map");
  end
  if (Depth == 0 || Groups == 0 || BeatWidth == 0) begin : gen_check_size
    $error("bw_sliding_window: Depth, Groups and BeatWidth must be positive");
  end
  if (ToTernary && PadBeat != '0) begin : gen_check_ternary
    $error("bw_sliding_window: ternary padding is 0, leave PadBeat out");
  end

endmodule
