"""One table of networks and back ends: builds, bit-exact, cycles, LUTs, each figure with its source.

What other benchmarks recorded is taken from their results, whose names stand in the last column. What they lack is measured here
once and kept: estimates of all back ends, and cycles of our RTL where no other benchmark simulates it.

    python benchmarks/back_ends.py [--compose] [--only NAME ...] [--what formulas|finn|cycles] [--builds DIR]
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

import finn_backend
import results
import third_party

from hw_flow import api
from hw_flow.errors import FlowError
from sim.errors import SimError

_NONE, _UNTRIED = "-", "not tried"
# As other benchmarks name the source of their cycles, in the headings of columns.
_SIMULATED = "verilator"
# What is measured here, the fastest first.
WHAT = ("formulas", "finn", "cycles")


@dataclass(frozen=True)
class Network:
    """A network, and under which names other benchmarks have it.

    Attributes
    ----------
    rtl : result file and row of our RTL's simulation; None lets this benchmark simulate ``frames`` of it.
    finn, hls : rows of ``finn_backend`` and ``hls4ml_models``.
    """

    name: str
    rtl: tuple[str, str] | None = None
    finn: str | None = None
    hls: str | None = None
    frames: int = 4


NETWORKS = (
    Network("TFC 1W1A", ("third_party", "zoo/TFC_1W1A.onnx"), "TFC 1W1A", "TFC w1a1"),
    Network("TFC 2W2A", ("third_party", "zoo/TFC_2W2A.onnx"), "TFC 2W2A", "TFC w2a2"),
    Network("NID w2a2", ("third_party", "zoo/unsw_nb15-mlp-w2a2.onnx"), "NID w2a2", "UNSW-NB15 w2a2"),
    Network("CNV w1a1", ("finn_conv", "cnv-w1a1"), "CNV w1a1"),
    Network("CNV w2a2", ("finn_conv", "cnv-w2a2"), "CNV w2a2", "zoo: CNV w2a2"),
    Network("VGG10 w8a8", ("third_party", "radioml/pretrained_VGG10_w8a8_20_export.onnx"), "VGG10 w8a8", "RadioML VGG10 w8a8"),
    Network("VGG10 w4a4", ("finn_conv", "vgg10-w4a4")),
    Network("ResNet-8 w4a4", None, "ResNet-8 w4a4", "zoo: ResNet-8 w4a4", frames=2),
    Network("DS-CNN w4a4", None, "DS-CNN w4a4", "zoo: DS-CNN w4a4", frames=2),
    Network("MobileNet-v1 w4a4", ("finn_conv", "mobilenet-w4a4")),
    Network("digits CNN w4a4", None, "digits CNN w4a4"),
    Network("digits CNN w2a2", None, None, "zoo: digits_cnn w2a2"),
    Network("digits w2a2", None, None, "zoo: digits w2a2"),
    Network("jet w4a4", None, None, "zoo: jet w4a4"),
    Network("MNIST CNN", ("third_party", "mnist_cnn/qonnx_model.onnx"), None, "MNIST CNN"),
    Network("hls4ml BNN layer", ("third_party", "hls4ml_example_models/bnn_model_fc_1layer.onnx"), None, "hls4ml BNN layer"),
    Network("separable conv., 512 x 512", ("third_party", "hls4ml_example_models/separable_conv_model_ch_last.onnx"), None,
            "hls4ml separable conv, 512 x 512"),
    Network("QKeras dense 8 bit", ("third_party", "qkeras/model_test_qkeras_qdense_0.onnx"), None, "QKeras dense 8 bit"),
    Network("QKeras conv", ("third_party", "qkeras/model_test_qkeras_qconv2d_0.onnx"), None, "QKeras conv"),
)
COLUMNS = ("network", "back end", "builds", "bit-exact", "interval [cycles]", "latency [cycles]", "cycles by", "LUT", "LUT by",
           "recorded in")
NOTES = (
    "`python benchmarks/back_ends.py --compose` puts this together anew from what the named benchmarks recorded; `back_ends`:"
    " measured by this one. Foldings are those of the named benchmark, and LUTs are estimated for the same folding.",
    "Bit-exact, rtl: hardware == golden model in every frame, that == QONNX but for proven ties. finn: the imported accelerator"
    " == FINN's Python execution and QONNX. hls4ml: every layer of the C simulation == QONNX.",
    "Cycles by `verilator` are simulated. An hls4ml project has none before an HLS compiler has run, which we have not; its"
    " interval by `model` is the least that reuse factors for as many multipliers as our folding has allow.",
    "LUT by `model`: our formula, fitted to Yosys. By `finn-plus-1.6.1`: FINN+'s own estimate, without FIFOs and width"
    " converters; by `finn-formula`: its published formula of HLS matrix units alone. hls4ml states none before synthesis. LUTs"
    " of different sources cannot be set against each other.",
    "`-`: not measured, or stated by nobody. Not tried: no benchmark has this network with that back end.",
)


def recorded(name: str, row: str) -> dict[str, Any] | None:
    """A row of another benchmark's result by column; None where it is not there."""
    path = results.RESULTS / f"{name}.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    for cells in record["rows"]:
        if cells[0] == row:
            for column, cell in zip(record["columns"], cells, strict=True):
                found.setdefault(column, cell)  # of columns with one name the first is ours
            return found
    return None


