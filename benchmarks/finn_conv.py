"""CNV w1a1 and w2a2, VGG10 1-D and MobileNet-v1 w4a4 at FINN's foldings, cycle by cycle, bit for bit against QONNX.

The networks have Brevitas' shapes, random weights and the BatchNormalization statistics of random images: cycles do not depend
on the values. Needs BITWRIGHT_FINN_REF (FINN+'s folding files).

    python benchmarks/finn_conv.py [--only NAME ...] [--keep DIRECTORY]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import results

from hw_flow import api, folding

# FINN+ on an RFSoC2x2 at 100 MHz: interval and minimum latency in cycles, published by its CI (finn-plus, refs/exps, 2026-03-26).
PUBLISHED = {"cnv-w1a1": (34_145, 134_471), "cnv-w2a2": (130_761, 395_734), "vgg10-w4a4": (1_027, 2_960),
             "mobilenet-w4a4": (394_272, 765_909)}


NOTES = (
    "Brevitas' shapes, random weights, statistics of random images; UINT8 in, index of the largest output out.",
    "FINN+: measured on an RFSoC2x2 board.",
    "Why FINN+'s boards take more cycles than simulations: FINN's accelerators, simulated and on a board.",
    "Seconds on two cores under other load. MobileNet-v1 without assertions and other start values.",
)


@dataclass(frozen=True)
class Case:
    """A network, its folding file, how many frames are simulated and how (see `api.simulate`)."""

    name: str
    model: object
    bits: str
    folding: str
    frames: int
    profile: str = "check"


def cases() -> list[Case]:
    """The networks that FINN+ publishes figures of."""
    from models.units import Conv
    from models.zoo import mobilenet_v1, vgg10_1d

    mobilenet = mobilenet_v1()
    stem, *units = mobilenet.units
    assert isinstance(stem, Conv)
    return [
        Case("cnv-w1a1", "cnv", "w1a1", "bnn-pynq__cnv-w1a1_folding_config.json", 8),
        Case("cnv-w2a2", "cnv", "w2a2", "bnn-pynq__cnv-w2a2_folding_config.json", 4),
        # FINN's VGG10 has 32 channels in its convolutions.
        Case("vgg10-w4a4", vgg10_1d(width=32), "w4a4", "vgg10__ZCU104_folding_config.json", 32),
        # FINN's MobileNet has no padding around its first convolution: maps of 111 x 111 behind it.
        Case("mobilenet-w4a4", replace(mobilenet, units=(replace(stem, padding=(0, 0)), *units)), "w4a4",
             "mobilenetv1__ZCU102_folding_config_live_fifo.json", 3, profile="fast"),
    ]


def export(case: Case, path: Path) -> tuple[int, ...]:
    """Write the network as QONNX, ending in the index of the largest output as FINN's do; returns the shape of a frame."""
    import torch
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.insert_topk import InsertTopK

    import models
    from hw_flow.export import export as write

    net = models.build(case.model, models.BitConfig.short(case.bits, models.spec_of(case.model).layers, input="UINT8"), seed=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _ in range(3):  # running statistics of BatchNormalization
            net(torch.rand(2, *net.spec.frame, generator=generator))
    net.eval()
    write(net, torch.rand(1, *net.spec.frame, generator=generator).numpy(), path)
    ModelWrapper(str(path)).transform(InsertTopK(k=1)).save(str(path))
    return tuple(net.spec.frame)


def measure(case: Case, output: Path) -> list[object]:
    """One row of the table."""
    reference = Path(os.environ["BITWRIGHT_FINN_REF"]) / "folding" / case.folding
    model = output / "model.onnx"
    output.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    frame = export(case, model)
    build = api.build(model, output / "build", folding=reference, input_type="UINT8", input_scale="1/255")
    print(f"{case.name}: built after {time.perf_counter() - begin:.1f} s", file=sys.stderr)
    x = np.random.default_rng(2).integers(0, 256, size=(case.frames, *frame))
    run = api.simulate(build, x, profile=case.profile)
    print(f"{case.name}: simulated after {time.perf_counter() - begin:.1f} s", file=sys.stderr)
    assert run.comparison is not None
    bound = folding.interval_cycles(build.graph, build.folding)
    interval, latency = PUBLISHED[case.name]
    exact = run.fault is None and run.comparison.bit_exact
    return [case.name, case.frames, exact, run.comparison.ties, bound, run.interval_cycles, interval, run.latency_cycles, latency,
            time.perf_counter() - begin]


def main() -> int:
    """Measure, save, print; exit 1 where a network is not bit-exact or slower than FINN+."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(PUBLISHED), help="measure this one alone")
    parser.add_argument("--keep", type=Path, help="keep the builds here")
    args = parser.parse_args()
    if "BITWRIGHT_FINN_REF" not in os.environ:
        sys.exit("BITWRIGHT_FINN_REF is not set; point it at the folder that holds FINN+'s folding/*.json")
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or Path(scratch)
        rows = [measure(case, root / case.name) for case in cases() if not args.only or case.name in args.only]
    known = results.RESULTS / "finn_conv.json"
    if args.only and known.exists():  # the others stay as they were measured
        old = json.loads(known.read_text(encoding="utf-8"))["rows"]
        rows += [row for row in old if row[0] not in args.only]
        rows.sort(key=lambda row: list(PUBLISHED).index(str(row[0])))
    results.save(
        "finn_conv", title="Convolutional networks at FINN's foldings", command="python benchmarks/finn_conv.py",
        columns=["network", "frames", "bit-exact", "ties", "slowest node [cycles, model]", "interval [cycles, verilator]",
                 "FINN+ [published]", "latency [cycles, verilator]", "FINN+ [published]", "seconds in all"],
        rows=rows,
        notes=NOTES,
    )
    print(results.render())
    return 0 if all(row[2] and row[5] <= row[6] and row[7] < row[8] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
