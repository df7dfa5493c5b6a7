"""The FINN back end on third-party models and the zoo: converts, simulates, bit-exact, cycles beside FINN+'s board, seconds.

Needs BITWRIGHT_MODELS and BITWRIGHT_FINN_REF; without them the zoo's networks alone are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import results

from hw_flow import api
from hw_flow.errors import FlowError

# Interval and least latency that FINN+ measured on an RFSoC2x2 board at 100 MHz.
PUBLISHED = {"TFC 1W1A": (70, 243), "CNV w1a1": (34_145, 134_471), "NID w2a2": (70, 212)}


@dataclass(frozen=True)
class Case:
    """A network: a third-party file under BITWRIGHT_MODELS, or a preset with bit widths, and how FINN is to build it."""

    name: str
    source: str
    folding: str | None = None
    target_cycles: int | None = None
    classify: bool = False
    pixels: bool = False
    frames: int = 4


CASES = (
    Case("TFC 1W1A", "file:zoo/TFC_1W1A.onnx", target_cycles=64, frames=16),
    Case("TFC 2W2A", "file:zoo/TFC_2W2A.onnx", target_cycles=64, frames=16),
    Case("NID w2a2", "file:zoo/unsw_nb15-mlp-w2a2.onnx", target_cycles=64, frames=16),
    Case("VGG10 w8a8", "file:radioml/pretrained_VGG10_w8a8_20_export.onnx", target_cycles=16_384, frames=2),
    Case("CNV w1a1", "zoo:cnv:w1a1", folding="bnn-pynq__cnv-w1a1_folding_config.json", classify=True, pixels=True),
    Case("digits CNN w4a4", "zoo:digits_cnn:w4a4", target_cycles=1_000),
    Case("ResNet-8 w4a4", "zoo:resnet8:w4a4", target_cycles=131_072, frames=2),
    Case("DS-CNN w4a4", "zoo:ds_cnn:w4a4", target_cycles=131_072, frames=2),
)


def model_of(case: Case, folder: Path) -> Path | None:
    """The QONNX file; a preset is exported with random weights. None where the third-party files are not at hand."""
    kind, *rest = case.source.split(":")
    if kind == "file":
        root = os.environ.get("BITWRIGHT_MODELS")
        return Path(root) / rest[0] if root else None
    import torch

    import models
    from hw_flow.export import export

    net = models.build(rest[0], models.BitConfig.short(rest[1], models.spec_of(rest[0]).layers, input="UINT8"), seed=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _ in range(3):  # running statistics of BatchNormalization
            net(torch.rand(2, *net.spec.frame, generator=generator))
    net.eval()
    path = folder / f"{rest[0]}.onnx"
    export(net, torch.rand(1, *net.spec.frame, generator=generator).numpy(), path)
    return path


def measure(case: Case, folder: Path) -> list[Any] | None:
    """One row of the table; None without its file."""
    folder.mkdir(parents=True, exist_ok=True)
    model = model_of(case, folder)
    reference = os.environ.get("BITWRIGHT_FINN_REF")
    if model is None or (case.folding is not None and reference is None):
        return None
    settings = folder / "settings.yaml"
    settings.write_text(f"classify: {str(case.classify).lower()}\n", encoding="utf-8")
    options: dict[str, Any] = {"target_cycles": case.target_cycles, "settings": settings}
    if case.folding is not None:
        options["folding"] = Path(str(reference)) / "folding" / case.folding
    if case.pixels:
        options |= {"input_type": "UINT8", "input_scale": "1/255"}
    begin = time.perf_counter()
    published = PUBLISHED.get(case.name, ("", ""))
    try:
        build = api.build(model, folder / "build", backend="finn", force=True, **options)
        run = api.simulate(build, samples=case.frames, profile="fast")
    except FlowError as error:
        return [case.name, False, str(error)[:160], "", "", "", published[0], "", published[1], "", time.perf_counter() - begin]
    assert run.comparison is not None
    own = sum(node["runs_on"] == "FINN's RTL" for node in build.stamp["nodes"])
    seconds = build.stamp["seconds"]
    exact = run.fault is None and run.comparison.bit_exact
    return [case.name, True, exact, run.comparison.ties, f"{own} of {len(build.stamp['nodes'])}",
            run.interval_cycles, published[0], run.latency_cycles, published[1],
            f"{seconds['FINN: convert'] + seconds['FINN: fold']:.1f}", time.perf_counter() - begin]


def main() -> int:
    """Measure, save, print; exit 1 where a network is not bit-exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES], help="measure this one alone")
    parser.add_argument("--keep", type=Path, help="keep the builds here")
    args = parser.parse_args()
    known = results.RESULTS / "finn_backend.json"
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or Path(scratch)
        rows = [row for case in CASES if not args.only or case.name in args.only
                if (row := measure(case, root / case.name.replace(" ", "_"))) is not None]
    if args.only and known.exists():  # the others stay as they were measured
        measured = {row[0] for row in rows}
        rows += [row for row in json.loads(known.read_text(encoding="utf-8"))["rows"] if row[0] not in measured]
        order = [case.name for case in CASES]
        rows.sort(key=lambda row: order.index(str(row[0])))
    results.save(
        "finn_backend", title="FINN+ 1.6.1 without Vivado", command="python benchmarks/finn_backend.py",
        columns=["network", "converts", "bit-exact", "ties", "nodes on FINN's RTL", "interval [cycles, verilator]",
                 "FINN+ [published]", "latency [cycles, verilator]", "FINN+ [published]", "FINN's transformations [s]",
                 "seconds in all"],
        rows=rows,
        notes=["Bit-exact: hardware equals FINN's Python execution in every tensor of the first 8 frames, and results QONNX's.",
               "FINN+: measured on an RFSoC2x2 board, through DMA and with instrumentation, which adds cycles to short intervals;"
               " its latency is the least of an empty pipeline."],
    )
    print(results.render())
    return 0 if all(row[2] is True for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
