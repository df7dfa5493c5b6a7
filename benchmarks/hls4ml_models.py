"""Third-party QONNX files and small networks of the zoo through hls4ml: its own conversion beside this project's.

Both are compiled with g++ (hls4ml's Vitis back end) and run on the same frames; the reference is QONNX's own execution.
Needs BITWRIGHT_MODELS.

    python benchmarks/hls4ml_models.py [--only NAME ...] [--timeout SECONDS]

With ``--only`` the other rows stay as they are recorded; what is measured of a row is recorded at once.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import results

from hw_flow import api
from hw_flow.backends.hls4ml import runner
from hw_flow.backends.hls4ml.settings import HlsSettings
from hw_flow.backends.inputs import random_frames
from hw_flow.errors import FlowError
from hw_flow.frontend import compile_qonnx


@dataclass(frozen=True)
class Case:
    """A network: a file below BITWRIGHT_MODELS or ``zoo:<preset>:<bits>``, its declared input, and how it is built.

    Unrolled convolutions take g++ minutes, so that maps go as streams; large ones get few frames.
    """

    name: str
    source: str
    input_type: str | None = None
    input_scale: str | None = None
    io_type: Literal["io_parallel", "io_stream"] = "io_parallel"
    frames: int = 16


FIXED = ("INT8", "0.0625")
CASES = (
    Case("TFC w1a1", "zoo/TFC_1W1A.onnx"),
    Case("TFC w2a2", "zoo/TFC_2W2A.onnx"),
    Case("UNSW-NB15 w2a2", "zoo/unsw_nb15-mlp-w2a2.onnx"),
    Case("QKeras dense 8 bit", "qkeras/model_test_qkeras_qdense_0.onnx"),
    Case("QKeras dense x 2, ternary", "qkeras/model_test_qkeras_qdense2_9.onnx"),
    Case("QKeras conv", "qkeras/model_test_qkeras_qconv2d_0.onnx", *FIXED, io_type="io_stream"),
    Case("hls4ml BNN layer", "hls4ml_example_models/bnn_model_fc_1layer.onnx"),
    Case("hls4ml separable conv, 512 x 512", "hls4ml_example_models/separable_conv_model_ch_last.onnx", io_type="io_stream",
         frames=2),
    Case("MNIST CNN", "mnist_cnn/qonnx_model.onnx", "UINT8", "1/255", io_type="io_stream", frames=8),
    Case("RadioML VGG10 w8a8", "radioml/pretrained_VGG10_w8a8_20_export.onnx", io_type="io_stream", frames=2),
    Case("zoo: digits w2a2", "zoo:digits:w2a2"),
    Case("zoo: jet w4a4", "zoo:jet:w4a4"),
    Case("zoo: digits_cnn w2a2, unrolled", "zoo:digits_cnn:w2a2"),
    Case("zoo: digits_cnn w2a2", "zoo:digits_cnn:w2a2", io_type="io_stream"),
    Case("zoo: CNV w2a2", "zoo:cnv:w2a2", io_type="io_stream", frames=2),
    Case("zoo: ResNet-8 w4a4", "zoo:resnet8:w4a4", io_type="io_stream", frames=2),
    Case("zoo: DS-CNN w4a4", "zoo:ds_cnn:w4a4", io_type="io_stream", frames=2),
)
# What a row says until hls4ml's own way has run.
_LATER = "not run"
_MISSING = "Not measured"


def model_of(case: Case, scratch: Path) -> Path:
    """The QONNX file of a case."""
    if not case.source.startswith("zoo:"):
        return Path(os.environ["BITWRIGHT_MODELS"]) / case.source
    import torch

    import models
    from hw_flow.export import export

    _, preset, bits = case.source.split(":")
    net = models.build(preset, models.BitConfig.short(bits, models.spec_of(preset).layers), seed=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(4, *net.spec.frame, generator=generator))
    net.eval()
    path = scratch / f"{preset}.onnx"
    export(net, torch.rand(1, *net.spec.frame, generator=generator).numpy(), path)
    return path


def ours(case: Case, model: Path, folder: Path, timeout_s: float) -> str:
    """Verdict of this project's way; a difference would name the first layer."""
    settings = folder / "hls.yaml"
    settings.write_text(f"samples: {case.frames}\nio_type: {case.io_type}\ntimeout_s: {timeout_s}\n", encoding="utf-8")
    try:
        api.build(model, folder / "ours", backend="hls4ml", settings=settings, input_type=case.input_type,
                  input_scale=case.input_scale)
    except FlowError as error:
        return _bare(f"refused: {error}")
    return "every layer equal"


