"""The Verilog that an HLS compiler made of a project, in Verilator: ports, a frame around them, comparison with C simulation.

Follows the port conventions of Vitis HLS and Vivado HLS for hls4ml's pragmas: `ap_ctrl_hs` with `ap_vld` (io_parallel: the input
one vector, the output an element a port) and AXI4-Stream (io_stream: an array a beat, or each of its elements a stream).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from hw_flow.backends.hls4ml.netlist import Fixed, Wire
from hw_flow.backends.hls4ml.project import Project
from hw_flow.backends.hls4ml.runner import PROJECT, TOP
from hw_flow.errors import FlowError
from hw_flow.report.schema import Figure
from hw_flow.storage import write_text

if TYPE_CHECKING:
    from sim import SimResult, StreamPort

RUN = Path("csim") / "verilog.json"
FOLDER = Path(f"{TOP}_prj") / "solution1" / "syn" / "verilog"
_PORT = re.compile(r"^\s*(input|output)\s+(?:wire\s+|reg\s+|logic\s+)?(?:\[(\d+):0\]\s*)?(\w+)\s*[;,]?\s*$", re.MULTILINE)
# Direction and width by name.
Ports = dict[str, tuple[str, int]]
_CONTROL = ("ap_start", "ap_done", "ap_idle", "ap_ready", "ap_continue")
_MEMORY = re.compile(r'(\$readmem[hb]\s*\(\s*")(?:\./)?([^"/]+)(")')
_WRAPPER = "bw_vendor_frame"


@dataclass(frozen=True)
class Side:
    """How the top takes or gives the values of one end.

    Attributes
    ----------
    lanes : signal and lowest bit of every element of a beat, by element.
    width : bits of an element.
    handshakes : ``ap_vld`` signals, or the prefixes of AXI streams.
    stream : whether they are AXI streams.
    """

    lanes: tuple[tuple[str, int], ...]
    width: int
    handshakes: tuple[str, ...]
    stream: bool


def ports_of(text: str, path: Path) -> Ports:
    """Direction and width of the ports of module ``top`` in Verilog ``text``, by name."""
    body = re.search(rf"^\s*module\s+{TOP}\b.*?^\s*endmodule", text, re.MULTILINE | re.DOTALL)
    # Declarations inside of tasks and functions do not occur in what HLS compilers write.
    found = {name: (way, int(high or 0) + 1) for way, high, name in _PORT.findall(body.group() if body else "")}
    if "ap_clk" not in found:
        raise FlowError(f"{path}: declares no module '{TOP}' with a port ap_clk; was it written by Vitis HLS or Vivado HLS?")
    return found


def sides(ports: Ports, wires: tuple[Wire, Wire], types: tuple[Fixed, Fixed], path: Path) -> tuple[Side, Side]:
    """Input and output of the top; FlowError if its ports follow neither convention or have other sizes."""
    made = []
    for way, wire, kind in zip(("input", "output"), wires, types, strict=True):
        names = {name: width for name, (direction, width) in ports.items()
                 if direction == way and name not in (*_CONTROL, "ap_clk", "ap_rst", "ap_rst_n")}
        size = int(np.prod(wire.shape))
        streams = [name.removesuffix("_TDATA") for name in names if name.endswith("_TDATA")]
        found = _axis(names, streams, wire.shape[-1], kind.width) if streams else _valid(names, size, kind.width)
        if found is None:
            raise FlowError(f"{path}: the {way} ports are {', '.join(names) or 'none'}, which do not hold {size} values of "
                            f"{kind.width} bits in a way that hls4ml's pragmas ask for")
        made.append(found)
    return made[0], made[1]


def _axis(names: dict[str, int], streams: list[str], lanes: int, width: int) -> Side | None:
    if len(streams) == 1:
        whole = names[f"{streams[0]}_TDATA"]
        # UG1399: structs of an AXI interface keep C's layout, where an element takes 8, 16, 32 or 64 bits; else they are dense.
        padded = max(8, 1 << (width - 1).bit_length())
        fits = whole in (padded * lanes, -(-width * lanes // 8) * 8)
        pitch = padded if whole == padded * lanes else width
        signals = tuple((f"{streams[0]}_TDATA", pitch * lane) for lane in range(lanes))
    else:
        pitch, fits = min(names[f"{name}_TDATA"] for name in streams), len(streams) == lanes
        streams = sorted(streams, key=_number)
        signals = tuple((f"{name}_TDATA", 0) for name in streams)
    return Side(signals, width, tuple(streams), stream=True) if fits and pitch >= width else None


def _valid(names: dict[str, int], size: int, width: int) -> Side | None:
    """One vector with all elements, or a port an element; each has its ``ap_vld``."""
    data = sorted((name for name in names if f"{name}_ap_vld" in names), key=_number)
    if len(data) == 1 and names[data[0]] == size * width:
        signals = tuple((data[0], width * element) for element in range(size))
    elif len(data) == size and all(names[name] == width for name in data):
        signals = tuple((name, 0) for name in data)
    else:
        return None
    return Side(signals, width, tuple(f"{name}_ap_vld" for name in data), stream=False)


def _number(name: str) -> tuple[int, str]:
    """Order of the ports of an array: by the last number in their names."""
    numbers = re.findall(r"_(\d+)(?=_|$)", name)
    return int(numbers[-1]) if numbers else -1, name


def frame(ports: Ports, source: Side, sink: Side) -> str:
    """SystemVerilog of a module that gives the top streams ``s`` and ``m`` with dense elements."""
    wires = [f"  logic [{width - 1}:0] {name};" for name, (_, width) in ports.items() if name not in ("ap_clk",)]
    lines = [
        f"module {_WRAPPER} (",
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
    count = len(side.lanes)
    valid = [side.handshakes[0 if len(side.handshakes) == 1 else index] for index in range(count)]
    lines = [f"  logic [{side.width - 1}:0] queue [{count}][16];", f"  logic [4:0] write_q [{count}];",
             f"  logic [4:0] read_q [{count}];", f"  logic [{count - 1}:0] filled;", "  assign m_tvalid = &filled;",
             *(f"  assign filled[{index}] = write_q[{index}] != read_q[{index}];" for index in range(count)),
             "  always_ff @(posedge clk_i) begin", f"    for (int i = 0; i < {count}; i++) begin",
             "      if (!rst_ni) read_q[i] <= '0;", "      else if (m_tvalid & m_tready) read_q[i] <= read_q[i] + 5'd1;",
             "      if (!rst_ni) write_q[i] <= '0;", "    end"]
    for index, ((name, low), flag) in enumerate(zip(side.lanes, valid, strict=True)):
        lines += [f"    if (rst_ni & {flag}[0]) begin",
                  f"      queue[{index}][write_q[{index}][3:0]] <= {name}[{low} +: {side.width}];",
                  f"      write_q[{index}] <= write_q[{index}] + 5'd1;", "    end"]
    return [*lines, "  end", *_gathered(side, [f"queue[{index}][read_q[{index}][3:0]]" for index in range(count)])]


def _gathered(side: Side, values: list[str]) -> list[str]:
    lines = ["  always_comb begin", "    m_tdata = '0;"]
    lines += [f"    m_tdata[{index * side.width} +: {side.width}] = {value};" for index, value in enumerate(values)]
    return [*lines, "  end"]


class Run(BaseModel):
    """What the simulation of a build's Verilog gave: ``interval_cycles``, ``latency_cycles``, on so many frames."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    frames: int
    performance: dict[str, Figure]

    @staticmethod
    def load(directory: Path, key: str) -> Run | None:
        """The run of the build with this key, or None."""
        try:
            run = Run.model_validate_json((directory / RUN).read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None
        return run if run.key == key else None


def verify(project: Project, key: str) -> Run:
    """Run random frames through Verilog and C simulation of a project, and record the cycles.

    Raises
    ------
    FlowError : they differ in any element, or what `simulate` raises; one line. The record of an earlier run is removed.
    """
    from hw_flow.backends.hls4ml import runner
    from hw_flow.backends.hls4ml.check import frames_for
    from hw_flow.backends.inputs import random_frames
    from sim import SimError

    (project.directory / RUN).unlink(missing_ok=True)
    where = project.directory / PROJECT / FOLDER
    samples = max(4, project.settings.samples)
    integers = project.program.quantise_input(random_frames(project.program, samples, 1))
    frames = frames_for(project.netlist, integers)
    want = runner.run(project.directory / PROJECT, project.library, project.written, frames, project.settings,
                      log=project.logs / "csim.log", trace=False)["output"]
    try:
        result = simulate(project, frames)
    except SimError as error:
        raise FlowError(f"{where}: the tool's Verilog does not run in Verilator: {error}") from error
    got = result.outputs["m"]
    if (got != want).any():
        frame, element = (int(index) for index in np.argwhere(got != want)[0])
        raise FlowError(f"{where}: the tool's Verilog is not its C++: frame {frame}, element {element}: {got[frame, element]} in "
                        f"Verilator, {want[frame, element]:g} in C simulation")
    performance = {name: Figure(value=value, unit="cycles", source=result.source) for name, value in
                   (("interval_cycles", result.interval_cycles), ("latency_cycles", result.latency_cycles))}
    run = Run(key=key, frames=samples, performance=performance)
    write_text(project.directory / RUN, run.model_dump_json(indent=1) + "\n")
    return run


def simulate(project: Project, frames: np.ndarray) -> SimResult:
    """Run ``frames [N, elements]``, as hls4ml sees them, through the Verilog of a synthesised project; outputs are stream ``m``.

    Raises
    ------
    FlowError : there is no Verilog, or its ports are unknown. SimError : Verilator does not take it.
    """
    from sim import Profile, Source, build

    folder = project.directory / PROJECT / FOLDER
    top = folder / f"{TOP}.v"
    if not top.is_file():
        raise FlowError(f"{top}: no such file; the tool wrote no Verilog to simulate")
    ports = ports_of(top.read_text(encoding="utf-8"), top)
    netlist = project.netlist
    wires = netlist.wires[netlist.source], netlist.wires[netlist.sink]
    kinds = {layer.name: layer.types["result"] for layer in netlist.layers}
    types = Fixed.read(kinds[wires[0].layer]), Fixed.read(kinds[wires[1].layer])
    source, sink = sides(ports, wires, types, top)
    work = project.directory / "csim" / "verilog"
    files = [_placed(path, work) for path in sorted(folder.glob("*.v")) + sorted(folder.glob("*.sv"))]
    write_text(work / f"{_WRAPPER}.sv", frame(ports, source, sink))
    streams = (_port("s", "in", source, wires[0], types[0]), _port("m", "out", sink, wires[1], types[1]))
    made = Source(_WRAPPER, (*files, work / f"{_WRAPPER}.sv"))
    model = build(made, streams, Profile.FAST, timeout_s=project.settings.timeout_s)
    return model.run({"s": frames.astype(np.int64)}).check()


def _placed(path: Path, work: Path) -> Path:
    """A copy of a Verilog file that finds its memories' contents from any folder."""
    memories = f"{path.parent.resolve().as_posix()}/"
    text = _MEMORY.sub(lambda match: f"{match[1]}{memories}{match[2]}{match[3]}", path.read_text(encoding="utf-8"))
    write_text(work / path.name, text)
    return work / path.name


def _port(name: str, way: str, side: Side, wire: Wire, kind: Fixed) -> StreamPort:
    from sim import StreamPort

    beats = int(np.prod(wire.shape)) // len(side.lanes)
    return StreamPort(name, "in" if way == "in" else "out", kind.width, len(side.lanes), beats, signed=kind.signed)
