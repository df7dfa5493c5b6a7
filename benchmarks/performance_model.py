"""The performance model against Verilator over random designs: steady interval, first-output latency, FIFO peaks."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.results import save
from hw_flow import fifo, folding, rtl
from hw_flow.backends.simulation import compile_model
from hw_flow.folding import Folding, NodeFolding
from hw_flow.ir import VVAU, Graph, Pool, SlidingWindow
from tests.hw_flow.graphs import mlp
from tests.hw_flow.maps import Builder

FRAMES = 12


def random_graph(kind: str, rng: np.random.Generator) -> Graph:
    """A small graph of ``kind``: dense layers, convolutions, depthwise layers, residual blocks or parallel branches."""
    if kind == "mlp":
        dims = [int(rng.choice([6, 8, 12, 16, 24, 36, 48])) for _ in range(rng.integers(3, 6))]
        weights, activations = rng.choice(["BIPOLAR", "INT2", "INT4"]), rng.choice(["BIPOLAR", "UINT2", "INT4"])
        return mlp(dims, weights=str(weights), activations=str(activations), inputs="UINT8" if rng.random() < 0.5 else None,
                   seed=int(rng.integers(1000)))
    builder = Builder(rng)
    size, width = int(rng.integers(5, 9)), int(rng.choice([2, 4, 6]))
    last = builder.input((size, size, width), "UINT2")
    if kind in ("conv", "pool"):
        for _ in range(int(rng.integers(1, 4))):
            pad = int(rng.integers(0, 2))
            if min(builder.tensors[last].shape[:2]) + 2 * pad < 3:
                break
            last = builder.matrix(builder.window(last, (3, 3), pads=(pad,) * 4), int(rng.choice([4, 6, 8])))
            if kind == "pool" and min(builder.tensors[last].shape[:2]) >= 2:
                last = builder.pool(builder.window(last, (2, 2), depthwise=True, stride=(2, 2)), 4)
        shape = builder.tensors[last].shape
        if rng.random() < 0.5:
            last = builder.label(builder.matrix(last, 5, mw=shape[0] * shape[1] * shape[2], dtype=None))
    elif kind == "depthwise":
        for _ in range(int(rng.integers(1, 3))):
            last = builder.depthwise(builder.window(last, (3, 3), depthwise=True, pads=(1, 1, 1, 1)), 9)
            last = builder.matrix(last, int(rng.choice([4, 8])))
        last = builder.global_pool(last)
    elif kind == "residual":
        for _ in range(int(rng.integers(1, 3))):
            inner = builder.matrix(builder.window(last, (3, 3), pads=(1, 1, 1, 1)), width)
            if rng.random() < 0.5:
                inner = builder.matrix(builder.window(inner, (3, 3), pads=(1, 1, 1, 1)), width)
            last = builder.threshold(builder.plus(inner, last))
    else:
        arms = [builder.matrix(builder.window(last, (3, 3), pads=(1, 1, 1, 1)), int(rng.choice([4, 8]))),
                builder.matrix(last, int(rng.choice([4, 8]))), last]
        last = builder.matrix(builder.concat(*arms[:int(rng.integers(2, 4))]), 4)
    return builder.graph(last, name=kind)


def random_folding(graph: Graph, rng: np.random.Generator) -> Folding:
    """Any legal folding."""
    plan: dict[str, NodeFolding] = {}
    for node in graph:
        producer = graph.producer(node.inputs[0])
        if isinstance(node, VVAU | Pool) and isinstance(producer, SlidingWindow):
            window = plan[producer.name]
            plan[node.name] = NodeFolding(window.simd, node.taps if window.parallel_window else 1)
            continue
        own = folding.options(node, graph)
        parallel = rng.random() < 0.5 and any(choice.parallel_window for choice in own)
        plan[node.name] = rng.choice(np.array([choice for choice in own if choice.parallel_window == parallel], dtype=object))
    return plan


@dataclass(frozen=True)
class Row:
    """Model and measurement of one design; peaks are summed over its FIFOs, ``under`` counts those that the model has too low."""

    kind: str
    seed: int
    nodes: int
    fifos: int
    bottleneck: int
    interval: int
    model_interval: int
    latency: int
    model_latency: int
    peaks: int
    model_peaks: int
    under: int
    sizing_ms: float
    model_ms: float
    source: str


def compare(kind: str, seed: int, directory: Path) -> Row:
    """Size, predict, build and run one design."""
    rng = np.random.default_rng(seed)
    graph = random_graph(kind, rng)
    plan = random_folding(graph, rng)
    begun = time.perf_counter()
    depths = fifo.depths(graph, plan)
    sized = time.perf_counter()
    model = fifo.predict(graph, plan, depths, frames=FRAMES)
    ended = time.perf_counter()
    design = rtl.emit(graph, plan, depths, directory, graph.name)
    port, (low, high) = design.inputs[0], graph.tensors[graph.inputs[0]].limits
    x = np.random.default_rng(seed).integers(low, high, (FRAMES, port.beats * port.lanes), endpoint=True)
    run = compile_model(design).run({port.name: np.where(x > 0, 1, -1) if port.bipolar else x})
    if run.status != "done":
        raise SystemExit(f"{kind} {seed}: {run.status} ({run.reason})")
    peaks = {key: run.monitors[key].peak for key in model.peaks}
    return Row(
        kind, seed, len(graph.nodes), len(peaks), folding.interval_cycles(graph, plan), run.interval_cycles,
        model.interval_cycles, run.latency_cycles, model.latency_cycles, sum(peaks.values()), sum(model.peaks.values()),
        sum(peaks[key] > peak for key, peak in model.peaks.items()), 1000 * (sized - begun), 1000 * (ended - sized), run.source)


KINDS = ("mlp", "conv", "pool", "depthwise", "residual", "branches")


def main() -> None:
    """Compare and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    arguments = parser.parse_args()
    cases = [(arguments.kinds[number % len(arguments.kinds)], arguments.seed + number) for number in range(arguments.designs)]
    rows = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for row in pool.map(_case, cases):
            rows.append(row)
            print(row, flush=True)
    if arguments.designs >= 50:
        report(rows, f"python benchmarks/performance_model.py --designs {arguments.designs} --seed {arguments.seed}")


def _case(case: tuple[str, int]) -> Row:
    with tempfile.TemporaryDirectory() as scratch:
        return compare(*case, Path(scratch))


def report(rows: list[Row], command: str) -> None:
    """Save the table: a line for each kind of design."""
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        own = [row for row in rows if row.kind == kind]
        lines.append([
            kind, len(own), sum(row.fifos for row in own),
            max(abs(row.model_interval / row.interval - 1) for row in own) * 100,
            max(abs(row.model_latency / row.latency - 1) for row in own) * 100,
            sum(row.under for row in own), sum(row.model_peaks for row in own) / max(1, sum(row.peaks for row in own)),
            max(row.interval / row.bottleneck for row in own), max(row.sizing_ms for row in own),
            max(row.model_ms for row in own)])
    save("performance_model", title="Performance model against Verilator, random designs", command=command,
         columns=["kind", "designs", "FIFOs", "largest error of the interval, %", "largest error of the first-output latency, %",
                  "peaks that the model has too low", "model's peaks / measured", "interval / slowest node's, at most",
                  "sizing, ms at most", "model, ms at most"], rows=lines,
         notes=[f"Measured with {rows[0].source}, {FRAMES} frames back to back, FIFOs of the depths that the model gave.",
                "Model: `hw_flow.fifo.predict`, source `model`."], data=[asdict(row) for row in rows])


if __name__ == "__main__":
    main()
