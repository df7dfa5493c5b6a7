"""Networks quantised without training: ranges, re-estimated norms, corrected means and even channels, digits, a few seeds.

Float networks are trained first; then each gets a few bits from 512 training samples, in six ways. What has finished in
--output is not repeated.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import results
import torch

import models
from models import Network
from quant_training import Dataset, TrainConfig, load_dataset, train
from quant_training.calibration import post_training
from quant_training.metrics import evaluate

NETWORKS = ("digits", "digits_cnn")
BITS = ("w8a8", "w4a4", "w3a3", "w2a2")
_PLAIN: dict[str, Any] = {"reestimate": False, "correct": False}
WAYS: dict[str, dict[str, Any]] = {
    "max": {"ranges": "max", **_PLAIN}, "percentile": {"ranges": "percentile", **_PLAIN}, "mse": _PLAIN,
    "mse, corrected": {"reestimate": False}, "mse, re-estimated and corrected": {}, "equalised too": {"equalised": True},
}
_EPOCHS, _SAMPLES = 20, 512


def float_network(name: str, data: Dataset, seed: int, output: Path) -> Network:
    """A trained network of floats, from ``output`` where this very training has finished there."""
    config = TrainConfig(epochs=_EPOCHS, batch_size=64, learning_rate=0.005, seed=seed, keep="last", progress=False, resume=True,
                         output=output)
    return train(models.build(name, "float", seed=seed), data, config).model


def accuracies(model: Network, data: Dataset) -> dict[str, dict[str, float]]:
    """Test accuracy in % of the float ``model``, under the name ``float``, and by types and way of what is made from it."""
    samples = torch.from_numpy(data.train.x[:_SAMPLES])
    found = {"float": {"": 100 * evaluate(model, data.test)}}
    for bits in BITS:
        found[bits] = {way: 100 * evaluate(post_training(model, bits, samples, **options), data.test)
                       for way, options in WAYS.items()}
    return found


def measured(name: str, data: Dataset, seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """`accuracies` of a network that is trained first."""
    return accuracies(float_network(name, data, seed, folder), data)


def rows(found: dict[str, list[dict[str, dict[str, float]]]]) -> list[list[str]]:
    """A row for each network and width, means over the seeds with their spread."""
    return [
        [name, results.spread([run["float"][""] for run in runs]), bits,
         *(results.spread([run[bits][way] for run in runs]) for way in WAYS)]
        for name, runs in found.items() for bits in BITS
    ]


def publish(found: dict[str, list[dict[str, dict[str, float]]]]) -> None:
    """Write benchmarks/results/post_training.json."""
    seeds = len(next(iter(found.values())))
    results.save(
        "post_training", title="Quantised without training",
        command=f"python benchmarks/post_training.py --seeds {seeds} --networks {' '.join(found)}",
        columns=["network, digits", "float [%]", "types", *(f"{way} [%]" for way in WAYS)], rows=rows(found),
        notes=[f"Test accuracy after {_EPOCHS} epochs of float training, mean and standard deviation of {seeds} seeds; one"
               " split of the data, 359 test samples, so that 0.28 points are one of them.",
               f"Ranges, norms, means and channels from the first {_SAMPLES} training samples; a scale a tensor, percentile 99.9."
               " The ways up to `mse` set ranges alone, the last two have everything of the way before."],
        data=found)
    print(results.render())


def main() -> int:
    """Train, quantise, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=results.ROOT / "build" / "post_training",
                        help="where the networks go")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="presets")
    parser.add_argument("--seeds", type=int, choices=range(2, 11), default=3, help="how many")
    given = parser.parse_args()
    data = load_dataset("digits", val_fraction=0.0)
    found: dict[str, list[dict[str, dict[str, float]]]] = {}
    for name in given.networks:
        for seed in range(given.seeds):
            folder = given.output / f"{name}-{seed}"
            found.setdefault(name, []).append(results.kept(
                folder / "accuracies.json", partial(measured, name, data, seed, folder)))
            print(f"{name}, seed {seed}: {found[name][-1]}", flush=True)
    publish(found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
