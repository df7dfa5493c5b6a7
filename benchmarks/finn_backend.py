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
from sim.process import run_process

# Interval and least latency that FINN+ measured on an RFSoC2x2 board at 100 MHz.
PUBLISHED = {"TFC 1W1A": (70, 243), "TFC 2W2A": (70, 245), "CNV w1a1": (34_145, 134_471), "CNV w2a2": (130_761, 395_734),
             "NID w2a2": (70, 212)}

NOTES = (
    "Bit-exact: hardware equals FINN's Python execution in every tensor of the first 8 frames, and results QONNX's.",
    "TFC and CNV with `simulate_rtl: true`: thresholds and window generators run as the RTL that FINN generated; our kernels"
    " stand in for its HLS nodes, and everywhere in the other networks. TFC with assertions and three start values of registers,"
    " the others with `--profile fast`.",
    "CNV w1a1 with our kernels on every node: 32,768 and 134,468 cycles. The other 2,068 of its interval, and what CNV w2a2 has"
    " beyond the 115,200 of its slowest node, arise in FINN's own RTL, on the board too.",
    "Third-party files have their own weights, presets random ones. TFC, CNV: FINN's folding file, UINT8 pixels in, index of the"
    " largest output out. NID: no folding file is published, so FINN folds for 64 cycles.",
    "FINN+: measured on an RFSoC2x2 board; latency: the least, of an empty pipeline. FINN's HLS matrix units start anew for every"
    " frame, and take 6 cycles more than its estimate says, whatever their size: 70 for 64 in TFC and NID, and 4,194,310 for"
    " 4,194,304 in FINN+'s benchmark of one unit alone. Where the slowest node is RTL there are none (VGG10 w4a4: 1,027 of 1,028,"
    " MobileNet-v1: 394,272). Our kernels take the next frame at once.",
    "Latency: FIFOs, width converters and thresholds are ours, their registers are not FINN's; NID's folding is another.",
    "Seconds in all: on two cores under heavy other load. Seconds of conversion: processor time of FINN's transformations in one"
    " process, without its import; the back end's include everything up to the estimates. Where FINN's own default steps"
    " refuse a network, its error stands there.",
)


@dataclass(frozen=True)
class Case:
    """A network: a third-party file under BITWRIGHT_MODELS, or a preset with bit widths, and how FINN is to build it.

    ``full`` : as FINN's examples, from UINT8 pixels to the index of the largest output. ``own_rtl`` : on FINN's RTL.
    """

    name: str
    source: str
    folding: str | None = None
    target_cycles: int | None = None
    full: bool = False
    own_rtl: bool = False
    frames: int = 4
    profile: str = "fast"


CASES = (
    Case("TFC 1W1A", "file:zoo/TFC_1W1A.onnx", folding="bnn-pynq__tfc-w1a1_folding_config.json", full=True, own_rtl=True,
         frames=32, profile="check"),
    Case("TFC 2W2A", "file:zoo/TFC_2W2A.onnx", folding="bnn-pynq__tfc-w2a2_folding_config.json", full=True, own_rtl=True,
         frames=32, profile="check"),
    Case("NID w2a2", "file:zoo/unsw_nb15-mlp-w2a2.onnx", target_cycles=64, frames=16),
    Case("CNV w1a1", "zoo:cnv:w1a1", folding="bnn-pynq__cnv-w1a1_folding_config.json", full=True, own_rtl=True),
    Case("CNV w2a2", "zoo:cnv:w2a2", folding="bnn-pynq__cnv-w2a2_folding_config.json", full=True, own_rtl=True),
    Case("VGG10 w8a8", "file:radioml/pretrained_VGG10_w8a8_20_export.onnx", target_cycles=16_384, frames=2),
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
    settings.write_text(f"classify: {str(case.full).lower()}\nsimulate_rtl: {str(case.own_rtl).lower()}\n", encoding="utf-8")
    options: dict[str, Any] = {"target_cycles": case.target_cycles, "settings": settings}
    if case.folding is not None:
        options["folding"] = Path(str(reference)) / "folding" / case.folding
    if case.full:
        options |= {"input_type": "UINT8", "input_scale": "1/255"}
    begin = time.perf_counter()
    published = PUBLISHED.get(case.name, ("", ""))
    try:
        build = api.build(model, folder / "build", backend="finn", force=True, **options)
        run = api.simulate(build, samples=case.frames, profile=case.profile)
    except FlowError as error:
        return [case.name, False, str(error), "", "", "", "", published[0], "", published[1], "", "", "",
                time.perf_counter() - begin]
    assert run.comparison is not None
    spent = time.perf_counter() - begin
    own = sum(node["runs_on"] == "FINN's RTL" for node in build.stamp["nodes"])
    nodes = sum(node["runs_on"] != "wire" for node in build.stamp["nodes"])
    estimate = json.loads((build.directory / "finn" / "report" / "estimate_network_performance.json").read_text(encoding="utf-8"))
    exact = run.fault is None and run.comparison.bit_exact
    ours, theirs, ratio = conversions(build.directory, folder)
    return [case.name, True, exact, run.comparison.ties, f"{own} of {nodes}", estimate["max_cycles"],
            run.interval_cycles, published[0], run.latency_cycles, published[1], ours, theirs, ratio, spent]


def conversions(build: Path, folder: Path) -> tuple[float | str, float | str, float | str]:
    """Seconds from QONNX to estimates, FINN's own (or why there are none), and the ratio."""
    script = Path(__file__).with_name("finn_steps.py")
    done = run_process([sys.executable, "-W", "ignore", script, build, folder / "steps.json"], timeout_s=1800,
                       log=folder / "steps.log", env={"PYTHONPATH": str(results.ROOT)})
    if not done.ok:
        return f"{done.error}", "", ""
    told = json.loads((folder / "steps.json").read_text(encoding="utf-8"))
    if told["error"] is not None:
        return told["ours"], told["error"], ""
    return told["ours"], told["finn"], told["ours"] / told["finn"]


def save(rows: list[list[Any]]) -> None:
    """Write the table as far as it is measured."""
    results.save(
        "finn_backend", title="FINN+ 1.6.1 without Vivado", command="python benchmarks/finn_backend.py",
        columns=["network", "converts", "bit-exact", "ties", "nodes on FINN's RTL", "slowest node [cycles, FINN]",
                 "interval [cycles, verilator]", "FINN+ [published]", "latency [cycles, verilator]", "FINN+ [published]",
                 "QONNX to estimates [s]", "FINN's own steps [s]", "ratio", "seconds in all"],
        rows=rows, notes=NOTES)


def main() -> int:
    """Measure, save, print; exit 1 where a network is not bit-exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES], help="measure this one alone")
    parser.add_argument("--keep", type=Path, help="keep the builds here")
    args = parser.parse_args()
    known = results.RESULTS / "finn_backend.json"
    rows: dict[str, list[Any]] = {}
    if args.only and known.exists():  # the others stay as they were measured
        rows = {str(row[0]): row for row in json.loads(known.read_text(encoding="utf-8"))["rows"]}
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or Path(scratch)
        for case in CASES:
            if not args.only or case.name in args.only:
                row = measure(case, root / case.name.replace(" ", "_"))
                if row is not None:
                    rows[case.name] = row
                    save([rows[case.name] for case in CASES if case.name in rows])
    print(results.render())
    return 0 if all(row[2] is True for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
