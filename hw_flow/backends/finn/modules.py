"""FINN's own RTL modules in the place of our kernels, where Verilator takes them.

The top, its FIFOs and its width converters stay ours. A replaced module keeps name and ports; inside it stands the module that
FINN generated, with FINN's library under it. One file of that library does not verilate (a constant function inside a
generate block); ``rtl/add_multi.sv`` beside this file has its ports and its sums. Behind FINN's padding stands a
``frame_gate``, as it would send the first rows of a frame that never comes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qonnx.core.datatype import DataType

from hw_flow.backends.finn.program import FOLDER, FinnProgram
from hw_flow.errors import FlowError
from hw_flow.folding import Folding, NodeFolding, input_lanes, output_lanes
from hw_flow.ir import MVAU, Graph, Node
from hw_flow.rtl.design import Design
from hw_flow.rtl.files import write_text
from hw_flow.rtl.wrappers.module import wrapper
from hw_flow.storage import cache_dir, digest, read_json

OURS = Path(__file__).parent / "rtl"
_MENDED = ("add_multi.sv",)
_GATE = "frame_gate.sv"
# Inputs of FINN's modules that set parameters at run time; they stay idle.
_IDLE = ("AWVALID", "AWADDR", "WVALID", "WDATA", "WSTRB", "BREADY", "ARVALID", "ARADDR", "RREADY")
_CONFIGURABLE = ("Thresholding_rtl", "FMPadding_rtl")
_TAKEN = (*_CONFIGURABLE, "ConvolutionInputGenerator_rtl", "MVAU_rtl")
_MODULE = re.compile(r"^\s*module\s+(\w+)", re.MULTILINE)
_PATH = re.compile(r'"(?:\./|/)[^"\n]*?([\w-]+(?:\.dat)?)"')


@dataclass(frozen=True)
class Replacement:
    """A node of ours that runs as FINN's module.

    Attributes
    ----------
    node, finn, op_type : our node's name, FINN's, and FINN's operator.
    files : of FINN's, in compile order: relative to the project folder, or ``lib:`` and relative to FINN's library.
    """

    node: str
    finn: str
    op_type: str
    files: tuple[str, ...]


def replacements(program: FinnProgram, code: Mapping[str, Any]) -> tuple[Replacement, ...]:
    """The nodes that can run on FINN's RTL; ``code`` is what the child process generated."""
    found = []
    for placed in program.imported.placed:
        made = code.get(placed.finn, {})
        if placed.op_type in _TAKEN and placed.node is not None and made.get("paths") and "error" not in made:
            found.append(Replacement(placed.node, placed.finn, placed.op_type, tuple(str(path) for path in made["paths"])))
    return tuple(found)


def mixed_design(directory: Path, program: FinnProgram, base: Design, folding: Folding) -> Design:
    """``base`` with FINN's modules where there are some, in the cache by content; ``base`` itself if there are none."""
    project = directory / FOLDER
    chosen = replacements(program, read_json(project / "code.json"))
    if not chosen:
        return base
    library = _library()
    sources = {file: _source(file, project, library) for one in chosen for file in one.files}
    data = {one.finn: sorted((project / "rtl" / one.finn).glob("*.dat")) for one in chosen}
    contents = [path for paths in data.values() for path in paths]
    texts = [path.read_bytes() for path in (*sources.values(), *contents, *base.paths, OURS / _GATE)]
    key = digest([*texts, Path(__file__).read_bytes(), repr(chosen)])
    folder = cache_dir("finn") / f"rtl-{key[:24]}"
    if not (folder / "design.json").exists():
        for file in base.files:
            write_text(folder / file, (base.directory / file).read_text(encoding="utf-8"))
        for one in chosen:
            for path in data[one.finn]:
                write_text(folder / "finn" / one.finn / path.name, path.read_text(encoding="utf-8"))
            for file in one.files:
                _copy(sources[file], folder / _place(file), folder / "finn" / one.finn, own=not file.startswith("lib:"))
            instance = next(each for each in base.instances if each.layer == one.node)
            module = _MODULE.findall((folder / _place(_top(one))).read_text(encoding="utf-8"))[0]
            site = _Site(program.graph.node(one.node), program.graph, folding[one.node], one, folder)
            write_text(folder / f"{instance.module}.sv", _wrapped(instance.module, module, site))
        write_text(folder / _GATE, (OURS / _GATE).read_text(encoding="utf-8"))
        own = [_GATE, *(_place(file) for one in chosen for file in one.files)]
        ordered = sorted(dict.fromkeys(own), key=lambda name: not name.endswith("_pkg.sv"))
        replace(base, directory=folder, files=(*ordered, *base.files)).save()
    return Design.load(folder)


def _top(one: Replacement) -> str:
    """The generated file that holds the node's top module: a Verilog wrapper."""
    return next(file for file in one.files if not file.startswith("lib:") and file.endswith(".v") and "memstream" not in file)


def _place(file: str) -> str:
    """Where a file lies in the mixed design."""
    return f"finn/lib/{Path(file).name}" if file.startswith("lib:") else f"finn/{Path(file).parent.name}/{Path(file).name}"


