"""Thresholds that are constants: the sum is moved so that one comparison is its sign, and the others take few LUTs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hw_flow.ir import Tensor, Thresholds
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.constant.netlist import CHAIN_INPUTS, LUT_INPUTS, ONE, ZERO, Bit, Netlist, reduce_table
from hw_flow.rtl.constant.sums import Number


@dataclass(frozen=True)
class Steps:
    """A step function of an integer: ``words[i]`` where exactly i of the ascending ``breaks`` are reached.

    Words are what the wire carries, ``width`` bits.
    """

    breaks: tuple[int, ...]
    words: tuple[int, ...]
    width: int

    @property
    def centre(self) -> int:
        """The break that a balanced search asks first."""
        return self.breaks[(1 << (len(self.breaks).bit_length() - 1)) - 1]

    def word(self, value: int) -> int:
        """The word of an integer."""
        return self.words[sum(value >= at for at in self.breaks)]

    def moved(self, by: int) -> Steps:
        """The same function of ``value + by``."""
        return Steps(tuple(at + by for at in self.breaks), self.words, self.width)

    def halved(self, times: int) -> Steps:
        """The same function of ``value >> times``, which must not fall between two breaks."""
        return Steps(tuple(at >> times for at in self.breaks), self.words, self.width)

    @property
    def spare(self) -> int:
        """Lowest bits of a sum moved by ``-centre`` that no comparison needs."""
        offsets = [at - self.centre for at in self.breaks if at != self.centre]
        return min((offset & -offset).bit_length() - 1 for offset in offsets) if offsets else self.width + 64


def steps_of(thresholds: Thresholds, row: int, out: Tensor, limits: tuple[int, int]) -> Steps:
    """What ``thresholds`` make of a sum in ``limits``, for channel ``row``; unreachable breaks are gone."""
    channel = row if len(thresholds.values) > 1 else 0
    descending = bool(thresholds.descending[row if len(thresholds.descending) > 1 else 0])
    values = np.clip(thresholds.values[channel], limits[0], limits[1] + 1)
    inside = sorted({int(value) for value in values if limits[0] < value <= limits[1]})
    words = []
    for value in (limits[0], *inside):
        count = int((values <= value).sum())
        result = thresholds.base + thresholds.step * (thresholds.levels - count if descending else count)
        words.append((result + 1) // 2 if out.dtype == "BIPOLAR" else result & ((1 << out.width) - 1))
    # Equal words on both sides of a break: a threshold that changes nothing.
    kept = [index for index, (before, after) in enumerate(pairwise(words)) if before != after]
    return Steps(tuple(inside[index] for index in kept), (words[0], *(words[index + 1] for index in kept)), out.width)


def apply(netlist: Netlist, number: Number, steps: Steps) -> list[Bit]:
    """Bits of the word for a sum that `Steps.centre` was taken from; the way that `cheapest` finds."""
    moved = steps.moved(-steps.centre)
    if len(moved.breaks) == 1:
        sign = number.bits[-1]
        return [_select(sign, moved.words, place) for place in range(moved.width)]
    drop = min(moved.spare, len(number.bits) - 1)
    return cheapest(netlist, number.bits[drop:], moved.halved(drop))


def cheapest(netlist: Netlist, bits: Sequence[Bit], steps: Steps) -> list[Bit]:
    """Bits of the word for a number in two's complement, by whatever of table, comparators and search takes the fewest LUTs."""
    if len(steps.breaks) == 1:
        return _by_comparators(netlist, bits, steps)
    ways = [_by_search, _by_comparators]
    if len(bits) <= LUT_INPUTS + 2:
        ways.append(_by_table)
    mark = netlist.mark()
    prices = []
    for way in ways:
        way(netlist, bits, steps)
        prices.append(netlist.luts(mark[0]))
        netlist.rewind(mark)
    return ways[int(np.argmin(prices))](netlist, bits, steps)


def _select(sign: Bit, words: Sequence[int], place: int) -> Bit:
    below, above = words[0] >> place & 1, words[1] >> place & 1
    if below == above:
        return ONE if below else ZERO
    return sign if below else ~sign


def _by_table(netlist: Netlist, bits: Sequence[Bit], steps: Steps) -> list[Bit]:
    """Every output bit as one table of the sum."""
    values = signed_range(len(bits))
    return [netlist.lookup(bits, sum((steps.word(int(value)) >> place & 1) << index for index, value in enumerate(values)))
            for place in range(steps.width)]


