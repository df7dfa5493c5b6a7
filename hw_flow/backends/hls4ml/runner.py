"""hls4ml and the compiled project in child processes: time-out, kept log, one line for a fault."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hw_flow.backends.hls4ml.netlist import Netlist
from hw_flow.backends.hls4ml.settings import COMPILES_HERE, HlsSettings, Tool, is_amd
from hw_flow.errors import FlowError
from hw_flow.ir.tensor import FloatArray
from hw_flow.storage import read_json, write_json, write_text

PROJECT = "hls4ml"
TOP = "top"
LIBRARY = Path("csim") / "library.so"
_CHILD = Path(__file__).with_name("_child.py")
# Where the library finds its weights when it runs, so that a build may be moved.
_WEIGHTS = "BITWRIGHT_HLS4ML_WEIGHTS"
# Products of a matrix that da4ml 0.5 solves in the interpreter: 64 x 16 take 18 s.
_INTERPRETED = 1024
_INCLUDE = re.compile(r'^#include "(nnet_utils/[^"]+)"', re.MULTILINE)
_HEADERS: dict[Tool, tuple[str, ...]] = {
    "Vitis": ("firmware/ap_types",), "Vivado": ("firmware/ap_types",), "Quartus": ("firmware/ac_types", "firmware/ap_types"),
    "Catapult": ("firmware/ac_types/include", "firmware/ac_math/include", "firmware/ac_simutils/include", "firmware/nnet_utils"),
}


@dataclass(frozen=True)
class Written:
    """What hls4ml made of a request.

    Attributes
    ----------
    version : of hls4ml.
    outputs : elements of the output.
    traced : shape of the output of every layer that can be traced.
    layers : name, kind, strategy, reuse factor and types of every layer as hls4ml has it in the end.
    """

    version: str
    outputs: int
    traced: dict[str, list[int]]
    layers: list[dict[str, Any]]

    @staticmethod
    def of(result: Mapping[str, Any]) -> Written:
        """From the child's result."""
        if not result["outputs"]:
            raise FlowError("hls4ml: its graph has no output; end the network in a layer that hls4ml keeps")
        return Written(result["version"], int(result["outputs"][0]), dict(result["traced"]), list(result["layers"]))


NOTHING = Written("", 0, {}, [])


def convert(netlist: Netlist, settings: HlsSettings, directory: Path, log: Path) -> Written:
    """Let hls4ml write its project into ``directory``.

    Raises
    ------
    FlowError : hls4ml stopped; its own error is in the message, the whole log in ``log``.
    """
    config = {
        "Model": {"Precision": {"default": "fixed<16,6>"}, "ReuseFactor": settings.reuse_factor, "Strategy": "Latency"},
        "LayerName": {layer.name: _layer_config(netlist, layer.name, settings) for layer in netlist.layers},
    }
    layers = [{"name": layer.name, "kind": layer.kind, "inputs": list(layer.inputs), "attributes": dict(layer.attributes),
               "arrays": list(layer.arrays)} for layer in netlist.layers]
    request = {"directory": str(directory.resolve()), "project": TOP, "backend": settings.tool,
               "settings": _tool_settings(settings), "config": config, "layers": layers}
    arrays = {f"{layer.name}/{key}": array for layer in netlist.layers for key, array in layer.arrays.items()}
    written = Written.of(_child("convert", request, arrays, settings, log, extra=solver_variables(netlist, settings)))
    _check_headers(directory / "firmware", settings.tool)
    return written


def _check_headers(firmware: Path, tool: Tool) -> None:
    """FlowError if the project includes a part of hls4ml that its package has not for this tool."""
    for source in sorted(firmware.glob("*.h")):
        for header in _INCLUDE.findall(source.read_text(encoding="utf-8")):
            if not (firmware / header).is_file():
                raise FlowError(f"hls4ml: its {tool} project includes {header}, which its package lacks, and no compiler would "
                                "take it; set 'tool: Vitis', or build with --backend rtl")


def solver_variables(netlist: Netlist, settings: HlsSettings) -> dict[str, str]:
    """Variables for da4ml's solver: interpreted where that takes seconds, for numba compiles it for many minutes."""
    sizes = [prod(layer.matrix) for layer in netlist.layers
             if layer.matrix is not None and settings.of(layer)[0] == "distributed_arithmetic"]
    return {"NUMBA_DISABLE_JIT": "1"} if sizes and max(sizes) <= _INTERPRETED else {}


def convert_plain(model: Path, directory: Path, log: Path, settings: HlsSettings, precision: str = "fixed<16,6>") -> Written:
    """hls4ml's own conversion of a QONNX file, for comparison; see `_child.py`."""
    request = {"directory": str(directory.resolve()), "project": TOP, "backend": settings.tool, "model": str(model.resolve()),
               "io_type": settings.io_type, "precision": precision}
    return Written.of(_child("plain", request, {}, settings, log))


def _layer_config(netlist: Netlist, name: str, settings: HlsSettings) -> dict[str, Any]:
    layer = next(layer for layer in netlist.layers if layer.name == name)
    config: dict[str, Any] = {"Precision": dict(layer.types), "Trace": True}
    if layer.matrix is not None:
        strategy, reuse = settings.of(layer)
        config |= {"Strategy": strategy, "ReuseFactor": reuse}
    return config


