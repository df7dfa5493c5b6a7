"""A node as logic: its netlist, its outputs, and where the registers lie."""

from __future__ import annotations

from dataclasses import dataclass

from hw_flow.rtl.constant import choose
from hw_flow.rtl.constant.emit import Pipeline, registers
from hw_flow.rtl.constant.netlist import Bit, Netlist

Cut = tuple[int, int | None]  # levels in a stage, and the stages that override them


@dataclass(frozen=True, eq=False)
class Logic:
    """A node as logic.

    Attributes
    ----------
    netlist : one input signal for every bit of the input vector, lowest element and bit first.
    outputs : bits of the output vector in the same order.
    pipeline : where its registers lie.
    way : how a matrix was shared, for reports: ``rows``, ``differences`` or ``da4ml``; ``channels`` for thresholds alone.
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


def with_registers(netlist: Netlist, outputs: tuple[Bit, ...], cut: Cut, *, way: str, least: int = 1) -> Logic:
    """``outputs`` of ``netlist``, pipelined as ``cut`` says, in at least ``least`` stages."""
    depth = max((netlist.level[bit.signal] for bit in outputs if bit.signal >= 0), default=0)
    levels, stages = cut
    pipeline = Pipeline(levels if stages is None else max(1, -(-depth // stages)), depth, least)
    return Logic(netlist, outputs, pipeline, way, netlist.luts(), registers(netlist, outputs, pipeline))
