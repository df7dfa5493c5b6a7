"""The LUT model against Yosys: every kernel in random sizes, types and foldings; fits the model's coefficients.

Instances come from random designs of tests/ (so that all operators meet all foldings), a bounded number a kind, in turns. Each
is synthesised as `bitwright synth` does, its datapath and its memories apart. The coefficients in hw_flow/cost/coefficients.py
are those of this table; a test compares them. The error is also given for instances left out of the fit, a tenth at a time.

    python benchmarks/lut_model.py [--per-kind 4] [--jobs 2] [--kinds MVAU.shift]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.performance_model import random_folding, random_graph
from benchmarks.results import RESULTS, render, save
from hw_flow import fifo, folding, rtl, synth
from hw_flow.cost import Calibration, calibrate, edge_features, features, luts
from hw_flow.fifo.network import fifo_beats
from hw_flow.folding import Folding, NodeFolding
from hw_flow.ir import Graph, Tensor
from hw_flow.rtl.edges import readers
from hw_flow.synth import SynthJob, parts
from tests.hw_flow.maps import Builder
from tests.hw_flow.rtl.random_networks import RandomNet

TYPES = (("BIPOLAR", "BIPOLAR"), ("TERNARY", "UINT2"), ("INT4", "UINT4"), ("BIPOLAR", "UINT2"), ("INT2", "UINT2"),
         ("TERNARY", "BIPOLAR"), ("INT8", "UINT8"), ("INT3", "UINT3"), ("INT4", "UINT2"), ("INT2", "INT2"), ("INT6", "UINT4"))
FOLDS = 10
# Kinds of which more instances are taken: most of a design, and most various.
TWICE = ("MVAU", "MVAU.shift")
# Kinds that coefficients of their own are fitted to, while those that other kinds have, too, are held.
SECOND = ("MVAU.shift",)


@dataclass(frozen=True)
class Sample:
    """An instance: its kernel, its features and its LUTs by Yosys."""

    kind: str
    features: dict[str, float]
    luts: int


@dataclass(frozen=True, eq=False)
class Part:
    """An instance that waits to be synthesised."""

    kind: str
    features: dict[str, float]
    job: SynthJob
    bank: SynthJob | None
    memories: tuple[str, ...]


def matrix(seed: int) -> tuple[Graph, Folding]:
    """A folded matrix unit."""
    rng = np.random.default_rng(seed)
    weights, acts = TYPES[seed % len(TYPES)]
    width = Tensor("", (1,), weights).width * Tensor("", (1,), acts).width
    builder = Builder(rng)
    source = builder.input((int(rng.choice([9, 16, 18, 27, 32, 48, 64, 128])),), acts)
    out = str(rng.choice(["BIPOLAR", "UINT2", "UINT4", "none"]))
    last = builder.matrix(source, int(rng.choice([8, 10, 16, 24, 32, 64])), dtype=None if out == "none" else out, weights=weights)
    graph = builder.graph(last, name="matrix")
    legal = [own for own in folding.options(graph.nodes[0], graph)
             if 1 < own.pe * own.simd <= min(600 // width, graph.input_of(graph.nodes[0]).elements * 4)]
    own = legal[int(rng.integers(len(legal)))]
    kind = "lut" if width < 16 or rng.random() < 0.7 else "dsp"
    return graph, {"MVAU_0": replace(own, ram_style=str(rng.choice(["auto", "block", "distributed"])), res_type=kind)}  # type: ignore[arg-type]


def powers(seed: int) -> tuple[Graph, Folding]:
    """A folded matrix unit that shifts."""
    rng = np.random.default_rng(seed)
    builder = Builder(rng)
    source = builder.input((int(rng.choice([16, 32, 48, 64])),), ("UINT4", "INT4", "UINT8", "UINT3")[seed % 4])
    last = builder.matrix(source, int(rng.choice([8, 16, 32])), weights=("POW4", "POW3")[seed // 2 % 2],
                          dtype=("UINT4", None)[seed % 2])
    graph = builder.graph(last, name="powers")
    own = NodeFolding(int(rng.choice([1, 2, 4])), int(rng.choice([2, 4, 8])), str(rng.choice(["block", "distributed"])), "lut")  # type: ignore[arg-type]
    return graph, {"MVAU_0": own}


def constant(seed: int) -> tuple[Graph, Folding]:
    """An unrolled matrix."""
    rng = np.random.default_rng(seed)
    weights, acts = TYPES[seed % 6]
    builder = Builder(rng)
    source = builder.input((int(rng.choice([4, 6, 8, 12, 16])),), acts)
    last = builder.matrix(source, int(rng.choice([4, 8, 10])), weights=weights, dtype=str(rng.choice(["BIPOLAR", "UINT2"])))
    graph = builder.graph(last, name="constant")
    node = graph.nodes[0]
    return graph, {"MVAU_0": NodeFolding(node.mh, node.mw, style="constant")}  # type: ignore[attr-defined]


def designs() -> Iterator[tuple[Graph, Folding]]:
    """All graphs with their foldings."""
    for seed in range(8):
        yield powers(seed)
    for seed in range(40):
        yield matrix(seed)
    for seed in range(12):
        yield constant(seed)
    for seed in range(12):
        yield RandomNet(seed).folded()
    for seed, kind in enumerate(("conv", "pool", "depthwise", "residual", "branches") * 2):
        rng = np.random.default_rng(seed)
        graph = random_graph(kind, rng)
        yield graph, random_folding(graph, rng)


def instances(graph: Graph, plan: Folding, directory: Path) -> Iterator[Part]:
    """What is to be synthesised of one design."""
    depths = fifo.depths(graph, plan)
    design = rtl.emit(graph, plan, depths, directory, graph.name)
    jobs = parts.datapath_jobs(design, "xc7", nodsp={name for name, own in plan.items() if own.res_type == "lut"}, delay=False,
                               liberty=None, timeout_s=600)
    bank = parts.memories_job(design, "xc7", directory, liberty=None, timeout_s=600)
    edges = {}
    for tensor in graph.tensors:
        for reader in readers(graph, plan, tensor):
            name = reader.key.replace("@", "_").replace(":", "_")
            for kind, counts in edge_features(reader.written, reader.lanes, reader.tensor.width,
                                              fifo_beats(reader, depths.get(reader.key, 0))).items():
                edges[f"{kind}_{name}"] = kind, counts
    for instance in design.instances:
        memories = parts.memory_modules(instance)
        if instance.layer in plan:
            node = graph.node(instance.layer)
            counts = features(node, plan[node.name], graph)
            kind = next(name for name in counts if name.startswith("control.")).removeprefix("control.")
            kind += ".shift" * ("shift" in counts)
        elif instance.layer in edges:
            kind, counts = edges[instance.layer]
        else:
            continue
        yield Part(kind, counts, jobs[instance.name], bank if memories else None, memories)


def chosen(folder: Path, limit: int, only: Collection[str]) -> list[Part]:
    """At most ``limit`` different instances of a kind, kinds in turns; of the kinds ``only``, or of all if that is empty."""
    kinds: dict[str, dict[str, Part]] = defaultdict(dict)

    def most(kind: str) -> int:
        return limit * (2 if kind in TWICE else 1)

    for number, (graph, plan) in enumerate(designs()):
        if only and all(len(kinds[kind]) == most(kind) for kind in only):
            break
        for part in instances(graph, plan, folder / str(number)):
            if only and part.kind not in only:
                continue
            own = kinds[part.kind]
            if len(own) < most(part.kind):
                own.setdefault(repr(sorted(part.features.items())), part)
    return [part for part in chain.from_iterable(zip_longest(*(own.values() for own in kinds.values()))) if part is not None]


def measure(part: Part) -> Sample:
    """Run Yosys."""
    total = synth.run(part.job).luts
    if part.bank is not None:
        inside = synth.run(part.bank).modules
        total += sum(inside[name].luts for name in part.memories)
    return Sample(part.kind, part.features, total)


def fitted(samples: list[Sample]) -> Calibration:
    """Coefficients from all samples: first without the kinds `SECOND`, then for what these have alone."""
    first = [(sample.features, sample.luts) for sample in samples if sample.kind not in SECOND]
    second = [(sample.features, sample.luts) for sample in samples if sample.kind in SECOND]
    fit = calibrate(first)
    known = {name for counts, _ in first for name in counts}
    return calibrate(second, {name: value for name, value in fit.coefficients.items() if name in known}) if second else fit


def left_out(samples: list[Sample]) -> list[float]:
    """Relative error of each sample by coefficients fitted without it; kinds that are fitted second change nothing for others."""
    errors = [0.0] * len(samples)
    for later in (False, True):
        group = [number for number, each in enumerate(samples) if (each.kind in SECOND) is later]
        order = np.random.default_rng(0).permutation(len(group))
        for fold in range(min(FOLDS, len(group))):
            test = {group[place] for place in order[fold::FOLDS]}
            fit = fitted([each for number, each in enumerate(samples)
                          if number not in test and (later or each.kind not in SECOND)])
            for number in test:
                errors[number] = luts(samples[number].features, fit.coefficients) / samples[number].luts - 1
    return errors


def synthesised(limit: int, jobs: int, only: Collection[str]) -> list[Sample]:
    """The samples, by Yosys."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        waiting = chosen(Path(name), limit, only)
        begun, samples = time.monotonic(), []
        for number, sample in enumerate(pool.map(measure, waiting), 1):
            left = (time.monotonic() - begun) / number * (len(waiting) - number)
            print(f"{number} of {len(waiting)}, {left:.0f} s left: {sample.kind} {sample.luts}", file=sys.stderr, flush=True)
            samples.append(sample)
    return [sample for sample in samples if sample.luts]