def asked(network: Network, folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The file and the options of our RTL's build of ``network``, as the benchmark that records it has them."""
    import finn_conv

    if network.rtl is None:
        return converted(network.finn, folder) if network.finn is not None else None
    name, row = network.rtl
    if name == "third_party":
        root = os.environ.get("BITWRIGHT_MODELS")
        case = next(case for case in third_party.CASES if case.name == row)
        kind, scale = case.declared
        return None if root is None else (Path(root) / row, {
            "target_cycles": case.cycles, "input_type": kind, "input_scale": scale})
    reference = os.environ.get("BITWRIGHT_FINN_REF")
    if reference is None:
        return None
    other = next(case for case in finn_conv.cases() if case.name == row)
    finn_conv.export(other, folder / "model.onnx")
    return folder / "model.onnx", {
        "folding": Path(reference) / "folding" / other.folding, "input_type": "UINT8", "input_scale": "1/255"}


def converted(name: str, folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The file and the options of the FINN back end's build."""
    case = next(case for case in finn_backend.CASES if case.name == name)
    reference = os.environ.get("BITWRIGHT_FINN_REF")
    model = finn_backend.model_of(case, folder)
    if model is None or (case.folding is not None and reference is None):
        return None
    options: dict[str, Any] = {"target_cycles": case.target_cycles}
    if case.folding is not None:
        options["folding"] = Path(str(reference)) / "folding" / case.folding
    return model, options | ({"input_type": "UINT8", "input_scale": "1/255"} if case.full else {})


def built(case: str, builds: Path) -> dict[str, Any] | None:
    """FINN's estimate in the build that ``finn_backend.py --keep`` left; None without one."""
    from hw_flow.report.folder import read_folder

    folder = builds / case.replace(" ", "_") / "build"
    if not (folder / "finn" / "report" / "estimate_layer_resources.json").is_file():
        return None
    version = json.loads((folder / "build.json").read_text(encoding="utf-8"))["finn"]
    total = read_folder(folder / "finn" / "report", case).reports[0].total
    return {"by": f"finn-plus-{version}", "stops": None, **{metric: figure.value for metric, figure in total.items()}}


def measure(network: Network, folder: Path, known: dict[str, Any], what: str) -> dict[str, Any]:
    """``known`` with one of `WHAT`, if it is missing and no other benchmark records it; what stops is kept as ``stops``."""
    if what == "finn":
        theirs = converted(network.finn, folder) if network.finn is not None and "finn" not in known else None
        return known | (estimates(*theirs, ["finn"]) if theirs is not None else {})
    missing = not {"rtl", "hls4ml"} <= known.keys() if what == "formulas" else network.rtl is None and "simulated" not in known
    ours = asked(network, folder) if missing else None
    if ours is None:
        return known
    if what == "formulas":
        return known | estimates(*ours, ["rtl", "hls4ml"])
    return known | {"simulated": simulated(*ours, folder / "build", network.frames)}


def estimates(model: Path, options: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Source and figures of the whole, by back end."""
    begin = time.process_time()
    try:
        told = api.estimate(model, api.BuildOptions(**options), names)
    except FlowError as error:
        return {name: {"stops": str(error)} for name in names}
    print(f"{model.name}: {', '.join(names)} estimated, {time.process_time() - begin:.0f} s of this process", file=sys.stderr)
    return {name: {"by": own.source, "stops": own.reason, **{metric: figure.value for metric, figure in own.total.items()}}
            for name, own in told.backends.items()}


def simulated(model: Path, options: dict[str, Any], output: Path, frames: int) -> dict[str, Any]:
    """Cycles of our RTL by Verilator, and whether it is bit-exact."""
    try:
        build = api.build(model, output, **options)
        run = api.simulate(build, samples=frames, profile="fast")
    except (FlowError, SimError) as error:
        return {"stops": str(error)}
    assert run.comparison is not None
    return {"exact": run.fault is None and run.comparison.bit_exact, "interval": run.interval_cycles,
            "latency": run.latency_cycles, "by": run.source, "frames": frames}


def rows_of(network: Network, own: dict[str, Any]) -> list[list[Any]]:
    """The rows of a network, one a back end, also where nobody has tried it."""
    found = {"rtl": _rtl(network, own), "finn": _finn(network, own), "hls4ml": _hls4ml(network, own)}
    return [row or [network.name, name, _UNTRIED, *[_NONE] * (len(COLUMNS) - 3)] for name, row in found.items()]


def _rtl(network: Network, own: dict[str, Any]) -> list[Any] | None:
    luts, by = _luts(own.get("rtl", {}))
    if network.rtl is None:
        run = own.get("simulated")
        if run is None:
            return None
        if "stops" in run:
            return [network.name, "rtl", False, run["stops"], _NONE, _NONE, _NONE, luts, by, "back_ends"]
        return [network.name, "rtl", True, run["exact"], run["interval"], run["latency"], run["by"], luts, by, "back_ends"]
    name, key = network.rtl
    row = recorded(name, key)
    if row is None:
        return None
    exact = row["bit-exact"] and row.get("bit-exact with stalls", True)
    return [network.name, "rtl", True, exact, row["interval [cycles, verilator]"], row["latency [cycles, verilator]"],
            _SIMULATED, luts, by, _where(name, by)]


def _finn(network: Network, own: dict[str, Any]) -> list[Any] | None:
    row = recorded("finn_backend", network.finn) if network.finn is not None else None
    if row is None:
        return None
    luts, by = _luts(own.get("finn", {}))
    if not row["converts"]:
        return [network.name, "finn", False, row["bit-exact"], _NONE, _NONE, _NONE, luts, by, _where("finn_backend", by)]
    return [network.name, "finn", True, row["bit-exact"], row["interval [cycles, verilator]"],
            row["latency [cycles, verilator]"], _SIMULATED, luts, by, _where("finn_backend", by)]


def _hls4ml(network: Network, own: dict[str, Any]) -> list[Any] | None:
    row = recorded("hls4ml_models", network.hls) if network.hls is not None else None
    told = own.get("hls4ml", {})
    interval, by = told.get("interval_cycles", _NONE), told.get("by", _NONE) if "interval_cycles" in told else _NONE
    if row is None:
        # Only its refusal is worth a row.
        return [network.name, "hls4ml", False, told["stops"], *[_NONE] * 5, "back_ends"] if told.get("stops") else None
    verdict = str(row["ours"])
    if verdict == "every layer equal":
        return [network.name, "hls4ml", True, True, interval, _NONE, by, _NONE, _NONE, _where("hls4ml_models", by)]
    return [network.name, "hls4ml", not verdict.startswith("refused"), verdict, *[_NONE] * 5, "hls4ml_models"]


def _luts(own: dict[str, Any]) -> tuple[Any, str]:
    return (own["luts"], str(own["by"])) if "luts" in own else (_NONE, _NONE)


def _where(name: str, by: str) -> str:
    return name if by == _NONE else f"{name}, back_ends"


def compose(measured: dict[str, dict[str, Any]]) -> None:
    """Write the table of what is recorded at this moment."""
    results.save(
        "back_ends", title="Networks and back ends", command="python benchmarks/back_ends.py", columns=COLUMNS,
        rows=[row for network in NETWORKS for row in rows_of(network, measured.get(network.name, {}))],
        notes=NOTES, data=measured)


def main() -> int:
    """Measure what is missing, compose, render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compose", action="store_true", help="measure nothing")
    parser.add_argument("--only", action="append", choices=[network.name for network in NETWORKS], help="measure this one alone")
    parser.add_argument("--what", action="append", choices=WHAT, help="measure this alone")
    parser.add_argument("--builds", type=Path, help="folder that finn_backend.py --keep left: take FINN's estimates from there")
    parser.add_argument("--again", action="store_true", help="measure what is kept, too")
    args = parser.parse_args()
    path = results.RESULTS / "back_ends.json"
    measured: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["data"] if path.exists() else {}
    if args.again:
        measured = {name: own for name, own in measured.items() if args.only and name not in args.only}
    for network in NETWORKS if args.builds is not None else ():
        kept = built(network.finn, args.builds) if network.finn is not None else None
        if kept is not None:
            measured.setdefault(network.name, {})["finn"] = kept
    for what in () if args.compose else args.what or WHAT:
        for network in NETWORKS:
            if not args.only or network.name in args.only:
                with tempfile.TemporaryDirectory() as scratch:
                    measured[network.name] = measure(network, Path(scratch), measured.get(network.name, {}), what)
                compose(measured)
    compose(measured)
    print(results.render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
