"""One synthesis as a value, its result as a value, and the Yosys script between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hw_flow.errors import FlowError
from hw_flow.synth.resources import TARGETS, Resources, Target

# Raised whenever a script or a count changes, so that old cache entries are not taken for new ones.
SCRIPT_VERSION = 3
# The tool's output, packed: a megabyte a job unpacked.
LOG = "log.txt.gz"

# Out of context: no pads, no clock buffers. What follows label `check` changes no count (it writes files).
_ECP5 = "synth_lattice -family ecp5 -noiopad{noflatten}{nodsp} -top {top} -run begin:check"
_ICE40 = "synth_ice40 -device u -spram{noflatten}{dsp} -top {top} -run begin:check"
# The same passes as `synth_xilinx -run begin:check`, in a quarter to a half of its time, with the same counts (a test
# compares them): the 700 black boxes of cells_xtra.v, which every later pass walks over, are not read, and memories
# are mapped only where there are any.
_XILINX = """\
read_verilog -lib -specify +/xilinx/cells_sim.v
hierarchy -check -top {top}
synth_xilinx {options} -run prepare:map_memory
if-memory synth_xilinx {options} -run map_memory:map_ffram
synth_xilinx {options} -run map_ffram:check"""
_FPGA = {"xc7": _XILINX, "xcup": _XILINX, "ecp5": _ECP5, "ice40": _ICE40}


@dataclass(frozen=True, kw_only=True)
class SynthJob:
    """What to synthesise and how.

    Attributes
    ----------
    top : module name.
    files : SystemVerilog sources in compile order, packages first.
    include_dirs : searched for includes; every file below them is part of the cache key.
    data : files that the sources read (``$readmemh``); part of the cache key.
    defines : ``"NAME"`` or ``"NAME=VALUE"``; SYNTHESIS is always defined.
    parameters : of the top, ``("Name", "value")``.
    target : xc7, xcup (UltraScale+), ecp5, ice40 (UP5K) or generic (gates).
    flatten : False keeps the module hierarchy: faster for big designs, a little larger.
    nodsp : no DSP block. Otherwise Yosys takes one for any product of 9 or more result bits on Xilinx.
    blackboxes : modules that are not synthesised and not counted.
    hidden : sources that only black boxes use: compiled, since slang wants every module, but not part of the cache key.
    delay : also the longest logic path (xc7 and xcup only).
    liberty : cell library for the generic target, ``.lib`` or ``.lib.gz``; gives ``area``.
    timeout_s : seconds until the job is killed.
    """

    top: str
    files: tuple[Path, ...]
    include_dirs: tuple[Path, ...] = ()
    data: tuple[Path, ...] = ()
    defines: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    target: Target = "xc7"
    flatten: bool = True
    nodsp: bool = False
    blackboxes: tuple[str, ...] = ()
    hidden: tuple[Path, ...] = ()
    delay: bool = False
    liberty: Path | None = None
    timeout_s: float = 1800.0

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise FlowError(f"{self.top}: synthesis target '{self.target}' is not known; choose one of {', '.join(TARGETS)}")
        if self.liberty is not None and self.target != "generic":
            raise FlowError(f"{self.top}: a liberty file needs the target 'generic', not '{self.target}'")
        if self.delay and self.target not in ("xc7", "xcup"):
            raise FlowError(f"{self.top}: Yosys knows logic delays for xc7 and xcup only, not for '{self.target}'")
        if self.timeout_s <= 0:
            raise FlowError(f"{self.top}: time-out of {self.timeout_s} s; give a positive number of seconds")
        listed = (*self.files, *self.hidden, *self.data, *((self.liberty,) if self.liberty else ()))
        for path in listed:
            if not path.is_file():
                raise FlowError(f"{self.top}: source file {path} does not exist; build the design again")
        if not self.files:
            raise FlowError(f"{self.top}: no source files to synthesise")


@dataclass(frozen=True, kw_only=True)
class SynthResult(Resources):
    """Resources of one job and where they come from.

    Attributes
    ----------
    source : ``"yosys-<version>"``, read from the tool's own output.
    seconds : of the run that made the result, also when it comes from the cache.
    delay_ns : longest register-to-register or port path through logic alone, no routing; a lower bound.
    log : the tool's whole output, gzip.
    boxes : black boxes found, by module.
    modules : what is in all instances of each module below the top that holds no other, if the hierarchy was kept.
    cached : no tool was started for it.
    """

    source: str
    seconds: float
    log: Path
    delay_ns: float | None = None
    boxes: Mapping[str, int] = field(default_factory=dict)
    modules: Mapping[str, Resources] = field(default_factory=dict)
    cached: bool = False


def read_file(job: SynthJob) -> str:
    """Slang's command file: quoting works here but not on a Yosys command line."""
    lines = [f"--top {job.top}", "--ignore-assertions", "--unroll-limit 1000000"]
    if not job.flatten:
        lines.append("--best-effort-hierarchy")
    lines += [f"-D {_quote(define)}" for define in job.defines]
    lines += [f"-G {_quote(f'{name}={value}')}" for name, value in job.parameters]
    lines += [f"-I {_quote(str(path.resolve()))}" for path in job.include_dirs]
    lines += [f"--blackboxed-module {name}" for name in job.blackboxes]
    lines += [_quote(str(path.resolve())) for path in (*job.files, *job.hidden)]
    return "\n".join(lines) + "\n"


def script(job: SynthJob) -> str:
    """Commands for ``_child.py``, one a line; they read ``read.f`` and write ``stat.json`` in the working directory."""
    lines = ["read_slang -f read.f"]
    if job.target == "generic":
        return "\n".join([*lines, *_generic(job)]) + "\n"
    nodsp = " -nodsp" if job.nodsp else ""
    lines.append(_FPGA[job.target].format(
        top=job.top, options=f"-family {job.target} -noiopad -noclkbuf{' -flatten' if job.flatten else ''}{nodsp}",
        noflatten="" if job.flatten else " -noflatten", nodsp=nodsp, dsp="" if job.nodsp else " -dsp",
    ))
    lines.append("tee -q -o stat.json stat -json")
    if job.delay:
        # Paths end at black boxes, whose delays nobody knows; with one in the netlist the pass stops.
        lines += [f"delete t:{name}" for name in job.blackboxes]
        lines.append("tee -o sta.txt sta")
    return "\n".join(lines) + "\n"


def _generic(job: SynthJob) -> list[str]:
    flatten = " -flatten" if job.flatten else ""
    if job.liberty is not None:
        return [
            f"synth{flatten} -top {job.top}", "dfflibmap -liberty cells.lib", "abc -liberty cells.lib", "opt_clean",
            "tee -q -o stat.json stat -liberty cells.lib -json",
        ]
    # Enables and resets become gates: Yosys' transistor table knows the plain flip-flop only, and opt must not merge them back.
    return [
        f"synth{flatten} -top {job.top} -noabc", "dfflegalize -cell $_DFF_P_ 01 -cell $_DFF_N_ 01",
        "opt -full -nodffe -nosdff", "abc -g cmos", "opt_clean", "tee -q -o stat.json stat -tech cmos -json",
    ]


def _quote(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
