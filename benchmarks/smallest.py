"""The smallest fully unrolled MNIST networks that take an image a cycle: accuracy and LUTs, input encoders included.

One hidden layer of neurons with six black or white pixels each (a LUT6 each), then ternary sums. Six inputs are found in
training, by pruning with feedback; a float LeNet-5 teaches. Each network is exported, built from UINT8 pixels on, run on all
10,000 test images in Verilator against QONNX, and synthesised by Yosys.

Needs MNIST in BITWRIGHT_DATA, or a network to download it. What has finished in --output is not repeated.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import results
from trained import trained, types

import models
from hw_flow import api
from hw_flow.export import export
from hw_flow.storage import write_json
from models import BitConfig
from quant_training import Dataset, TrainConfig, load_dataset
from quant_training.distillation import Distil, DistilConfig
from quant_training.pruning import PruneConfig, prune


@dataclass(frozen=True)
class Case:
    """``neurons`` of six inputs, ``readout`` of which each class sums; the training.

    Attributes
    ----------
    alpha : weight of the teacher's answers.
    shift : of the training images, by up to so many pixels.
    """

    neurons: int
    readout: int
    epochs: int
    fan_in: int = 6
    learning_rate: float = 0.01
    alpha: float = 0.0
    shift: int = 0

    @property
    def name(self) -> str:
        """Of folder and row."""
        return f"{self.neurons}-{self.readout}"


CASES = (Case(400, 100, 10), Case(1000, 200, 10), Case(1500, 300, 10), Case(2000, 390, 18, shift=1))
# Accuracy [%], LUTs and flip-flops of Vivado, Fmax [MHz], latency [ns], as the papers have them.
PUBLISHED = (("DWN lg, without encoders", 98.3, 4082, 3385, 827, 6.0), ("DWN md, without encoders", 97.9, 1413, 1143, 827, 3.6),
             ("DWN sm, without encoders", 97.1, 692, 422, 827, 2.4),
             ("NeuraLUT-Assemble (arXiv 2504.00592)", 97.9, 5070, 725, 863, 2.1), ("TreeLUT-I", 96.6, 4478, 597, 791, 2.5),
             ("KANELÉ (arXiv 2512.12850)", 96.3, 3809, 4133, 864, 9.3), ("TreeLUT-II", 96.0, 3499, 759, 874, 2.3),
             ("PolyLUT-Add HDR", 96.0, 14810, 2609, 625, 10.0), ("hls4ml, ternary", 95.0, 260092, 165513, 200, 190.0))
_DATA: dict[str, Any] = {"name": "mnist", "val_fraction": 0.0}


def teacher(folder: Path) -> models.Network:
    """A float LeNet-5."""
    trained(TrainConfig(model="lenet5", bits=types("float", 5), data=_DATA, keep="last", epochs=6, learning_rate=0.003,
                        batch_size=128, output=folder, resume=True, precision="bf16-mixed"))
    return models.load(folder)


def network(case: Case, data: Dataset, root: Path) -> models.Network:
    """The trained network of a case, from its folder if it is there."""
    folder = root / case.name
    done = folder / "case.json"
    if done.is_file() and json.loads(done.read_text()) == asdict(case):
        return models.load(folder)
    shape = {"inputs": 784, "hidden": [case.neurons], "classes": 10}
    model = models.build(shape, BitConfig(("INT4", "TERNARY"), ("UINT1",), input="UINT1"), seed=0)
    pruning = PruneConfig(pattern="fan_in", fan_in={0: case.fan_in, 1: case.readout}, feedback=True, schedule="cubic", until=0.6)
    training = TrainConfig(epochs=case.epochs, learning_rate=case.learning_rate, batch_size=256, keep="last", shift=case.shift,
                           output=folder, resume=True)
    hooks = [Distil(teacher(root / "teacher"), model, DistilConfig(temperature=4, alpha=case.alpha))] if case.alpha else []
    made = prune(model, data, pruning, training, hooks=hooks).model
    write_json(done, asdict(case))
    return made


def measure(case: Case, data: Dataset, root: Path) -> dict[str, Any]:
    """Accuracy and cost of one network."""
    model, folder = network(case, data, root), root / case.name
    export(model, data, folder / "net.onnx")
    nonzero = [int(np.count_nonzero(layer.linear.quant_weight().value.detach().numpy())) for layer in model.layers]
    build = api.build(folder / "net.onnx", folder / "build", unfold=True, input_type="UINT8", input_scale="1/255", force=True)
    run = api.simulate(build, data.test.integers.astype(np.int64).reshape(-1, 784), labels=data.test.labels, profile="fast")
    assert run.comparison is not None
    total = api.synth(build, nodsp=True).total
    accuracy = api.simulation_record(build).accuracy["accuracy_hardware"].value
    found = {"nonzero": nonzero, "accuracy": accuracy, "luts": round(total["luts"].value), "ffs": round(total["ff"].value),
             "interval": run.interval_cycles, "latency": run.latency_cycles,
             "exact": run.fault is None and run.comparison.bit_exact}
    print(f"{case.name}: {found}", flush=True)
    return found


def publish(found: dict[str, dict[str, Any]]) -> None:
    """Write benchmarks/results/smallest.json."""
    rows: list[list[Any]] = []
    for case in CASES:
        one = found[case.name]
        rows.append([f"784-{case.neurons}-10, {case.fan_in} inputs, sums of {case.readout}", f"{one['accuracy']:.2f}",
                     one["luts"], one["ffs"], "yosys-0.70, xc7", one["interval"], one["latency"], "-", "-", one["exact"]])
    rows += [[name, f"{accuracy:.1f}", luts, ffs, "published", "-", "-", fmax, f"{latency:.1f}", "-"]
             for name, accuracy, luts, ffs, fmax, latency in PUBLISHED]
    results.save(
        "smallest", title="The smallest unrolled MNIST networks, an image a cycle", command="python benchmarks/smallest.py",
        columns=["network", "test accuracy [%]", "LUT", "FF", "source", "interval [cycles, verilator]",
                 "latency [cycles, verilator]", "Fmax [MHz]", "latency [ns]", "bit-exact"],
        rows=rows,
        notes=["Whole accelerators from UINT8 pixels to ten scores, encoders and handshakes included; a pixel counts as white"
               " from 128 on. Accuracy of the simulated hardware on all 10,000 test images, each equal to QONNX.",
               "One seed; epochs: " + ", ".join(f"{case.name} {case.epochs}" for case in CASES) + ". The input layer sees single"
               " bits, so its encoder is a wire a pixel.",
               "Published figures are Vivado's of the networks named, placed and routed; Yosys counts LUTs differently (none"
               " that only lets a bit into a carry chain, docs/unrolled.md), so the comparison is a rough one, and ours have no"
               " clock: nothing here was placed. DWN's, and often TreeLUT's, leave out the encoders of the inputs.",
               "What falls short: before its encoders, DWN needs a third of the LUTs of our largest network for nearly its"
               " accuracy. Ours take more flip-flops than LUTs, several times those of NeuraLUT-Assemble and TreeLUT: every stage"
               " of the sums is registered."],
        data=found)
    print(results.render())


def main() -> int:
    """Train, measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[case.name for case in CASES], help="one network (nothing is recorded)")
    parser.add_argument("--train", action="store_true", help="train only")
    parser.add_argument("-o", "--output", type=Path, default=results.ROOT / "build" / "smallest", help="where the networks go")
    given = parser.parse_args()
    data = load_dataset(**_DATA)
    found = {}
    for case in CASES:
        if given.only not in (None, case.name):
            continue
        if given.train:
            from quant_training.metrics import evaluate

            print(case.name, evaluate(network(case, data, given.output), data.test), flush=True)
        else:
            found[case.name] = measure(case, data, given.output)
    if len(found) == len(CASES):
        publish(found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
