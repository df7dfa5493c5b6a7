"""Cycles per second of the simulation harness beside a minimal hand-written C++ loop.

Both run the same Verilated model (profile fast, same compiler flags) on the same frames, in turns
within one process, and are timed by processor time, so that other load matters little. The
hand-written loop does the least that can be called a test bench: it offers every beat, takes every
beat, and keeps the outputs; it has no stalls, no counters, no checks and no time-out.

    python benchmarks/sim_speed.py [--json] [--rounds 15] [--build BUILD_DIRECTORY ...]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import results
from numpy.typing import NDArray

from sim import Model, Source, StreamPort, build, pack
from sim.process import run_process
from sim.profiles import Profile, flags
from sim.runtime import get_runtime
from sim.toolchain import compiler, verilator

RTL = Path(__file__).resolve().parent.parent / "tests" / "sim" / "rtl"

LOOP = r"""
#include "Vdut.h"
#include "Vdut__Syms.h"
#include <cstring>

template <class Port> void* words(Port& port) {
    if constexpr (std::is_integral_v<Port>) return &port; else return port.m_storage;
}

extern "C" __attribute__((visibility("default"))) long reference(
    const unsigned char* in, long in_beats, long in_frame, unsigned char* out, long out_beats) {
    constexpr int kIn = @IN@, kOut = @OUT@;
    VerilatedContext context;
    Vdut dut{&context, ""};
    dut.rst_ni = 0;
    for (int edge = 0; edge < 8; ++edge) { dut.clk_i = edge & 1; dut.eval(); }
    dut.rst_ni = 1;
    dut.m_axis_tready = 1;
    dut.s_axis_tvalid = 1;
    std::memcpy(words(dut.s_axis_tdata), in, kIn);
    dut.s_axis_tlast = in_frame == 1;
    dut.clk_i = 0;
    dut.eval();
    long cycles = 0, beat = 0;
    while (out_beats) {
        const bool fed = dut.s_axis_tvalid && dut.s_axis_tready;
        if (dut.m_axis_tvalid) { std::memcpy(out, words(dut.m_axis_tdata), kOut); out += kOut; --out_beats; }
        dut.clk_i = 1;
        dut.eval();
        if (fed) {
            in += kIn;
            if (++beat == in_frame) beat = 0;
            if (--in_beats) {
                std::memcpy(words(dut.s_axis_tdata), in, kIn);
                dut.s_axis_tlast = beat + 1 == in_frame;
            } else {
                dut.s_axis_tvalid = 0;
            }
        }
        dut.clk_i = 0;
        dut.eval();
        ++cycles;
    }
    dut.final();
    return cycles;
}
"""


@dataclass(frozen=True)
class Case:
    """A design and the frames for it."""

    name: str
    source: Source
    ports: tuple[StreamPort, StreamPort]
    frames: int


def cases() -> list[Case]:
    """Small and large models, narrow and wide beats."""

    def pair(width: int, lanes: int, beats: int) -> tuple[StreamPort, StreamPort]:
        return StreamPort("s_axis", "in", width, lanes, beats), StreamPort("m_axis", "out", width, lanes, beats)

    fifo, pipeline = (RTL / "fifo.sv",), (RTL / "pipeline.sv",)
    return [
        Case("fifo, 8 bit", Source("fifo", fifo, parameters={"Width": 8}), pair(8, 1, 64), 20_000),
        Case("fifo, 784 bit", Source("fifo", fifo, parameters={"Width": 784}), pair(1, 784, 8), 20_000),
        Case("pipeline, 4 lanes", Source("pipeline", pipeline, parameters={"Lanes": 4}), pair(8, 4, 16), 40_000),
        Case("pipeline, 16 lanes", Source("pipeline", pipeline, parameters={"Lanes": 16}), pair(8, 16, 16), 10_000),
    ]


def built(directory: Path) -> Case:
    """The design in a build directory of bitwright."""
    from hw_flow import api

    design = api.load(directory).design
    (source,), (sink,) = design.inputs, design.outputs
    return Case(design.top, Source(design.top, tuple(design.paths)), (source, sink), 2_000)


def reference(case: Case, folder: Path) -> Callable[[NDArray[np.uint8], NDArray[np.uint8]], int]:
    """Compile the hand-written loop around the design's own Verilated model."""
    tool, cxx, profile = verilator(), compiler(), flags(Profile.FAST)
    source, runtime = case.source, get_runtime(tool, cxx, profile)
    command: list[str | Path] = [tool.binary, "--cc", "--prefix", "Vdut", "--top-module", source.top, "--Mdir", folder]
    command += ["-Wno-fatal", "--no-timing", "--output-split", "5000", *profile.verilator]
    command += [f"-D{name}" for name in source.defines]
    command += [f"-I{path}" for path in source.include_dirs]
    command += [f"-G{name}={value}" for name, value in source.parameters.items()]
    expect(run_process([*command, *source.files], timeout_s=600, env={"VERILATOR_ROOT": str(tool.root)}))
    unit = folder / "loop.cpp"
    text = LOOP.replace("@IN@", str(case.ports[0].beat_bytes)).replace("@OUT@", str(case.ports[1].beat_bytes))
    unit.write_text(text + "".join(f'#include "{path.name}"\n' for path in sorted(folder.glob("Vdut*.cpp"))))
    link = ("-shared", "-o", folder / "loop.so", unit, runtime.library, "-pthread")
    expect(run_process([*runtime.compile, f"-I{folder}", *link], timeout_s=600))
    function = ctypes.CDLL(str(folder / "loop.so")).reference
    function.restype = ctypes.c_long
    function.argtypes = [ctypes.c_void_p, ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_long]

    def call(data: NDArray[np.uint8], out: NDArray[np.uint8]) -> int:
        beats = case.ports[0].beats
        return int(function(data.ctypes.data, len(data) * beats, beats, out.ctypes.data, len(out) * case.ports[1].beats))

    return call


