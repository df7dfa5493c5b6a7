"""Thresholds without a matrix: each channel is compared with constants of its own."""

from __future__ import annotations

from functools import lru_cache

from hw_flow.ir import Tensor, Thresholding
from hw_flow.rtl.constant.activation import Steps, cheapest, steps_of
from hw_flow.rtl.constant.logic import Cut, Logic, with_registers
from hw_flow.rtl.constant.netlist import ONE, ZERO, Bit, Netlist
from hw_flow.rtl.unread import BoolArray


def threshold_logic(node: Thresholding, source: Tensor, out: Tensor, cut: Cut, read: BoolArray) -> Logic:
    """The thresholds of one vector as logic; results that are bits of the input take neither logic nor a register.

    Parameters
    ----------
    read : channels whose results matter, bool ``[C]``; the others are 0.
    """
    return _built(node, source, out, cut, read.tobytes())


@lru_cache(maxsize=64)
def _built(node: Thresholding, source: Tensor, out: Tensor, cut: Cut, read: bytes) -> Logic:
    width = source.width
    netlist = Netlist(source.channels * width)
    several = len(node.thresholds.values) > 1
    steps = [_steps(node, row, source, out) for row in range(source.channels if several else 1)]
    outputs: list[Bit] = []
    for channel, wanted in enumerate(read):
        bits = [Bit(channel * width + place) for place in range(width)]
        outputs += _word(netlist, bits, steps[channel if several else 0], signed=source.signed) if wanted else [ZERO] * out.width
    return with_registers(netlist, tuple(outputs), cut, way="channels", least=0)


def _steps(node: Thresholding, row: int, source: Tensor, out: Tensor) -> Steps:
    """The function of the integer on the wire; a BIPOLAR element is ``2 u - 1`` for the bit u."""
    found = steps_of(node.thresholds, row, out, source.limits)
    if source.dtype != "BIPOLAR":
        return found
    return Steps(tuple(-(-(at + 1) // 2) for at in found.breaks), found.words, found.width)


def _word(netlist: Netlist, bits: list[Bit], steps: Steps, *, signed: bool) -> list[Bit]:
    if not steps.breaks:
        return [ONE if steps.words[0] >> place & 1 else ZERO for place in range(steps.width)]
    drop = min([len(bits) - 1, *((at & -at).bit_length() - 1 for at in steps.breaks if at)])
    bits, steps = bits[drop:], steps.halved(drop)
    if not signed:
        # Less the half of its range, a plain number is two's complement with the highest bit inverted.
        bits, steps = [*bits[:-1], ~bits[-1]], steps.moved(-(1 << (len(bits) - 1)))
    return cheapest(netlist, bits, steps)
