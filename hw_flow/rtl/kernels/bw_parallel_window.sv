// SPDX-License-Identifier: Apache-2.0

/// im2col with a whole window a beat.
///
/// In: Height*Width*Groups beats a frame. Out: OutHeight*OutWidth*Groups beats of all taps, ordered by position, group;
/// within a beat by kernel row, kernel column, channel. One chain of registers and delay lines, as long as the kernel
/// spans, moves by an input beat a cycle, and the taps stand at fixed places of it. Padding is PadBeat in the place
/// of taps that lie outside the map, and takes no cycle: a row, and a frame, follows the one before directly.
///
/// A window leaves with the shift that brings the place of its last tap to the beginning of the chain, and stands at data_o one
/// cycle later. Where that place lies beyond the frame, beats of the next frame make the shifts; if none is there when this
/// frame has come in, empty shifts do, until the next frame begins. The chain moves whenever there is a beat and
/// data_o is free, so the interval is exactly Height*Width*Groups cycles, back to back. Latency of a beat 1 +
/// InputRegister cycles. With InputRegister ready_o depends on registers only, without it also on ready_i.
/// Padding may not exceed what the kernel spans on either axis, nor reach a whole frame beyond the last beat.
module bw_parallel_window #(
  parameter int unsigned Height = 8,
  parameter int unsigned Width = 8,
  parameter int unsigned Groups = 1,         // beats of a position
  parameter int unsigned BeatWidth = 8,
  parameter int unsigned KernelHeight = 3,
  parameter int unsigned KernelWidth = 3,
  parameter int unsigned StrideHeight = 1,
  parameter int unsigned StrideWidth = 1,
  parameter int unsigned DilationHeight = 1,
  parameter int unsigned DilationWidth = 1,
  parameter int PadTop = 0,                  // negative: rows that no window shows
  parameter int PadLeft = 0,
  parameter int PadBottom = 0,
  parameter int PadRight = 0,
  parameter logic [BeatWidth-1:0] PadBeat = '0,
  parameter bit ToTernary = 1'b0,            // one-bit elements leave in two bits, padding as 0
  parameter RamStyle = "auto",
  parameter bit InputRegister = 1'b1,        // 0 where ready_i comes from a FIFO's registers
  localparam int unsigned OutBeatWidth = ToTernary ? 2 * BeatWidth : BeatWidth,
  localparam int unsigned Taps = KernelHeight * KernelWidth
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  input  logic                         valid_i,
  output logic                         ready_o,
  input  logic [BeatWidth-1:0]         data_i,
  output logic                         valid_o,
  input  logic                         ready_i,
  output logic [Taps*OutBeatWidth-1:0] data_o
);

  localparam int H = int'(Height);
  localparam int W = int'(Width);
  localparam int G = int'(Groups);
  localparam int KH = int'(KernelHeight);
  localparam int KW = int'(KernelWidth);
  localparam int SH = int'(StrideHeight);
  localparam int SW = int'(StrideWidth);
  localparam int DH = int'(DilationHeight);
  localparam int DW = int'(DilationWidth);
  localparam int OutHeight = (H + PadTop + PadBottom - (KH - 1) * DH - 1) / SH + 1;
  localparam int OutWidth = (W + PadLeft + PadRight - (KW - 1) * DW - 1) / SW + 1;

  // Places in the stream of the last taps of the first and of the last window, and shifts from a window to the next.
  localparam int Frame = H * W * G;
  localparam int First = (((KH - 1) * DH - PadTop) * W + (KW - 1) * DW - PadLeft) * G;
  localparam int Last = First + ((OutHeight - 1) * SH * W + (OutWidth - 1) * SW) * G + G - 1;
  localparam int Flush = Last - (Frame - 1);  // shifts beyond the frame
  localparam int StepColumn = SW * G - (G - 1);
  localparam int StepRow = (SH * W - (OutWidth - 1) * SW) * G - (G - 1);
  localparam int StepFrame = First - Flush + 1;
  localparam int Most = bw_pkg::larger(bw_pkg::larger(First + 1, StepColumn),
                                       bw_pkg::larger(StepRow, StepFrame));
  localparam int unsigned WaitWidth = $clog2(Most) + 1;
  typedef logic signed [WaitWidth-1:0] wait_t;

  logic valid, en, shift, hit, emit, valid_q;
  logic [BeatWidth-1:0] data;
  wait_t wait_q;        // shifts to the next window, less two: its sign tells the last
  wait_t wait_frame;    // the same from the frame's last window
  logic group_last, column_last, row_last;
  localparam int unsigned ColumnWidth = OutWidth > 1 ? $clog2(OutWidth) : 1;
  localparam int unsigned RowWidth = OutHeight > 1 ? $clog2(OutHeight) : 1;
  logic [ColumnWidth-1:0] column;
  logic [RowWidth-1:0] row;

  bw_spill_register #(
    .Width(BeatWidth),
    .Cut(InputRegister)
  ) u_in (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(valid_i),
    .ready_o(ready_o),
    .data_i(data_i),
    .valid_o(valid),
    .ready_i(en),
    .data_o(data)
  );

  assign en      = !valid_q || ready_i;
  assign hit     = wait_q[WaitWidth-1];
  assign emit    = shift && hit;
  assign valid_o = valid_q;

  bw_loop_nest #(
    .Loops(1),
    .Turns(Groups)
  ) u_group (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(emit),
    .last_o(group_last)
  );
  bw_fold_counter #(
    .Folds(OutWidth)
  ) u_column (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(emit && group_last),
    .fold_o(column)
  );
  bw_fold_counter #(
    .Folds(OutHeight)
  ) u_row (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .step_i(emit && group_last && column_last),
    .fold_o(row)
  );
  assign column_last = column == ColumnWidth'(OutWidth - 1);
  assign row_last = row == RowWidth'(OutHeight - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wait_q  <= wait_t'(First - 1);
      valid_q <= 1'b0;
    end else begin
      if (en) valid_q <= emit;
      if (emit) begin
        if (!group_last) wait_q <= '1;
        else if (!column_last) wait_q <= wait_t'(StepColumn - 2);
        else if (!row_last) wait_q <= wait_t'(StepRow - 2);
        else wait_q <= wait_frame;
      end else if (shift) begin
        wait_q <= wait_q - 1'b1;
      end
    end
  end

  if (Flush <= 0) begin : gen_inside
    assign shift = en && valid;
    assign wait_frame = wait_t'(StepFrame - 2);
  end else begin : gen_beyond
    // After the frame's last beat, until its last window: beats of the next frame shift on, which brings its first window
    // nearer, and before the first of these so do empty shifts, which do not.
    localparam int unsigned BeatWidthOfFrame = $clog2(Frame);
    logic drain_q, fresh_q;
    logic [BeatWidthOfFrame-1:0] beat;
    wait_t ahead_q, ahead_d;
    bw_fold_counter #(
      .Folds(Frame)
    ) u_beat (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .step_i(en && valid),
      .fold_o(beat)
    );
    assign shift = en && (valid || (drain_q && fresh_q));
    assign ahead_d = (drain_q && valid) ? ahead_q - 1'b1 : ahead_q;
    assign wait_frame = ahead_d;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        drain_q <= 1'b0;
        fresh_q <= 1'b1;
        ahead_q <= wait_t'(First - 1);
      end else if (emit && group_last && column_last && row_last) begin
        drain_q <= 1'b0;
        fresh_q <= 1'b1;
        ahead_q <= wait_t'(First - 1);
      end else if (en) begin
        if (valid && beat == BeatWidthOfFrame'(Frame - 1)) drain_q <= 1'b1;
        if (valid && drain_q) fresh_q <= 1'b0;
        ahead_q <= ahead_d;
      end
    end
  end

  logic [Taps-1:0][BeatWidth-1:0] tap;
  bw_tap_chain #(
    .Width(W),
    .Groups(G),
    .BeatWidth(BeatWidth),
    .KernelHeight(KH),
    .KernelWidth(KW),
    .DilationHeight(DH),
    .DilationWidth(DW),
    .RamStyle(RamStyle)
  ) u_chain (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .shift_i(shift),
    .data_i(data),
    .tap_o(tap)
  );

  // Rows and columns of taps outside the map, for the window at data_o.
  logic [KernelHeight-1:0] row_outside;
  logic [KernelWidth-1:0] column_outside;
  bw_pad_taps #(
    .Size(H),
    .Positions(OutHeight),
    .Taps(KH),
    .Stride(SH),
    .Dilation(DH),
    .PadBefore(PadTop)
  ) u_rows_outside (
    .clk_i(clk_i),
    .en_i(emit),
    .position_i(row),
    .outside_o(row_outside)
  );
  bw_pad_taps #(
    .Size(W),
    .Positions(OutWidth),
    .Taps(KW),
    .Stride(SW),
    .Dilation(DW),
    .PadBefore(PadLeft)
  ) u_columns_outside (
    .clk_i(clk_i),
    .en_i(emit),
    .position_i(column),
    .outside_o(column_outside)
  );

  for (genvar y = 0; y < KH; y++) begin : gen_out_row
    for (genvar x = 0; x < KW; x++) begin : gen_out_column
      localparam int unsigned Tap = y * KW + x;
      logic outside;
      assign outside = row_outside[y] || column_outside[x];
      if (ToTernary) begin : gen_ternary
        for (genvar i = 0; i < BeatWidth; i++) begin : gen_element
          assign data_o[Tap*OutBeatWidth+2*i+:2] = {!tap[Tap][i] && !outside, !outside};
        end
      end else begin : gen_plain
        assign data_o[Tap*OutBeatWidth+:OutBeatWidth] = outside ? PadBeat : tap[Tap];
      end
    end
  end

`ifndef SYNTHESIS
  bw_stream_check #(
    .Width(Taps * OutBeatWidth)
  ) u_check (
    .clk_i(clk_i),
    .rst_ni(rst_ni),
    .valid_i(valid_o),
    .ready_i(ready_i),
    .data_i(data_o)
  );
`endif

  if (Groups == 0 || BeatWidth == 0) begin : gen_check
    $error("bw_parallel_window: Groups and BeatWidth must be positive");
  end
  if (First < 0 || StepRow < 1 || StepFrame < 1 || Flush >= Frame) begin : gen_check_pads
    $error("bw_parallel_window: the padding exceeds what the kernel spans");
  end

endmodule
