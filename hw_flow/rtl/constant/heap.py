"""Sums of many bits: carry chains that take up to five table inputs, three direct bits and a carry in three LUTs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from hw_flow.rtl.constant.netlist import CHAIN_INPUTS, ZERO, Bit, Netlist, Table, count_tables, reduce_table

Columns = list[list[Bit]]
_INVERTED = itemgetter(1)
# Positions over which the table inputs of a compressor are counted: five bits make a number of three.
_SPAN = 3
_SPANS = 2  # in one chain, which then fills two CARRY4 cells
# Bits that a LUT must remove for a compressor to be built, from the best there is down to any progress.
_RATES = (1.45, 1.3, 0.95, 0.6, 0.01)


@dataclass(frozen=True)
class Effort:
    """How eagerly bits of one column are compressed.

    Attributes
    ----------
    starts : share of the bits of a column that begin compressors which no higher bits fill up. 1 is fastest; small ones
        let bits wait for the results of the first, which costs levels and saves LUTs.
    """

    starts: float = 1.0


def compress(netlist: Netlist, columns: Sequence[Sequence[Bit]], constant: int, width: int, effort: Effort) -> list[Bit]:
    """Bits of ``(constant + sum of 2^k * bits in column k) mod 2^width``, lowest first.

    Compressors are placed as their inputs arrive (by `Netlist.level`); the last chain adds what is left.
    """
    heap, constant = simplify(columns, constant, width)
    now = min((netlist.level[bit.signal] for column in heap for bit in column), default=0)
    while True:
        ready = [[bit for bit in column if netlist.level[bit.signal] <= now] for column in heap]
        complete = all(len(some) == len(column) for some, column in zip(ready, heap, strict=True))
        if complete:
            final = _Final(heap, constant, width)
            if final.feasible:
                return final.build(netlist)
        constant, made = _level(netlist, heap, ready, constant, effort)
        if complete and not made:
            final = _Final(heap, constant, width, invert=True)
            if final.feasible:
                return final.build(netlist)
            _add_rows(netlist, heap)
        now += 1
        heap, constant = simplify(heap, constant, width)


def simplify(columns: Sequence[Sequence[Bit]], constant: int, width: int) -> tuple[Columns, int]:
    """The same sum without constant bits and without two bits of one signal in a column."""
    heap: Columns = [[] for _ in range(width)]
    carried: list[Bit] = []
    for place in range(width):
        counts: dict[int, list[int]] = {}
        for bit in (*carried, *(columns[place] if place < len(columns) else ())):
            if bit.constant is None:
                counts.setdefault(bit.signal, [0, 0])[bit.inverted] += 1
            else:
                constant += bit.constant << place
        carried = []
        for signal, (plain, inverted) in counts.items():
            both = min(plain, inverted)
            constant += both << place
            rest, bit = plain + inverted - 2 * both, Bit(signal, inverted > plain)
            heap[place] += [bit] * (rest & 1)
            carried += [bit] * (rest >> 1)
    return heap, constant % (1 << width)


def _level(netlist: Netlist, heap: Columns, ready: Columns, constant: int, effort: Effort) -> tuple[int, bool]:
    """Build all worthwhile compressors among the ready bits; their outputs join the heap."""
    pending = any(len(some) < len(column) for some, column in zip(ready, heap, strict=True))
    for rate in _RATES[: 2 if pending else None]:
        made = False
        for start in range(len(heap)):
            allowed = max(1, round(effort.starts * len(ready[start]) / 7))
            while True:
                found = _Compressor(ready, start, constant, len(heap))
                if found.rate < rate or (found.rate < _RATES[0] and allowed <= 0):
                    break
                allowed -= found.rate < _RATES[0]
                constant = found.build(netlist, heap, ready, constant)
                made = True
        if made:
            return constant, True
    return constant, False


def _add_rows(netlist: Netlist, heap: Columns) -> None:
    """Two bits of every column become one: a plain adder, for heaps in which constants leave no room for tables."""
    start = next(place for place, column in enumerate(heap) if len(column) > 1)
    columns = [sorted(column, key=_INVERTED) for column in heap[start:]]
    carry = columns[0].pop(0) if len(columns[0]) > 2 else ZERO
    direct = [column.pop(0) if column else ZERO for column in columns]
    seconds = [column.pop() if column else ZERO for column in columns]
    outputs = netlist.chain(direct, [reduce_table([bit], 2) for bit in seconds], carry, len(columns))
    heap[start:] = [[*column, Bit(signal)] for column, signal in zip(columns, outputs, strict=True)]


class _Compressor:
    """The fullest chain that begins at column ``start``: a carry, direct bits, and spans of table inputs."""

    def __init__(self, ready: Columns, start: int, constant: int, width: int) -> None:
        self.start = start
        self.carry = ZERO
        self.direct: list[Bit] = []
        self.spans: list[list[tuple[Bit, int]]] = []
        self.constants: list[int] = []
        self.rate = 0.0
        left = [sorted(column, key=_INVERTED) for column in ready[start : start + _SPAN * _SPANS]]
        if not left or len(left[0]) < 2:
            return
        self.carry = left[0].pop(0)
        highest, luts = 1, 0
        for first in range(0, len(left), _SPAN):
            window = left[first : first + _SPAN]
            if first and sum(map(len, window)) < 4:
                break
            direct, inputs = _fill(window)
            limit = sum(weight for _, weight in inputs)
            spare = (1 << len(window)) - 1 - limit
            wanted = (constant >> start >> first) & ((1 << len(window)) - 1)
            taken = next((wanted & mask for mask in (7, 3, 1) if wanted & mask <= spare), 0) if inputs else 0
            self.direct += direct
            self.spans.append(inputs)
            self.constants.append(taken)
            luts += (limit + taken).bit_length()
            highest += (limit + taken + sum(1 << place for place, bit in enumerate(direct) if bit.signal >= 0)) << first
            luts += sum(bit.inverted for bit in direct)
        luts += self.carry.inverted
        self.outputs = min(highest.bit_length(), width - start)
        taken_bits = 1 + sum(bit.signal >= 0 for bit in self.direct) + sum(map(len, self.spans))
        self.rate = (taken_bits - self.outputs) / max(1, luts)

    def build(self, netlist: Netlist, heap: Columns, ready: Columns, constant: int) -> int:
        """Add the chain, exchange its inputs for its outputs, and return the constant that is left."""
        tables: list[Table] = []
        for number, (inputs, taken) in enumerate(zip(self.spans, self.constants, strict=True)):
            positions = min(_SPAN, len(self.direct) - number * _SPAN)
            tables += count_tables(inputs, taken, positions)
            constant -= taken << (self.start + number * _SPAN)
        outputs = netlist.chain(self.direct, tables, self.carry, self.outputs)
        used = [(self.carry, 0), *((bit, place) for place, bit in enumerate(self.direct) if bit.signal >= 0)]
        for number, inputs in enumerate(self.spans):
            used += [(bit, number * _SPAN + weight.bit_length() - 1) for bit, weight in inputs]
        for bit, place in used:
            heap[self.start + place].remove(bit)
            ready[self.start + place].remove(bit)
        for place, signal in enumerate(outputs):
            heap[self.start + place].append(Bit(signal))
        return constant


def _fill(window: Columns) -> tuple[list[Bit], list[tuple[Bit, int]]]:
    """Direct bits and table inputs for one span, taken out of nothing; bits that need no inverter go to the direct places."""
    room, limit = CHAIN_INPUTS, (1 << len(window)) - 1
    direct, inputs = [], []
    for place, column in enumerate(window):
        weight = 1 << place
        fits = min(room, limit // weight)
        plain = [bit for bit in column if not bit.inverted]
        others = [bit for bit in column if bit.inverted]
        # At the lowest place the table is filled first, above it the direct place, which takes nothing from the table.
        straight = plain[-1] if plain and (place or len(column) > fits or len(plain) > 1) else ZERO
        rest = [*others, *(bit for bit in plain if bit is not straight)][:fits]
        direct.append(straight)
        inputs += [(bit, weight) for bit in rest]
        room -= len(rest)
        limit -= weight * len(rest)
    return direct, inputs


class _Final:
    """The chain that adds all that is left, if its positions can hold it; ``invert`` lets inverted bits be direct ones."""

    def __init__(self, heap: Columns, constant: int, width: int, *, invert: bool = False) -> None:
        self.low: list[Bit] = []
        columns = [list(column) for column in heap]
        place = 0
        # Below the first column with two bits nothing is added.
        while place < width and len(columns[place]) <= 1:
            one = constant >> place & 1
            if columns[place]:
                bit = columns[place][0]
                self.low.append(~bit if one else bit)
                if one and place + 1 < width:
                    columns[place + 1].append(bit)
                    columns[place + 1 :], constant = _again(columns, constant, place + 1, width)
            else:
                self.low.append(~ZERO if one else ZERO)
            place += 1
        self.start, self.width, self.columns, self.constant = place, width, columns, constant
        self.carry = ZERO
        if place < width:
            first = min(columns[place], key=_INVERTED)
            columns[place].remove(first)
            self.carry = first
        self.direct = [_straight(column, invert=invert) for column in columns]
        self.spans = self._search()
        self.feasible = self.spans is not None

    def _search(self) -> list[tuple[int, list[tuple[Bit, int]], int]] | None:
        """Cheapest split of the columns into spans whose table inputs their positions can count."""
        best: dict[int, tuple[int, list[tuple[int, list[tuple[Bit, int]], int]]]] = {self.start: (0, [])}
        for place in range(self.start, self.width):
            if place not in best:
                continue
            cost, spans = best[place]
            for length in range(1, min(_SPAN + 1, self.width - place) + 1):
                window = range(place, place + length)
                inputs = [(bit, 1 << (column - place)) for column in window for bit in self.columns[column]]
                constant = self.constant >> place & ((1 << length) - 1)
                limit = sum(weight for _, weight in inputs) + constant
                top = place + length == self.width
                if len({bit.signal for bit, _ in inputs}) > CHAIN_INPUTS or (limit >= 1 << length and not top):
                    continue
                price = cost + min(limit.bit_length(), length)
                if place + length not in best or price < best[place + length][0]:
                    best[place + length] = (price, [*spans, (length, inputs, constant)])
        return best[self.width][1] if self.width in best else None

    def build(self, netlist: Netlist) -> list[Bit]:
        """Add the chain and return all bits of the sum."""
        assert self.spans is not None
        if self.start >= self.width:
            return self.low
        tables: list[Table] = []
        for length, inputs, constant in self.spans:
            tables += count_tables(inputs, constant, length)
        outputs = netlist.chain(self.direct[self.start :], tables, self.carry, self.width - self.start)
        return [*self.low, *(Bit(signal) for signal in outputs)]


def _straight(column: list[Bit], *, invert: bool) -> Bit:
    """Take the bit of a column that is added directly; an inverted one only where there are two, or to ``invert``."""
    if not column:
        return ZERO
    best = min(column, key=_INVERTED)
    if best.inverted and len(column) < 2 and not invert:
        return ZERO
    column.remove(best)
    return best


def _again(columns: Columns, constant: int, start: int, width: int) -> tuple[Columns, int]:
    """Simplify the columns from ``start`` on."""
    low = constant & ((1 << start) - 1)
    heap, high = simplify(columns[start:], constant >> start, width - start)
    return heap, low | high << start
