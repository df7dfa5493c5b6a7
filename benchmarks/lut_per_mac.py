"""LUTs per multiply-accumulate of the whole matrix unit, beside a naive description of it and FINN's formula.

The unit multiplies a 64 x 64 matrix, PE 4, SIMD 16: 64 products a cycle, with control, input buffer, accumulators and
output register, without thresholds, weights in block RAM. It is emitted as in any build and synthesised by Yosys for xc7 with
`synth_xilinx -flatten -nodsp` (the DSP row without -nodsp). LUTRAM counts as LUTs. The naive unit is
benchmarks/rtl/naive_mvau.sv: `*`, `+` and a loop.

    python benchmarks/lut_per_mac.py [--pairs 2x2 1x1] [--jobs 2] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from results import RESULTS, save
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hw_flow.cost.finn import SOURCE as FINN_SOURCE
from hw_flow.cost.finn import of_node
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph, Tensor
from hw_flow.rtl import emit
from hw_flow.rtl.files import KERNELS
from hw_flow.synth import SynthJob, SynthResult, run

NAIVE = Path(__file__).parent / "rtl" / "naive_mvau.sv"
FOUR_LANES = NAIVE.with_name("four_lanes.sv")
SIZE, PE, SIMD = 64, 4, 16
MACS = PE * SIMD
COLUMNS = ("types", "weights", "activations", "LUT", "LUT/MAC", "CARRY4", "FF", "DSP", "naive LUT/MAC", "naive DSP",
           "FINN formula LUT/MAC")


@dataclass(frozen=True)
class Case:
    """A pair of types; ``goal`` is the LUTs per MAC that the project promises."""

    name: str
    weights: str
    acts: str
    dsp: bool = False
    narrow: bool = False  # without the most negative weight, as Brevitas trains; then two 8-bit products share a DSP block
    goal: float | None = None

    @property
    def folding(self) -> NodeFolding:
        return NodeFolding(PE, SIMD, "block", "dsp" if self.dsp else "lut")


CASES = (
    Case("1x1", "BIPOLAR", "BIPOLAR", goal=2.0),
    Case("1x2", "BIPOLAR", "UINT2"),
    Case("Tx1", "TERNARY", "BIPOLAR"),
    Case("Tx2", "TERNARY", "UINT2", goal=8.0),
    Case("2x2", "INT2", "UINT2", goal=8.0),
    Case("2x2 signed", "INT2", "INT2", goal=8.0),
    Case("4x4", "INT4", "UINT4"),
    Case("4x4 signed", "INT4", "INT4"),
    Case("4x4 DSP", "INT4", "UINT4", dsp=True),
    Case("8x8", "INT8", "UINT8"),
    Case("8x8 DSP", "INT8", "UINT8", dsp=True),
    Case("8x8 narrow DSP", "INT8", "UINT8", dsp=True, narrow=True),
)


def graph_of(case: Case) -> Graph:
    """One layer of random weights that gives its sums."""
    rng = np.random.default_rng(0)
    low, high = Tensor("", (1,), case.weights).limits
    matrix = rng.integers(low + case.narrow, high, (SIZE, SIZE), endpoint=True)
    if case.weights == "BIPOLAR":
        matrix = np.where(matrix > 0, 1, -1)
    bound = int(np.abs(matrix).sum(axis=1).max()) * max(map(abs, Tensor("", (1,), case.acts).limits))
    acc = f"INT{bound.bit_length() + 1}"
    node = MVAU(name="MVAU_0", inputs=("x",), outputs=("y",), weights=matrix, weight_dtype=case.weights, acc_dtype=acc)
    return Graph("unit", (node,), {"x": Tensor("x", (SIZE,), case.acts), "y": Tensor("y", (SIZE,), acc)}, ("x",), ("y",))


def jobs_of(case: Case, folder: Path) -> tuple[SynthJob, SynthJob]:
    """Our unit and the naive one with the same weight memory."""
    design = emit(graph_of(case), {"MVAU_0": case.folding}, {}, folder, "unit")
    instance = next(item for item in design.instances if item.kind == "mvau")
    files = tuple(design.directory.resolve() / file for file in instance.files)
    weights = next(path for path in files if path.name == f"{instance.module}_weights.sv")
    wrapper = folder / "naive_unit.sv"
    wrapper.write_text(_naive_wrapper(case, weights.stem))
    naive = (KERNELS / "bw_pkg.sv", NAIVE, weights, wrapper)
    return (SynthJob(top=instance.module, files=files, nodsp=not case.dsp),
            SynthJob(top="naive_unit", files=naive, nodsp=not case.dsp))


def _naive_wrapper(case: Case, memory: str) -> str:
    graph = graph_of(case)
    act, out = graph.tensors["x"], graph.tensors["y"]
    width = Tensor("", (1,), case.weights).width
    kinds = [dtype.capitalize() if dtype in ("BIPOLAR", "TERNARY") else "Signed" if dtype.startswith("I") else "Unsigned"
             for dtype in (case.acts, case.weights)]
    return f"""module naive_unit (
  input logic clk_i, input logic rst_ni, input logic s_valid_i, output logic s_ready_o,
  input logic [{act.width * SIMD - 1}:0] s_data_i, output logic m_valid_o, input logic m_ready_i,
  output logic [{out.width * PE - 1}:0] m_data_o
);
  logic en;
  logic [{(SIZE * SIZE // MACS - 1).bit_length() - 1}:0] addr;
  logic [{MACS * width - 1}:0] weight;
  {memory} u_weights (.clk_i(clk_i), .en_i(en), .addr_i(addr), .data_o(weight));
  naive_mvau #(
    .Mw({SIZE}), .Mh({SIZE}), .Pe({PE}), .Simd({SIMD}), .ActWidth({act.width}), .ActKind(bw_pkg::{kinds[0]}),
    .WeightWidth({width}), .WeightKind(bw_pkg::{kinds[1]}), .SumWidth({out.width})
  ) u_naive (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(s_valid_i), .ready_o(s_ready_o), .data_i(s_data_i), .memory_en_o(en),
    .weight_addr_o(addr), .weight_i(weight), .valid_o(m_valid_o), .ready_i(m_ready_i), .data_o(m_data_o)
  );
endmodule
"""


def lanes_note(folder: Path, rows: dict[str, list[object]]) -> str:
    """What four products a DSP block cost beside two, for the dot products of the 4x4 units alone."""
    wrapper = folder / "two_lanes.sv"
    wrapper.write_text("""module two_lanes (
  input logic clk_i, rst_ni, en_i, input logic [63:0] act_i, input logic [3:0][15:0][3:0] weight_i,
  output logic [3:0][12:0] sum_o
);
  for (genvar i = 0; i < 4; i += 2) begin : gen_pair
    bw_dot_pack #(.Lanes(2), .Simd(16), .ActWidth(4), .WeightWidth(4), .WeightNarrow(1'b1), .SumWidth(13)) u_dot (
      .clk_i, .rst_ni, .en_i, .act_i, .weight_i(weight_i[i+:2]), .sum_o(sum_o[i+:2])
    );
  end
endmodule
""")
    kernels = tuple(KERNELS / f"{name}.sv" for name in ("bw_pkg", "bw_delay", "bw_dot_pack"))
    two = run(SynthJob(top="two_lanes", files=(*kernels, wrapper)))
    four = run(SynthJob(top="four_lanes", files=(FOUR_LANES,)))
    luts = {name: int(str(rows[name][COLUMNS.index("LUT")])) for name in ("4x4", "4x4 DSP")}
    blocks = int(str(rows["4x4 DSP"][COLUMNS.index("DSP")]))
    without = (luts["4x4"] - luts["4x4 DSP"]) / blocks
    return ("Four 4-bit products a DSP block (benchmarks/rtl/four_lanes.sv) are not offered: the dot products alone take "
            f"{four.luts} LUTs and {four.dsp} DSPs, with two a block {two.luts} and {two.dsp}. So a DSP saved costs "
            f"{(four.luts - two.luts) / (two.dsp - four.dsp):.0f} LUTs, more than the {without:.0f} that it costs to do without.")


def measure(cases: list[Case], workers: int) -> dict[str, tuple[SynthResult, SynthResult]]:
    """Synthesise both units of every case."""
    found: dict[tuple[str, int], SynthResult] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with tempfile.TemporaryDirectory() as folder, Progress(*columns) as progress, ThreadPoolExecutor(workers) as pool:
        task = progress.add_task("synthesis", total=2 * len(cases))
        pending: dict[Future[SynthResult], tuple[str, int]] = {}
        for number, case in enumerate(cases):
            for index, job in enumerate(jobs_of(case, Path(folder) / str(number))):
                pending[pool.submit(run, job)] = (case.name, index)
        for future in as_completed(pending):
            found[pending[future]] = future.result()
            progress.update(task, advance=1, description=f"synthesis ({pending[future][0]} done)")
    return {case.name: (found[case.name, 0], found[case.name, 1]) for case in cases}


def main() -> int:
    """Measure, print the table, write benchmarks/results/lut_per_mac.json; exit 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", choices=[case.name for case in CASES], metavar="PAIR",
                        help=f"measure only these of {', '.join(case.name for case in CASES)}; the other rows stay")
    parser.add_argument("--jobs", type=int, default=2, help="syntheses at a time (default 2)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    args = parser.parse_args()
    cases = [case for case in CASES if args.pairs is None or case.name in args.pairs]
    results = measure(cases, args.jobs)
    rows: list[list[object]] = []
    missed = []
    for case in cases:
        ours, naive = results[case.name]
        graph = graph_of(case)
        finn = of_node(graph.nodes[0], case.folding, graph)  # type: ignore[arg-type]  # the only node is an MVAU
        per_mac = ours.luts / MACS
        rows.append([case.name, case.weights, case.acts, ours.luts, per_mac, ours.carry, ours.ff, ours.dsp,
                     naive.luts / MACS, naive.dsp, finn.luts / MACS])
        if case.goal is not None and per_mac > case.goal:
            missed.append(f"{case.name}: {per_mac:.2f} LUT/MAC, goal {case.goal}")
    known = RESULTS / "lut_per_mac.json"
    old = json.loads(known.read_text(encoding="utf-8"))["rows"] if args.pairs and known.exists() else []
    merged = {row[0]: row for row in (*old, *rows)}
    if all(case.name in merged for case in CASES):
        note = (f"Whole unit, {SIZE} x {SIZE}, PE {PE}, SIMD {SIMD}, weights in block RAM, no thresholds; LUTs with LUTRAM,"
                f" without inverters. Ours and naive: {results[cases[0].name][0].source}, xc7; FINN: {FINN_SOURCE}, the published"
                " estimate of MVAU_hls for the same folding.")
        with tempfile.TemporaryDirectory() as folder:
            lanes = lanes_note(Path(folder), merged)
        save("lut_per_mac", title="LUTs per multiply-accumulate", command="python benchmarks/lut_per_mac.py", columns=COLUMNS,
             rows=[merged[case.name] for case in CASES], notes=[note, lanes])
    if args.json:
        print(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=1))
    else:
        print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
        for row in rows:
            print("| " + " | ".join(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    print(*missed, sep="\n", end="\n" if missed else "", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
