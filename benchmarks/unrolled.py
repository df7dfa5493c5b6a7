"""Unrolled matrices (PE = MH, SIMD = MW, style constant) beside da4ml's own RTL of the same matrices.

Both compute matrix @ x for a new x in every cycle, with registers at the output and behind every second level of adders, and
are synthesised by the same Yosys script for xc7, `synth_xilinx -flatten -nodsp`. Random matrices. da4ml's RTL is the cheaper
of its two searches (any depth, and at most two adders above the fewest levels). `unit` is our whole unit with handshake and
output register. Rows without da4ml's figures are ours alone: more pruned weights, and an MLP 16-64-32-32-5 with ternary weights
and 2-bit activations, whole accelerator.

    python benchmarks/unrolled.py [--cases binary int4] [--jobs 2]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from results import RESULTS, render, save

from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph, Tensor, Thresholds, execute
from hw_flow.ir.tensor import smallest_datatype
from hw_flow.rtl import Design, emit
from hw_flow.rtl.constant.choose import LEVELS
from hw_flow.synth import SynthJob, SynthResult, run
from sim import Source, build

COLUMNS = ("matrix", "inputs", "zeros", "LUT", "LUT a weight that is not 0", "FF", "CARRY4", "unit LUT", "da4ml LUT", "da4ml FF",
           "LUT ratio", "goal")


WHOLE = "MLP 16-64-32-32-5, whole"
# LUTs that a weight of a pruned matrix may take, by those of the whole one: less is left to share.
PRUNED = 1.4


@dataclass(frozen=True)
class Case:
    """A random matrix ``[outputs, inputs]``; ``goal``: promised ratio of LUTs to da4ml's, ``rival``: da4ml is run too."""

    name: str
    inputs: int
    outputs: int
    weights: str
    acts: str
    zeros: float = 0.0
    goal: float | None = None
    rival: bool = True

    def matrix(self) -> np.ndarray:
        """The weights."""
        rng = np.random.default_rng(0)
        low, high = Tensor("", (1,), self.weights).limits
        found = rng.integers(low, high, (self.outputs, self.inputs), endpoint=True)
        if self.weights == "BIPOLAR":
            found = np.where(found > 0, 1, -1)
        return np.where(rng.random(found.shape) < self.zeros, 0, found)


CASES = (
    Case("binary", 64, 32, "BIPOLAR", "UINT1", goal=0.9),
    Case("ternary", 64, 32, "TERNARY", "UINT2", goal=0.9),
    Case("int4", 64, 32, "INT4", "UINT4", goal=1.0),
    Case("ternary16", 16, 64, "TERNARY", "UINT2", goal=0.9),
    Case("ternary, half pruned", 64, 32, "TERNARY", "UINT2", zeros=0.5),
    Case("ternary, 75 % pruned", 64, 32, "TERNARY", "UINT2", zeros=0.75, rival=False),
    Case("ternary, 90 % pruned", 64, 32, "TERNARY", "UINT2", zeros=0.9),
    Case("int4, half pruned", 64, 32, "INT4", "UINT4", zeros=0.5, rival=False),
    Case("int4, 75 % pruned", 64, 32, "INT4", "UINT4", zeros=0.75, rival=False),
    Case("int4, 90 % pruned", 64, 32, "INT4", "UINT4", zeros=0.9, rival=False),
)


def unit(case: Case, folder: Path) -> Design:
    """Our unit of the matrix."""
    matrix = case.matrix()
    high = Tensor("", (1,), case.acts).limits[1]
    bounds = np.minimum(matrix, 0).sum(axis=1).min() * high, np.maximum(matrix, 0).sum(axis=1).max() * high
    acc = smallest_datatype(int(bounds[0]), int(bounds[1]))
    node = MVAU(name="MVAU_0", inputs=("x",), outputs=("y",), weights=matrix, weight_dtype=case.weights, acc_dtype=acc)
    tensors = {"x": Tensor("x", (case.inputs,), case.acts), "y": Tensor("y", (case.outputs,), acc)}
    graph = Graph("unit", (node,), tensors, ("x",), ("y",))
    return emit(graph, {"MVAU_0": NodeFolding(case.outputs, case.inputs, style="constant")}, {}, folder, "unit")


def our_jobs(design: Design) -> tuple[SynthJob, SynthJob]:
    """The logic alone, and the unit around it."""
    instance = next(item for item in design.instances if item.kind == "mvau")
    files = tuple(design.directory / file for file in instance.files)
    logic = next(path for path in files if path.stem.endswith("_logic"))
    return (SynthJob(top=logic.stem, files=(logic,), nodsp=True, timeout_s=3000),
            SynthJob(top=instance.module, files=files, nodsp=True, timeout_s=3000))


def da4ml_job(case: Case, folder: Path) -> SynthJob:
    """da4ml's RTL of the matrix."""
    from da4ml.codegen import VerilogModel
    from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
    from da4ml.trace.ops import quantize

    found = []
    for extra in (-1, 2):
        source = FixedVariableArrayInput((case.inputs,), HWConfig(1, -1, -1), {"hard_dc": extra})
        x = quantize(source, 0, Tensor("", (1,), case.acts).width, 0)
        found.append(comb_trace(source, x @ case.matrix().T.astype(np.float32)))
    model = VerilogModel(min(found, key=lambda item: item.cost), "matrix", folder, latency_cutoff=LEVELS, print_latency=False)
    model.write()
    sources = sorted(path for path in (folder / "src").glob("matrix*.v") if not path.stem.endswith("wrapper"))
    used = "".join(path.read_text() for path in sources)
    library = sorted(path for path in (folder / "src" / "static").glob("*.v") if f"{path.stem} #" in used)
    return SynthJob(top="matrix", files=(*library, *sources), nodsp=True, timeout_s=3000)


