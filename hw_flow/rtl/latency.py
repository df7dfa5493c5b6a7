"""Pipeline depths of the kernels, the same functions as in ``kernels/bw_pkg.sv``."""

from __future__ import annotations


def dot_latency(simd: int, act_width: int, act_kind: str, weight_width: int, weight_kind: str, mul: str) -> int:
    """Enabled cycles from the operands of ``bw_dot`` to its sum."""
    return 1 + (simd - 1).bit_length()


def dot_acc_latency(simd: int, act_width: int, act_kind: str, weight_width: int, weight_kind: str, mul: str) -> int:
    """Enabled cycles from the last beat's operands of ``bw_dot_acc`` to its sum."""
    return dot_latency(simd, act_width, act_kind, weight_width, weight_kind, mul) + 1
