"""How the weights of a matrix reach its dot products: as numbers, or as the shifts that powers of two are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, VVAU, Graph
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.choose import multiplier, shifted_weights
from hw_flow.rtl.latency import Kind, Multiplier, pack_lanes
from hw_flow.rtl.wrappers.module import number_kind, weight_kind

# Of bw_dot_shift: {sign, exponent}, the exponent with 2 or 3 bits of which all ones mean 0.
_CODE_BITS = (3, 4)


@dataclass(frozen=True)
class WeightFormat:
    """Bits of a weight between memory and dot product.

    Attributes
    ----------
    kind : name in ``bw_pkg::num_e``; ``Power`` for shifts.
    width : bits of a weight.
    mul : what multiplies; ``MulLut`` with shifts.
    """

    kind: Kind
    width: int
    mul: Multiplier

    @property
    def shifts(self) -> bool:
        """Whether a weight is the sign and the number of places of a shift."""
        return self.kind == "Power"


def weight_format(node: MVAU | VVAU, folding: NodeFolding, graph: Graph) -> WeightFormat:
    """What the unit of ``node`` in this folding multiplies by, unless it is constant logic."""
    source, width = graph.input_of(node), int(DataType[node.weight_dtype].bitwidth())
    products, bits = folding.pe * folding.simd, power_bits(node)
    plain = WeightFormat(cast(Kind, weight_kind(node.weight_dtype)), width, multiplier(folding, source.width, width))
    # On wires, a single word makes constants of the shifts and of the products alike.
    if not bits or source.dtype == "BIPOLAR" or node.weights.size == products:
        return plain
    if shifted_weights(folding, source.width, width, bits, dsp_blocks(node, folding, graph, plain) / products):
        return WeightFormat("Power", bits, "MulLut")
    return plain


def dsp_blocks(node: MVAU | VVAU, folding: NodeFolding, graph: Graph, made: WeightFormat) -> int:
    """DSP blocks that multiply; rows of a matrix can share them."""
    if made.mul != "MulDsp":
        return 0
    source = graph.input_of(node)
    lanes = 1 if isinstance(node, VVAU) else pack_lanes(
        act_width=source.width, act_kind=number_kind(source), weight_width=made.width, weight_kind=made.kind,
        narrow=bool(node.weights.min() > -(1 << (made.width - 1))))
    return -(-folding.pe // lanes) * folding.simd


@lru_cache(maxsize=64)
def power_bits(node: MVAU | VVAU) -> int:
    """Bits of a sign and an exponent for each weight of ``node``; 0 if they are not powers of two, or below 2 or above 64."""
    sizes = np.unique(abs(node.weights))
    largest = int(sizes[-1])
    if largest < 2 or (sizes & (sizes - 1)).any():
        return 0
    return next((bits for bits in _CODE_BITS if largest <= 1 << ((1 << (bits - 1)) - 2)), 0)


def power_codes(weights: IntArray, bits: int) -> IntArray:
    """``weights``, powers of two, as ``{sign, exponent}`` of ``bits`` bits."""
    sizes, zero = abs(weights), (1 << (bits - 1)) - 1
    exponents = np.where(sizes == 0, zero, np.bitwise_count(np.maximum(sizes, 1) - 1))
    codes: IntArray = (exponents | np.where(weights < 0, 1 << (bits - 1), 0)).astype(np.int64)
    return codes
