"""Random networks of every supported operator, from QONNX to Verilator: bit-exact under random stalls, whatever the folding."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.results import save
from hw_flow import fifo, folding
from hw_flow.errors import FlowError
from hw_flow.folding import Folding, NodeFolding
from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.ir import VVAU, Graph, Pool, SlidingWindow
from hw_flow.ir.tensor import IntArray
from sim import Stalls
from tests.hw_flow.qonnx_graphs import Network, random_graph
from tests.hw_flow.rtl.bench import Unit, bundle, graph_unit

FRAMES = 8
STALLS = (Stalls(0.5), Stalls(0.9, burst=7))


@dataclass
class Row:
    """What became of one seed: ``exact``, ``refused``, or what failed."""

    seed: int
    outcome: str
    detail: str = ""
    operators: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    ties: int = 0


@dataclass(frozen=True)
class Case:
    """A network that is built, and the integers that it is fed."""

    row: Row
    unit: Unit
    inputs: IntArray


def random_folding(graph: Graph, rng: np.random.Generator, *, parallel: bool) -> Folding:
    """Any legal folding, the smaller of two draws for each node; ``parallel`` allows windows that come as one beat."""
    plan: dict[str, NodeFolding] = {}
    for node in graph:
        producer = graph.producer(node.inputs[0])
        choices = [choice for choice in folding.options(node, graph) if parallel or not choice.parallel_window]
        if isinstance(node, VVAU | Pool) and isinstance(producer, SlidingWindow):
            window = plan[producer.name]
            choices = [choice for choice in choices if choice.pe == window.simd
                       and (node.taps == 1 or (choice.simd > 1) == window.parallel_window)]
        drawn = [choices[int(rng.integers(len(choices)))] for _ in range(2)]
        plan[node.name] = min(drawn, key=lambda choice: choice.pe * choice.simd)
    return plan


def prepare(seed: int, folder: Path, *, parallel: bool = False) -> Row | Case:
    """Compile one network, compare it with QONNX, fold and emit it."""
    network = random_graph(seed)
    path = folder / f"s{seed}.onnx"
    network.save(path)
    operators = tuple(sorted(network.operators))
    try:
        program = compile_qonnx(path, input_type=network.input_type, input_scale=network.input_scale)
    except FlowError as error:
        return Row(seed, "refused", str(error), operators)
    row = Row(seed, "exact", "", operators, tuple(sorted({type(node).__name__ for node in program.graph})))
    found = compare(program, network.samples(32))
    row.ties = found.ties
    if not found.bit_exact:
        row.outcome, row.detail = "differs from QONNX", str(found.detail)
        return row
    rng = np.random.default_rng(seed)
    plan = random_folding(program.graph, rng, parallel=parallel)
    depths = fifo.depths(program.graph, plan)
    unit = graph_unit(f"s{seed}", program.graph, plan, folder, depths)
    return Case(row, unit, _inputs(program, network))


def _inputs(program: Program, network: Network) -> IntArray:
    integers = program.quantise_input(network.samples(FRAMES))[program.graph.inputs[0]]
    return integers.reshape(len(integers), -1)


def simulate(cases: list[Case], folder: Path) -> None:
    """Run several networks in one Verilated model; the rows get the outcome."""
    model = bundle([case.unit for case in cases], folder)
    feeds = {case.unit.ports[0].name: case.inputs for case in cases}
    for number, stalls in enumerate(STALLS):
        result = model.run(feeds, stalls=stalls, seed=number)
        for case in cases:
            if result.status != "done":
                case.row.outcome, case.row.detail = result.status, str(result.reason)
                continue
            want, got = case.unit.golden(case.inputs), result.outputs[case.unit.ports[-1].name]
            if not np.array_equal(want, got):
                case.row.outcome = "hardware differs"
                case.row.detail = f"frames {np.flatnonzero((want != got).any(axis=1)).tolist()}"


def run(seeds: list[int], *, parallel: bool = False) -> list[Row]:
    """All rows of one batch; a batch that fails as a whole is run seed by seed."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, cases = Path(scratch), []
        for seed in seeds:
            try:
                made = prepare(seed, folder, parallel=parallel)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong is a finding, not the end of the run
                where = traceback.extract_tb(error.__traceback__)[-1]
                made = Row(seed, "crash", f"{error!r} at {Path(where.filename).name}:{where.lineno}")
            if isinstance(made, Case):
                cases.append(made)
            rows.append(made.row if isinstance(made, Case) else made)
        if cases:
            try:
                simulate(cases, folder)
            except Exception as error:  # noqa: BLE001 - as above
                if len(cases) > 1:
                    singles = {case.row.seed: run([case.row.seed], parallel=parallel)[0] for case in cases}
                    return [singles.get(row.seed, row) for row in rows]
                cases[0].row.outcome, cases[0].row.detail = "crash", repr(error)[:500]
        stuck = [case for case in cases if case.row.outcome == "deadlock"]
        if len(stuck) > 1:
            singles = {case.row.seed: run([case.row.seed], parallel=parallel)[0] for case in stuck}
            return [singles.get(row.seed, row) for row in rows]
    return rows


def main() -> None:
    """Run and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=10, help="networks in one Verilated model")
    parser.add_argument("--parallel", action="store_true", help="fold windows in parallel too")
    parser.add_argument("--minutes", type=float, default=120.0, help="stop after these, with what is done")
    arguments = parser.parse_args()
    rows: list[Row] = []
    begun = time.monotonic()
    seeds = list(range(arguments.seed, arguments.seed + arguments.graphs))
    for begin in range(0, len(seeds), arguments.batch):
        rows += run(seeds[begin:begin + arguments.batch], parallel=arguments.parallel)
        for row in rows[begin:]:
            if row.outcome != "exact":
                print(f"{row.seed}: {row.outcome}: {row.detail}", flush=True)
        outcomes = dict(Counter(row.outcome for row in rows))
        print(f"{len(rows)} of {len(seeds)}, {time.monotonic() - begun:.0f} s: {outcomes}", flush=True)
        report(rows, arguments.seed, time.monotonic() - begun)
        if time.monotonic() - begun > 60 * arguments.minutes:
            break


def report(rows: list[Row], first: int, seconds: float) -> None:
    """The table for docs/benchmarks.md."""
    outcomes = Counter(row.outcome for row in rows)
    operators = Counter(name for row in rows if row.outcome == "exact" for name in row.operators)
    nodes = Counter(name for row in rows if row.outcome == "exact" for name in row.nodes)
    notes = [
        f"Seeds {first} to {first + len(rows) - 1}, {FRAMES} frames each under two kinds of random stalls, each with a "
        f"random legal folding; {seconds / 60:.0f} minutes.",
        f"{sum(row.ties for row in rows)} elements of QONNX's float32 execution are ties (32 frames each).",
        "ONNX operators in exact networks: " + ", ".join(f"{name} {count}" for name, count in sorted(operators.items())) + ".",
        "Hardware nodes: " + ", ".join(f"{name} {count}" for name, count in sorted(nodes.items())) + ".",
        *(f"Seed {row.seed}: {row.outcome}: {row.detail}" for row in rows if row.outcome != "exact"),
    ]
    save("random_graphs", title="Random networks of all operators, QONNX against Verilator", command=f"python benchmarks/"
         f"random_graphs.py --graphs {len(rows)} --seed {first}", columns=("outcome", "networks"), rows=sorted(outcomes.items()),
         notes=notes, data={row.seed: row.outcome for row in rows})


if __name__ == "__main__":
    main()