def main() -> int:
    """Measure, fit, save, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-kind", type=int, default=4, help="instances of a kind, twice as many of matrices (default 4)")
    parser.add_argument("--jobs", type=int, default=2, help="syntheses at a time (default 2)")
    parser.add_argument("--refit", action="store_true", help="fit the samples of the last run again, without synthesis")
    parser.add_argument("--kinds", nargs="+", default=(), metavar="KIND", help="measure these alone; other samples stay")
    args = parser.parse_args()
    if args.refit or args.kinds:
        known = json.loads((RESULTS / "lut_model.json").read_text(encoding="utf-8"))
        samples, source = [Sample(**sample) for sample in known["data"]["samples"]], known["data"]["source"]
        if args.kinds:
            if source != f"yosys-{synth.yosys_version()}":
                parser.error(f"the recorded samples are {source}'s, this is yosys-{synth.yosys_version()}; measure all kinds")
            samples = [sample for sample in samples if sample.kind not in args.kinds]
            samples += synthesised(args.per_kind, args.jobs, args.kinds)
    else:
        samples, source = synthesised(args.per_kind, args.jobs, ()), f"yosys-{synth.yosys_version()}"
    fit = fitted(samples)
    errors = left_out(samples)
    rows: list[list[object]] = []
    for kind in (*sorted({sample.kind for sample in samples}), "all"):
        own = [(luts(sample.features, fit.coefficients), sample.luts, error)
               for sample, error in zip(samples, errors, strict=True) if kind in (sample.kind, "all")]
        rows.append([kind, len(own), *(100 * float(np.mean(part)) for part in (
            [abs(guess / true - 1) for guess, true, _ in own], [abs(error) for *_, error in own])),
            100 * (sum(guess for guess, *_ in own) / sum(true for _, true, _ in own) - 1)])
    for row in rows:
        print(*row, sep=" | ")
    coefficients = {name: float(f"{value:.3g}") for name, value in fit.coefficients.items()}
    print(coefficients)
    save("lut_model", title="The LUT model against Yosys", command="python benchmarks/lut_model.py",
         columns=["kernel", "instances", "mean error, %", "mean error where left out of the fit, %", "error of the sum, %"],
         rows=rows,
         notes=[f"LUTs of single instances, {source}, xc7, datapath and memories; random sizes, types, foldings.",
                "`MVAU.constant` is an unrolled matrix, `MVAU.shift` one with powers of two, `fifo` and `dwc` what stands between"
                " nodes."],
         data={"source": source, "coefficients": coefficients, "second": SECOND,
               "samples": [asdict(sample) for sample in samples]})
    print(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
