"""Ways to write a matrix as sums that share work: rows on their own, differences of rows, and da4ml's adder graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.constant.sums import SumGraph, Terms, digits

# Heap bits that a sum costs besides its own: rounding in its first and last chain.
_OVERHEAD = 4.0
# da4ml's search takes minutes above so many digits times rows, and gains little there.
_SOLVER_LIMIT = 300_000


def by_rows(matrix: IntArray) -> SumGraph:
    """Every distinct row as a sum of inputs; equal rows once."""
    sums: list[Terms] = []
    known: dict[tuple[int, ...], int] = {}
    rows = []
    for row in matrix:
        terms = {int(column): int(row[column]) for column in np.flatnonzero(row)}
        key = tuple(int(value) for value in row)
        if terms and key not in known:
            known[key] = len(sums)
            sums.append(terms)
        rows.append(known[key] if terms else -1)
    return SumGraph(matrix.shape[1], tuple(sums), tuple(rows))


def by_differences(matrix: IntArray, widths: Sequence[int], *, depth: int) -> SumGraph:
    """A row as another row plus or minus their difference where that has fewer bits; at most ``depth`` rows in a line.

    ``widths`` are the bits of the inputs.
    """
    direct = by_rows(matrix)
    distinct = direct.matrix()[[direct.rows.index(index) for index in range(len(direct.sums))]]
    count = len(distinct)
    if count < 2:
        return direct
    own = _bits(distinct, widths)
    sizes = _sum_widths(distinct, widths)
    # Signed differences: price[i, j, s] of row j from row i, taken as it is or negated.
    price = np.stack([np.stack([_bits(distinct - sign * parent, widths) + size for sign in (1, -1)], axis=-1)
                      for parent, size in zip(distinct, sizes, strict=True)])
    best = own.astype(np.float64)
    parent = np.full(count, -1)
    sign = np.ones(count, dtype=np.int64)
    level = np.zeros(count, dtype=np.int64)
    todo, order = set(range(count)), []
    while todo:
        # The row that gains most by its parent is placed first; the first one has none.
        index = min(todo, key=lambda row: (best[row] - own[row], -own[row]))
        todo.remove(index)
        order.append(index)
        if level[index] >= depth:
            continue
        for row in todo:
            for choice, factor in enumerate((1, -1)):
                if price[index, row, choice] < best[row]:
                    best[row], parent[row], sign[row] = price[index, row, choice], index, factor
                    level[row] = level[index] + 1
    places = {index: place for place, index in enumerate(order)}
    sums: list[Terms] = []
    for index in order:
        row = distinct[index] - (sign[index] * distinct[parent[index]] if parent[index] >= 0 else 0)
        terms = {int(column): int(row[column]) for column in np.flatnonzero(row)}
        if parent[index] >= 0:
            terms[matrix.shape[1] + places[int(parent[index])]] = int(sign[index])
        sums.append(terms)
    return SumGraph(matrix.shape[1], tuple(sums), tuple(places[row] if row >= 0 else -1 for row in direct.rows))


def by_solver(matrix: IntArray, limits: Sequence[tuple[int, int]], *, extra_depth: int = -1) -> SumGraph | None:
    """da4ml's adder graph of the matrix; None where the matrix has no sum, or da4ml is missing or would take too long.

    ``limits`` are the smallest and largest value of each input, ``extra_depth`` the adder levels beyond the fewest (-1: any).
    """
    used = np.flatnonzero(matrix.any(axis=0))
    rows = np.flatnonzero(matrix.any(axis=1))
    solve = _solver()
    if solve is None or not len(rows) or int(_digit_counts(matrix).sum()) * len(rows) > _SOLVER_LIMIT:
        return None
    kernel = np.ascontiguousarray(matrix[np.ix_(rows, used)].T.astype(np.float32))
    solution = solve(kernel, [limits[int(column)] for column in used], extra_depth)
    builder = _Adders(matrix.shape[1])
    values = [(int(column), 0, 1) for column in used]
    for stage in solution.solutions:
        values = builder.stage(stage, values)
    graph = builder.graph([(int(row), value) for row, value in zip(rows, values, strict=True)], len(matrix))
    if not np.array_equal(graph.matrix(), matrix):
        raise FlowError("da4ml's adder graph is not the matrix that it was given; install the version that constraints.txt names")
    return graph


@cache
def _solver() -> Callable[[np.ndarray, list[tuple[int, int]], int], Any] | None:
    """da4ml's solver with adders priced by bits, or None if da4ml is not installed."""
    try:
        from da4ml.cmvm import QInterval, solve
    except ImportError:
        return None

    def call(kernel: np.ndarray, limits: list[tuple[int, int]], extra_depth: int) -> Any:
        intervals = [QInterval(float(low), float(high), 1.0) for low, high in limits]
        return solve(kernel, qintervals=intervals, adder_size=1, carry_size=-1, hard_dc=extra_depth)

    return call


