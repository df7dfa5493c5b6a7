"""The vendor's HLS compiler on a project, where it is on the PATH: run it, read its reports, simulate its Verilog.

Follows hls4ml 1.3's project layout and what `hls_model.build()` calls. Not yet run against a live tool; the parsers of the
reports are tested on real files.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.backends.hls4ml.phases import Phases, watched
from hw_flow.backends.hls4ml.project import Project
from hw_flow.backends.hls4ml.runner import PROJECT, TOP
from hw_flow.backends.hls4ml.verilog import verify
from hw_flow.backends.protocol import Build
from hw_flow.errors import FlowError
from hw_flow.report.records import SynthesisRecord, save_synthesis
from hw_flow.report.schema import Figure, Resources
from hw_flow.steps import Steps
from hw_flow.storage import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where a solution's Verilog and reports are, below the project.
SOLUTION = Path(f"{TOP}_prj") / "solution1"
# Programs of a tool, the first one found is taken.
_PROGRAMS = {"Vitis": ("vitis-run", "vitis_hls"), "Vivado": ("vivado_hls",), "Quartus": ("i++",), "Catapult": ("catapult",),
             "oneAPI": ("icpx",), "Libero": ("shls",)}
_STEPS = ("reset", "csim", "synth", "cosim", "validation", "export", "vsynth", "fifo_opt")
# What a user may ask for: the HLS compiler alone, or Vivado's logic synthesis of its Verilog too.
TARGETS = ("hls", "vivado")
# The command line's default target is one of Yosys'; here it stands for the HLS compiler.
_DEFAULT = "xc7"
# Phases that take less are not recorded, in seconds.
_BRIEF_S = 1.0


def synthesise(build: Build, project: Project, target: str, steps: Steps) -> Resources:
    """Run the vendor's compiler on ``project`` and record its figures in the build.

    Parameters
    ----------
    target : ``hls`` or ``vivado``.

    Raises
    ------
    FlowError : unknown target, no such program on the PATH, or it stopped (its log is kept); its Verilog, in Verilator, gives
        something else than C simulation.
    """
    wanted = "hls" if target == _DEFAULT else target
    if wanted not in TARGETS:
        raise FlowError(f"synthesis target '{target}' is not one of an hls4ml build; choose {' or '.join(TARGETS)}")
    command = _command(build.directory / PROJECT, project.settings.tool, wanted)
    own = Steps()
    with steps(f"synthesise {wanted}", own_display=True), own(f"synthesise {wanted}"):
        phases = _run(build.directory, command, project.settings.synthesis_timeout_s, show=steps.watched)
    resources = collect(build.directory / PROJECT, project, wanted)
    if project.library.is_file():
        with steps("simulate Verilog"), own("simulate Verilog"):
            verify(project, build.key)
    seconds = own.seconds | {f"{wanted}: {name}": round(spent, 1) for name, spent in phases.seconds.items() if spent >= _BRIEF_S}
    save_synthesis(build.directory, SynthesisRecord(key=build.key, resources=resources, seconds=seconds))
    return resources


def _command(project: Path, tool: str, target: str) -> list[str]:
    """The command line, after writing what it reads; FlowError if its program is not there."""
    names = _PROGRAMS[tool]
    found = next((name for name in names if shutil.which(name)), None)
    if found is None:
        raise FlowError(f"{project}: {' or '.join(names)} is not on the PATH; the project is complete, run it on a machine that "
                        f"has {tool}, and give the folder to `bitwright compare`")
    if tool not in ("Vitis", "Vivado"):
        raise FlowError(f"{project}: running {found} is not automated; run it there as hls4ml's documentation of {tool} says, "
                        "and give the folder to `bitwright compare`")
    if target == "vivado" and shutil.which("vivado") is None:
        raise FlowError(f"{project}: vivado is not on the PATH; take target hls")
    chosen = {step: int(step == "synth" or (step == "vsynth" and target == "vivado")) for step in _STEPS}
    if tool == "Vivado":
        return [found, "-f", "build_prj.tcl", " ".join(f"{step}={value}" for step, value in chosen.items())]
    lines = "".join(f"    {step} {value}\n" for step, value in chosen.items())
    write_text(project / "build_opt.tcl", f"array set opt {{\n{lines}}}\n")
    return [found, "--tcl", "build_prj.tcl", "--mode", "hls"] if found == "vitis-run" else [found, "-f", "build_prj.tcl"]


def _run(directory: Path, command: list[str], timeout_s: float, *, show: bool) -> Phases:
    """Run the tool to its end or the time limit, which kills all that it started; the phases that it went through."""
    from sim.process import run_process

    log = directory / "logs" / "vendor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    with watched(log, show=show) as phases:
        done = run_process(command, timeout_s=timeout_s, cwd=directory / PROJECT, log=log)
    if done.timed_out:
        raise FlowError(f"{command[0]}: no end after {timeout_s:g} s, in phase '{phases.now.label}' ({log}); raise "
                        "synthesis_timeout_s in the settings")
    if not done.ok:
        raise FlowError(f"{command[0]}: {done.error} ({log})")
    return phases


def collect(folder: Path, project: Project, target: str) -> Resources:
    """The figures of the reports below a project; FlowError if the tool left none."""
    from hw_flow.synth.parsers import parse

    reports = folder / SOLUTION / "syn" / "report"
    candidates = [reports / f"{TOP}_csynth.xml", reports / "csynth.xml", reports / f"{TOP}_csynth.rpt"]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise FlowError(f"{reports}: the tool left no csynth report; see {folder.parent / 'logs' / 'vendor.log'}")
    hls = parse(found)
    total: dict[str, Figure] = dict(hls.total)
    netlist = folder / "vivado_synth.rpt"
    if target == "vivado":
        if not netlist.is_file():
            raise FlowError(f"{netlist}: Vivado left no utilisation report; see {folder.parent / 'logs' / 'vendor.log'}")
        total = {**total, **parse(netlist).total}
    layers, kinds = _named(hls.layers, project)
    return Resources(target=target, total=total, layers=layers, kinds=kinds)


def _named(parts: Mapping[str, Mapping[str, Figure]], project: Project) -> tuple[dict[str, dict[str, Figure]], dict[str, str]]:
    """Parts by the names of their layers: hls4ml numbers its configurations by the order of its layers, from 1."""
    made = {f"config{index}": layer for index, layer in enumerate(project.written.layers, start=1)}
    layers: dict[str, dict[str, Figure]] = {}
    kinds: dict[str, str] = {}
    for name, values in parts.items():
        match = re.search(r"config\d+", name)
        layer = made.get(match.group()) if match is not None else None
        label = str(layer["name"]) if layer is not None else name
        layers[label], kinds[label] = dict(values), str(layer["kind"]).lower() if layer is not None else "function"
    return layers, kinds
