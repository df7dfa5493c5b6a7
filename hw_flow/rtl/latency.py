"""Pipeline depths and shared multipliers of the kernels, the same functions as in ``kernels/bw_pkg.sv``.

Kinds and multipliers have the names of ``bw_pkg::num_e`` and ``bw_pkg::mul_e``.
"""

from __future__ import annotations

from itertools import product
from typing import Literal

Kind = Literal["Bipolar", "Ternary", "Signed", "Unsigned", "Power"]
Multiplier = Literal["MulLut", "MulDsp"]
Heights = tuple[int, ...]  # bits of each weight 2^k in a bit heap

COLUMNS = 48  # bw_pkg::HeapColumns, the bits of a sum
MUL_CHAIN = 4  # bw_pkg::MulChain
_DSP_OPERAND = 25


def dot_acc_latency(simd: int, *, act_width: int, act_kind: Kind, weight_width: int, weight_kind: Kind, mul: Multiplier) -> int:
    """Enabled cycles from the last beat's operands of ``bw_dot_acc`` to its sum."""
    return 1 + dot_latency(simd, act_width=act_width, act_kind=act_kind, weight_width=weight_width, weight_kind=weight_kind,
                           mul=mul)


def dot_latency(simd: int, *, act_width: int, act_kind: Kind, weight_width: int, weight_kind: Kind, mul: Multiplier) -> int:
    """Enabled cycles from the operands of ``bw_dot`` to its sum."""
    chains = 1 + min(simd, MUL_CHAIN) + _clog2(-(-simd // MUL_CHAIN))
    if weight_kind == "Power":
        return 1 + chains
    if mul == "MulDsp":
        return chains
    bipolar = "Bipolar" in (act_kind, weight_kind)
    planes_cost, digits_cost = _product_costs(act_width, weight_width)
    if not bipolar and digits_cost < planes_cost:
        return 2 + (weight_width + 1) // 2 + _clog2(simd)
    planes = 2 + _heap_latency(_plane_heights(simd, act_width, weight_width))
    if act_kind == weight_kind or not bipolar:
        return planes
    acts = 1 + _heap_latency((simd,) * act_width + (0,) * (COLUMNS - act_width))
    return 1 + max(planes, acts)


def pack_lanes(*, act_width: int, act_kind: str, weight_width: int, weight_kind: str, narrow: bool) -> int:
    """Rows of a matrix whose weights share DSP blocks; ``narrow`` weights are never the most negative of their type."""
    if weight_kind != "Signed" or weight_width < 2:
        return 1
    weight = (1 << (weight_width - 1)) - narrow
    act = {"Bipolar": 1, "Signed": 1 << (act_width - 1)}.get(act_kind, (1 << act_width) - 1)
    for lanes in (3, 2):
        shift = (_DSP_OPERAND - weight_width - (not narrow)) // (lanes - 1)
        if shift >= 2 and ((1 << (shift - 1)) - 1) // (weight * act) > 1:
            return lanes
    return 1


def product_luts(act_width: int, weight_width: int) -> float:
    """LUTs of a product and of its place in the sum, in the cheaper of the two ways without DSP blocks."""
    return min(_product_costs(act_width, weight_width)) / 12


def _product_costs(act_width: int, weight_width: int) -> tuple[int, int]:
    """Twelfths of a LUT by bit planes and by digits, as in ``bw_pkg::dot_method``."""
    digits = (weight_width + 1) // 2
    digit_cost = 12 * digits * (act_width + 2) + 12 * (act_width + 2 * digits + 2) + 3 * (2 * act_width + 3)
    return 16 * act_width * weight_width, digit_cost


def _plane_heights(simd: int, act_width: int, weight_width: int) -> Heights:
    heights = [0] * COLUMNS
    for j, k in product(range(act_width), range(weight_width)):
        heights[j + k] += simd // 3 + simd % 3
        heights[j + k + 1] += simd // 3
    return tuple(heights)


def _heap_latency(heights: Heights) -> int:
    """Levels of 6:3 compressors until no column has six bits, then the adder tree over the rows."""
    levels = 0
    while max(heights) >= 6:
        heights = tuple(height // 6 + height % 6 + carry // 6 + carry2 // 6
                        for height, carry, carry2 in zip(heights, (0, *heights), (0, 0, *heights), strict=False))
        levels += 1
    return levels + _clog2(max(heights))


def _clog2(value: int) -> int:
    return (value - 1).bit_length()
