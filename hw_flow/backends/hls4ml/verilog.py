"""The Verilog that an HLS compiler made of a project, in Verilator, compared with C simulation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from hw_flow.backends.hls4ml.frame import WRAPPER, frame
from hw_flow.backends.hls4ml.netlist import Fixed, Wire
from hw_flow.backends.hls4ml.ports import Side, ports_of, sides
from hw_flow.backends.hls4ml.project import Project
from hw_flow.backends.hls4ml.runner import PROJECT, TOP
from hw_flow.errors import FlowError
from hw_flow.report.schema import Figure
from hw_flow.storage import write_text

if TYPE_CHECKING:
    from sim import SimResult, StreamPort

RUN = Path("csim") / "verilog.json"
FOLDER = Path(f"{TOP}_prj") / "solution1" / "syn" / "verilog"
_MEMORY = re.compile(r'(\$readmem[hb]\s*\(\s*")(?:\./)?([^"/]+)(")')
_ASSERTION = re.compile(r"^.*Assertion failed in \S+: ")


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
        reason = _ASSERTION.sub("", str(error))
        raise FlowError(f"{where}: the tool's Verilog does not run in Verilator: {reason}") from error
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
    write_text(work / f"{WRAPPER}.sv", frame(ports, source, sink))
    streams = (_port("s", "in", source, wires[0], types[0]), _port("m", "out", sink, wires[1], types[1]))
    made = Source(WRAPPER, (*files, work / f"{WRAPPER}.sv"))
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