def _library() -> Path:
    spec = find_spec("finn")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    for place in places:
        if (Path(place) / "finn-rtllib").is_dir():
            return Path(place) / "finn-rtllib"
    raise FlowError("FINN's RTL library (finn-rtllib) is not installed; install finn-plus again, or set simulate_rtl: false")


def _source(file: str, project: Path, library: Path) -> Path:
    name = Path(file).name
    if name in _MENDED:
        return OURS / name
    return library / file.removeprefix("lib:") if file.startswith("lib:") else project / file


def _copy(source: Path, target: Path, data: Path, *, own: bool) -> None:
    """Copy a file; in generated ones, paths of memory contents become those of ``data``."""
    text = source.read_text(encoding="utf-8")
    write_text(target, _PATH.sub(lambda match: f'"{data}/{match[1]}"', text) if own else text)


@dataclass(frozen=True, eq=False)
class _Site:
    """A node of ours, its folding, and what replaces it, in the folder of the mixed design."""

    node: Node
    graph: Graph
    folding: NodeFolding
    one: Replacement
    folder: Path


def _wrapped(name: str, module: str, site: _Site) -> str:
    """A module with our ports around FINN's ``module``."""
    source, out = site.graph.input_of(site.node), site.graph.output_of(site.node)
    in_bits = source.width * input_lanes(site.node, site.folding)
    out_bits = out.width * output_lanes(site.node, site.folding)
    in_pad, out_pad = (-(-bits // 8) * 8 for bits in (in_bits, out_bits))
    ports = {"ap_clk": "clk_i", "ap_rst_n": "rst_ni", "in0_V_TDATA": "in_data", "in0_V_TVALID": "s_valid_i",
             "in0_V_TREADY": "s_ready_o", "out0_V_TDATA": "out_data", "out0_V_TVALID": "m_valid_o", "out0_V_TREADY": "m_ready_i"}
    body = [f"  logic [{in_pad - 1}:0] in_data;", f"  logic [{out_pad - 1}:0] out_data;",
            f"  assign in_data = {in_pad}'(s_data_i);", f"  assign m_data_o = out_data[{out_bits - 1}:0];", ""]
    if site.one.op_type in _CONFIGURABLE:
        ports |= _idle()
    if site.one.op_type == "FMPadding_rtl":
        ports |= {"out0_V_TVALID": "made_valid", "out0_V_TREADY": "made_ready"}
        body += _gate(source.elements * source.width // in_bits, out.elements * out.width // out_bits)
    if site.one.op_type == "Thresholding_rtl":
        ports |= {"in1_V_TVALID": "1'b0", "in1_V_TDATA": "'0"}
    if isinstance(site.node, MVAU):
        ports |= {"ap_clk2x": "clk_i", "in1_V_TDATA": "weight_data", "in1_V_TVALID": "weight_valid",
                  "in1_V_TREADY": "weight_ready"}
        body += _weights(site.node, site)
    body += _instance(module, "u_finn", ports)
    return wrapper(name, f"FINN's {site.one.finn}", in_bits, out_bits, body)


def _gate(in_beats: int, out_beats: int) -> list[str]:
    """What keeps FINN's padding from beginning a frame that does not come."""
    ports = {"clk_i": "clk_i", "rst_ni": "rst_ni", "s_valid_i": "s_valid_i", "s_ready_i": "s_ready_o", "valid_i": "made_valid",
             "ready_o": "made_ready", "valid_o": "m_valid_o", "ready_i": "m_ready_i"}
    return ["  logic made_valid, made_ready;", *_instance(f"frame_gate #(.InBeats({in_beats}), .OutBeats({out_beats}))", "u_gate",
                                                          ports)]


def _weights(node: MVAU, site: _Site) -> list[str]:
    """FINN's streamer of weights beside the matrix unit."""
    memory = next(file for file in site.one.files if file.endswith("_memstream_wrapper.v"))
    streamer = _MODULE.findall((site.folder / _place(memory)).read_text(encoding="utf-8"))[0]
    bits = site.folding.pe * site.folding.simd * int(DataType[node.weight_dtype].bitwidth())
    ports = {"ap_clk": "clk_i", "ap_clk2x": "clk_i", "ap_rst_n": "rst_ni", **_idle(), "s_axilite_AWPROT": "'0",
             "s_axilite_ARPROT": "'0", "s_axis_0_tvalid": "1'b0", "s_axis_0_tdata": "'0", "m_axis_0_tready": "weight_ready",
             "m_axis_0_tvalid": "weight_valid", "m_axis_0_tdata": "weight_data"}
    return [f"  logic [{-(-bits // 8) * 8 - 1}:0] weight_data;", "  logic weight_valid, weight_ready;",
            *_instance(streamer, "u_weights", ports)]


def _idle() -> dict[str, str]:
    return {f"s_axilite_{name}": "'0" for name in _IDLE}


def _instance(module: str, name: str, ports: Mapping[str, str]) -> Sequence[str]:
    return [f"  {module} {name} (", ",\n".join(f"    .{port}({wire})" for port, wire in ports.items()), "  );"]