def network() -> Graph:
    """An MLP 16-64-32-32-5, ternary weights, 2-bit activations, raw sums at the end."""
    rng = np.random.default_rng(1)
    tensors = {"t0": Tensor("t0", (16,), "UINT2")}
    nodes = []
    for index, (mw, mh) in enumerate(pairwise((16, 64, 32, 32, 5))):
        matrix = rng.integers(-1, 2, (mh, mw))
        spread = int(2 * np.sqrt(mw))
        steps = np.sort(rng.integers(-spread, spread, (mh, 3)), axis=1)
        last = mh == 5
        nodes.append(MVAU(name=f"MVAU_{index}", inputs=(f"t{index}",), outputs=(f"t{index + 1}",), weights=matrix,
                          weight_dtype="TERNARY", acc_dtype="INT8",
                          thresholds=None if last else Thresholds(steps, np.zeros(mh, dtype=bool), 0)))
        tensors[f"t{index + 1}"] = Tensor(f"t{index + 1}", (mh,), "INT8" if last else "UINT2")
    return Graph("jets", tuple(nodes), tensors, ("t0",), ("t4",))


def unrolled_network(folder: Path) -> tuple[SynthResult, str]:
    """Resources of the whole accelerator, and a sentence on its simulation."""
    graph = network()
    folding = {node.name: NodeFolding(node.mh, node.mw, style="constant") for node in graph}  # type: ignore[attr-defined]
    design = emit(graph, folding, {}, folder, "jets")
    model = build(Source(design.top, tuple(design.paths)), (*design.inputs, *design.outputs))
    x = np.random.default_rng(2).integers(0, 4, (500, 16))
    result = model.run({"s_axis": x})
    exact = np.array_equal(result.outputs["m_axis"], execute(graph, {"t0": x})["t4"])
    text = (f"MLP 16-64-32-32-5 in Verilator, 500 frames: {'bit-exact' if exact else 'NOT EXACT'}, interval"
            f" {result.interval_cycles:g} cycle, latency {result.latency_cycles} cycles.")
    job = SynthJob(top=design.top, files=tuple(design.paths), nodsp=True, timeout_s=3000)
    return run(job), text


def table_row(case: Case, logic: SynthResult, whole: SynthResult, *others: SynthResult) -> list[object]:
    """One row of the table."""
    matrix = case.matrix()
    beside = [(other.luts, other.ff, logic.luts / other.luts) for other in others]
    return [title(case), case.acts, float((matrix == 0).mean()), logic.luts, logic.luts / np.count_nonzero(matrix), logic.ff,
            logic.carry, whole.luts, *(beside[0] if beside else ("", "", "")), "" if case.goal is None else case.goal]


def title(case: Case) -> str:
    """First cell of its row."""
    return f"{case.name} {case.inputs} to {case.outputs}"


def missed(rows: Mapping[str, Sequence[Any]]) -> list[str]:
    """A sentence for each goal that a row misses."""
    found = []
    for case in CASES:
        row, whole = rows.get(title(case)), next(
            (rows.get(title(other)) for other in CASES if (other.acts, other.outputs, other.zeros) == (case.acts, 32, 0.0)), None)
        if row is not None and case.goal is not None and row[10] > case.goal:
            found.append(f"{case.name}: {row[10]:.2f} of da4ml's LUTs, goal {case.goal}")
        if row is not None and whole is not None and case.zeros and row[4] > PRUNED * whole[4]:
            found.append(f"{case.name}: {row[4]:.2f} LUTs a weight, {whole[4]:.2f} in the whole matrix")
    return found


def main() -> int:
    """Measure, print the table, write benchmarks/results/unrolled.json; exit 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in CASES], metavar="CASE",
                        help=f"only these of {', '.join(case.name for case in CASES)}; other rows stay as they were measured")
    parser.add_argument("--jobs", type=int, default=2, help="syntheses at a time (default 2)")
    args = parser.parse_args()
    cases = [case for case in CASES if args.cases is None or case.name in args.cases]
    known = RESULTS / "unrolled.json"
    old = json.loads(known.read_text(encoding="utf-8")) if args.cases and known.exists() else {"rows": [], "notes": []}
    rows: dict[str, Sequence[Any]] = {row[0]: row for row in old["rows"]}
    notes = old["notes"]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(args.jobs) as pool:
        folder = Path(name)
        jobs = {}
        for number, case in enumerate(cases):
            ours = our_jobs(unit(case, folder / f"ours{number}"))
            theirs = [da4ml_job(case, folder / f"da4ml{number}")] if case.rival else []
            jobs[case.name] = [pool.submit(run, job) for job in (*ours, *theirs)]
        for case in cases:
            row = rows[title(case)] = table_row(case, *(job.result() for job in jobs[case.name]))
            print(*row, sep=" | ", flush=True)
        if args.cases is None:
            top, text = unrolled_network(folder / "jets")
            rows[WHOLE] = [WHOLE, "UINT2", "", "", "", top.ff, top.carry, top.luts, "", "", "", ""]
            notes = [f"LUTs as Yosys counts them, with inverters and shift registers. Ours and da4ml"
                     f" {importlib.metadata.version('da4ml')}: {top.source}, xc7.", text]
            print(*rows[WHOLE], sep=" | ")
            print(text)
    order = [*map(title, CASES), WHOLE]
    save("unrolled", title="Unrolled matrices", command="python benchmarks/unrolled.py", columns=COLUMNS,
         rows=sorted(rows.values(), key=lambda row: order.index(row[0])), notes=notes)
    print(render())
    misses = missed(rows)
    print(*misses, sep="\n", end="\n" if misses else "", file=sys.stderr)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
