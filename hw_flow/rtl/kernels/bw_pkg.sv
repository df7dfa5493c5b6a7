// SPDX-License-Identifier: Apache-2.0

/// Types and constant functions that the kernels share.
package bw_pkg;

  /// Meaning of an element's bits on a stream or in a weight memory.
  typedef enum int unsigned {
    Bipolar,  // 1 bit: 1 is +1, 0 is -1
    Ternary,  // 2 bit two's complement, never -2
    Signed,   // two's complement
    Unsigned, // plain binary
    Power     // {sign, exponent}: plus or minus 2^exponent, 0 where the exponent is all ones; weights only
  } num_e;

  /// What multiplies: look-up tables only, or the DSP blocks of the device.
  typedef enum int unsigned {
    MulLut,
    MulDsp
  } mul_e;

  /// Bits of each weight 2^k in a bit heap.
  localparam int unsigned HeapColumns = 48;
  typedef logic [HeapColumns-1:0][31:0] heights_t;

  /// Truth tables, one per result bit, of the number of ones among six bits. Written as tables
  /// because a mapper turns each into one six-input LUT; it does not find that form by itself.
  function automatic logic [2:0][63:0] count_table();
    logic [2:0][63:0] table_bits;
    for (int unsigned i = 0; i < 64; i++) begin
      {table_bits[2][i], table_bits[1][i], table_bits[0][i]} = 3'($countones(6'(i)));
    end
    return table_bits;
  endfunction

  /// The same for the sum of three one-bit products; operand a is {i[4], i[2], i[0]}, b the others.
  function automatic logic [1:0][63:0] product_table(bit equal, bit invert);
    logic [1:0][63:0] table_bits;
    for (int unsigned i = 0; i < 64; i++) begin
      logic [5:0] x;
      logic [2:0] term;
      x = 6'(i);
      for (int unsigned t = 0; t < 3; t++) begin
        term[t] = (equal ? x[2*t] ~^ x[2*t+1] : x[2*t] & x[2*t+1]) ^ invert;
      end
      {table_bits[1][i], table_bits[0][i]} = 2'($countones(term));
    end
    return table_bits;
  endfunction

  /// Six bits of a column go through a 6:3 compressor, the rest of the column stays.
  function automatic heights_t heap_step(heights_t heights);
    heights_t next = '0;
    for (int unsigned k = 0; k < HeapColumns; k++) begin
      next[k] += heights[k] / 6 + heights[k] % 6;
      if (k + 1 < HeapColumns) next[k+1] += heights[k] / 6;
      if (k + 2 < HeapColumns) next[k+2] += heights[k] / 6;
    end
    return next;
  endfunction

  /// Columns up to the highest that has a bit.
  function automatic int unsigned heap_columns(heights_t heights);
    int unsigned columns = HeapColumns;
    while (columns > 0 && heights[columns-1] == 0) columns--;
    return columns;
  endfunction

  /// Height of the tallest column.
  function automatic int unsigned heap_rows(heights_t heights);
    int unsigned rows = 0;
    for (int unsigned k = 0; k < HeapColumns; k++) begin
      if (heights[k] > rows) rows = heights[k];
    end
    return rows;
  endfunction

  /// The heap after a number of compressions.
  function automatic heights_t heap_at(heights_t heights, int unsigned level);
    heights_t now = heights;
    for (int unsigned l = 0; l < level; l++) now = heap_step(now);
    return now;
  endfunction

  /// Compressions until no column has six bits.
  function automatic int unsigned heap_levels(heights_t heights);
    heights_t now = heights;
    int unsigned levels = 0;
    while (heap_rows(now) >= 6) begin
      now = heap_step(now);
      levels++;
    end
    return levels;
  endfunction

  /// Bits in the columns below a column, which is where its first bit lies.
  function automatic int unsigned heap_offset(heights_t heights, int unsigned column);
    int unsigned bits = 0;
    for (int unsigned k = 0; k < column; k++) bits += heights[k];
    return bits;
  endfunction

  /// Bits of a heap.
  function automatic int unsigned heap_bits(heights_t heights);
    return heap_offset(heights, HeapColumns);
  endfunction

  /// The heap that `bw_bit_heap` leaves.
  function automatic heights_t heap_final(heights_t heights);
    return heap_at(heights, heap_levels(heights));
  endfunction

  /// Where the next level holds bit `digit` of the counts of a column's groups of six.
  function automatic int unsigned heap_place(heights_t heights, int unsigned column,
                                             int unsigned digit);
    int unsigned to = column + digit;
    int unsigned place;
    if (to >= HeapColumns) return 0;  // a spare column, which holds no group
    place = heap_offset(heap_step(heights), to) + heights[to] % 6;
    if (digit > 0) place += heights[to] / 6;
    if (digit > 1) place += heights[to-1] / 6;
    return place;
  endfunction

  /// Enabled cycles of `bw_row_sum`.
  function automatic int unsigned row_latency(heights_t heights);
    return $clog2(heap_rows(heights));
  endfunction

  /// Heap of the bit planes of a dot product: three one-bit products make a sum and a carry.
  function automatic heights_t plane_heights(int unsigned simd, int unsigned act_width,
                                             int unsigned weight_width);
    heights_t heights = '0;
    for (int unsigned k = 0; k < weight_width; k++) begin
      for (int unsigned j = 0; j < act_width; j++) begin
        heights[j+k] += simd / 3 + simd % 3;
        heights[j+k+1] += simd / 3;
      end
    end
    return heights;
  endfunction

  /// Place in the heap of the sums (or the carries) of the plane of activation bit `j` and weight
  /// bit `k`. The planes lie in each column in the order in which this function visits them.
  function automatic int unsigned plane_offset(int unsigned simd, int unsigned act_width,
                                               int unsigned weight_width, int unsigned j,
                                               int unsigned k, bit carry);
    heights_t heights = plane_heights(simd, act_width, weight_width);
    int unsigned column = carry ? j + k + 1 : j + k;
    int unsigned offset = heap_offset(heights, column);
    for (int unsigned kk = 0; kk < weight_width; kk++) begin
      for (int unsigned jj = 0; jj < act_width; jj++) begin
        if (jj == j && kk == k && !carry) return offset;
        if (jj + kk == column) offset += simd / 3 + simd % 3;
        if (jj == j && kk == k) return offset;
        if (jj + kk + 1 == column) offset += simd / 3;
      end
    end
    return offset;
  endfunction

  /// Heap of the bits of Simd activations.
  function automatic heights_t act_heights(int unsigned simd, int unsigned act_width);
    heights_t heights = '0;
    for (int unsigned j = 0; j < act_width; j++) heights[j] = simd;
    return heights;
  endfunction

  /// Bits of the sum of Simd elements of planes or activations.
  function automatic int unsigned plane_sum_width(int unsigned simd, int unsigned act_width,
                                                  int unsigned weight_width);
    longint unsigned limit;
    limit = 64'(simd) * ((64'd1 << act_width) - 1) * ((64'd1 << weight_width) - 1);
    return $clog2(limit + 1);
  endfunction

  /// Whether the bits of one operand only mean +1 and -1. The other operand's sum then corrects the
  /// products of the bits.
  function automatic bit dot_corrects(num_e act_kind, num_e weight_kind);
    return (act_kind == Bipolar) != (weight_kind == Bipolar);
  endfunction

  /// Whether the plane of activation bit `j` and weight bit `k` has a negative weight.
  function automatic bit plane_negative(int unsigned act_width, num_e act_kind,
                                        int unsigned weight_width, num_e weight_kind,
                                        int unsigned j, int unsigned k);
    bit act_sign = act_kind == Signed && j == act_width - 1;
    bit weight_sign = (weight_kind == Signed || weight_kind == Ternary) && k == weight_width - 1;
    return act_sign != weight_sign;
  endfunction

  /// What `bw_dot` is made of.
  typedef enum int unsigned {
    DotPlanes,
    DotDigits,
    DotShift,
    DotMul
  } dot_e;

  /// The cheaper way, in twelfths of a LUT for each product: a bit plane takes 4/3 LUTs. A digit takes
  /// a carry chain as wide as a multiple, and the product another in the adder tree; the multiples
  /// are shared by the lanes of a matrix unit, counted here as four.
  function automatic dot_e dot_method(int unsigned act_width, num_e act_kind,
                                      int unsigned weight_width, num_e weight_kind, mul_e mul);
    int unsigned digits = (weight_width + 1) / 2;
    int unsigned plane_cost = 16 * act_width * weight_width;
    int unsigned digit_cost = 12 * digits * (act_width + 2) + 12 * (act_width + 2 * digits + 2)
        + 3 * (2 * act_width + 3);
    if (weight_kind == Power) return DotShift;
    if (mul == MulDsp) return DotMul;
    if (act_kind == Bipolar || weight_kind == Bipolar) return DotPlanes;
    return digit_cost < plane_cost ? DotDigits : DotPlanes;
  endfunction

  /// DSP blocks in a row, each adding to the one before. Longer rows save adders and cost the
  /// registers in which the operands wait.
  localparam int unsigned MulChain = 4;

  /// Enabled cycles of `bw_dot_mul`.
  function automatic int unsigned mul_latency(int unsigned simd);
    return 1 + (simd < MulChain ? simd : MulChain) + $clog2((simd + MulChain - 1) / MulChain);
  endfunction

  /// Enabled cycles of `bw_dot_shift`.
  function automatic int unsigned shift_latency(int unsigned simd);
    return 1 + mul_latency(simd);
  endfunction

  /// Bits of a sum of signed products of an activation and a weight of kind Power.
  function automatic int unsigned shift_width(int unsigned products, int unsigned act_width,
                                              int unsigned weight_width);
    int unsigned reach = (1 << (weight_width - 1)) - 2;
    return act_width + reach + 1 + $clog2(products);
  endfunction

  /// Heap of Simd numbers of a width.
  function automatic heights_t digit_heights(int unsigned simd, int unsigned width);
    return act_heights(simd, width);
  endfunction

  /// Enabled cycles of `bw_dot_digits`.
  function automatic int unsigned digit_latency(int unsigned simd, int unsigned weight_width);
    return 2 + (weight_width + 1) / 2 + $clog2(simd);
  endfunction

  /// `bw_dot` gives (dot product + bias) / 2^shift, which needs no gates for the constants.
  function automatic int unsigned dot_shift(num_e act_kind, num_e weight_kind, mul_e mul);
    return (mul == MulLut && act_kind == Bipolar && weight_kind == Bipolar) ? 1 : 0;
  endfunction

  function automatic longint dot_bias(int unsigned simd, int unsigned act_width, num_e act_kind,
                                      int unsigned weight_width, num_e weight_kind, mul_e mul);
    longint bias = 0;
    longint act_bias;
    longint act_limit;
    dot_e way = dot_method(act_width, act_kind, weight_width, weight_kind, mul);
    int unsigned digits = (weight_width + 1) / 2;
    if (way == DotMul) return 0;
    if (way == DotShift) begin
      int unsigned length = simd < MulChain ? simd : MulChain;
      int unsigned chains = (simd + length - 1) / length;
      return longint'(chains) << (shift_width(length, act_width, weight_width) - 1);
    end
    if (way == DotDigits) begin
      for (int unsigned r = 0; r < digits; r++) begin
        if (act_kind == Signed || (weight_kind != Unsigned && r == digits - 1)) begin
          bias += longint'(simd) << (act_width + 1 + 2 * r);
        end
        if (r > 0) bias += longint'(simd) << (2 * r);  // of the subtraction that adds
      end
      return bias;
    end
    if (act_kind == Bipolar && weight_kind == Bipolar) return longint'(simd);
    for (int unsigned k = 0; k < weight_width; k++) begin
      for (int unsigned j = 0; j < act_width; j++) begin
        if (plane_negative(act_width, act_kind, weight_width, weight_kind, j, k)) begin
          bias += longint'(simd) << (j + k);
        end
      end
    end
    act_limit = (longint'(1) << plane_sum_width(simd, act_width, 1)) - 1;
    act_bias = act_kind == Signed ? longint'(simd) << (act_width - 1) : 0;
    if (act_kind == Bipolar) return bias + act_limit - longint'(simd);
    if (weight_kind == Bipolar) return 2 * bias + act_limit - act_bias;
    return bias;
  endfunction

  /// Enabled cycles from the operands of `bw_dot` to the sum of its bit planes.
  function automatic int unsigned plane_latency(int unsigned simd, int unsigned act_width,
                                                int unsigned weight_width);
    heights_t heights = plane_heights(simd, act_width, weight_width);
    return 2 + heap_levels(heights) + row_latency(heap_final(heights));
  endfunction

  /// Enabled cycles from the operands of `bw_dot` to the sum of its activations.
  function automatic int unsigned act_sum_latency(int unsigned simd, int unsigned act_width);
    heights_t heights = act_heights(simd, act_width);
    return 1 + heap_levels(heights) + row_latency(heap_final(heights));
  endfunction

  /// Enabled cycles from the operands of `bw_dot` to its sum.
  function automatic int unsigned dot_latency(int unsigned simd, int unsigned act_width,
                                              num_e act_kind, int unsigned weight_width,
                                              num_e weight_kind, mul_e mul);
    dot_e way = dot_method(act_width, act_kind, weight_width, weight_kind, mul);
    int unsigned planes = plane_latency(simd, act_width, weight_width);
    int unsigned acts = act_sum_latency(simd, act_width);
    if (way == DotMul) return mul_latency(simd);
    if (way == DotShift) return shift_latency(simd);
    if (way == DotDigits) return digit_latency(simd, weight_width);
    if (dot_corrects(act_kind, weight_kind)) return 1 + (planes > acts ? planes : acts);
    return planes;
  endfunction

  /// Enabled cycles from the last beat's operands of `bw_dot_acc` to its sum.
  function automatic int unsigned dot_acc_latency(int unsigned simd, int unsigned act_width,
                                                  num_e act_kind, int unsigned weight_width,
                                                  num_e weight_kind, mul_e mul);
    return dot_latency(simd, act_width, act_kind, weight_width, weight_kind, mul) + 1;
  endfunction

  /// One number for each of five nested loops, the innermost first, and for the frames around them.
  typedef logic [5:0][31:0] loops_t;

  /// What the end of a turn of each loop adds to a sum over all loops of turn * steps[l]: the loops inside start anew.
  function automatic loops_t loop_deltas(loops_t turns, loops_t steps);
    loops_t deltas = '0;
    int back = 0;
    for (int unsigned l = 0; l < 6; l++) begin
      deltas[l] = int'(steps[l]) - back;
      back += (int'(turns[l]) - 1) * int'(steps[l]);
    end
    return deltas;
  endfunction

  /// Remainder that is never negative.
  function automatic int modulo(int value, int divisor);
    int rest = value % divisor;
    return rest < 0 ? rest + divisor : rest;
  endfunction

  /// The same for each loop.
  function automatic loops_t loop_modulo(loops_t values, int unsigned divisor);
    loops_t rests = '0;
    for (int unsigned l = 0; l < 6; l++) rests[l] = modulo(int'(values[l]), int'(divisor));
    return rests;
  endfunction

  /// The larger of two numbers.
  function automatic int larger(int a, int b);
    return a > b ? a : b;
  endfunction

  /// Quotient rounded towards plus infinity, for a positive divisor.
  function automatic int quotient_up(int value, int divisor);
    return value > 0 ? (value + divisor - 1) / divisor : -(-value / divisor);
  endfunction

  /// Bits of the wider, signed operand of the narrowest DSP block that packing counts on.
  localparam int unsigned DspOperand = 25;

  /// Places between the weights of lanes that share a multiplier.
  function automatic int unsigned pack_shift(int unsigned weight_width, bit narrow,
                                             int unsigned lanes);
    // With the most negative weight on top a borrow from below takes one more bit.
    return (DspOperand - weight_width - (narrow ? 0 : 1)) / (lanes - 1);
  endfunction

  /// Products that may be added before a lane of a packed product runs into the next.
  function automatic int unsigned pack_chain(int unsigned act_width, num_e act_kind,
                                             int unsigned weight_width, bit narrow,
                                             int unsigned lanes);
    longint unsigned weight = (64'd1 << (weight_width - 1)) - (narrow ? 64'd1 : 64'd0);
    longint unsigned act = act_kind == Bipolar ? 64'd1
        : act_kind == Signed ? 64'd1 << (act_width - 1) : (64'd1 << act_width) - 64'd1;
    longint unsigned most;
    int unsigned shift = pack_shift(weight_width, narrow, lanes);
    if (shift < 2 || weight * act == 0) return 0;
    most = ((64'd1 << (shift - 1)) - 64'd1) / (weight * act);
    return most < 64'(MulChain) ? 32'(most) : MulChain;
  endfunction

  /// Rows of a matrix whose weights share multipliers. Chains of one product would give their adders to
  /// look-up tables, and a single lane is what `bw_dot_mul` does.
  function automatic int unsigned pack_lanes(int unsigned act_width, num_e act_kind,
                                             int unsigned weight_width, num_e weight_kind,
                                             bit narrow, mul_e mul);
    if (mul != MulDsp || weight_kind != Signed || weight_width < 2) return 1;
    for (int unsigned lanes = 3; lanes > 1; lanes--) begin
      if (pack_chain(act_width, act_kind, weight_width, narrow, lanes) > 1) return lanes;
    end
    return 1;
  endfunction

endpackage