def expect(done: Any) -> None:
    """Stop with the tool's error line."""
    if not done.ok:
        sys.exit(f"{done.args[0]}: {done.error}")


def measure(case: Case, model: Model, loop: Callable[..., int], rounds: int) -> dict[str, Any]:
    """Alternate the two and take the best of each: the run that was disturbed least."""
    ports = case.ports
    low, high = ports[0].value_range
    values = np.random.default_rng(1).integers(low, high + 1, (case.frames, ports[0].elements))
    data = pack(ports[0], values)
    out = np.zeros((case.frames, ports[1].beats, ports[1].beat_bytes), np.uint8)
    ours, theirs = [], []
    for _ in range(rounds):
        result = model.run({ports[0].name: values}).check()
        ours.append(result.cycles / result.cpu_seconds)
        started = time.thread_time()
        cycles = loop(data, out)
        theirs.append(cycles / (time.thread_time() - started))
        if not np.array_equal(pack(ports[1], result.outputs[ports[1].name]), out):
            sys.exit(f"{case.name}: the harness and the hand-written loop differ")
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return {
        "design": case.name,
        "harness_cycles_per_s": round(max(ours)),
        "loop_cycles_per_s": round(max(theirs)),
        "ratio_of_best": round(max(ours) / max(theirs), 3),
        "median_ratio": round(statistics.median(ratios), 3),
    }


def measure_all(found: list[Case], rounds: int) -> list[dict[str, Any]]:
    """Build and measure each design."""
    rows = []
    for case in found:
        model = build(case.source, case.ports, Profile.FAST)
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(case, model, reference(case, Path(folder)), rounds))
    return rows


def main() -> None:
    """Measure all designs and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each")
    parser.add_argument("--build", type=Path, action="append", default=[], help="also measure the design built here")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        if "BITWRIGHT_MODELS" in os.environ:
            from hw_flow import api

            model_file = Path(os.environ["BITWRIGHT_MODELS"]) / "zoo" / "TFC_1W1A.onnx"
            made = api.build(model_file, Path(scratch) / "tfc", target_cycles=64, input_type="UINT8", input_scale="1/255")
            arguments.build.append(made.directory)
        rows = measure_all(cases() + [built(directory) for directory in arguments.build], arguments.rounds)
    results.save(
        "sim_speed", title="Simulation speed beside a minimal hand-written loop", command="python benchmarks/sim_speed.py",
        columns=["design", "harness [Mcycle/s]", "hand-written loop [Mcycle/s]", "ratio of best runs", "median ratio"],
        rows=[[row["design"], row["harness_cycles_per_s"] / 1e6, row["loop_cycles_per_s"] / 1e6, row["ratio_of_best"],
               row["median_ratio"]] for row in rows],
        notes=[f"{verilator().source}, profile fast, the same Verilated model and frames, in turns within one process, by"
               " processor time. The loop has no stalls, counters, checks or time-out."],
    )
    if arguments.json:
        print(json.dumps({"source": verilator().source, "rows": rows}, indent=2))
        return
    print(f"{'design':24} {'harness Mcycle/s':>17} {'loop Mcycle/s':>14} {'ratio':>6} {'median':>7}")
    for row in rows:
        mine, other = row["harness_cycles_per_s"] / 1e6, row["loop_cycles_per_s"] / 1e6
        print(f"{row['design']:24} {mine:17.2f} {other:14.2f} {row['ratio_of_best']:6.2f} {row['median_ratio']:7.2f}")


if __name__ == "__main__":
    main()
