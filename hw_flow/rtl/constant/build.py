"""From a node to the cheapest netlist for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph, Tensor, Thresholding
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.constant import choose, share
from hw_flow.rtl.constant.activation import Steps, apply, steps_of
from hw_flow.rtl.constant.channels import threshold_logic
from hw_flow.rtl.constant.logic import Cut, Logic, with_registers
from hw_flow.rtl.constant.netlist import ONE, ZERO, Bit, Netlist, reduce_table, table_luts
from hw_flow.rtl.constant.sums import Number, SumGraph, exact_number, shared_number
from hw_flow.rtl.unread import BoolArray, read_channels


@dataclass(frozen=True, eq=False)
class _Rows:
    """What every row has to give, on integers ``s = matrix @ u`` with ``u`` the plain bits of the inputs as numbers.

    A BIPOLAR input is ``2 u - 1``, so its sums are ``2 s + shift``. ``tables`` holds the rows that are no sums: per output bit
    the truth table over ``inputs``, the bits of the columns that the row reads.
    """

    matrix: IntArray
    scale: int
    shifts: IntArray
    limits: tuple[IntArray, IntArray]
    steps: tuple[Steps | None, ...]
    tables: Mapping[int, _RowTable]


@dataclass(frozen=True)
class _RowTable:
    inputs: tuple[Bit, ...]
    truths: tuple[int, ...]


def build(node: MVAU | Thresholding, source: Tensor, out: Tensor, *, levels: int = choose.LEVELS, stages: int | None = None,
          read: BoolArray | None = None) -> Logic:
    """The cheapest logic for ``node``; see `choose` for the price. The same unit is built once in a process.

    Parameters
    ----------
    levels : of logic between registers; a level is one LUT, or one carry chain with the LUTs in front of it.
    stages : at most so many registers from input to output; overrides ``levels``.
    read : channels of the output that matter, bool ``[MH]``, None for all; the others are 0 on the wire.
    """
    if levels < 1 or (stages is not None and stages < 1):
        raise FlowError(f"{node.name}: constant logic in {stages} stages of {levels} levels; give at least 1 of each")
    wanted = np.ones(out.channels, dtype=bool) if read is None else read
    if isinstance(node, Thresholding):
        return threshold_logic(node, source, out, (levels, stages), wanted)
    return _cheapest(_Task(node, source, out, (levels, stages), wanted))


def unit_logic(node: MVAU | Thresholding, graph: Graph, folding: NodeFolding) -> Logic:
    """`build` of what the rest of ``graph`` reads, with the pipeline that ``folding`` asks for."""
    return build(node, graph.input_of(node), graph.output_of(node), levels=folding.pipeline_levels or choose.LEVELS,
                 stages=folding.pipeline_stages or None, read=read_channels(graph, node.outputs[0]))


class _Task:
    """The arguments of `build`, equal where they mean the same logic."""

    def __init__(self, node: MVAU, source: Tensor, out: Tensor, cut: Cut, read: BoolArray) -> None:
        self.node, self.source, self.out, self.cut, self.read = node, source, out, cut, read
        digest = hashlib.sha256(repr((node.weights.shape, source.dtype, out.dtype, cut)).encode())
        digest.update(np.ascontiguousarray(node.weights).tobytes())
        digest.update(read.tobytes())
        if node.thresholds is not None:
            steps = node.thresholds
            digest.update(repr((steps.values.shape, steps.base, steps.step, np.asarray(steps.descending).tolist())).encode())
            digest.update(np.ascontiguousarray(steps.values).tobytes())
        self.key = digest.digest()

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Task) and other.key == self.key


@lru_cache(maxsize=64)
def _cheapest(task: _Task) -> Logic:
    source, out, cut = task.source, task.out, task.cut
    rows = _rows(task.node, source, out, task.read)
    rows = replace(rows, tables=_tables(rows, source, out, cut))
    best: Logic | None = None
    for way, graph in _ways(rows, source):
        found = _realise(rows, graph, source, out, cut, way=way)
        if best is None or found.price < best.price:
            best = found
    assert best is not None
    return best


def _ways(rows: _Rows, source: Tensor) -> Iterator[tuple[str, SumGraph]]:
    """Candidates, the plain one first."""
    # A row whose output is constant needs no sum.
    sums = [row not in rows.tables and (steps is None or bool(steps.breaks)) for row, steps in enumerate(rows.steps)]
    matrix = np.where(np.array(sums)[:, None], rows.matrix, 0)
    widths = [source.width] * matrix.shape[1]
    yield "rows", share.by_rows(matrix)
    if not 0 < np.count_nonzero(matrix) <= choose.SEARCH_LIMIT:
        return
    for depth in (1, 2):
        yield "differences", share.by_differences(matrix, widths, depth=depth)
    low, high = _input_limits(source)
    for extra in (-1, 0):
        solved = share.by_solver(matrix, [(low, high)] * matrix.shape[1], extra_depth=extra)
        if solved is not None:
            yield "da4ml", share.merge(solved, widths)


def _rows(node: MVAU, source: Tensor, out: Tensor, read: BoolArray) -> _Rows:
    matrix, bipolar = node.weights, source.dtype == "BIPOLAR"
    scale = 2 if bipolar else 1
    shifts = -matrix.sum(axis=1) if bipolar else np.zeros(len(matrix), dtype=np.int64)
    low, high = _input_limits(source)
    negative, positive = np.minimum(matrix, 0).sum(axis=1), np.maximum(matrix, 0).sum(axis=1)
    limits = low * positive + high * negative, high * positive + low * negative
    steps: list[Steps | None] = []
    for row in range(len(matrix)):
        if not read[row]:
            steps.append(Steps((), (0,), out.width))
            continue
        if node.thresholds is None:
            steps.append(None)
            continue
        reach = tuple(int(scale * limit[row] + shifts[row]) for limit in limits)
        found = steps_of(node.thresholds, row, out, (reach[0], reach[1]))
        # scale * s + shift >= t  <=>  s >= ceil((t - shift) / scale)
        steps.append(Steps(tuple(-((int(shifts[row]) - at) // scale) for at in found.breaks), found.words, found.width))
    return _Rows(matrix, scale, shifts, limits, tuple(steps), {})


def _tables(rows: _Rows, source: Tensor, out: Tensor, cut: Cut) -> dict[int, _RowTable]:
    """Rows of so few inputs that a truth table of each output bit is cheaper than the sum and its thresholds."""
    found = {}
    for row, steps in enumerate(rows.steps):
        columns = np.flatnonzero(rows.matrix[row])
        bits = len(columns) * source.width
        if not 0 < bits <= choose.TABLE_BITS or (steps is not None and not steps.breaks):
            continue
        patterns = np.arange(1 << bits)
        values = patterns[:, None] >> (source.width * np.arange(len(columns))) & ((1 << source.width) - 1)
        if source.signed:
            values = np.where(values >> (source.width - 1) & 1, values - (1 << source.width), values)
        totals = [int(total) for total in values @ rows.matrix[row, columns]]
        words = [steps.word(total) if steps else rows.scale * total + int(rows.shifts[row]) for total in totals]
        inputs = tuple(Bit(int(column) * source.width + place) for column in columns for place in range(source.width))
        truths = tuple(sum((word >> place & 1) << index for index, word in enumerate(words)) for place in range(out.width))
        luts = sum(table_luts(len(table.inputs)) for table in (reduce_table(inputs, truth) for truth in set(truths))
                   if len(table.inputs) > 1)
        # No sum takes less than a LUT where the table takes one.
        alone = replace(rows, matrix=rows.matrix[[row]][:, columns], shifts=rows.shifts[[row]], steps=(steps,))
        if luts <= 1 or luts < _realise(alone, share.by_rows(alone.matrix), source, out, cut, way="rows").luts:
            found[row] = _RowTable(inputs, truths)
    return found


def _input_limits(source: Tensor) -> tuple[int, int]:
    return (0, 1) if source.dtype == "BIPOLAR" else source.limits


def _realise(rows: _Rows, graph: SumGraph, source: Tensor, out: Tensor, cut: Cut, *, way: str) -> Logic:
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
        if row in rows.tables:
            outputs += [netlist.lookup(rows.tables[row].inputs, truth) for truth in rows.tables[row].truths]
            continue
        number = Number((), offset=-wanted) if index < 0 else numbers[graph.inputs + index]
        if index >= 0 and -number.offset != wanted:
            number = exact_number(netlist, {graph.inputs + index: 1}, numbers, (int(least[index]), int(most[index])), wanted)
        outputs += _row_bits(netlist, rows, row, number, out.width)
    return with_registers(netlist, tuple(outputs), cut, way=way)


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
