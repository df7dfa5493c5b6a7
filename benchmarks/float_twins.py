"""Quantised convolutional networks beside their float twins on Fashion-MNIST and CIFAR-10, with the same training.

A float network is trained; from its weights on, a float twin and a quantised twin have the same epochs with the same settings,
and the float network that both start from teaches the quantised one. Needs the data sets in BITWRIGHT_DATA. A training that has
finished in --output is not repeated, one that was interrupted goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import results
import torch
from trained import trained, types

import models
from models import spec_of
from quant_training import Dataset, TrainConfig
from quant_training.calibration import reestimate_norms
from quant_training.metrics import evaluate


@dataclass(frozen=True)
class Pair:
    """A network of low-bit types and its float twin.

    ``settings`` are those of all trainings, ``twin`` the changes to them after the common start.
    """

    name: str
    model: str
    bits: str
    data: str
    target: float
    settings: dict[str, Any]
    twin: dict[str, Any]


# Weights of the last epoch, trained on all training samples: no epoch is chosen by looking at the test set.
PAIRS = (
    Pair("Fashion-MNIST, 32-64-pool-128-10", "mnist_cnn", "w2a2", "fashion-mnist", 1.5,
         {"epochs": 5, "learning_rate": 0.01, "batch_size": 128, "flip": True}, {"epochs": 14}),
    Pair("CIFAR-10, CNV", "cnv", "w2a2", "cifar10", 3.0,
         {"epochs": 8, "learning_rate": 0.01, "batch_size": 128, "shift": 3, "flip": True}, {"epochs": 20, "shift": 1}),
)
# Training samples that the statistics of batch norm are taken from in the end.
_SAMPLES = 20_000
# Convolutions in bfloat16, sums of gradients and batch norm in float32; evaluation is float32.
_COMMON: dict[str, Any] = {"keep": "last", "schedule": "cosine", "seed": 0, "precision": "bf16-mixed", "resume": True,
                           "checkpoint_seconds": 60}


def config_of(pair: Pair, step: str, arguments: argparse.Namespace) -> TrainConfig:
    """The training of one network of a pair; ``step`` is its part of the folder's name: ``float``, ``twin`` or the types."""
    root, settings = arguments.output, dict(pair.settings)
    if step != "float":
        settings |= {"start": root / f"{pair.model}-float", **pair.twin}
    bits = "float" if step == "twin" else step
    layers = spec_of(pair.model).layers
    # A scale for each hidden channel costs nothing in hardware: it is part of the thresholds.
    kinds = types(bits, layers, per_channel=(*(step == pair.bits,) * (layers - 1), False))
    return TrainConfig(
        model=pair.model, bits=kinds, data={"name": pair.data, "val_fraction": 0.0}, output=root / f"{pair.model}-{step}",
        threads=arguments.threads, progress=not arguments.quiet, **_COMMON, **settings)


def settled(folder: Path, data: Dataset) -> float:
    """Test accuracy of the network in ``folder`` once its norms have the statistics of many training samples.

    Those of training are averages over the last few batches, and a noisy mean moves the steps of two-bit activations.
    """
    model = models.load(folder)
    reestimate_norms(model, torch.from_numpy(data.train.take(_SAMPLES).x).flatten(1))
    return evaluate(model, data.test)


def main() -> int:
    """Train, compare, record; 1 where a gap is larger than asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[pair.model for pair in PAIRS], help="one pair (nothing is recorded)")
    parser.add_argument("-o", "--output", type=Path, default=results.ROOT / "build" / "float_twins", help="where the networks go")
    parser.add_argument("-t", "--threads", type=int, default=2, help="torch threads")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bars")
    given = parser.parse_args()
    rows, missed, plain = [], False, {}
    for pair in PAIRS:
        if given.only not in (None, pair.model):
            continue
        reached = {}
        for step in ("float", "twin", pair.bits):
            teacher = given.output / f"{pair.model}-float" if step == pair.bits else None
            config = config_of(pair, step, given)
            before = trained(config, teacher)["test_accuracy"]
            reached[step] = 100 * settled(given.output / f"{pair.model}-{step}", config.data.load())
            plain[f"{pair.model}-{step}"] = {"as trained": 100 * before, "norms re-estimated": reached[step]}
            print(f"{pair.name}, {step}: {100 * before:.2f} % as trained, {reached[step]:.2f} %", flush=True)
        gap = reached["twin"] - reached[pair.bits]
        missed |= gap > pair.target
        rows.append([pair.name, pair.bits, f"{reached['twin']:.2f}", f"{reached[pair.bits]:.2f}", f"{gap:.2f}",
                     f"{pair.target:.1f}", f"{pair.settings['epochs']} + {(pair.settings | pair.twin)['epochs']}"])
    if given.only is None:
        publish(rows, plain)
    return int(missed)


def publish(rows: list[list[Any]], data: dict[str, Any]) -> None:
    """Write benchmarks/results/float_twins.json."""
    results.save(
        "float_twins", title="Low-bit convolutional networks beside their float twins",
        command="python benchmarks/float_twins.py",
        columns=["network", "types", "float [%]", "quantised [%]", "gap, points", "goal", "epochs each"], rows=rows,
        notes=["Test accuracy on all 10,000 samples after the last epoch, the batch norm of all networks re-estimated on 20,000"
               " training samples; one seed. Both networks of a pair have the same epochs: first those of a float network that"
               " they share, then their own from its weights on (Adam, cosine schedule, random shifts and flips; in the script)."
               " The network that both start from teaches the quantised one, whose hidden weights have a scale a channel; the"
               " float twin has no teacher.",
               "The 60,000 images of CIFAR-10 here went through JPEG once: they are lossy, and the figures are not comparable"
               " with those of the original set.",
               "The trainings are short, as two CPU cores allow."], data=data)
    print(results.render())


if __name__ == "__main__":
    raise SystemExit(main())