def _tool_settings(settings: HlsSettings) -> dict[str, Any]:
    given: dict[str, Any] = {"io_type": settings.io_type}
    if settings.part is not None and settings.tool == "Catapult" and not is_amd(settings.part):
        given |= {"tech": "asic", "asiclibs": settings.part}
    elif settings.part is not None:
        given["part"] = settings.part
    if settings.tool == "Libero" and settings.smarthls is not None:
        given["smarthls_path"] = str(settings.smarthls)
    if settings.clock_ns is not None:
        whole = int(settings.clock_ns) == settings.clock_ns
        given["clock_period"] = int(settings.clock_ns) if whole else settings.clock_ns
    return given


def _child(verb: str, request: Mapping[str, Any], arrays: Mapping[str, np.ndarray], settings: HlsSettings,
           log: Path, *, extra: Mapping[str, str] | None = None) -> dict[str, Any]:
    from sim.process import run_process

    with tempfile.TemporaryDirectory(prefix="hls4ml-") as scratch:
        folder = Path(scratch)
        named: dict[str, Any] = dict(arrays)
        np.savez(folder / "arrays.npz", **named)
        write_json(folder / "request.json", dict(request))
        log.parent.mkdir(parents=True, exist_ok=True)
        variables = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", **(extra or {})}
        python = (settings.python or Path(sys.executable)).absolute()
        done = run_process([python, str(_CHILD), verb, folder / "request.json"], timeout_s=settings.timeout_s, log=log,
                           cwd=folder, env=variables)
        if done.timed_out:
            raise FlowError(f"hls4ml: no end after {settings.timeout_s:g} s ({log}); raise timeout_s in the settings")
        if not done.ok:
            reason = done.error.removeprefix("error: ")
            raise FlowError(f"hls4ml: {verb} stopped: {reason} ({log}); build with --backend rtl, or report this")
        return dict(read_json(folder / "result.json"))


def compiles(settings: HlsSettings) -> bool:
    """Whether the tool's C++ can be compiled without the vendor's compiler."""
    return settings.tool in COMPILES_HERE


def compile_library(project: Path, library: Path, settings: HlsSettings, log: Path) -> None:
    """Compile a written project with g++ into ``library``; FlowError with the compiler's line."""
    from sim.process import run_process

    if shutil.which("g++") is None:
        raise FlowError("hls4ml: g++ is not on the PATH, and the project cannot be checked; install g++")
    unit = project / "csim.cpp"
    write_text(unit, f'#include <cstdlib>\n#include "firmware/{TOP}.cpp"\n#include "{TOP}_bridge.cpp"\n')
    library.parent.mkdir(parents=True, exist_ok=True)
    includes = [f"-I{folder}" for folder in _HEADERS[settings.tool]]
    try:
        done = run_process(
            ["g++", "-O1", "-fPIC", "-w", "-std=c++17", "-fno-gnu-unique", "-shared", *includes,
             f'-DWEIGHTS_DIR=getenv("{_WEIGHTS}")', unit.name, "-o", library.resolve()],
            timeout_s=settings.timeout_s, cwd=project, log=log)
    finally:
        unit.unlink(missing_ok=True)
    if done.timed_out:
        raise FlowError(f"hls4ml: g++ had no end after {settings.timeout_s:g} s ({log}); set 'io_type: io_stream', which makes "
                        "less code, or raise timeout_s in the settings")
    if not done.ok:
        raise FlowError(f"hls4ml: its {settings.tool} project does not compile: {done.error} ({log}); report this")


def run(project: Path, library: Path, written: Written, frames: FloatArray, settings: HlsSettings, *, log: Path,
        trace: bool = True) -> dict[str, FloatArray]:
    """Run ``frames [N, elements]`` through a compiled project.

    Returns
    -------
    ``output [N, elements]`` and, with ``trace``, ``layer/<name>`` of every traced layer.
    """
    with tempfile.TemporaryDirectory(prefix="hls4ml-run-") as scratch:
        folder = Path(scratch)
        np.save(folder / "frames.npy", frames)
        request = {"library": str(library.resolve()), "firmware": str((project / "firmware").resolve()), "project": TOP,
                   "outputs": written.outputs, "traced": written.traced if trace else {}}
        return _run(request, folder, settings, log, project)


def _run(request: Mapping[str, Any], folder: Path, settings: HlsSettings, log: Path, project: Path) -> dict[str, FloatArray]:
    from sim.process import run_process

    write_json(folder / "request.json", dict(request))
    env = {_WEIGHTS: os.fspath((project / "firmware" / "weights").resolve())}
    done = run_process([sys.executable, str(_CHILD), "run", folder / "request.json"], timeout_s=settings.timeout_s, log=log,
                       env=env)
    if done.timed_out:
        raise FlowError(f"hls4ml: C simulation had no end after {settings.timeout_s:g} s ({log}); give fewer frames or raise "
                        "timeout_s in the settings")
    if not done.ok:
        raise FlowError(f"hls4ml: C simulation stopped: {done.error.removeprefix('error: ')} ({log}); report this")
    with np.load(folder / "outputs.npz", allow_pickle=False) as found:
        return {name: found[name] for name in found.files}
