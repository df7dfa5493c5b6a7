"""The generated top: wires, padding to bytes, tlast and monitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from hw_flow.ir import Graph
from hw_flow.rtl.edges import Reader
from hw_flow.rtl.wrappers import Module
from hw_flow.rtl.wrappers.module import stream_name
from sim.streams import StreamPort


@dataclass(frozen=True)
class Way:
    """The way of a tensor to one of its readers, with the FIFO and converter on it."""

    reader: Reader
    between: tuple[Module, ...]


@dataclass(frozen=True)
class Stage:
    """A node or a fork.

    Attributes
    ----------
    module : what is instantiated.
    layer : name that it is counted under.
    inputs : ways of a node's inputs; a fork has none, as it reads the tensor where that is written.
    output : tensor that it writes, or forks.
    """

    module: Module
    layer: str
    inputs: tuple[Way, ...]
    output: str


@dataclass(frozen=True)
class Plan:
    """All that the top holds.

    Attributes
    ----------
    top : name of the module.
    stages : in topological order, a fork behind the node that writes its tensor.
    ways : of each tensor, in the order of its readers.
    gauge : FIFOs have limits that are inputs of the top.
    """

    top: str
    graph: Graph
    stages: tuple[Stage, ...]
    ways: Mapping[str, Sequence[Way]]
    gauge: bool = False

    @property
    def placed(self) -> list[tuple[Module, str]]:
        """Every module and the name that it is counted under, in the order of the data."""
        found: list[tuple[Module, str]] = []
        for stage in self.stages:
            found += [self._own(module) for way in stage.inputs for module in way.between]
            found.append((stage.module, stage.layer))
        return found + [self._own(module) for way in self.ways[self.graph.outputs[0]] if way.reader.node is None
                        for module in way.between]

    def _own(self, module: Module) -> tuple[Module, str]:
        return module, module.name.removeprefix(f"{self.top}_")


class _Wires:
    """Streams of the top, declared once each, and the instances that join them."""

    def __init__(self, top: str, gauge: bool) -> None:
        self.top, self.gauge = top, gauge
        self.limits: list[str] = []  # inputs of the top that limit FIFOs
        self.declared: list[str] = []
        self.body: list[str] = []
        self.count = 0

    def stream(self, bits: int) -> str:
        """Declare a stream of ``bits`` and return the prefix of its signals."""
        name = f"s{self.count}"
        self.count += 1
        self.declared += [f"  logic {name}_valid, {name}_ready;", f"  logic [{bits - 1}:0] {name}_data;"]
        return name

    def place(self, module: Module, sources: Sequence[str], sinks: Sequence[str], level: str | None = None) -> None:
        """Instantiate ``module`` between streams."""
        ports = [("clk_i", "clk_i"), ("rst_ni", "rst_ni")]
        for prefix, streams, away, back in (("s", sources, "i", "o"), ("m", sinks, "o", "i")):
            for index, stream in enumerate(streams):
                name = stream_name(prefix, index, len(streams))
                ports += [(f"{name}_valid_{away}", f"{stream}_valid"), (f"{name}_ready_{back}", f"{stream}_ready"),
                          (f"{name}_data_{away}", f"{stream}_data")]
        if level:
            ports.append(("level_o", level))
            if self.gauge:
                ports.append(("limit_i", f"limit_{len(self.limits)}_i"))
                self.limits.append(f"  input  logic [{module.level_bits - 1}:0] limit_{len(self.limits)}_i,")
        self.body += [f"  {module.name} u_{module.name.removeprefix(f'{self.top}_')} (",
                      ",\n".join(f"    .{port}({wire})" for port, wire in ports), "  );", ""]

    def monitor(self, name: str, stream: str, level: str = "1'b0", level_bits: int = 1) -> None:
        """Watch a stream under ``name``, percent-encoded: any tensor name is a string literal and a word for the simulator."""
        text = quote(name, safe="@/:")
        self.body += [
            f"  bw_stream_monitor #(.Name(\"{text}\"), .LevelWidth({level_bits})) u_monitor_{stream} (",
            f"    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i({stream}_valid), .ready_i({stream}_ready),"
            f" .level_i({level})",
            "  );", "",
        ]


def top_module(plan: Plan, source: StreamPort, sink: StreamPort) -> str:
    """Text of the top module.

    A tensor with one reader has a monitor of its name where it is written (with the peak of its FIFO, if it has one) and
    ``<tensor>@<node>`` where a converter or FIFO hands it to the reader. One with several readers has ``<tensor>`` in front
    of the fork, ``<tensor>@<node>`` behind it (with the peak of that reader's FIFO) and ``<tensor>@<node>:read`` at the reader.
    """
    wires = _Wires(plan.top, plan.gauge)
    graph = plan.graph
    first = wires.stream(source.bits)
    # Where each reader finds its tensor.
    heads: dict[Reader, str] = {}
    _spread(graph.inputs[0], first, plan, wires, heads)
    for stage in plan.stages:
        if not stage.inputs:
            continue
        ends = [_travel(way, heads, wires) for way in stage.inputs]
        way = plan.ways[stage.output][0]
        written = wires.stream(way.reader.tensor.width * way.reader.written)
        wires.place(stage.module, ends, [written])
        _spread(stage.output, written, plan, wires, heads)
    last = _travel(next(way for way in plan.ways[graph.outputs[0]] if way.reader.node is None), heads, wires)
    return "\n".join([*_head(plan.top, graph.name, source, sink, wires.limits), "", *wires.declared, "", *_input(source, first),
                      *wires.body, *_output(sink, last), "endmodule", ""])


def _spread(tensor: str, written: str, plan: Plan, wires: _Wires, heads: dict[Reader, str]) -> None:
    """Give each reader of ``tensor`` a stream: the one that is written, or a fork's."""
    ways = plan.ways[tensor]
    fork = next((stage for stage in plan.stages if not stage.inputs and stage.output == tensor), None)
    streams = [written]
    if fork is not None:
        wires.monitor(tensor, written)
        reader = ways[0].reader
        streams = [wires.stream(reader.tensor.width * reader.written) for _ in ways]
        wires.place(fork.module, [written], streams)
    for way, stream in zip(ways, streams, strict=True):
        heads[way.reader] = stream


def _travel(way: Way, heads: Mapping[Reader, str], wires: _Wires) -> str:
    """Place what lies on ``way``, watch both ends and return the stream at the reader."""
    reader = way.reader
    stream = written = heads[reader]
    lanes, level, level_bits = reader.written, "1'b0", 1
    for module in way.between:
        lanes = reader.lanes if module.kind == "dwc" else lanes
        target = wires.stream(reader.tensor.width * lanes)
        if module.kind == "fifo":
            level, level_bits = f"{stream}_level", module.level_bits
            wires.declared.append(f"  logic [{level_bits - 1}:0] {level};")
        wires.place(module, [stream], [target], level if module.kind == "fifo" else None)
        stream = target
    wires.monitor(reader.key, written, level, level_bits)
    if stream != written:
        shared = reader.key != reader.tensor.name
        wires.monitor(f"{reader.key}:read" if shared else f"{reader.key}@{reader.name}", stream)
    return stream


def _head(top: str, graph: str, source: StreamPort, sink: StreamPort, limits: Sequence[str]) -> list[str]:
    return [
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated; do not edit.",
        "",
        f"/// Accelerator of graph {' '.join(graph.split())}.",
        f"/// In: {source.beats} beats of {source.lanes} x {source.type_name} a frame; s_axis_tlast is not needed.",
        f"/// Out: {sink.beats} beats of {sink.lanes} x {sink.type_name} a frame, tlast on the last.",
        f"module {top} (",
        "  input  logic clk_i,",
        "  input  logic rst_ni,  // synchronous",
        *limits,
        f"  input  logic [{source.tdata_bits - 1}:0] s_axis_tdata,",
        "  input  logic s_axis_tvalid,",
        "  output logic s_axis_tready,",
        "  input  logic s_axis_tlast,",
        f"  output logic [{sink.tdata_bits - 1}:0] m_axis_tdata,",
        "  output logic m_axis_tvalid,",
        "  input  logic m_axis_tready,",
        "  output logic m_axis_tlast",
        ");",
    ]


def _input(port: StreamPort, stream: str) -> list[str]:
    lines = [f"  assign {stream}_valid = s_axis_tvalid;", f"  assign s_axis_tready = {stream}_ready;",
             f"  assign {stream}_data = s_axis_tdata[{port.bits - 1}:0];", "  logic unused;"]
    padding = port.tdata_bits > port.bits
    spare = f", s_axis_tdata[{port.tdata_bits - 1}:{port.bits}]" if padding else ""
    return [*lines, f"  assign unused = &{{1'b0, s_axis_tlast{spare}}};", ""]


def _output(port: StreamPort, stream: str) -> list[str]:
    spare = port.tdata_bits - port.bits
    data = f"{{{spare}'b0, {stream}_data}}" if spare else f"{stream}_data"
    return [
        f"  assign m_axis_tvalid = {stream}_valid;",
        f"  assign {stream}_ready = m_axis_tready;",
        f"  assign m_axis_tdata = {data};",
        "",
        f"  bw_last_counter #(.Beats({port.beats})) u_last (",
        "    .clk_i(clk_i), .rst_ni(rst_ni),",
        "    .transfer_i(m_axis_tvalid && m_axis_tready), .last_o(m_axis_tlast)",
        "  );",
        "",
    ]
