"""Quantised networks that others exported: built, run in Verilator with and without stalls, compared with QONNX.

Needs BITWRIGHT_MODELS, the folder that holds the files. Each row is saved as soon as it is measured.

    python benchmarks/third_party.py [--only NAME ...] [--keep DIRECTORY]
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

import numpy as np
import results

from hw_flow import api
from hw_flow.errors import FlowError
from sim.errors import SimError


@dataclass(frozen=True)
class Case:
    """A file, how many frames of random values it gets, the cycles that a frame may take, and how its input is declared."""

    name: str
    samples: int
    cycles: int
    declared: tuple[str, str] | tuple[None, None] = (None, None)
    profile: str = "check"


_FIXED = ("INT8", "0.0625")
CASES = (
    Case("finn/model.onnx", 1000, 64),
    Case("hls4ml_example_models/bnn_model_fc_1layer.onnx", 1000, 1),
    Case("hls4ml_example_models/separable_conv_model_ch_last.onnx", 2, 600_000, profile="fast"),
    Case("mnist_cnn/qonnx_model.onnx", 20, 2000, ("UINT8", "1/255")),
    Case("qkeras/model_test_qkeras_qconv2d_0.onnx", 100, 1000, _FIXED),
    Case("qkeras/model_test_qkeras_qconv2d_9.onnx", 100, 1000, _FIXED),
    Case("qkeras/model_test_qkeras_qdense_0.onnx", 1000, 4, _FIXED),
    Case("qkeras/model_test_qkeras_qdense_9.onnx", 1000, 4, _FIXED),
    Case("qkeras/model_test_qkeras_qdense2_0.onnx", 1000, 4, _FIXED),
    Case("qkeras/model_test_qkeras_qdense2_9.onnx", 1000, 4, _FIXED),
    Case("radioml/pretrained_VGG10_w8a8_20_export.onnx", 4, 16_384, profile="fast"),
    Case("zoo/TFC_1W1A.onnx", 1000, 64, ("UINT8", "1/255")),
    Case("zoo/TFC_2W2A.onnx", 1000, 64, ("UINT8", "1/255")),
    Case("zoo/unsw_nb15-mlp-w2a2.onnx", 1000, 64),
)
COLUMNS = ("file", "frames", "bit-exact", "bit-exact with stalls", "ties", "interval [cycles, verilator]",
           "latency [cycles, verilator]", "seconds in all")


def frames(build: api.Build, count: int) -> np.ndarray:
    """Random frames ``[count, *model input]``: integers of the input's type where it is declared, else floats."""
    program, rng = build.program, np.random.default_rng(1)
    shape = (count, *program.input_frame)
    if program.plan.entry is not None:
        low, high, _ = program.input_span or (0.0, 0.0, 0.0)
        return rng.uniform(low - 0.1 * (high - low), high + 0.1 * (high - low), shape).astype(np.float32)
    source = program.graph.tensors[program.graph.inputs[0]]
    low, high = source.limits
    return rng.choice([-1, 1], shape) if source.dtype == "BIPOLAR" else rng.integers(low, high, shape, endpoint=True)


def measure(case: Case, root: Path, output: Path) -> list[object]:
    """One row of the table."""
    begin = time.perf_counter()
    input_type, input_scale = case.declared
    build = api.build(root / case.name, output, target_cycles=case.cycles, input_type=input_type, input_scale=input_scale)
    print(f"{case.name}: built after {time.perf_counter() - begin:.1f} s", file=sys.stderr)
    x = frames(build, case.samples)
    stalled = api.simulate(build, x, stalls=True, compare=False, profile=case.profile)
    run = api.simulate(build, x, profile=case.profile)
    assert run.comparison is not None
    print(f"{case.name}: simulated after {time.perf_counter() - begin:.1f} s", file=sys.stderr)
    if run.comparison.detail or run.fault or stalled.fault:
        print(run.comparison.detail, run.fault, stalled.fault, file=sys.stderr)
    return [case.name, case.samples, run.fault is None and run.comparison.bit_exact, stalled.fault is None, run.comparison.ties,
            run.interval_cycles, run.latency_cycles, time.perf_counter() - begin]


def save(rows: dict[str, list[object]]) -> None:
    """Write the rows measured so far, in the order of `CASES`."""
    results.save(
        "third_party", title="Networks that others exported", command="python benchmarks/third_party.py", columns=COLUMNS,
        rows=[rows[case.name] for case in CASES if case.name in rows],
        notes=["Random inputs. Bit-exact: hardware == golden model on every frame, golden model == QONNX but for proven ties. "
               "The same frames with random stalls on every port.",
               "Folded for few cycles a frame, convolutional networks for as many as can be simulated in minutes; those of "
               "hls4ml and radioml without assertions and other start values. Seconds on two cores under other load."],
    )


def main() -> int:
    """Measure, save after each file, render; exit 1 where a network is not bit-exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES], help="measure this one alone")
    parser.add_argument("--keep", type=Path, help="keep the builds here")
    args = parser.parse_args()
    if "BITWRIGHT_MODELS" not in os.environ:
        sys.exit("BITWRIGHT_MODELS is not set; point it at the folder that holds the models")
    root = Path(os.environ["BITWRIGHT_MODELS"])
    known = results.RESULTS / "third_party.json"
    old = json.loads(known.read_text(encoding="utf-8"))["rows"] if args.only and known.exists() else []
    rows: dict[str, list[object]] = {row[0]: row for row in old}
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for case in CASES:
            if not args.only or case.name in args.only:
                place = (args.keep or Path(scratch)) / case.name.removesuffix(".onnx").replace("/", "_")
                try:
                    rows[case.name] = measure(case, root, place)
                except (FlowError, SimError) as error:
                    print(f"{case.name}: {error}", file=sys.stderr)
                    failed.append(case.name)
                save(rows)
    print(results.render())
    return 0 if not failed and all(row[2] and row[3] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
