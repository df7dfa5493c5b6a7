"""From a matrix unit to the cheapest netlist for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hw_flow.ir import MVAU, Tensor
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.constant import choose, share
from hw_flow.rtl.constant.activation import Steps, apply, steps_of
from hw_flow.rtl.constant.emit import Pipeline, registers
from hw_flow.rtl.constant.netlist import ONE, ZERO, Bit, Netlist
from hw_flow.rtl.constant.sums import Number, SumGraph, exact_number, shared_number


@dataclass(frozen=True, eq=False)
class Logic:
    """A matrix unit as logic.

    Attributes
    ----------
    netlist : one input signal for every bit of the input vector, lowest element and bit first.
    outputs : bits of the output vector in the same order.
    pipeline : where its registers lie.
    way : how the matrix was shared, for reports: ``rows``, ``differences`` or ``da4ml``.
    luts, registers : what it is expected to take.
    """

    netlist: Netlist
    outputs: tuple[Bit, ...]
    pipeline: Pipeline
    way: str
    luts: int
    registers: int

    @property
    def price(self) -> float:
        """Cost by which ways are compared."""
        return choose.price(self.luts, self.registers)


@dataclass(frozen=True, eq=False)
class _Rows:
    """What every row has to give, on integers ``s = matrix @ u`` with ``u`` the plain bits of the inputs as numbers.

    A BIPOLAR input is ``2 u - 1``, so its sums are ``2 s + shift``.
    """

    matrix: IntArray
    scale: int
    shifts: IntArray
    limits: tuple[IntArray, IntArray]
    steps: tuple[Steps | None, ...]


def build(node: MVAU, source: Tensor, out: Tensor, levels: int = choose.LEVELS) -> Logic:
    """The cheapest logic for ``node`` with a register behind every ``levels`` levels; see `choose` for the price.

    A level is one LUT or one carry chain with the LUTs in front of it.
    """
    rows = _rows(node, source, out)
    best: Logic | None = None
    for way, graph in _ways(rows, source):
        found = _realise(rows, graph, source, out, levels, way=way)
        if best is None or found.price < best.price:
            best = found
    assert best is not None
    return best


def _ways(rows: _Rows, source: Tensor) -> Iterator[tuple[str, SumGraph]]:
    """Candidates, the plain one first."""
    # A row whose output is constant needs no sum.
    matrix = np.where([[steps is None or bool(steps.breaks)] for steps in rows.steps], rows.matrix, 0)
    widths = [source.width] * matrix.shape[1]
    yield "rows", share.by_rows(matrix)
    if np.count_nonzero(matrix) > choose.SEARCH_LIMIT:
        return
    for depth in (1, 2):
        yield "differences", share.by_differences(matrix, widths, depth=depth)
    low, high = _input_limits(source)
    for extra in (-1, 0):
        solved = share.by_solver(matrix, [(low, high)] * matrix.shape[1], extra_depth=extra)
        if solved is not None:
            yield "da4ml", share.merge(solved, widths)


def _rows(node: MVAU, source: Tensor, out: Tensor) -> _Rows:
    matrix, bipolar = node.weights, source.dtype == "BIPOLAR"
    scale = 2 if bipolar else 1
    shifts = -matrix.sum(axis=1) if bipolar else np.zeros(len(matrix), dtype=np.int64)
    low, high = _input_limits(source)
    negative, positive = np.minimum(matrix, 0).sum(axis=1), np.maximum(matrix, 0).sum(axis=1)
    limits = low * positive + high * negative, high * positive + low * negative
    steps: list[Steps | None] = []
    for row in range(len(matrix)):
        if node.thresholds is None:
            steps.append(None)
            continue
        reach = tuple(int(scale * limit[row] + shifts[row]) for limit in limits)
        found = steps_of(node.thresholds, row, out, (reach[0], reach[1]))
        # scale * s + shift >= t  <=>  s >= ceil((t - shift) / scale)
        steps.append(Steps(tuple(-((int(shifts[row]) - at) // scale) for at in found.breaks), found.words, found.width))
    return _Rows(matrix, scale, shifts, limits, tuple(steps))


def _input_limits(source: Tensor) -> tuple[int, int]:
    return (0, 1) if source.dtype == "BIPOLAR" else source.limits


def _realise(rows: _Rows, graph: SumGraph, source: Tensor, out: Tensor, levels: int, *, way: str) -> Logic:
    netlist = Netlist(graph.inputs * source.width)
    numbers = {index: Number(tuple(Bit(index * source.width + place) for place in range(source.width)), source.signed)
               for index in range(graph.inputs)}
    coefficients = graph.coefficients()
    low, high = _input_limits(source)
    negative, positive = np.minimum(coefficients, 0).sum(axis=1), np.maximum(coefficients, 0).sum(axis=1)
    least, most = low * positive + high * negative, high * positive + low * negative
    # The first row that is a sum decides what is added to it.
    added: dict[int, int] = {}
    for row, index in enumerate(graph.rows):
        if index >= 0:
            added.setdefault(index, _added(rows, row))
    for index, terms in enumerate(graph.sums):
        limits = (int(least[index]), int(most[index]))
        numbers[graph.inputs + index] = (
            exact_number(netlist, terms, numbers, limits, added[index]) if index in added
            else shared_number(netlist, terms, numbers, limits))
    outputs: list[Bit] = []
    for row, index in enumerate(graph.rows):
        wanted = _added(rows, row)
        number = Number((), offset=-wanted) if index < 0 else numbers[graph.inputs + index]
        if index >= 0 and -number.offset != wanted:
            number = exact_number(netlist, {graph.inputs + index: 1}, numbers, (int(least[index]), int(most[index])), wanted)
        outputs += _row_bits(netlist, rows, row, number, out.width)
    pipeline = Pipeline(levels, max((netlist.level[bit.signal] for bit in outputs if bit.signal >= 0), default=0))
    return Logic(netlist, tuple(outputs), pipeline, way, netlist.luts(), registers(netlist, outputs, pipeline))


def _added(rows: _Rows, row: int) -> int:
    """What the heap of a row adds to its sum: half the shift of a raw one, minus the centre of its thresholds."""
    steps = rows.steps[row]
    if steps is None:
        return int(rows.shifts[row]) // rows.scale
    return -steps.centre if steps.breaks else 0


def _row_bits(netlist: Netlist, rows: _Rows, row: int, number: Number, width: int) -> list[Bit]:
    steps = rows.steps[row]
    if steps is not None and not steps.breaks:
        return [ONE if steps.words[0] >> place & 1 else ZERO for place in range(width)]
    if steps is not None:
        return apply(netlist, number, steps)
    if not number.bits:
        value = int(rows.shifts[row])
        return [ONE if value >> place & 1 else ZERO for place in range(width)]
    low = [] if rows.scale == 1 else [ONE if int(rows.shifts[row]) & 1 else ZERO]
    bits = [*low, *number.bits]
    sign = bits[-1] if number.signed else ZERO
    return [*bits, *[sign] * (width - len(bits))][:width]
