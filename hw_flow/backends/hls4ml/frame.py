"""SystemVerilog around the top module of an HLS compiler, so that it takes and gives streams of dense elements."""

from __future__ import annotations

from hw_flow.backends.hls4ml.ports import Ports, Side
from hw_flow.backends.hls4ml.runner import TOP

WRAPPER = "bw_vendor_frame"
# Frames that an output element may run ahead of the slowest one; a power of two.
QUEUE = 16


def frame(ports: Ports, source: Side, sink: Side) -> str:
    """SystemVerilog of a module that gives the top streams ``s`` and ``m`` with dense elements."""
    wires = [f"  logic [{width - 1}:0] {name};" for name, (_, width) in ports.items() if name not in ("ap_clk",)]
    lines = [
        f"module {WRAPPER} (",
        "  input  logic clk_i,", "  input  logic rst_ni,",
        f"  input  logic [{-(-source.width * len(source.lanes) // 8) * 8 - 1}:0] s_tdata,",
        "  input  logic s_tvalid,", "  output logic s_tready,",
        f"  output logic [{-(-sink.width * len(sink.lanes) // 8) * 8 - 1}:0] m_tdata,",
        "  output logic m_tvalid,", "  input  logic m_tready", ");", *wires]
    if "ap_rst" in ports:
        lines.append("  assign ap_rst = !rst_ni;")
    if "ap_rst_n" in ports:
        lines.append("  assign ap_rst_n = rst_ni;")
    if "ap_continue" in ports:
        lines.append("  assign ap_continue = 1'b1;")
    lines += _stream_in(ports, source) if source.stream else _vector_in(ports, source)
    lines += _stream_out(sink) if sink.stream else _elements_out(sink)
    pins = ", ".join(f".{name}({'clk_i' if name == 'ap_clk' else name})" for name in ports)
    return "\n".join([*lines, f"  {TOP} u_top ({pins});", "endmodule", ""])


def _driven(side: Side, ports: Ports, data: str) -> list[str]:
    """Assignments of dense elements of ``data`` to the ports; what lies between them is 0."""
    widths = {name: ports[name][1] for name, _ in side.lanes}
    lines = ["  always_comb begin", *(f"    {name} = '0;" for name in widths)]
    lines += [f"    {name}[{low} +: {side.width}] = {data}[{index * side.width} +: {side.width}];"
              for index, (name, low) in enumerate(side.lanes)]
    return [*lines, "  end"]


def _stream_in(ports: Ports, side: Side) -> list[str]:
    lines = _driven(side, ports, "s_tdata")
    lines.append("  assign s_tready = " + " & ".join(f"{name}_TREADY" for name in side.handshakes) + ";")
    alone = len(side.handshakes) == 1
    # Streams of one array move together, so that they never part.
    lines += [f"  assign {name}_TVALID = s_tvalid{'' if alone else ' & s_tready'};" for name in side.handshakes]
    return [*lines, *(["  assign ap_start = 1'b1;"] if "ap_start" in ports else [])]


def _vector_in(ports: Ports, side: Side) -> list[str]:
    """A register holds the frame until the top is ready for the next one."""
    lines = ["  logic held_q;", "  logic [$bits(s_tdata)-1:0] frame_q;", "  assign s_tready = !held_q | ap_ready;",
             "  always_ff @(posedge clk_i) begin",
             "    if (!rst_ni) held_q <= 1'b0;", "    else if (s_tready) held_q <= s_tvalid;",
             "    if (s_tready) frame_q <= s_tdata;", "  end"]
    lines += [*_driven(side, ports, "frame_q"), *(f"  assign {name} = held_q;" for name in side.handshakes)]
    return [*lines, "  assign ap_start = held_q;"]


def _stream_out(side: Side) -> list[str]:
    lines = ["  assign m_tvalid = " + " & ".join(f"{name}_TVALID" for name in side.handshakes) + ";"]
    together = " & m_tvalid" if len(side.handshakes) > 1 else ""
    lines += [f"  assign {name}_TREADY = m_tready{together};" for name in side.handshakes]
    return [*lines, *_gathered(side, [f"{name}[{low} +: {side.width}]" for name, low in side.lanes])]


def _elements_out(side: Side) -> list[str]:
    """A queue for every element: a pipelined top may give one of the next frame before the last of this one."""
    count, bits = len(side.lanes), QUEUE.bit_length() - 1
    valid = [side.handshakes[0 if len(side.handshakes) == 1 else index] for index in range(count)]
    lines = [f"  logic [{side.width - 1}:0] queue [{count}][{QUEUE}];", f"  logic [{bits}:0] write_q [{count}];",
             f"  logic [{bits}:0] read_q [{count}];", f"  logic [{count - 1}:0] filled;", "  assign m_tvalid = &filled;",
             *(f"  assign filled[{index}] = write_q[{index}] != read_q[{index}];" for index in range(count)),
             "  always_ff @(posedge clk_i) begin", f"    for (int i = 0; i < {count}; i++) begin",
             "      if (!rst_ni) read_q[i] <= '0;", "      else if (m_tvalid & m_tready) read_q[i] <= read_q[i] + 1'b1;",
             "      if (!rst_ni) write_q[i] <= '0;", "    end"]
    for index, ((name, low), flag) in enumerate(zip(side.lanes, valid, strict=True)):
        lines += [f"    if (rst_ni & {flag}[0]) begin",
                  # The ports have no ready: what does not fit would be lost.
                  f"      if (write_q[{index}] - read_q[{index}] == {bits + 1}'d{QUEUE} && !(m_tvalid & m_tready)) "
                  f'$fatal(1, "{name} is {QUEUE} frames ahead of what was read, which is all that its queue holds");',
                  f"      queue[{index}][write_q[{index}][{bits - 1}:0]] <= {name}[{low} +: {side.width}];",
                  f"      write_q[{index}] <= write_q[{index}] + 1'b1;", "    end"]
    return [*lines, "  end", *_gathered(side, [f"queue[{index}][read_q[{index}][{bits - 1}:0]]" for index in range(count)])]


def _gathered(side: Side, values: list[str]) -> list[str]:
    lines = ["  always_comb begin", "    m_tdata = '0;"]
    lines += [f"    m_tdata[{index * side.width} +: {side.width}] = {value};" for index, value in enumerate(values)]
    return [*lines, "  end"]
