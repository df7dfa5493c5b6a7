"""SystemVerilog of a netlist, cut into pipeline stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hw_flow.rtl.constant.netlist import Bit, Chain, Netlist, Op, Table

_NAMES = 16  # on a line of a long list


@dataclass(frozen=True)
class Pipeline:
    """Where registers lie: behind every ``levels`` levels of logic, and behind the last.

    Attributes
    ----------
    levels : levels of the netlist in a stage; a level is one table or one carry chain.
    depth : levels of the netlist.
    least : stages that there are at least; with 0, outputs that are inputs are wires.
    """

    levels: int
    depth: int
    least: int = 1

    @property
    def stages(self) -> int:
        """Registers between input and output: the latency in enabled cycles."""
        return max(self.least, -(-self.depth // self.levels))

    def stage(self, level: int) -> int:
        """Stage in which a signal of ``level`` is computed."""
        return max(0, level - 1) // self.levels


def logic_module(module: str, netlist: Netlist, outputs: Sequence[Bit], pipeline: Pipeline, what: str) -> str:
    """Text of a module with ports ``clk_i, rst_ni, en_i, x_i, y_o``.

    ``y_o`` follows ``x_i`` by `Pipeline.stages` enabled cycles. ``x_i`` is not registered first.
    """
    live = _live(netlist, outputs)
    writer = _Writer(netlist, live, outputs, pipeline)
    lines = [
        "// SPDX-License-Identifier: Apache-2.0", "// Generated; do not edit.", "", f"/// {what}.",
        f"/// {netlist.depth} levels of logic in {pipeline.stages} stages; a new input in every enabled cycle.",
        f"module {module} (",
        "  input  logic clk_i,",
        "  input  logic rst_ni,",
        "  input  logic en_i,",
        f"  input  logic [{netlist.inputs - 1}:0] x_i,",
        f"  output logic [{len(outputs) - 1}:0] y_o",
        ");",
        "",
    ]
    return "\n".join([*lines, *writer.lines(), "", "endmodule", ""])


def registers(netlist: Netlist, outputs: Sequence[Bit], pipeline: Pipeline) -> int:
    """Flip-flops of `logic_module`."""
    writer = _Writer(netlist, _live(netlist, outputs), outputs, pipeline)
    return sum(map(len, writer.held)) + len({bit for bit in outputs if bit.constant is None and pipeline.stages})


def _live(netlist: Netlist, outputs: Sequence[Bit]) -> list[Op]:
    """Operations that an output depends on."""
    wanted = {bit.signal for bit in outputs}
    found = []
    for op in reversed(netlist.ops):
        if wanted.intersection(op.outputs):
            found.append(op)
            wanted.update(op.inputs)
    return found[::-1]


class _Writer:
    def __init__(self, netlist: Netlist, ops: Sequence[Op], outputs: Sequence[Bit], pipeline: Pipeline) -> None:
        self.ops, self.outputs, self.pipeline = ops, outputs, pipeline
        self.stage_of = [pipeline.stage(level) for level in netlist.level]
        self.names = {signal: f"x_i[{signal}]" for signal in range(netlist.inputs)}
        for number, op in enumerate(ops):
            if isinstance(op, Chain):
                self.names |= {signal: f"c{number}[{place}]" for place, signal in enumerate(op.outputs)}
            else:
                self.names[op.output] = f"t{number}"
        # Last stage that reads each signal; the outputs' register is not among them.
        last: dict[int, int] = {}
        for op in ops:
            for signal in op.inputs:
                last[signal] = max(last.get(signal, 0), self.stage_of[op.outputs[0]])
        for bit in outputs:
            if bit.signal >= 0:
                last[bit.signal] = pipeline.stages - 1
        self.held: list[list[int]] = [
            sorted(signal for signal, stage in last.items() if self.stage_of[signal] < after <= stage)
            for after in range(1, pipeline.stages)]
        self.places = [{signal: place for place, signal in enumerate(held)} for held in self.held]
        self.unused: list[str] = []

    def lines(self) -> list[str]:
        body: list[str] = []
        for stage in range(self.pipeline.stages):
            if stage:
                body += self._register(stage)
            for number, op in enumerate(self.ops):
                if self.stage_of[op.outputs[0]] == stage:
                    body += self._chain(number, op, stage) if isinstance(op, Chain) else [
                        f"  logic t{number};", f"  assign t{number} = {self._table(op.table, stage)};"]
        body += self._output()
        used = {signal for op in self.ops for signal in op.inputs} | {bit.signal for bit in self.outputs}
        waste = ["rst_ni", *(name for signal, name in self.names.items() if signal not in used), *self.unused]
        return [*body, "", "  logic unused;", f"  assign unused = &{{1'b0, {_wrapped(waste)}}};"]

    def _read(self, bit: Bit, stage: int) -> str:
        if bit.constant is not None:
            return f"1'b{bit.constant}"
        name = self.names[bit.signal]
        if self.stage_of[bit.signal] < stage:
            name = f"q{stage}[{self.places[stage - 1][bit.signal]}]"
        return f"~{name}" if bit.inverted else name

    def _table(self, table: Table, stage: int, *, complement: bool = False) -> str:
        size = 1 << len(table.inputs)
        truth = table.truth ^ ((1 << size) - 1 if complement else 0)
        reads = [self._read(Bit(signal), stage) for signal in table.inputs]
        if not reads:
            return f"1'b{truth}"
        if len(reads) == 1:
            return reads[0] if truth == 2 else f"~{reads[0]}"
        joined = f"{{{', '.join(reversed(reads))}}}"
        parity = sum((row.bit_count() & 1) << row for row in range(size))
        if truth in (parity, parity ^ ((1 << size) - 1)):
            return f"^{joined}" if truth == parity else f"~^{joined}"
        return f"1'({size}'h{truth:x} >> {joined})"

    def _chain(self, number: int, op: Chain, stage: int) -> list[str]:
        """The chain as a difference: operands of a sum may be exchanged by a mapper, and the direct one feeds the multiplexers.

        a - ~t - 1 = a + t; the position below gives the carry: c - 1 + 1 borrows unless c is set.
        """
        width = len(op.outputs)
        direct = [self._read(bit, stage) for bit in op.direct[:width]]
        tables = [self._table(table, stage, complement=True) for table in op.tables[:width]]
        direct += ["1'b0"] * (width - len(direct))
        tables += ["1'b1"] * (width - len(tables))
        minuend = ", ".join([*reversed(direct), self._read(op.carry, stage)])
        subtrahend = ", ".join([*reversed(tables), "1'b1"])
        self.unused.append(f"z{number}")
        return [f"  logic [{width - 1}:0] c{number};", f"  logic z{number};",
                f"  assign {{c{number}, z{number}}} = {{{minuend}}} - {{{subtrahend}}};"]

    def _register(self, stage: int) -> list[str]:
        held = self.held[stage - 1]
        if not held:
            return []
        return _flip_flops(f"q{stage}", [self._read(Bit(signal), stage - 1) for signal in held], stage)

    def _output(self) -> list[str]:
        stage = self.pipeline.stages
        distinct = sorted({bit for bit in self.outputs if bit.constant is None}, key=lambda bit: (bit.signal, bit.inverted))
        places = {bit: place for place, bit in enumerate(distinct)}
        lines = _flip_flops(f"q{stage}", [self._read(bit, stage - 1) for bit in distinct], stage) if distinct and stage else []
        reads = [f"q{stage}[{places[bit]}]" if lines and bit.constant is None else self._read(bit, 0) for bit in self.outputs]
        if not lines:
            self.unused += ["clk_i", "en_i"]
        return [*lines, f"  assign y_o = {{{_wrapped(reads[::-1])}}};"]


def _wrapped(names: Sequence[str]) -> str:
    """``names`` with commas, some a line: Verilator refuses lines of many thousand words."""
    lines = [", ".join(names[first:first + _NAMES]) for first in range(0, len(names), _NAMES)]
    return ",\n    ".join(lines)


def _flip_flops(name: str, values: Sequence[str], stage: int) -> list[str]:
    """A register; every second one with a reset, which keeps waiting bits out of shift registers made of LUTs."""
    lines = [f"  logic [{len(values) - 1}:0] {name};", "  always_ff @(posedge clk_i) begin"]
    joined = f"{{{_wrapped(values[::-1])}}}"
    if stage % 2:
        return [*lines, f"    if (en_i) {name} <= {joined};", "  end"]
    return [*lines, f"    if (!rst_ni) {name} <= '0;", f"    else if (en_i) {name} <= {joined};", "  end"]
