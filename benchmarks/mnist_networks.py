"""SFC w1a1 and LeNet-5 w4a4 on MNIST, 60,000/10,000, beside published accuracies.

Needs MNIST in BITWRIGHT_DATA, or a network to download it. A training that has finished in --output is not repeated, one that
was interrupted goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import results
from trained import trained, types

from models import spec_of
from quant_training import TrainConfig

# Network, types, published accuracy of the same network in Brevitas' bnn_pynq examples, goal, settings.
CASES: dict[str, tuple[str, dict[str, Any], float | None, float, dict[str, Any]]] = {
    "SFC, w1a1": ("sfc", types("w1a1", 4, input="BIPOLAR"), 97.81, 97.31,
                  {"epochs": 100, "learning_rate": 0.01, "batch_size": 256, "loss": "squared_hinge", "shift": 1}),
    "LeNet-5, w4a4": ("lenet5", types("w4a4", 5), None, 99.0,
                      {"epochs": 15, "learning_rate": 0.005, "batch_size": 128, "shift": 1}),
}


def main() -> int:
    """Train, record; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[case[0] for case in CASES.values()], help="one network (nothing is recorded)")
    parser.add_argument("-o", "--output", type=Path, default=results.ROOT / "build" / "mnist_networks",
                        help="where the networks go")
    parser.add_argument("-t", "--threads", type=int, default=2, help="torch threads")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bars")
    given = parser.parse_args()
    rows, missed = [], False
    for name, (model, bits, published, goal, settings) in CASES.items():
        if given.only not in (None, model):
            continue
        assert spec_of(model).layers == len(bits["weights"])
        # Weights of the last epoch, trained on all 60,000 samples: no epoch is chosen by looking at the test set.
        config = TrainConfig(
            model=model, bits=bits, data={"name": "mnist", "val_fraction": 0.0}, keep="last", schedule="cosine", seed=0,
            resume=True, output=given.output / model, threads=given.threads, progress=not given.quiet, **settings)
        reached = 100 * trained(config)["test_accuracy"]
        print(f"{name}: {reached:.2f} %", flush=True)
        missed |= reached < goal
        rows.append([name, bits["input"], f"{reached:.2f}", f"{published:.2f}" if published else "-", f"{goal:.2f}",
                     settings["epochs"]])
    if given.only is None:
        results.save(
            "mnist_networks", title="SFC and LeNet-5 on MNIST", command="python benchmarks/mnist_networks.py",
            columns=["network", "input", "test accuracy [%]", "Brevitas [%, published]", "goal [%]", "epochs"], rows=rows,
            notes=["Trained on all 60,000 samples with shifts by one pixel, tested on the 10,000 after the last epoch, one"
                   " seed."])
        print(results.render())
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
