"""FIFO sizing of CNV w1a1 at FINN's folding: minutes, and the bits of all FIFOs beside FINN's own rule on the same accelerator.

The network is that of finn_conv.py; `bitwright fifo` does the same to any build. Needs BITWRIGHT_FINN_REF.

    python benchmarks/fifo_sizing.py [--frames 6] [--keep DIRECTORY]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import finn_conv
import results

from hw_flow import api, fifo
from hw_flow.fifo import Tick


class _Lines:
    """A line on stderr for each FIFO found, with the time left."""

    def __init__(self) -> None:
        self.begun: float | None = None

    def __call__(self, tick: Tick) -> None:
        now = time.monotonic()
        self.begun = self.begun or (now if tick.done else None)
        if tick.text and self.begun is not None and tick.done:
            left = (now - self.begun) / tick.done * (tick.total - tick.done)
            print(f"{tick.done} of {tick.total} trials, {left:.0f} s left: {tick.text}", file=sys.stderr)


def main() -> int:
    """Measure, save, print; exit 1 where the interval changed or a FIFO is larger than by FINN's rule in all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=6, help="of every run (default 6)")
    parser.add_argument("--keep", type=Path, help="keep the build here; an interrupted search then carries on")
    args = parser.parse_args()
    if "BITWRIGHT_FINN_REF" not in os.environ:
        sys.exit("BITWRIGHT_FINN_REF is not set; point it at the folder that holds FINN+'s folding/*.json")
    case = next(case for case in finn_conv.cases() if case.name == "cnv-w1a1")
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or Path(scratch)
        root.mkdir(parents=True, exist_ok=True)
        finn_conv.export(case, root / "model.onnx")
        made = api.build(root / "model.onnx", root / "build", input_type="UINT8", input_scale="1/255",
                         folding=Path(os.environ["BITWRIGHT_FINN_REF"]) / "folding" / case.folding)
        begin = time.perf_counter()
        depths = fifo.depths(made.graph, made.folding)
        predicted = fifo.predict(made.graph, made.folding, depths)
        model_seconds = time.perf_counter() - begin
        sizing = api.fifo(made, frames=args.frames, progress=_Lines())
        minutes = (time.perf_counter() - begin - model_seconds) / 60
        build = api.load(made.directory)
        after = fifo.predict(build.graph, build.folding, build.depths)
    bits = sizing.bits
    rows = [
        ["FINN's rule on the same accelerator", "model", "", "", bits["finn_rule"], ""],
        ["sized by the model", "model", predicted.interval_cycles, predicted.latency_cycles, bits["model"], model_seconds / 60],
        ["the same, checked, shrunk and run with stalls", sizing.source, sizing.interval_cycles, sizing.latency_cycles,
         bits["gauged"], minutes],
    ]
    for row in rows:
        print(*row, sep=" | ")
    results.save(
        "fifo_sizing", title="FIFO sizing of CNV w1a1", command="python benchmarks/fifo_sizing.py",
        columns=["FIFOs", "source", "interval [cycles]", "latency [cycles]", "bits of all FIFOs", "minutes"], rows=rows,
        notes=[f"{len(sizing.fifos)} FIFOs, FINN's folding file; {sizing.trials} limits tried with {sizing.frames} frames each in"
               " one simulator, whose compilation is in the minutes.",
               "FINN's rule: peaks of an unthrottled run, rounded up to 2, 32 or a power of two, and at most a row of windows"
               " between a window and its matrix unit.",
               f"{os.cpu_count()} cores with a load of {os.getloadavg()[2]:.0f} meanwhile.",
               f"With the depths found the model gives {after.interval_cycles:,} and {after.latency_cycles:,} cycles."],
    )
    print(results.render())
    same = sizing.interval_cycles == predicted.interval_cycles == after.interval_cycles
    return 0 if same and bits["gauged"] <= bits["finn_rule"] else 1


if __name__ == "__main__":
    sys.exit(main())
