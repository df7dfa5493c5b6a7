"""Does compression weaken a network? LeNet-5's shape on digits: attacks, noise, upset bits and calibration, a few seeds.

The networks are those that benchmarks/techniques.py has left in --output; what is missing there is trained. Figures that have
been measured are not measured again.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import results
import torch
from exported import read_back
from techniques import TECHNIQUES, Start, file_name, prepared

from models import BitConfig, Network
from quant_training import load_dataset
from quant_training.calibration import post_training
from quant_training.metrics import accuracy_of, logits_of
from quant_training.robustness import RobustnessConfig, pgd, robustness

SIZE, STEPS, SEVERITY, RATE, TRIALS = 0.1, 10, 2, 0.01, 5
COLUMNS = {
    "clean": "clean", "fgsm": "FGSM", "pgd": "PGD", "transferred": "PGD of the float network", "noise": "noise",
    "corruptions": "corruptions", "weights": "flips in weights", "activations": "flips in activations",
    "calibration_error": "calibration error",
}


def _calibrated(start: Start) -> Network:
    return post_training(start.teacher, "w8a8", torch.from_numpy(start.data.train.x[:512]))


def _technique(name: str, bits: str | BitConfig) -> Callable[[Start], Network]:
    """The network that techniques.py has measured, trained anew where there is none."""
    def build(start: Start) -> Network:
        folder = start.folder / file_name(name)
        return read_back(folder, bits) if (folder / "measured.json").is_file() else TECHNIQUES[name](start)
    return build


_TYPES: dict[str, str | BitConfig] = {
    "w4a4": "w4a4", "w4a4, trained on": "w4a4", "channels pruned to 28 % of the MACs": "w4a4",
    "half the width, from scratch": "w4a4", "half the width, distilled": "w4a4",
    "codebook POW3": BitConfig(("POW3",) * 4, ("UINT4",) * 3), "w2a2": "w2a2",
    "pruned by half, then w3a3, distilled": "w3a3",
}
NETWORKS: dict[str, Callable[[Start], Network]] = {
    "float": lambda start: start.teacher, "w8a8, calibrated": _calibrated,
    **{name: _technique(name, bits) for name, bits in _TYPES.items()},
}


def figures(model: Network, start: Start) -> dict[str, float]:
    """All columns in %; without flips for a float network."""
    config = RobustnessConfig(sizes=(SIZE,), steps=STEPS, severity=SEVERITY, rates=(RATE,), trials=TRIALS, seed=start.seed)
    found = robustness(model, start.data, config)
    split = start.data.test
    x, labels = torch.from_numpy(split.x), torch.from_numpy(split.labels)
    moved = pgd(start.teacher.eval(), x, labels, SIZE, steps=STEPS, seed=start.seed)
    with torch.no_grad():
        transferred = accuracy_of(logits_of(model, model.quantise(moved)), labels)
    shares = {
        "clean": found.clean, "fgsm": found.attacks[f"fgsm {SIZE:g}"], "pgd": found.attacks[f"pgd {SIZE:g}"],
        "transferred": transferred, "noise": found.corruptions["gaussian_noise"],
        "corruptions": statistics.mean(found.corruptions.values()),
        **{what: found.upsets[f"{what} {RATE:g}"] for what in ("weights", "activations") if found.upsets},
        "calibration_error": found.calibration_error, **found.corruptions,
    }
    return {name: 100 * share for name, share in shares.items()}


def measured(name: str, start: Start) -> dict[str, float]:
    """Figures of a network, from their file if it is there."""
    record = start.folder / "robustness" / f"{file_name(name)}.json"
    found: dict[str, float] = results.kept(record, lambda: figures(NETWORKS[name](start), start))
    print(f"seed {start.seed}, {name}: {({key: round(value, 1) for key, value in found.items()})}", flush=True)
    return found


def weakened(found: dict[str, list[dict[str, float]]]) -> str:
    """Which networks do worse than before compression, and by what, in words."""
    said = []
    for name, runs in found.items():
        worse = []
        for key, title in COLUMNS.items():
            before = found["float"] if key in found["float"][0] else found["w8a8, calibrated"]
            if key == "clean" or key not in runs[0] or name == "float":
                continue
            old, new = ([run[key] for run in group] for group in (before, runs))
            loss = statistics.mean(old) - statistics.mean(new)
            if (-loss if key == "calibration_error" else loss) > statistics.stdev(old) + statistics.stdev(new):
                worse.append(title)
        said.append(f"{name}: {', '.join(worse) or 'none'}")
    return "; ".join(said[1:])


def publish(found: dict[str, list[dict[str, float]]]) -> None:
    """Write benchmarks/results/robustness.json."""
    seeds = len(found["float"])
    results.save(
        "robustness", title="Robustness before and after compression", command=f"python benchmarks/robustness.py --seeds {seeds}",
        columns=["16-32-64-10, digits", *(f"{title} [%]" for title in COLUMNS.values())],
        rows=[[name, *(results.spread([run[key] for run in runs]) if key in runs[0] else "-" for key in COLUMNS)]
              for name, runs in found.items()],
        notes=[f"Accuracy on 359 test samples (0.28 points are one of them), mean and standard deviation of {seeds} seeds;"
               " the calibration error is the expected one with 15 bins, less is better. The networks are those of"
               " benchmarks/techniques.py, w4a4 unless they say otherwise; w8a8 comes from the float network without training,"
               " with 512 samples.",
               f"FGSM and PGD: at most {SIZE:g} of the input range a pixel, PGD {STEPS} steps from a random start; gradients of"
               " quantised networks pass their quantisers straight through. The column beside shows what was made against the"
               " float network of the same seed. Noise: Gaussian, deviation 0.1; corruptions: mean of seven kinds, severity"
               f" {SEVERITY} of 3, the noise among them. Flips: each bit of all weights, or of input and activations, with"
               f" probability {RATE:g}, mean of {TRIALS} draws.",
               f"Does compression weaken the network? Of {len(COLUMNS) - 1} measures beside the clean accuracy, worse than float"
               f" (flips: than w8a8) by more than both spreads together are: {weakened(found)}."],
        data=found)
    print(results.render())


def main() -> int:
    """Train, measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=results.ROOT / "build" / "techniques",
                        help="folder of techniques.py's networks; further ones and figures go beside them")
    parser.add_argument("--seeds", type=int, choices=range(2, 11), default=3, help="how many")
    given = parser.parse_args()
    data = load_dataset("digits", val_fraction=0.0)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in NETWORKS}
    for seed in range(given.seeds):
        start = prepared(data, given.output, seed)
        for name, runs in found.items():
            runs.append(measured(name, start))
    publish(found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
