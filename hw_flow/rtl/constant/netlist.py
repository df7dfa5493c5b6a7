"""Logic in units of the device: truth tables of up to six inputs, and carry chains that take a table at every position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hw_flow.ir.tensor import IntArray

LUT_INPUTS = 6
# Inputs of a table in a carry chain: one of the six goes to the bit that is added directly.
CHAIN_INPUTS = 5


class Bit(NamedTuple):
    """A signal of a netlist, or its complement; signal -1 is the constant 0 (complemented: 1)."""

    signal: int
    inverted: bool = False

    def __invert__(self) -> Bit:
        return Bit(self.signal, not self.inverted)

    @property
    def constant(self) -> int | None:
        """0 or 1 where the bit is constant."""
        return int(self.inverted) if self.signal < 0 else None


ZERO, ONE = Bit(-1), Bit(-1, True)


@dataclass(frozen=True)
class Table:
    """A function of signals: bit ``i`` of ``truth`` is its value where input j is bit j of ``i``."""

    inputs: tuple[int, ...]
    truth: int

    @property
    def trivial(self) -> bool:
        """Whether it is constant."""
        return not self.inputs


@dataclass(frozen=True)
class Lookup:
    """One output that is a table of its inputs."""

    table: Table
    output: int

    @property
    def inputs(self) -> tuple[int, ...]:
        """Signals read."""
        return self.table.inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        """Signals written."""
        return (self.output,)


@dataclass(frozen=True)
class Chain:
    """A carry chain: ``outputs = direct + tables + carry`` modulo 2^len(outputs).

    Attributes
    ----------
    direct : per position the bit that is added as it is; it also feeds the carry multiplexer, so an inverted one costs a LUT.
    tables : per position a function that is added, evaluated in the same LUT as the direct bit.
    carry : the bit that is added to position 0.
    outputs : signals, lowest first; may be more than the positions, where the carry leaves.
    """

    direct: tuple[Bit, ...]
    tables: tuple[Table, ...]
    carry: Bit
    outputs: tuple[int, ...]

    @property
    def inputs(self) -> tuple[int, ...]:
        """Signals read."""
        found = {signal for table in self.tables for signal in table.inputs}
        found |= {bit.signal for bit in (*self.direct, self.carry)}
        return tuple(sorted(found - {-1}))

    @property
    def luts(self) -> int:
        """LUTs that do more than let a signal pass, without inverters."""
        return sum(not table.trivial or table.truth > 0 for table in self.tables)

    @property
    def inverters(self) -> set[int]:
        """Signals whose complement the carry multiplexers need."""
        return {bit.signal for bit in (*self.direct, self.carry) if bit.inverted and bit.signal >= 0}


Op = Lookup | Chain
Ops = tuple[list[Op], list[int]]  # operations and the levels of their outputs


class Netlist:
    """Operations in topological order over numbered signals.

    Attributes
    ----------
    inputs : number of signals that come from outside, numbered from 0.
    ops : operations, producers first.
    level : of every signal, 0 for inputs, otherwise one more than the highest level among what it is computed from.
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.ops: list[Op] = []
        self.level: list[int] = [0] * inputs
        self._tables: dict[Table, int] = {}

    def mark(self) -> tuple[int, int]:
        """Where the netlist ends, for `rewind`."""
        return len(self.ops), len(self.level)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Take back all operations since ``mark``."""
        del self.ops[mark[0] :]
        del self.level[mark[1] :]
        # Tables were added in the order of their signals.
        while self._tables and next(reversed(self._tables.values())) >= mark[1]:
            self._tables.popitem()

    def since(self, mark: tuple[int, int]) -> Ops:
        """The operations since ``mark``, for `append` at the same place."""
        return self.ops[mark[0] :], self.level[mark[1] :]

    def append(self, part: Ops) -> None:
        """Put back operations that were taken back; only chains, tables would no longer be shared."""
        self.ops += part[0]
        self.level += part[1]

    def luts(self, since: int = 0) -> int:
        """LUTs of the operations from number ``since`` on, as the mapper is expected to count them."""
        inverted: set[int] = set()
        total = 0
        for op in self.ops[since:]:
            total += op.luts if isinstance(op, Chain) else table_luts(len(op.inputs))
            inverted |= op.inverters if isinstance(op, Chain) else set()
        return total + len(inverted)

    @property
    def depth(self) -> int:
        """Highest level."""
        return max(self.level, default=0)

    def chain(self, direct: Sequence[Bit], tables: Sequence[Table], carry: Bit, width: int) -> tuple[int, ...]:
        """Add a chain with ``width`` outputs and return them."""
        outputs = tuple(range(len(self.level), len(self.level) + width))
        op = Chain(tuple(direct), tuple(tables), carry, outputs)
        self._add(op)
        return outputs

    def lookup(self, bits: Sequence[Bit], truth: int) -> Bit:
        """Add a table of ``bits`` (equal tables once); a function of one signal or none adds nothing."""
        table = reduce_table(bits, truth)
        if not table.inputs:
            return ONE if table.truth else ZERO
        if len(table.inputs) == 1:
            return Bit(table.inputs[0], table.truth == 1)
        full = (1 << (1 << len(table.inputs))) - 1
        found = self._tables.get(table)
        if found is None and (opposite := self._tables.get(Table(table.inputs, full ^ table.truth))) is not None:
            return Bit(opposite, True)
        if found is None:
            found = len(self.level)
            self._add(Lookup(table, found))
            self._tables[table] = found
        return Bit(found)

    def _add(self, op: Op) -> None:
        level = 1 + max((self.level[signal] for signal in op.inputs), default=0)
        self.ops.append(op)
        self.level += [level] * len(op.outputs)

    def evaluate(self, inputs: np.ndarray) -> np.ndarray:
        """All signals ``[N, signals]`` as bool for bool inputs ``[N, inputs]``."""
        values = np.zeros((len(inputs), len(self.level)), dtype=bool)
        values[:, : self.inputs] = inputs
        for op in self.ops:
            if isinstance(op, Lookup):
                values[:, op.output] = _look_up(op.table, values)
                continue
            total = np.zeros(len(inputs), dtype=np.int64)
            for position, (direct, table) in enumerate(zip(op.direct, op.tables, strict=True)):
                total += _column(direct, values) << position
                total += _look_up(table, values).astype(np.int64) << position
            total += _column(op.carry, values)
            for position, output in enumerate(op.outputs):
                values[:, output] = (total >> position) & 1
        return values


def table_luts(inputs: int) -> int:
    """LUTs of a table; the multiplexers behind more than one are not LUTs up to eight inputs."""
    return 1 << max(0, inputs - LUT_INPUTS)


def reduce_table(bits: Sequence[Bit], truth: int) -> Table:
    """The table over distinct signals that it really depends on, in ascending order."""
    signals = sorted({bit.signal for bit in bits if bit.signal >= 0})
    places = {signal: place for place, signal in enumerate(signals)}
    pattern = tuple((places.get(bit.signal, -1), bit.inverted) for bit in bits)
    used, reduced = _reduce(pattern, truth)
    return Table(tuple(signals[place] for place in used), reduced)


def count_tables(bits: Sequence[tuple[Bit, int]], constant: int, positions: int) -> tuple[Table, ...]:
    """Tables of the lowest binary digits of ``constant + sum of weight * bit``."""
    signals = sorted({bit.signal for bit, _ in bits})
    places = {signal: place for place, signal in enumerate(signals)}
    pattern = tuple(sorted((places[bit.signal], bit.inverted, weight) for bit, weight in bits))
    return tuple(Table(tuple(signals[place] for place in used), truth) for used, truth in _count(pattern, constant, positions))


@lru_cache(maxsize=1 << 16)
def _reduce(pattern: tuple[tuple[int, bool], ...], truth: int) -> tuple[tuple[int, ...], int]:
    """`reduce_table` on places instead of signals; -1 is a constant."""
    signals = list(range(1 + max((place for place, _ in pattern), default=-1)))
    values = []
    for index in range(1 << len(signals)):
        row = 0
        for place, (signal, inverted) in enumerate(pattern):
            row |= ((index >> signal & 1 if signal >= 0 else 0) ^ inverted) << place
        values.append(truth >> row & 1)
    place = 0
    while place < len(signals):
        step = 1 << place
        low = [values[index] for index in range(len(values)) if not index & step]
        if low == [values[index] for index in range(len(values)) if index & step]:
            values = low
            del signals[place]
        else:
            place += 1
    return tuple(signals), sum(value << index for index, value in enumerate(values))


@lru_cache(maxsize=1 << 16)
def _count(pattern: tuple[tuple[int, bool, int], ...], constant: int, positions: int) -> tuple[tuple[tuple[int, ...], int], ...]:
    """`count_tables` on places instead of signals."""
    inputs = 1 + max((place for place, _, _ in pattern), default=-1)
    truths = [0] * positions
    for index in range(1 << inputs):
        total = constant + sum(weight * ((index >> place & 1) ^ inverted) for place, inverted, weight in pattern)
        for position in range(positions):
            truths[position] |= (total >> position & 1) << index
    plain = tuple((place, False) for place in range(inputs))
    return tuple(_reduce(plain, truth) for truth in truths)


def numbers(values: np.ndarray, bits: Sequence[Bit], *, signed: bool) -> IntArray:
    """Integers ``[N]`` that ``bits``, lowest first, stand for among evaluated signals ``[N, signals]``."""
    total = np.zeros(len(values), dtype=np.int64)
    for place, bit in enumerate(bits):
        total += _column(bit, values) << place
    if signed and bits:
        total -= (total >> (len(bits) - 1) & 1) << len(bits)
    return total


def _column(bit: Bit, values: np.ndarray) -> IntArray:
    value = values[:, bit.signal] if bit.signal >= 0 else np.zeros(len(values), dtype=bool)
    return (value ^ bit.inverted).astype(np.int64)


def _look_up(table: Table, values: np.ndarray) -> np.ndarray:
    index = np.zeros(len(values), dtype=np.int64)
    for place, signal in enumerate(table.inputs):
        index |= values[:, signal].astype(np.int64) << place
    truth = np.array([table.truth >> row & 1 for row in range(1 << len(table.inputs))], dtype=bool)
    return truth[index]
