"""Structured pruning by half in turns with measured hardware: accuracy, LUTs and cycles of every round.

Channels go where the LUTs (at a fixed interval), or the cycles (with fixed LUTs), were measured. Each round is exported,
built, simulated bit for bit under Verilator and synthesised by Yosys. Interrupted, it carries on in the same folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import results
from lenet import trained_lenet
from rich.console import Console

import models
from hw_flow.codesign.cooperative import Cooperation, CooperativeConfig, cooperate
from hw_flow.codesign.forecast import Objective
from hw_flow.codesign.meter import HardwareMeter
from hw_flow.codesign.progress import Live
from hw_flow.codesign.rounds import Round, value_of
from hw_flow.steps import Steps
from models import Network
from quant_training import Dataset, TrainConfig, load_dataset
from quant_training.size import footprint

# Objective and how every round is folded.
CASES: dict[str, tuple[Objective, dict[str, Any]]] = {
    "LUTs at 1,024 cycles a frame": ("luts", {"target_cycles": 1024}),
    "cycles with 4,000 LUTs by the model": ("cycles", {"budget_luts": 4000}),
}
_GOAL = 0.6


def pruned(model: Network, data: Dataset, name: str, folder: Path) -> Cooperation:
    """One case."""
    objective, given = CASES[name]
    shown = Live(Console(stderr=True), label=name, unit="round")
    steps = Steps(shown)
    return cooperate(
        model, data, CooperativeConfig(objective=objective, keep=0.5, step=0.35, drop=0.03, rounds=6),
        TrainConfig(epochs=20, batch_size=64, learning_rate=0.005, progress=False), folder,
        meter=HardwareMeter(data, **given, samples=32, steps=steps), steps=steps, progress=shown,
    )


def row(name: str, one: Round, first: Round, model: Network) -> list[Any]:
    """A line of the table."""
    objective = CASES[name][0]
    now, whole = (value_of(each.measured, objective) for each in (one, first))
    return [
        name, one.number, "kept" if one.accepted else "taken back", widths(one), footprint(model).parameters,
        f"{100 * one.test_accuracy:.1f} %", int(one.measured.total_luts), one.measured.interval_cycles,
        f"{100 * (now / whole - 1):+.0f} %", f"yes, {one.measured.samples}",
    ]


def widths(one: Round) -> str:
    """Channels of the layers."""
    units = (unit.get("conv", unit.get("dense")) for unit in one.shape["units"])
    return "-".join(str(count) for count in units if count)


def main() -> int:
    """Measure, save, say whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="folder of the rounds; default: a temporary one")
    arguments = parser.parse_args()
    data = load_dataset("digits")
    rows, plain, reached, stopped = [], {}, [], []
    with tempfile.TemporaryDirectory() as temporary:
        output = arguments.output or Path(temporary)
        model = trained_lenet(data, TrainConfig(epochs=40, batch_size=64, output=output / "trained", progress=False))
        for name, (objective, _) in CASES.items():
            found = pruned(model, data, name, output / objective)
            networks = [model, *(models.load(output / objective / f"round-{one.number}") for one in found.rounds[1:])]
            rows += [row(name, one, found.rounds[0], network) for one, network in zip(found.rounds, networks, strict=True)]
            plain[name] = [one.to_json() for one in found.rounds]
            share = value_of(found.last.measured, objective) / value_of(found.rounds[0].measured, objective)
            reached.append(share <= _GOAL)
            stopped.append(f"{name}: {found.stopped}.")
            print(f"{100 * (1 - share):.0f} % less, {'reached' if reached[-1] else 'missed'}; {stopped[-1]}", flush=True)
    sources = found.last.measured.sources
    results.save(
        "cooperative", title="Structured pruning by half in turns with measured hardware",
        command="python benchmarks/cooperative.py", rows=rows, data=plain,
        columns=["objective", "round", "", "channels", "weights", "test accuracy", f"LUT ({sources['luts']})",
                 f"interval [cycles] ({sources['interval_cycles']})", "objective", "bit-exact, frames"],
        notes=["LeNet-5's shape on digits, w4a4, 40 epochs from scratch and 20 a round, seed 0, xc7. `Bit-exact` compares "
               "hardware, golden model and QONNX; a difference would end the run.",
               "Why there are no more rounds: " + " ".join(stopped),
               "The goal is at least 40 % less: " + ("reached." if all(reached) else "missed where the table shows less.")],
    )
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