def _by_comparators(netlist: Netlist, bits: Sequence[Bit], steps: Steps) -> list[Bit]:
    """All comparisons side by side; each bit of the index picks one of them by the bits above it."""
    reached = [reaches(netlist, bits, at) for at in steps.breaks]
    return _words(netlist, steps, lambda prefix, choices: _pick(netlist, prefix, [reached[index] if index < len(reached) else ZERO
                                                                                 for index in choices]))


def _by_search(netlist: Netlist, bits: Sequence[Bit], steps: Steps) -> list[Bit]:
    """One comparison after the other, each with the break that the bits so far select."""
    width = len(bits) + 1
    low, high = -(1 << (len(bits) - 1)), (1 << (len(bits) - 1)) - 1

    def compare(prefix: Sequence[Bit], choices: Sequence[int]) -> Bit:
        wanted = [steps.breaks[index] if index < len(steps.breaks) else high + 1 for index in choices]
        if all(at == 0 for at in wanted):
            return ~bits[-1]
        # value - at = value + ~at + 1; the sign of it, one bit wider, says whether the break is reached.
        tables = []
        for place in range(width):
            truth = sum((~max(low, at) >> place & 1) << index for index, at in enumerate(wanted))
            table = reduce_table(prefix, truth)
            if len(table.inputs) > CHAIN_INPUTS:
                bit = netlist.lookup(prefix, truth)
                table = reduce_table([bit], 2)
            tables.append(table)
        outputs = netlist.chain([*bits, bits[-1]], tables, ONE, width)
        return ~Bit(outputs[-1])

    return _words(netlist, steps, compare)


def _words(netlist: Netlist, steps: Steps, compare: Callable[[Sequence[Bit], Sequence[int]], Bit]) -> list[Bit]:
    """Index of the step, highest bit first, and the word that it stands for.

    ``compare`` gives the next bit: whether the break is reached that the bits above it choose among ``choices``.
    """
    count = len(steps.breaks).bit_length()
    index: list[Bit] = []  # lowest first
    for place in range(count - 1, -1, -1):
        prefix = list(index)
        choices = [(row << (place + 1)) + (1 << place) - 1 for row in range(1 << len(prefix))]
        index.insert(0, compare(prefix, choices))
    rows = 1 << count
    words = [steps.words[min(row, len(steps.words) - 1)] for row in range(rows)]
    truths = [sum((word >> place & 1) << row for row, word in enumerate(words)) for place in range(steps.width)]
    return [netlist.lookup(index, truth) for truth in truths]


def _pick(netlist: Netlist, prefix: Sequence[Bit], options: Sequence[Bit]) -> Bit:
    """The option that ``prefix``, lowest bit first, numbers."""
    if len(prefix) + len(options) <= LUT_INPUTS:
        truth = 0
        for row in range(1 << (len(prefix) + len(options))):
            chosen = row & ((1 << len(prefix)) - 1)
            truth |= (row >> (len(prefix) + chosen) & 1) << row
        return netlist.lookup([*prefix, *options], truth)
    half = len(options) // 2
    low, high = _pick(netlist, prefix[:-1], options[:half]), _pick(netlist, prefix[:-1], options[half:])
    return _pick(netlist, prefix[-1:], [low, high])


def reaches(netlist: Netlist, bits: Sequence[Bit], at: int) -> Bit:
    """Whether the two's complement number is ``at`` or more."""
    low, high = -(1 << (len(bits) - 1)), (1 << (len(bits) - 1)) - 1
    if at <= low:
        return ONE
    if at > high:
        return ZERO
    # With the sign bit inverted both are unsigned. From the lowest bits up: greater, or equal and so far reached.
    plain, wanted, so_far = [*bits[:-1], ~bits[-1]], at - low, ONE
    skip = (wanted & -wanted).bit_length() - 1
    plain, wanted = plain[skip:], wanted >> skip
    while plain:
        take = LUT_INPUTS if so_far is ONE else LUT_INPUTS - 1
        group, part = plain[:take], wanted & ((1 << take) - 1)
        truth = 0
        for row in range(1 << (len(group) + 1)):
            value, before = row & ((1 << len(group)) - 1), row >> len(group)
            truth |= (value > part or (value == part and before == 1)) << row
        so_far = netlist.lookup([*group, so_far], truth)
        plain, wanted = plain[take:], wanted >> take
    return so_far


def signed_range(width: int) -> IntArray:
    """The value of every pattern of ``width`` bits as two's complement."""
    patterns = np.arange(1 << width)
    return np.where(patterns >> (width - 1) & 1, patterns - (1 << width), patterns)

