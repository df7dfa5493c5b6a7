"""A matrix as sums of scaled operands: inputs and other sums that several rows share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.constant.heap import Columns, Effort, compress
from hw_flow.rtl.constant.netlist import Bit, Netlist, Ops

Terms = Mapping[int, int]  # operand -> factor; inputs are numbered first, then sums

# LUTs that a level of depth is worth when a sum chooses how to compress.
_LEVEL_COST = 0.6
_EFFORTS = (Effort(1.0), Effort(0.6), Effort(0.3), Effort(0.0))


@dataclass(frozen=True, eq=False)
class SumGraph:
    """Sums in topological order.

    Attributes
    ----------
    inputs : number of inputs.
    sums : the terms of each sum; operand ``inputs + i`` is sum i.
    rows : the sum that is row r of the matrix, or -1 for a row of zeros.
    """

    inputs: int
    sums: tuple[Terms, ...]
    rows: tuple[int, ...]

    def coefficients(self) -> IntArray:
        """Every sum as a combination of the inputs, ``[sums, inputs]``."""
        found = np.zeros((len(self.sums), self.inputs), dtype=np.int64)
        for index, terms in enumerate(self.sums):
            for operand, factor in terms.items():
                if operand < self.inputs:
                    found[index, operand] += factor
                else:
                    found[index] += factor * found[operand - self.inputs]
        return found

    def matrix(self) -> IntArray:
        """The matrix ``[rows, inputs]``."""
        coefficients = np.concatenate([self.coefficients(), np.zeros((1, self.inputs), dtype=np.int64)])
        return coefficients[list(self.rows)]


@dataclass(frozen=True)
class Number:
    """Bits of an integer: its value is that of the bits, two's complement if ``signed``, plus ``offset``."""

    bits: tuple[Bit, ...]
    signed: bool = False
    offset: int = 0


def digits(factor: int) -> list[tuple[int, int]]:
    """``factor`` as (sign, exponent) of the fewest powers of two; plain binary where signed digits save nothing."""
    plain = [(1, place) for place in range(abs(factor).bit_length()) if abs(factor) >> place & 1]
    value, place, signed = abs(factor), 0, []
    while value:
        if value & 1:
            sign = 2 - (value & 3)
            signed.append((sign, place))
            value -= sign
        value >>= 1
        place += 1
    best = signed if len(signed) < len(plain) else plain
    return [(sign if factor > 0 else -sign, place) for sign, place in best]


def heap_of(terms: Terms, numbers: Mapping[int, Number]) -> tuple[Columns, int]:
    """The bits of a sum by weight, and the constant that is to be added to them."""
    columns: Columns = []
    constant = 0
    for operand, factor in terms.items():
        number = numbers[operand]
        constant += factor * number.offset
        for sign, shift in digits(factor):
            for place, bit in enumerate(number.bits):
                negative = (sign < 0) != (number.signed and place == len(number.bits) - 1)
                column = shift + place
                columns += [[] for _ in range(column + 1 - len(columns))]
                columns[column].append(~bit if negative else bit)
                # -b = (1 - b) - 1
                constant -= negative << column
    return columns, constant


def shared_number(netlist: Netlist, terms: Terms, numbers: Mapping[int, Number], limits: tuple[int, int]) -> Number:
    """A sum for other sums, with whatever offset costs nothing; ``limits`` are its smallest and largest value."""
    columns, constant = heap_of(terms, numbers)
    low, high = limits[0] - constant, limits[1] - constant
    width = max(1, high.bit_length())
    tight = max(1, (limits[1] - limits[0]).bit_length())
    if tight < width:
        width, added = tight, -low
    else:
        added = 0
    return Number(tuple(_best(netlist, columns, added, width)), offset=constant - added)


def exact_number(netlist: Netlist, terms: Terms, numbers: Mapping[int, Number], limits: tuple[int, int], added: int) -> Number:
    """A sum plus ``added`` as its bits stand for it, with offset ``-added``."""
    columns, constant = heap_of(terms, numbers)
    low, high = limits[0] + added, limits[1] + added
    signed = low < 0
    width = max(1, high.bit_length() if not signed else 1 + max((-low - 1).bit_length(), max(high, 0).bit_length()))
    return Number(tuple(_best(netlist, columns, constant + added, width)), signed, -added)


def _best(netlist: Netlist, columns: Columns, constant: int, width: int) -> list[Bit]:
    """The cheapest compression among all efforts."""
    mark = netlist.mark()
    # Where one compressor takes a whole column there is nothing to wait for.
    efforts = _EFFORTS if max(map(len, columns), default=0) > 7 else _EFFORTS[:1]
    best: tuple[float, list[Bit], Ops] | None = None
    for effort in efforts:
        bits = compress(netlist, columns, constant, width, effort)
        level = max((netlist.level[bit.signal] for bit in bits if bit.signal >= 0), default=0)
        price = netlist.luts(mark[0]) + _LEVEL_COST * level
        if best is None or price < best[0]:
            best = (price, bits, netlist.since(mark))
        netlist.rewind(mark)
    assert best is not None
    netlist.append(best[2])
    return best[1]
