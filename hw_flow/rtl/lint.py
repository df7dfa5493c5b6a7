"""Lint of the kernels and of generated code: ``verilator --lint-only -Wall`` and Yosys' ``read_slang``.

Run as ``python -m hw_flow.rtl.lint``. Each kernel is instantiated with several parameter sets in one generated module, so
that two child processes see all of them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hw_flow.rtl import samples
from hw_flow.rtl.emit import emit
from hw_flow.rtl.files import kernel_paths, write_text
from sim.process import run_process
from sim.toolchain import verilator

WAIVERS = Path(__file__).parent / "waivers.vlt"
TOP = "bw_lint_top"
_TIMEOUT_S = 300.0

Parameters = Mapping[str, int | str]

_DOT: tuple[Parameters, ...] = tuple(
    {"Simd": simd, "ActWidth": act, "ActKind": f"bw_pkg::{act_kind}", "WeightWidth": weight,
     "WeightKind": f"bw_pkg::{weight_kind}", "SumWidth": 16, "Mul": f"bw_pkg::{mul}"}
    for simd, act, act_kind, weight, weight_kind, mul in (
        (1, 1, "Bipolar", 1, "Bipolar", "MulLut"),
        (49, 1, "Bipolar", 1, "Bipolar", "MulLut"),
        (16, 2, "Unsigned", 2, "Ternary", "MulLut"),
        (16, 2, "Unsigned", 2, "Signed", "MulLut"),
        (8, 4, "Signed", 4, "Signed", "MulLut"),
        (7, 8, "Unsigned", 1, "Bipolar", "MulLut"),
        (4, 8, "Signed", 8, "Signed", "MulDsp"),
        (4, 3, "Signed", 3, "Unsigned", "MulLut"),
        (6, 4, "Unsigned", 4, "Power", "MulLut"),
    )
)

_MVAU: tuple[Parameters, ...] = (
    {"Pe": 1},
    {"Pe": 2, "ThresholdBits": 1, "ThresholdFolds": 4, "OutWidth": 1},
    {"Pe": 4, "ThresholdBits": 2, "ThresholdFolds": 2, "OutWidth": 2, "Base": -1, "Descending": "1'b1"},
    {"Pe": 8, "ThresholdBits": 4, "Flat": "1'b0", "OutWidth": 4, "OutputRegister": "1'b0"},
    {"Pe": 2, "OutWidth": 10},
    {"Pe": 4},
    {"Pe": 1},
    {"Pe": 2, "ThresholdBits": 8, "Flat": "1'b0", "ThresholdWidth": 17, "ThresholdFolds": 4, "OutWidth": 8,
     "TableLatency": "1'b1"},
    {"Pe": 2, "OutWidth": 16},
)

# Parameter sets by kernel; kernels that are not listed are seen below these.
SETS: Mapping[str, Sequence[Parameters]] = {
    "bw_dot": _DOT,
    "bw_dot_digits": ({"Simd": 5}, {"Simd": 1, "WeightWidth": 7, "SumWidth": 12, "ActKind": "bw_pkg::Signed"},
                      {"WeightWidth": 2, "WeightKind": "bw_pkg::Unsigned"}),
    "bw_dot_shift": ({}, {"Simd": 1, "WeightWidth": 3, "ActKind": "bw_pkg::Signed", "SumWidth": 6},
                     {"Simd": 5, "ActWidth": 1, "WeightWidth": 3}),
    "bw_mvau": (
        *({"Mw": 4 * int(dot["Simd"]), "Mh": 8, **dot, **more} for dot, more in zip(_DOT, _MVAU, strict=True)),
        {"Mw": 8, "Mh": 4, "Pe": 4, "Simd": 8}, {"Mw": 12, "Mh": 9, "Pe": 3, "Simd": 4}, {"Mw": 4, "Mh": 8, "Pe": 2, "Simd": 4},
        {"Mw": 8, "Mh": 5, "Pe": 5, "Simd": 4, "ActWidth": 5, "WeightWidth": 6, "SumWidth": 18, "Mul": "bw_pkg::MulDsp"},
    ),
    "bw_dot_pack": ({}, {"Lanes": 3, "ActWidth": 4, "WeightWidth": 4, "Simd": 5},
                    {"ActWidth": 8, "WeightWidth": 8, "WeightNarrow": "1'b1", "Simd": 7}, {"Simd": 1}),
    "bw_dot_acc_lanes": ({}, {"Lanes": 1}),
    "bw_replay": ({"Width": 1, "Beats": 1, "Repeats": 1}, {"Width": 8, "Beats": 3, "Repeats": 5}, {"Beats": 1, "Repeats": 4}),
    "bw_thresholding": (
        {"Pe": 28, "InWidth": 8, "Bits": 1, "OutWidth": 1},
        {"Pe": 3, "InWidth": 6, "InSigned": "1'b1", "ThresholdWidth": 7, "Bits": 3, "Flat": "1'b0", "Folds": 3, "Base": -4,
         "OutWidth": 3},
        {"Pe": 1, "Bits": 2, "Folds": 5, "Descending": "1'b1", "OutWidth": 2, "TableLatency": "1'b1"},
    ),
    "bw_label_select": ({"Channels": 10, "Pe": 1}, {"Channels": 10, "Pe": 5, "InSigned": "1'b0"}, {"Channels": 10, "Pe": 10},
                        {"Channels": 1, "Pe": 1, "OutWidth": 1}),
    "bw_fifo": ({"Width": 1, "Depth": 2}, {"Width": 9, "Depth": 7}, {"Width": 32, "Depth": 64}, {"Depth": 300, "Block": "1'b1"}),
    "bw_dwc": ({"InLanes": 4, "OutLanes": 4}, {"InLanes": 4, "OutLanes": 12}, {"InLanes": 12, "OutLanes": 4},
               {"ElementWidth": 1, "InLanes": 28, "OutLanes": 49}, {"ElementWidth": 3, "InLanes": 3, "OutLanes": 2}),
    "bw_fork": ({"Width": 5}, {"Width": 1, "Readers": 3}),
    "bw_add": (
        {"Inputs": 2, "Terms": 3, "Negate": "3'b101", "Pe": 2},
        {"Inputs": 1, "Terms": 1, "Negate": "1'b1", "OutBipolar": "1'b1", "OutWidth": 1},
        {"Inputs": 3, "Terms": 5, "Negate": "5'b11000", "ThresholdBits": 2, "ThresholdFolds": 3, "OutWidth": 2},
    ),
    "bw_multiply": ({"Pe": 2},
                    {"AWidth": 9, "BWidth": 8, "Mul": "bw_pkg::MulDsp", "ThresholdBits": 4, "Flat": "1'b0", "OutWidth": 4},
                    {"AWidth": 2, "BWidth": 2, "SumWidth": 2, "OutWidth": 1, "OutBipolar": "1'b1"}),
    "bw_concat": ({"OutputRegister": "1'b0"}, {"Inputs": 3, "Beats": "{32'd1, 32'd4, 32'd2}"}, {"Inputs": 1, "Beats": "{32'd3}"},
                  {"Beats": "{32'd1, 32'd1}"}),
    "bw_slice": ({"Begin": 0, "End": 4}, {"Begin": 0, "End": 1}, {"Beats": 7, "Begin": 3, "End": 7}),
    "bw_reorder": ({"RamStyle": '"block"'}, {"InBeats": 1, "Levels": 1, "Counts": "{32'd7}", "Deltas": "{32'd0}"},
                   {"InBeats": 24, "Levels": 3, "Counts": "{32'd4, 32'd3, 32'd2}", "Deltas": "{32'hfffffff1, 32'd5, 32'd1}",
                    "Offset": 2}),
    "bw_lookup": ({"Pe": 2}, {"InWidth": 1, "Folds": 3, "OutWidth": 1}),
    "bw_requantise": ({"Pe": 2}, {"Folds": 5, "Mul": "bw_pkg::MulLut"}, {"Shift": 0, "OutWidth": 7}, {"Shift": 40}),
    "bw_vvau": (
        {}, {"Simd": 9, "ActKind": "bw_pkg::Bipolar", "ActWidth": 1, "WeightKind": "bw_pkg::Bipolar", "WeightWidth": 1},
        {"Pe": 8, "ThresholdBits": 2, "OutWidth": 2, "OutputRegister": "1'b0"},
        {"Taps": 1, "ThresholdBits": 4, "Flat": "1'b0", "ThresholdFolds": 4, "OutWidth": 4},
    ),
    "bw_pool": ({}, {"Simd": 4}, {"Taps": 9, "Simd": 9, "Sum": "1'b1", "OutWidth": 8, "InKind": "bw_pkg::Signed"},
                {"Taps": 1, "InWidth": 1, "InKind": "bw_pkg::Bipolar", "Sum": "1'b1", "OutputRegister": "1'b0"}),
    "bw_global_pool": ({}, {"Groups": 1, "InKind": "bw_pkg::Bipolar", "InWidth": 1}, {"Positions": 1, "OutputRegister": "1'b0"},
                       {"Sum": "1'b0", "OutWidth": 4, "InKind": "bw_pkg::Signed", "Groups": 3}),
    "bw_sliding_window": (
        {}, {"Depth": 77, "Depthwise": "1'b1", "DilationHeight": 2, "StrideWidth": 2},
        {"PadTop": 1, "PadLeft": 1, "PadBottom": 1, "PadRight": 1, "ToTernary": "1'b1"},
        {"KernelHeight": 1, "KernelWidth": 1, "PadTop": 1, "PadBottom": 2, "PadRight": 1, "PadBeat": "8'h55"},
        {"Height": 1, "Width": 16, "KernelHeight": 1, "PadLeft": 1, "Groups": 1, "Depth": 4, "RamStyle": '"block"'},
    ),
    "bw_parallel_window": (
        {}, {"PadTop": 1, "PadLeft": 1, "PadBottom": 1, "PadRight": 1, "Groups": 2, "BeatWidth": 4, "ToTernary": "1'b1"},
        {"Width": 2, "StrideHeight": 2, "PadLeft": 1, "PadRight": 1, "InputRegister": "1'b0"},
        {"KernelHeight": 1, "KernelWidth": 1, "StrideWidth": 3}, {"Height": 1, "KernelHeight": 1, "Width": 1, "KernelWidth": 1},
        {"Width": 60, "PadTop": -1, "PadBottom": 2, "DilationWidth": 3, "PadBeat": "8'h33"},
    ),
    "bw_constant": ({}, {"Stages": 0}, {"Stages": 1, "OutWidth": 1, "OutputRegister": "1'b0"}),
    "bw_spill_register": ({"Width": 5}, {"Width": 5, "HalfRate": "1'b1"}, {"Width": 5, "Cut": "1'b0"}),
    "bw_last_counter": ({"Beats": 1}, {"Beats": 5}),
    "bw_stream_check": ({"Width": 3},),
    "bw_stream_monitor": ({"Name": '"x"', "LevelWidth": 4},),
}


def lint_top(sets: Mapping[str, Sequence[Parameters]] = SETS) -> str:
    """The module ``bw_lint_top`` without ports that holds an unconnected instance of every kernel and parameter set."""
    lines = ["/// Generated for lint.", f"module {TOP};"]
    for kernel, choices in sets.items():
        for index, parameters in enumerate(choices):
            values = ", ".join(f".{key}({value})" for key, value in parameters.items())
            lines.append(f"  {kernel} #({values}) u_{kernel}_{index} ();")
    return "\n".join([*lines, "endmodule", ""])


def run_verilator(top: str, files: Sequence[Path], defines: Sequence[str] = ()) -> list[str]:
    """Warnings and errors of ``verilator --lint-only -Wall`` after the waivers."""
    tool = verilator()
    done = run_process(
        [tool.binary, "--lint-only", "-Wall", *(f"-D{define}" for define in defines), "--top-module", top, WAIVERS, *files],
        timeout_s=_TIMEOUT_S, env={"VERILATOR_ROOT": str(tool.root)},
    )
    found = [line for line in done.output.splitlines() if line.startswith("%") and "Exiting due to" not in line]
    return found or ([] if done.ok else [f"verilator: {done.error}"])


def run_slang(top: str, files: Sequence[Path]) -> list[str]:
    """Warnings and errors of ``read_slang``, in a child process because Yosys ends its process on an error."""
    script = "import sys; from pyosys import libyosys as ys; ys.run_pass(sys.argv[1], ys.Design())"
    # As in waivers.vlt: only the lint module leaves ports open.
    waived = ["-Wno-unconnected-input-port", "-Wno-unconnected-output-port"] if top == TOP else []
    command = " ".join(["read_slang", *waived, "--top", top, *map(str, files)])
    done = run_process([sys.executable, "-c", script, command], timeout_s=_TIMEOUT_S)
    lines = [line.strip() for line in done.output.splitlines()]
    found = [line for line in lines if any(mark in line.lower() for mark in ("error:", "warning:"))]
    return found or ([] if done.ok else [f"read_slang: {done.error}"])


def main() -> int:
    """Lint everything, print what was found; 1 if anything was."""
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bitwright-lint-") as folder:
        top = Path(folder) / f"{TOP}.sv"
        write_text(top, lint_top())
        files = [*kernel_paths(), top]
        designs = [emit(samples.chain(), samples.chain_folding(), {"t0": 3, "t1": 4}, Path(folder) / "chain", "chain"),
                   emit(*samples.branched(), Path(folder) / "branched", "branched")]
        for name, paths in ((TOP, files), *((design.top, list(design.paths)) for design in designs)):
            faults += run_verilator(name, paths)
            faults += run_verilator(name, paths, ("BW_MONITOR",))
            faults += run_slang(name, paths)
    for fault in faults:
        print(fault)
    count = sum(len(choices) for choices in SETS.values())
    print(f"lint: {len(kernel_paths())} kernels, {count} parameter sets and {len(designs)} generated designs:"
          f" {len(faults)} findings")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
