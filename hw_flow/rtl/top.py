"""The generated top: wires, padding to bytes, tlast and monitors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from hw_flow.ir import Tensor
from hw_flow.rtl.wrappers import Module
from sim.streams import StreamPort


@dataclass(frozen=True)
class Link:
    """The way of a tensor into the node that reads it.

    Attributes
    ----------
    tensor : what travels.
    node : name of the reader in the graph.
    between : converter and FIFO on the way.
    sink : module of the reader.
    in_lanes, out_lanes : elements a beat where the tensor is written and where it is read.
    """

    tensor: Tensor
    node: str
    between: tuple[Module, ...]
    sink: Module
    in_lanes: int
    out_lanes: int


class _Wires:
    """Streams of the top, declared once each, and the instances that join them."""

    def __init__(self, top: str) -> None:
        self.top = top
        self.declared: list[str] = []
        self.body: list[str] = []
        self.count = 0

    def stream(self, bits: int) -> str:
        """Declare a stream of ``bits`` and return the prefix of its signals."""
        name = f"s{self.count}"
        self.count += 1
        self.declared += [f"  logic {name}_valid, {name}_ready;", f"  logic [{bits - 1}:0] {name}_data;"]
        return name

    def place(self, module: Module, source: str, sink: str, level: str | None = None) -> None:
        """Instantiate ``module`` between two streams."""
        ports = [("clk_i", "clk_i"), ("rst_ni", "rst_ni"), ("s_valid_i", f"{source}_valid"), ("s_ready_o", f"{source}_ready"),
                 ("s_data_i", f"{source}_data"), ("m_valid_o", f"{sink}_valid"), ("m_ready_i", f"{sink}_ready"),
                 ("m_data_o", f"{sink}_data")]
        if level:
            ports.append(("level_o", level))
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


def top_module(top: str, links: Sequence[Link], source: StreamPort, sink: StreamPort, *, out: Tensor, graph: str) -> str:
    """Text of the top module.

    Monitors carry the tensor's name where it is written (with the peak of its FIFO, if it has one) and
    ``<tensor>@<node>`` where a converter or FIFO hands it to the reader.
    """
    wires = _Wires(top)
    first = stream = wires.stream(source.bits)
    for index, link in enumerate(links):
        written, lanes, level, level_bits = stream, link.in_lanes, "1'b0", 1
        for module in link.between:
            lanes = link.out_lanes if module.kind == "dwc" else lanes
            target = wires.stream(link.tensor.width * lanes)
            if module.kind == "fifo":
                level, level_bits = f"{stream}_level", module.level_bits
                wires.declared.append(f"  logic [{level_bits - 1}:0] {level};")
            wires.place(module, stream, target, level if module.kind == "fifo" else None)
            stream = target
        wires.monitor(link.tensor.name, written, level, level_bits)
        if stream != written:
            wires.monitor(f"{link.tensor.name}@{link.node}", stream)
        following = links[index + 1] if index + 1 < len(links) else None
        target = wires.stream(following.tensor.width * following.in_lanes if following else sink.bits)
        wires.place(link.sink, stream, target)
        stream = target
    wires.monitor(out.name, stream)
    return "\n".join([*_head(top, graph, source, sink), "", *wires.declared, "", *_input(source, first),
                      *wires.body, *_output(sink, stream), "endmodule", ""])


def _head(top: str, graph: str, source: StreamPort, sink: StreamPort) -> list[str]:
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
