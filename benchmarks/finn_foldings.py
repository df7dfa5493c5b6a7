"""TFC w1a1, TFC w2a2 and the NID MLP at FINN's foldings: every MNIST test image through Verilator, bit for bit against QONNX.

Needs BITWRIGHT_DATA (MNIST), BITWRIGHT_MODELS (the QONNX model zoo's networks) and BITWRIGHT_FINN_REF (FINN+'s folding files).
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import results

from hw_flow import api

# FINN+ on an RFSoC2x2 at 100 MHz: interval and minimum latency in cycles, top-1 in %, published by its CI
# (finn-plus, refs/exps, 2026-03-26).
PUBLISHED = {"TFC w1a1": (70, 243, 92.93), "TFC w2a2": (70, 245, 96.60), "NID MLP w2a2": (70, 212, 91.87)}

# FINN publishes no folding file for this network; this one has FINN's interval and products a cycle. A layer that makes
# one result a cycle in front of one that takes one operand a cycle overlaps with it.
NID_FOLDING = {
    "Defaults": {},
    "MVAU_0": {"PE": 16, "SIMD": 40},
    "MVAU_1": {"PE": 1, "SIMD": 64},
    "MVAU_2": {"PE": 64, "SIMD": 1},
    "MVAU_3": {"PE": 1, "SIMD": 64},
}


@dataclass(frozen=True)
class Case:
    """One network with its folding and its frames ``x [N, *input]``; ``labels [N]`` where there are any."""

    name: str
    model: Path
    folding: Path
    x: np.ndarray
    labels: np.ndarray | None
    input_type: str | None = None
    input_scale: str | None = None


def folder(variable: str) -> Path:
    """The folder an environment variable names; ends the program if it is not set."""
    if variable not in os.environ:
        sys.exit(f"{variable} is not set; point it at the folder with the files named in this script's docstring")
    return Path(os.environ[variable])


def idx(path: Path, offset: int) -> np.ndarray:
    """The uint8 payload of an IDX file."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), dtype=np.uint8, offset=offset)


def cases(samples: int, scratch: Path) -> list[Case]:
    """The three networks with ``samples`` frames each."""
    import json

    data, models = folder("BITWRIGHT_DATA"), folder("BITWRIGHT_MODELS") / "zoo"
    reference = folder("BITWRIGHT_FINN_REF") / "folding"
    x = idx(data / "mnist" / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:samples].astype(np.int64)
    y = idx(data / "mnist" / "t10k-labels-idx1-ubyte.gz", 8)[:samples].astype(np.int64)
    nid = scratch / "nid_folding.json"
    nid.write_text(json.dumps(NID_FOLDING))
    bits = np.random.default_rng(0).integers(0, 2, size=(samples, 600)) * 2 - 1
    return [
        Case("TFC w1a1", models / "TFC_1W1A.onnx", reference / "bnn-pynq__tfc-w1a1_folding_config.json", x, y, "UINT8", "1/255"),
        Case("TFC w2a2", models / "TFC_2W2A.onnx", reference / "bnn-pynq__tfc-w2a2_folding_config.json", x, y, "UINT8", "1/255"),
        Case("NID MLP w2a2", models / "unsw_nb15-mlp-w2a2.onnx", nid, bits, None),
    ]


def measure(case: Case, output: Path) -> list[object]:
    """One row of the table."""
    build = api.build(case.model, output, folding=case.folding, input_type=case.input_type, input_scale=case.input_scale)
    run = api.simulate(build, case.x, labels=case.labels)
    comparison = run.comparison
    assert comparison is not None
    accuracy = "random inputs"
    if case.labels is not None:
        accuracy = f"{api.simulation_record(build).accuracy['accuracy_hardware'].value:.2f} %"
    interval, latency, top1 = PUBLISHED[case.name]
    return [
        case.name, len(case.x), run.fault is None and comparison.bit_exact, comparison.mismatches, comparison.ties,
        run.interval_cycles, interval, run.latency_cycles, latency, accuracy, f"{top1:.2f} %",
    ]


def main() -> int:
    """Measure, save, print; exit 1 where a network is not bit-exact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = [measure(case, Path(scratch) / case.name.replace(" ", "_")) for case in cases(args.samples, Path(scratch))]
    results.save(
        "finn_foldings", title="FINN's networks at FINN's foldings, all test images cycle by cycle",
        command="python benchmarks/finn_foldings.py",
        columns=["network", "frames", "bit-exact", "mismatches", "ties", "interval [cycles, verilator]", "FINN+ [published]",
                 "latency [cycles, verilator]", "FINN+ [published]", "accuracy in simulation", "FINN+ [published]"],
        rows=rows,
        notes=[
            "UINT8 pixels go in, the input thresholding is in hardware, as in FINN's figures. Models from the QONNX model zoo.",
            "Bit-exact: hardware == integer golden model on every frame, and golden model == QONNX but for proven ties.",
            "FINN+: measured on an RFSoC2x2 board.",
            "NID: UNSW-NB15 cannot be had here, so the frames are random +-1. FINN publishes no folding file for it; ours has"
            " PE/SIMD 16/40, 1/64, 64/1, 1/64.",
        ],
    )
    print(results.render())
    return 0 if all(row[2] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
