"""Each technique of compression on one network: LeNet-5's shape, w4a4, on digits, accuracy and measured hardware, three seeds.

Every result is exported, built for the same cycles a frame, simulated under Verilator against QONNX, and synthesised by Yosys.
What has finished in --output is not repeated.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import results
from lenet import lenet, trained_lenet
from results import spread

import models
from hw_flow.codesign.meter import HardwareMeter, Measured
from hw_flow.storage import write_json
from models import BitConfig, Network
from quant_training import Dataset, TrainConfig, load_dataset, train
from quant_training.distillation import Distil, DistilConfig
from quant_training.lowrank import LowRankConfig, factorise
from quant_training.metrics import evaluate
from quant_training.pruning import PruneConfig, prune
from quant_training.size import footprint

SEEDS = (0, 1, 2)
TARGET_CYCLES = 1024
_EPOCHS, _TUNING = 40, 20
# LUTs that may be left, as a share.
_GOAL = 0.6


@dataclass(frozen=True)
class Start:
    """What every technique begins with: the data, a trained w4a4 network in ``folder``, its float teacher, and a seed."""

    data: Dataset
    folder: Path
    seed: int

    @property
    def whole(self) -> Network:
        """The trained w4a4 network, a new copy."""
        return models.load(self.folder / "whole")

    @property
    def teacher(self) -> Network:
        """The float network."""
        return models.load(self.folder / "float")

    def config(self, epochs: int = _TUNING, rate: float = 0.003) -> TrainConfig:
        """A training after a technique."""
        return TrainConfig(epochs=epochs, batch_size=64, learning_rate=rate, seed=self.seed, keep="last", progress=False)

    def tuned(self, model: Network) -> Network:
        """``model`` after a training."""
        return train(model, self.data, self.config()).model

    def taught(self, model: Network, *, epochs: int = _TUNING, rate: float = 0.003) -> Network:
        """``model`` after a training with the teacher."""
        hooks = [Distil(self.teacher, model, DistilConfig())]
        return train(model, self.data, self.config(epochs, rate), hooks).model

    def narrow(self) -> Network:
        """A new network of half the width."""
        return models.build(lenet(8), "w4a4", seed=self.seed)

    def retyped(self, bits: str | BitConfig) -> Network:
        """The trained network in other types, not trained on."""
        model = models.build(lenet(), bits, seed=self.seed)
        models.load_weights(model, self.whole, strict=False)
        return model


_NARROWER = "channels pruned to 28 % of the MACs"
_CHANNELS = PruneConfig(keep=0.5, budget="macs", criterion="taylor")
# As many MACs as the network of half the width has.
_HALF = PruneConfig(keep=0.28, budget="macs", criterion="taylor", schedule="iterative")


def _bits(weights: str) -> BitConfig:
    return BitConfig((weights,) * 4, ("UINT4",) * 3)


def _combined(start: Start) -> Network:
    pruned = prune(start.whole, start.data, _CHANNELS, start.config()).model
    model = models.build(pruned.spec, "w3a3", seed=start.seed)
    models.load_weights(model, pruned, strict=False)
    return start.taught(model)


TECHNIQUES: dict[str, Callable[[Start], Network]] = {
    "w4a4": lambda start: start.whole,
    "w4a4, trained on": lambda start: start.tuned(start.whole),
    "channels pruned to half of the MACs": lambda start: prune(start.whole, start.data, _CHANNELS, start.config()).model,
    _NARROWER: lambda start: prune(start.whole, start.data, _HALF, start.config()).model,
    "low rank, half of the MACs": lambda start: start.tuned(
        factorise(start.whole, start.data, LowRankConfig(keep=0.5, budget="macs", method="spatial"))),
    "half the width, from scratch": lambda start: train(start.narrow(), start.data, start.config(_EPOCHS, 0.005)).model,
    "half the width, distilled": lambda start: start.taught(start.narrow(), epochs=_EPOCHS, rate=0.005),
    "codebook POW3": lambda start: start.tuned(start.retyped(_bits("POW3"))),
    "w2a2": lambda start: start.tuned(start.retyped("w2a2")),
    "pruned by half, then w3a3, distilled": _combined,
}


def prepared(data: Dataset, root: Path, seed: int) -> Start:
    """The networks that techniques start from."""
    start = Start(data, root / f"seed-{seed}", seed)
    for name, bits in (("float", "float"), ("whole", "w4a4")):
        trained_lenet(data, start.config(_EPOCHS, 0.005).model_copy(update={"output": start.folder / name}), bits)
    return start


def file_name(name: str) -> str:
    """Name of a technique as that of a file or folder."""
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def measured(name: str, start: Start) -> dict[str, Any]:
    """Accuracy and hardware of a technique, from its folder if they are there."""
    folder = start.folder / file_name(name)
    record = folder / "measured.json"
    if record.is_file():
        found: dict[str, Any] = json.loads(record.read_text())
        return found
    model = TECHNIQUES[name](start)
    hardware: Measured = HardwareMeter(start.data, target_cycles=TARGET_CYCLES, samples=8)(model, folder)
    size = footprint(model)
    found = {"accuracy": 100 * evaluate(model, start.data.test), "parameters": size.parameters, "sparsity": size.sparsity,
             "weight_bits": size.weight_bits, "macs": size.macs, **hardware.to_json()}
    write_json(record, found)
    print(f"seed {start.seed}, {name}: {found['accuracy']:.2f} %, {found['total_luts']:.0f} LUT", flush=True)
    return found


def share(runs: list[dict[str, Any]], first: list[dict[str, Any]]) -> float:
    """Mean LUTs as a share of those of ``first``."""
    after, before = (statistics.mean(float(run["total_luts"]) for run in group) for group in (runs, first))
    return after / before


def row(name: str, runs: list[dict[str, Any]], first: list[dict[str, Any]]) -> list[Any]:
    """Means over the seeds, with their spread."""
    def column(key: str) -> list[float]:
        return [run[key] for run in runs]

    cycles = sorted(set(column("interval_cycles")))
    return [
        name, spread(column("accuracy"), 2), spread(column("parameters"), 0),
        spread([bits / 1000 for bits in column("weight_bits")], 0), spread(column("macs"), 0),
        spread(column("total_luts"), 0), f"{100 * (share(runs, first) - 1):+.0f} %",
        " / ".join(f"{each:,}" for each in cycles),
    ]


def main() -> int:
    """Train, measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=results.ROOT / "build" / "techniques", help="where the networks go")
    parser.add_argument("--only", choices=list(TECHNIQUES), help="one technique with the first seed (nothing is recorded)")
    given = parser.parse_args()
    data = load_dataset("digits", val_fraction=0.0)
    if given.only:
        print(measured(given.only, prepared(data, given.output, SEEDS[0])))
        return 0
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TECHNIQUES}
    for seed in SEEDS:
        start = prepared(data, given.output, seed)
        for name, runs in found.items():
            runs.append(measured(name, start))
    floats = [100 * evaluate(Start(data, given.output / f"seed-{seed}", seed).teacher, data.test) for seed in SEEDS]
    publish(found, floats, len(data.test))
    return int(share(found[_NARROWER], found["w4a4"]) > _GOAL)