def _bare(text: str) -> str:
    """``text`` without addresses of objects and paths of this run."""
    return re.sub(r" object at 0x[0-9a-f]+|\(/[^)]*\) ?|/[\w./-]+/(?=[\w.-]+)", "", text)


def plain(case: Case, model: Path, folder: Path, timeout_s: float) -> str:
    """What hls4ml's own conversion gives on the same frames."""
    settings, log = HlsSettings(io_type=case.io_type, timeout_s=timeout_s), folder / "plain.log"
    program = compile_qonnx(model, input_type=case.input_type, input_scale=case.input_scale)
    x = program.floats(random_frames(program, case.frames, 0))
    want = program.reference.run(program.reference.moving(), {program.reference.source: x})[program.reference.sink]
    try:
        written = runner.convert_plain(model, folder / "plain", log, settings)
        runner.compile_library(folder / "plain", folder / "plain.so", settings, log)
        fed = np.moveaxis(x, 1, -1) if x.ndim > 2 else x
        found = runner.run(folder / "plain", folder / "plain.so", written, fed.reshape(len(x), -1), settings, log=log,
                           trace=False)
    except FlowError as error:
        return _bare(f"stops: {str(error).split(' (/')[0]}")
    got = found["output"]
    expected = (np.moveaxis(want, 1, -1) if want.ndim > 2 else want).reshape(len(want), -1)
    if got.shape != expected.shape:
        return f"gives {got.shape[1]} values, QONNX {expected.shape[1]}"
    wrong = int((got != expected).any(axis=1).sum())
    worst = float(np.abs(got - expected).max())
    return "equal" if wrong == 0 else f"{wrong} of {len(got)} frames differ, by up to {worst:.3g}"


def cpu_seconds() -> float:
    """Processor time of this process and of the children that ended."""
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def main() -> int:
    """Measure, save, print; exit 1 where this project's way builds something that differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES], help="measure this one alone")
    parser.add_argument("--timeout", type=float, default=1800.0, help="limit of each step, in seconds")
    args = parser.parse_args()
    if "BITWRIGHT_MODELS" not in os.environ:
        sys.exit("BITWRIGHT_MODELS is not set; point it at the folder of third-party models")
    rows: list[list[object]] = []
    for case in CASES:
        if args.only and case.name not in args.only:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            model = model_of(case, folder)
            begun = cpu_seconds()
            verdict = ours(case, model, folder, args.timeout)
            row: list[object] = [case.name, case.io_type.removeprefix("io_"), case.frames, verdict]
            built = cpu_seconds()
            rows.append([*row, built - begun, _LATER, 0.0])
            _save(rows, keep=bool(args.only))
            rows[-1][-2:] = [plain(case, model, folder, args.timeout), cpu_seconds() - built]
        print(rows[-1], file=sys.stderr, flush=True)
        _save(rows, keep=bool(args.only))
    print(results.render())
    return 1 if any("computes something else" in str(row[3]) for row in rows) else 0


def _save(rows: list[list[object]], keep: bool) -> None:
    """Write what is measured so far; with ``keep`` the others stay as they were."""
    known = results.RESULTS / "hls4ml_models.json"
    order = [case.name for case in CASES]
    notes = [
        "Random frames, extremes among them; reference: QONNX's execution; C simulation by g++, Vitis back end.",
        "Ours compares the integers of every layer; hls4ml alone is compared at its output, at its default fixed<16,6>.",
        "CPU seconds: conversion, g++ and simulation, of one core.",
    ]
    if keep and known.exists():
        record = json.loads(known.read_text(encoding="utf-8"))
        rows = rows + [row for row in record["rows"] if row[0] in order and row[0] not in {new[0] for new in rows}]
        notes += [note for note in record["notes"] if note not in notes and not note.startswith(_MISSING)]
    missing = [name for name in order if name not in {str(row[0]) for row in rows}]
    if missing:
        notes.append(f"{_MISSING}: {', '.join(missing)}.")
    results.save(
        "hls4ml_models", title="hls4ml: its own conversion and ours", command="python benchmarks/hls4ml_models.py",
        columns=["network", "io", "frames", "ours", "CPU seconds", "hls4ml 1.3.0 alone", "CPU seconds"],
        rows=sorted(rows, key=lambda row: order.index(str(row[0]))), notes=notes,
    )


if __name__ == "__main__":
    sys.exit(main())
