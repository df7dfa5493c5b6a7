"""TFC (784-64-64-64-10) on MNIST, 60,000/10,000, from binary to INT4: accuracy of quantisation-aware training.

Needs MNIST in BITWRIGHT_DATA, or a network to download it. A training that has finished in --output is not
repeated, one that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import results
from trained import trained

from models import BitConfig
from quant_training import TrainConfig

# Test accuracy in %: Brevitas' bnn_pynq examples (README of its src/brevitas_examples/bnn_pynq).
PUBLISHED = {"w1a1": 93.17, "w2a2": 96.60, "w2a2-narrow": 96.60}
# What this project asks of itself, in %.
TARGETS = {"w1a1": 93.2, "w2a2": 96.6}

# Weights of the last epoch, trained on all 60,000 samples: no epoch is chosen by looking at the test set.
_COMMON: dict[str, Any] = {
    "model": "tfc", "data": {"name": "mnist", "val_fraction": 0.0}, "keep": "last", "schedule": "cosine", "seed": 0,
    "batch_size": 512,
}
# The input has as many bits as the activations, as in Brevitas' networks; w1a1 sees black and white only.
RECIPES: dict[str, dict[str, Any]] = {
    "w1a1": {"epochs": 50, "learning_rate": 0.02, "loss": "squared_hinge"},
    "ternary": {"epochs": 40, "learning_rate": 0.01, "loss": "cross_entropy"},
    "w2a2": {"epochs": 40, "learning_rate": 0.01, "loss": "cross_entropy"},
    "w2a2-narrow": {"epochs": 40, "learning_rate": 0.01, "loss": "cross_entropy"},
    "w4a4": {"epochs": 40, "learning_rate": 0.01, "loss": "cross_entropy"},
}
INPUTS = {"w1a1": "BIPOLAR", "ternary": "UINT2", "w2a2": "UINT2", "w4a4": "UINT4"}


def types(name: str) -> BitConfig:
    """Types of all tensors of one network."""
    if name == "w2a2-narrow":  # as Brevitas has it: -1, 0, 1 everywhere
        return BitConfig.uniform("TERNARY", "TERNARY", 4, input="TERNARY")
    return BitConfig.short(name, 4, input=INPUTS[name])


def settings(name: str, output: Path, arguments: argparse.Namespace) -> TrainConfig:
    """The training of one network, in ``output/<name>``."""
    recipe = {**_COMMON, **RECIPES[name], "bits": types(name).to_dict()}
    if arguments.epochs is not None:
        recipe["epochs"] = arguments.epochs
    return TrainConfig(**recipe, output=output / name, resume=True, threads=arguments.threads, progress=not arguments.quiet)


def row(name: str, metrics: dict[str, Any]) -> list[Any]:
    """One row of the table."""
    bits = types(name)
    reached = round(100 * metrics["test_accuracy"], 2)
    published = f"{PUBLISHED[name]:.2f}" if name in PUBLISHED else "-"
    target = f"{TARGETS[name]:.1f}" if name in TARGETS else "-"
    return [name, bits.weights[0], bits.activations[0], bits.input, reached, published, target, metrics["epochs"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, save, print; exit 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"networks to train, out of {', '.join(RECIPES)}; all without any")
    parser.add_argument("-o", "--output", type=Path, default=results.ROOT / "build" / "mnist_tfc", help="where the networks go")
    parser.add_argument("-e", "--epochs", type=int, help="other epochs than the recipes' (nothing is saved as a result)")
    parser.add_argument("-t", "--threads", type=int, default=2, help="torch threads")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bars")
    given = parser.parse_args(arguments)
    for name in given.names:
        if name not in RECIPES:
            parser.error(f"unknown network '{name}'; give {', '.join(RECIPES)}")
    chosen = [name for name in RECIPES if not given.names or name in given.names]
    rows = []
    for number, name in enumerate(chosen, start=1):
        config = settings(name, given.output, given)
        print(f"{name} ({number} of {len(chosen)}), {config.epochs} epochs", flush=True)
        rows.append(row(name, trained(config)))
        print(f"{name}: test accuracy {rows[-1][4]:.2f} %", flush=True)
    missed = [entry[0] for entry in rows if entry[0] in TARGETS and entry[4] < TARGETS[entry[0]]]
    for name in missed:
        print(f"{name}: below the target of {TARGETS[name]} %", file=sys.stderr)
    if chosen == list(RECIPES) and given.epochs is None:
        publish(rows)
    return 1 if missed else 0


def publish(rows: list[list[Any]]) -> None:
    """Write the table into benchmarks/results."""
    results.save(
        "mnist_tfc", title="TFC on MNIST, from binary to INT4", command="python benchmarks/mnist_tfc.py",
        columns=["network", "weights", "activations", "input", "test accuracy [%]", "Brevitas [%, published]", "target [%]",
                 "epochs"],
        rows=rows,
        notes=["784-64-64-64-10, trained on all 60,000 samples of MNIST, tested on its 10,000; weights of the last epoch, one"
               " seed, one recipe each (Adam, cosine schedule; in the script). Accuracy is Brevitas' own in evaluation mode.",
               "Brevitas' published w2a2 network has the values -1, 0, 1 in weights, activations and input, as w2a2-narrow has;"
               " our w2a2 has the four values of INT2 and UINT2, in as many bits."],
    )
    print(results.render())


if __name__ == "__main__":
    sys.exit(main())
