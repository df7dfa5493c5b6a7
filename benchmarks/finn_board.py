"""FINN's accelerators, simulated, beside what FINN+ measured of them on a board, and why they differ.

Simulated cycles are those that ``finn_backend.py`` recorded (FINN's graph imported, at its folding), or, for a network that it
has not, those of our own RTL at FINN's folding from ``finn_conv.py`` and ``finn_foldings.py``. Needs BITWRIGHT_FINN_REF; measures
nothing itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import results
from back_ends import recorded


@dataclass(frozen=True)
class Network:
    """A network of FINN+'s experiments: its model file there, its rows here, and why the cycles differ."""

    name: str
    model: str
    imported: str
    own: tuple[str, str]
    why: str


_RESTART = "interval: six cycles to start FINN's HLS functions for every frame"
_RTL = "FINN's matrix units are RTL here, which start nothing anew"
NETWORKS = (
    Network("TFC w1a1", "tfc-w1a1_qonnx.onnx", "TFC 1W1A", ("finn_foldings", "TFC w1a1"), _RESTART),
    Network("TFC w2a2", "tfc-w2a2_qonnx.onnx", "TFC 2W2A", ("finn_foldings", "TFC w2a2"), _RESTART),
    Network("CNV w1a1", "cnv-w1a1_qonnx.onnx", "CNV w1a1", ("finn_conv", "cnv-w1a1"),
            "interval, 2 %: perhaps depths of FIFOs, which are ours"),
    Network("CNV w2a2", "cnv-w2a2_qonnx.onnx", "CNV w2a2", ("finn_conv", "cnv-w2a2"),
            "none to speak of"),
    Network("NID w2a2", "unsw_nb15-mlp-w2a2.onnx", "NID w2a2", ("finn_foldings", "NID MLP w2a2"),
            f"{_RESTART}; latency: another folding"),
    Network("VGG10 w4a4", "radioml_w4a4_small_tidy.onnx", "VGG10 w4a4", ("finn_conv", "vgg10-w4a4"),
            f"interval: FINN's first window generator; {_RTL}"),
    Network("MobileNet-v1 w4a4", "mobilenetv1-w4a4_pre_post_tidy_opset-11.onnx", "MobileNet-v1 w4a4",
            ("finn_conv", "mobilenet-w4a4"), f"{_RTL}; the latency is not looked into"),
)
NOTES = (
    "FINN+: counters in the fabric of an RFSoC2x2 at 100 MHz; its own estimate; its netlist of Vivado 2024.2, with shell"
    " and DMA. Latency: the least, of an empty pipeline. `board - simulated`: cycles that the board takes more.",
    "TFC, NID: FINN's estimate is 64 cycles a frame, as is ours, and the board takes 70. The matrix units of these networks"
    " are HLS functions, which are started again for every frame; the networks with RTL matrix units show no such cycles."
    " Our kernels need no start, so the simulation has the interval that the folding allows: 9 % less than FINN's HLS code"
    " reaches.",
    "TFC, latency: the first frame passes as many matrix units, of as many cycles, as on the board. FIFOs, width converters"
    " and thresholds in between are ours, with other registers: 4 of 243 and 4 of 245 cycles.",
    "NID: no folding file is published. The import has a folding of FINN's own for 64 cycles; with another PE and SIMD of"
    " the same interval the first result comes 6 cycles later than on the board.",
    "CNV: simulated on the eight window generators and the thresholding unit that FINN generates as RTL, our kernels for its HLS"
    " nodes. Those units stall where formulas have them run: with our kernels on every node the intervals are 32,768 and"
    " 115,200, the cycles of the slowest node, and FINN's estimates are 33,020 and 115,200. The depths of FIFOs are ours (FINN+"
    " publishes none of these builds), which may be why the simulated interval of w1a1 is 2 % longer than the board's.",
)


def published(reference: Path) -> dict[str, dict[str, Any]]:
    """FINN+'s record of every model file that was measured on the board."""
    records = json.loads((reference / "ci_metrics.json").read_text(encoding="utf-8"))["records"]
    return {record["model"]: record["metrics"] for record in records
            if record["model"] and "report_experiment_instrumentation" in record["metrics"].get("measurement", {})}


def row_of(network: Network, metrics: dict[str, Any]) -> list[Any] | None:
    """One row of the table; None without a simulation."""
    found, by = recorded("finn_backend", network.imported), "FINN's graph, imported"
    if found is None or not found["converts"]:
        found, by = recorded(*network.own), "our RTL, FINN's folding"
    if found is None:
        return None
    board = metrics["measurement"]["report_experiment_instrumentation"]
    interval, latency = found["interval [cycles, verilator]"], found["latency [cycles, verilator]"]
    luts = [int(metrics[stage]["resources"]["LUT"]) for stage in ("estimate", "synth")]
    return [network.name, by, interval, metrics["estimate"]["performance"]["max_cycles"], board["interval_cycles"],
            board["interval_cycles"] - interval, latency, board["min_latency_cycles"], board["min_latency_cycles"] - latency,
            *luts, network.why]


def main() -> int:
    """Compose, save, render."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if "BITWRIGHT_FINN_REF" not in os.environ:
        sys.exit("BITWRIGHT_FINN_REF is not set; point it at the folder that holds FINN+'s ci_metrics.json")
    known = published(Path(os.environ["BITWRIGHT_FINN_REF"]))
    rows = [row_of(network, known[network.model]) for network in NETWORKS if network.model in known]
    results.save(
        "finn_board", title="FINN's accelerators, simulated and on a board", command="python benchmarks/finn_board.py",
        columns=["network", "simulated", "interval [cycles, verilator]", "FINN+'s estimate [published]", "board [published]",
                 "board - simulated", "latency [cycles, verilator]", "board [published]", "board - simulated",
                 "LUT, FINN+'s estimate [published]", "LUT, Vivado with shell [published]", "why they differ"],
        rows=[row for row in rows if row is not None], notes=NOTES)
    print(results.render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