class _Adders:
    """Collects da4ml's operations as sums. A value is (operand, exponent, sign): sign * 2^exponent * operand."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.sums: list[Terms] = []

    def stage(self, stage: Any, values: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        """Values that one of da4ml's combinational blocks gives for ``values``."""
        buffer: list[tuple[int, int, int]] = []
        for op in stage.ops:
            if op.opcode == -1:
                operand, exponent, sign = values[op.id0]
                buffer.append((operand, exponent + int(stage.inp_shifts[op.id0]), sign))
                continue
            first, second = buffer[op.id0], buffer[op.id1]
            exponents = first[1], second[1] + int(op.data)
            common = min(exponents)
            terms: dict[int, int] = {}
            signs = first[2], second[2] * (-1 if op.opcode == 1 else 1)
            for (operand, _, _), exponent, sign in zip((first, second), exponents, signs, strict=True):
                terms[operand] = terms.get(operand, 0) + (sign << (exponent - common))
            self.sums.append(terms)
            buffer.append((self.inputs + len(self.sums) - 1, common, 1))
        found = []
        for index, shift, negative in zip(stage.out_idxs, stage.out_shifts, stage.out_negs, strict=True):
            if index < 0:
                found.append((-1, 0, 1))
                continue
            operand, exponent, sign = buffer[index]
            found.append((operand, exponent + int(shift), -sign if negative else sign))
        return found

    def graph(self, outputs: Sequence[tuple[int, tuple[int, int, int]]], count: int) -> SumGraph:
        """The sums with one of their own for every row."""
        rows = [-1] * count
        known: dict[tuple[int, int, int], int] = {}
        for row, value in outputs:
            operand, exponent, sign = value
            if operand < 0:
                continue
            if value not in known:
                if operand >= self.inputs and not exponent and sign > 0:
                    known[value] = operand - self.inputs
                else:
                    self.sums.append({operand: sign << exponent})
                    known[value] = len(self.sums) - 1
            rows[row] = known[value]
        return SumGraph(self.inputs, tuple(self.sums), tuple(rows))


def merge(graph: SumGraph, widths: Sequence[int], *, overhead: float = _OVERHEAD) -> SumGraph:
    """The same matrix with only those shared sums that save bits in the heaps of their readers.

    A sum costs the bits that it removes plus ``overhead``, and saves every further reader the bits that it removes.
    """
    sums = [dict(terms) for terms in graph.sums]
    size = _sum_widths(graph.coefficients(), widths)
    kept = set(graph.rows)
    changed = True
    while changed:
        changed = False
        readers: list[list[int]] = [[] for _ in sums]
        for index, terms in enumerate(sums):
            for operand in terms:
                if operand >= graph.inputs:
                    readers[operand - graph.inputs].append(index)
        for index, terms in enumerate(sums):
            if index in kept or not terms:
                continue
            bits = sum(len(digits(factor)) * _operand_width(operand, widths, size) for operand, factor in terms.items())
            uses = sum(len(digits(sums[reader][graph.inputs + index])) for reader in readers[index])
            if uses <= 1 or (uses - 1) * (bits - int(size[index])) < overhead:
                for reader in readers[index]:
                    _inline(sums[reader], graph.inputs + index, terms)
                sums[index] = {}
                changed = True
                for operand in terms:
                    if operand >= graph.inputs:
                        below = readers[operand - graph.inputs]
                        below[:] = sorted({*below, *readers[index]} - {index})
    return _compact(graph, sums)


def _inline(reader: dict[int, int], operand: int, terms: Mapping[int, int]) -> None:
    factor = reader.pop(operand)
    for inner, weight in terms.items():
        total = reader.get(inner, 0) + factor * weight
        if total:
            reader[inner] = total
        else:
            reader.pop(inner, None)


def _compact(graph: SumGraph, sums: Sequence[Terms]) -> SumGraph:
    places: dict[int, int] = {}
    compacted: list[Terms] = []
    for index, terms in enumerate(sums):
        if not terms:
            continue
        places[index] = len(compacted)
        compacted.append({operand if operand < graph.inputs else graph.inputs + places[operand - graph.inputs]: factor
                          for operand, factor in terms.items()})
    return SumGraph(graph.inputs, tuple(compacted), tuple(places[row] if row >= 0 else -1 for row in graph.rows))


def _operand_width(operand: int, widths: Sequence[int], size: IntArray) -> int:
    return widths[operand] if operand < len(widths) else int(size[operand - len(widths)])


def _bits(rows: IntArray, widths: Sequence[int]) -> IntArray:
    """Heap bits of each row: digits of its weights times bits of the inputs."""
    counts = _digit_counts(rows)
    total: IntArray = (counts * np.asarray(widths)).sum(axis=1)
    return total


def _digit_counts(values: IntArray) -> IntArray:
    distinct, inverse = np.unique(values, return_inverse=True)
    counts: IntArray = np.array([len(digits(int(value))) for value in distinct], dtype=np.int64)[inverse].reshape(values.shape)
    return counts


def _sum_widths(rows: IntArray, widths: Sequence[int]) -> IntArray:
    """Bits of the range of each row."""
    reach = (np.abs(rows) * ((1 << np.asarray(widths)) - 1)).sum(axis=1)
    return np.array([int(value).bit_length() for value in reach], dtype=np.int64)