def publish(found: dict[str, list[dict[str, Any]]], floats: list[float], tested: int) -> None:
    """Write benchmarks/results/techniques.json."""
    first = found["w4a4"]
    reached = "reached" if share(found[_NARROWER], first) <= _GOAL else "missed"
    results.save(
        "techniques", title="Techniques of compression on one network", command="python benchmarks/techniques.py",
        columns=["16-32-64-10, digits", "test accuracy [%]", "parameters", "weights [kbit]", "MACs", "LUT [yosys-0.70, xc7]",
                 "LUT against w4a4", "interval [cycles, verilator]"],
        rows=[["float, the teacher", spread(floats, 2), *["-"] * 6], *(row(name, runs, first) for name, runs in found.items())],
        notes=[f"Mean and standard deviation of {len(SEEDS)} seeds; {_EPOCHS} epochs from scratch, {_TUNING} for each technique;"
               f" tested on {tested} samples, so that {100 / tested:.2f} points are one of them.",
               f"Each network is folded for at most {TARGET_CYCLES:,} cycles a frame, built, bit-exact on 8 frames against QONNX,"
               " and synthesised; memories in block RAM are not among the LUTs.",
               f"The goal, at least 40 % fewer LUTs by structured pruning by half, is {reached} with 28 % of the MACs, which is"
               " what half of the channels in every layer leave; half of the MACs is a smaller cut."],
        data=found)
    print(results.render())


if __name__ == "__main__":
    raise SystemExit(main())
