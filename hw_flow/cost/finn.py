"""FINN's published estimate of its HLS matrix unit, for the column beside our own figures.

The formula is that of FINN-R (Blott et al., TRETS 2018) as FINN's ``MVAU_hls`` evaluates it: a fixed part, 1.1 times the LUTs
of PE rows of multipliers, adder tree, accumulator and thresholds, and the weights where they live in LUTs. It counts neither
FIFOs nor width converters. Our source name for its figures is ``finn-formula``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from qonnx.core.datatype import DataType

from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph

SOURCE = "finn-formula"
_BASE_LUTS = 300
_ROW_FACTOR = 1.1
_LUT_DEPTH = 64
# Below this depth FINN's embedded weights become LUTs.
_EMBEDDED_LUT_WORDS = 128


@dataclass(frozen=True, kw_only=True)
class FinnMvau:
    """Parameters of a FINN matrix unit, under FINN's names.

    Attributes
    ----------
    mw, mh, pe, simd : matrix and folding.
    weight_bits, act_bits, out_bits : element widths; ``out_bits`` counts only with an activation.
    act_signed : input type is signed (BIPOLAR included).
    acc_bits : accumulator width if it was minimised, or None for FINN's bound from the types.
    thresholds : the activation is part of the unit.
    dsp : ``resType`` is dsp.
    mem_mode, ram_style : where the weights live.
    """

    mw: int
    mh: int
    pe: int
    simd: int
    weight_bits: int
    act_bits: int
    out_bits: int = 0
    act_signed: bool = True
    acc_bits: int | None = None
    thresholds: bool = False
    dsp: bool = False
    mem_mode: Literal["internal_embedded", "internal_decoupled"] = "internal_decoupled"
    ram_style: Literal["auto", "block", "distributed"] = "auto"

    @property
    def luts(self) -> int:
        """LUTs by FINN's formula."""
        return int(_BASE_LUTS + _ROW_FACTOR * self.pe * self._row_luts() + self._weight_luts())

    @property
    def dsps(self) -> int:
        """DSP blocks by FINN's formula."""
        return self.pe * self.simd * math.ceil((self.weight_bits + self.act_bits) / 48) if self.dsp else 0

    def _row_luts(self) -> int:
        bits = self.weight_bits + self.act_bits
        multipliers = 0 if self.dsp else self.simd * (2 * math.ceil(bits / 6) - 1) * bits
        tree = bits * (2 * self.simd - 1)
        accumulator = self._accumulator_bits()
        compare = 0
        if self.thresholds:
            levels = 2**self.out_bits - 1
            compare = levels * accumulator * (1 + math.ceil(self.mh // self.pe / _LUT_DEPTH))
        return multipliers + tree + accumulator + compare

    def _accumulator_bits(self) -> int:
        # Colbert et al., arXiv 2301.13376: the bound from the data types alone.
        alpha = math.log2(self.mw) + self.weight_bits + self.act_bits - 1 - int(self.act_signed)
        bound = math.ceil(alpha + math.log2(1 + 2**-alpha) + 1)
        return bound if self.acc_bits is None else min(bound, self.acc_bits)

    def _weight_luts(self) -> int:
        words = self.mw * self.mh // (self.pe * self.simd)
        in_luts = (self.mem_mode == "internal_decoupled" and self.ram_style == "distributed") or (
            self.mem_mode == "internal_embedded" and words <= _EMBEDDED_LUT_WORDS
        )
        return self.pe * self.simd * self.weight_bits * math.ceil(words / _LUT_DEPTH) if in_luts else 0


def of_node(node: MVAU, folding: NodeFolding, graph: Graph) -> FinnMvau:
    """The FINN unit that computes what ``node`` computes, weights as FINN's default has them (decoupled)."""
    source, out = graph.input_of(node), graph.output_of(node)
    return FinnMvau(
        mw=node.mw, mh=node.mh, pe=folding.pe, simd=folding.simd,
        weight_bits=int(DataType[node.weight_dtype].bitwidth()), act_bits=source.width, out_bits=out.width,
        act_signed=bool(source.datatype.signed()), acc_bits=int(DataType[node.acc_dtype].bitwidth()),
        thresholds=node.thresholds is not None, dsp=folding.res_type == "dsp", ram_style=folding.ram_style,
    )
