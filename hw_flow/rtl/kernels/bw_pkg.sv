// SPDX-License-Identifier: Apache-2.0

/// Types and constant functions that the kernels share.
package bw_pkg;

  /// Meaning of an element's bits on a stream or in a weight memory.
  typedef enum int unsigned {
    Bipolar,  // 1 bit: 1 is +1, 0 is -1
    Ternary,  // 2 bit two's complement, never -2
    Signed,   // two's complement
    Unsigned  // plain binary
  } num_e;

  /// What multiplies: look-up tables only, or the DSP blocks of the device.
  typedef enum int unsigned {
    MulLut,
    MulDsp
  } mul_e;

  /// Enabled cycles from the operands of `bw_dot` to its sum.
  function automatic int unsigned dot_latency(int unsigned simd, int unsigned act_width,
                                              num_e act_kind, int unsigned weight_width,
                                              num_e weight_kind, mul_e mul);
    return 1 + $clog2(simd);
  endfunction

  /// Enabled cycles from the last beat's operands of `bw_dot_acc` to its sum.
  function automatic int unsigned dot_acc_latency(int unsigned simd, int unsigned act_width,
                                                  num_e act_kind, int unsigned weight_width,
                                                  num_e weight_kind, mul_e mul);
    return dot_latency(simd, act_width, act_kind, weight_width, weight_kind, mul) + 1;
  endfunction

endpackage
