"""Which hardware a node gets: the rules for memories and multipliers, in one place."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from hw_flow.folding import PRICES, NodeFolding, unfolded_fully
from hw_flow.ir import MVAU, Graph, Node
from hw_flow.rtl.latency import MUL_CHAIN, product_luts

Style = Literal["distributed", "block"]

# A 6-input LUT holds 64 bits of one column, an 18 kbit block RAM any of these (words, bits).
_LUT_DEPTH = 64
_BLOCKS = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
_BLOCK_DEPTH = 512
_LUTS_PER_BLOCK = PRICES[1]
# Deeper tables of thresholds are looked up in a cycle of their own.
_DIRECT_TABLE_DEPTH = 256
# Outputs of up to so many bits compare with all thresholds at once.
_FLAT_BITS = 2
# Products of wider operands go to DSP blocks: a LUT product of two 5-bit operands costs about 45 LUTs.
_LUT_PRODUCT_BITS = 4
# Inputs of a LUT: bits of a code whose level it makes a bit of, or of a small row of constants.
_LUT_INPUTS = 6
# Bits that the sums of a chain of shifts grow by, on average: 0, 1, 2 and 2.
_CHAIN_GROWTH = 1.25
# Matrices of more weights in sums become constant logic only where that is asked for: synthesis takes tens of minutes.
_CONSTANT_WEIGHTS = 8192


def constant_logic(node: Node, folding: NodeFolding, graph: Graph) -> bool:
    """Whether a matrix, or thresholds alone, become constant logic.

    ``auto``: where the node is fully unfolded and the cost model has constant logic cheaper than the general unit with its
    weights on wires. Multipliers that are asked for as DSP blocks keep the general unit.
    """
    if folding.style != "auto":
        return folding.style == "constant"
    if not unfolded_fully(node, folding, graph) or folding.res_type == "dsp":
        return False
    if isinstance(node, MVAU) and summed_weights(node, graph) > _CONSTANT_WEIGHTS:
        return False
    from hw_flow.cost import node_resources  # which imports this module

    constant, general = (node_resources(node, replace(folding, style=style), graph).price for style in ("constant", "memory"))
    return constant < general


def summed_weights(node: MVAU, graph: Graph) -> int:
    """Weights of ``node`` that sums are made of: none of them 0, none in a row of so few inputs that a LUT takes them all."""
    counts = np.count_nonzero(node.weights, axis=1)
    return int(counts[counts * graph.input_of(node).width > _LUT_INPUTS].sum())


def weight_style(folding: NodeFolding, words: int, width: int) -> Style:
    """Where ``words`` of ``width`` bits of weights live; ``auto`` weighs LUTs against block RAMs."""
    if folding.ram_style != "auto":
        return folding.ram_style
    return memory_style(words, width)


def coded_weights(folding: NodeFolding, shape: tuple[int, ...], width: int, bits: int) -> bool:
    """Whether a memory of weights ``(words, lanes)`` of ``width`` bits holds codes of ``bits`` bits instead.

    Where the smaller memory saves more than the tables of all lanes take: a 6-input LUT for each bit, as measured.
    """
    words, lanes = shape
    if words < 2 or bits >= width or bits > _LUT_INPUTS:
        return False
    return _memory_price(folding, words, lanes * bits) + lanes * width < _memory_price(folding, words, lanes * width)


def _memory_price(folding: NodeFolding, words: int, width: int) -> float:
    if weight_style(folding, words, width) == "block":
        return blocks(words, width) * _LUTS_PER_BLOCK
    return -(-words // _LUT_DEPTH) * width


def memory_style(words: int, width: int) -> Style:
    """The cheaper of LUTs and block RAM for a read-only memory."""
    luts = -(-words // _LUT_DEPTH) * width
    return "block" if words > 1 and luts > blocks(words, width) * _LUTS_PER_BLOCK else "distributed"


def buffer_style(folding: NodeFolding, words: int, width: int) -> Style:
    """Where a buffer of ``words`` of ``width`` bits lives; LUT RAM holds 64 words of 3 bits in 4 LUTs."""
    if folding.ram_style != "auto":
        return folding.ram_style
    luts = -(-words // _LUT_DEPTH) * width * 4 // 3
    return "block" if luts > blocks(words, width) * _LUTS_PER_BLOCK else "distributed"


def fifo_style(depth: int, width: int) -> Style:
    """Where a FIFO of ``depth`` beats lives; with a block RAM each bit takes a LUT that leads around the memory."""
    luts = -(-depth // _LUT_DEPTH) * width * 4 // 3
    return "block" if luts > blocks(depth, width) * _LUTS_PER_BLOCK + width else "distributed"


def buffer_depth(words: int, style: Style) -> int:
    """``words``, or the next power of two where that takes no more memory: its addresses wrap by themselves."""
    unit = _LUT_DEPTH // 2 if style == "distributed" else _BLOCK_DEPTH
    power = 1 << (words - 1).bit_length()
    return power if -(-power // unit) == -(-words // unit) else words


def table_latency(words: int) -> int:
    """Cycles from address to threshold for a table of ``words``."""
    return int(words > _DIRECT_TABLE_DEPTH)


def flat_thresholds(bits: int) -> bool:
    """Whether an output of ``bits`` bits takes all comparisons at once instead of a binary search.

    For two bits that saves a cycle of latency a layer for about 16 LUTs a lane with per-channel thresholds.
    """
    return bits <= _FLAT_BITS


def multiplier(folding: NodeFolding, act_width: int, weight_width: int) -> Literal["MulLut", "MulDsp"]:
    """What multiplies an activation by a weight."""
    if folding.res_type != "auto":
        return "MulDsp" if folding.res_type == "dsp" else "MulLut"
    return "MulDsp" if min(act_width, weight_width) > _LUT_PRODUCT_BITS else "MulLut"


def shifted_weights(folding: NodeFolding, act_width: int, weight_width: int, code_bits: int, dsps: float) -> bool:
    """Whether weights that are powers of two, as codes of ``code_bits`` bits, shift their inputs (``bw_dot_shift``).

    Where that is cheaper than to multiply by ``weight_width`` bits, with ``dsps`` DSP blocks a product or in LUTs. Measured by
    benchmarks/codebooks.py: 16 products with UINT4 inputs, whole unit, take 487 LUTs with POW3 and 728 with INT4, its grid, and
    698 with POW4 and 1,239 with INT8. Inputs of a bit or two have bit planes that are cheaper than what shifts.
    """
    if folding.res_type == "dsp":
        return False
    plain = dsps * PRICES[2] if dsps else product_luts(act_width, weight_width)
    return shift_luts(act_width, code_bits) < plain


def shift_luts(act_width: int, code_bits: int) -> float:
    """LUTs of a shifted input and of its place in the sum: the bits that choose, and those of the chain and its tree."""
    exponent = code_bits - 1
    reach = (1 << exponent) - 2
    near, far = min(reach, 3), int(exponent > 2)  # what the first tables shift; a table that finds zeros
    chained = act_width + reach + 1 + _CHAIN_GROWTH
    return act_width + near + far + chained + (chained + 1) / MUL_CHAIN


def blocks(words: int, width: int) -> int:
    return min(-(-words // depth) * -(-width // bits) for depth, bits in _BLOCKS)
