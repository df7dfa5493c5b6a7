"""How the top module of an HLS compiler takes and gives its values: ports of an hls4ml project's Verilog.

Follows the port conventions of Vitis HLS and Vivado HLS for hls4ml's pragmas: `ap_ctrl_hs` with `ap_vld` (io_parallel: the input
one vector, the output an element a port) and AXI4-Stream (io_stream: an array a beat, or each of its elements a stream).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw_flow.backends.hls4ml.netlist import Fixed, Wire
from hw_flow.backends.hls4ml.runner import TOP
from hw_flow.errors import FlowError

_PORT = re.compile(r"^\s*(input|output)\s+(?:wire\s+|reg\s+|logic\s+)?(?:\[(\d+):0\]\s*)?(\w+)\s*[;,]?\s*$", re.MULTILINE)
# Direction and width by name.
Ports = dict[str, tuple[str, int]]
_CONTROL = ("ap_start", "ap_done", "ap_idle", "ap_ready", "ap_continue")


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
