"""Training throughput beside a plain PyTorch loop with the same layers, batches, optimiser and validation.

Processor time of one thread, so that other programs on the machine do not count; both loops in turns, medians. The plain loop
is a fast one: inputs are quantised once, Adam is fused and convolutions are in channels-last order, as here.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from typing import Any

import results
import torch

import models
from quant_training import Dataset, TrainConfig, load_dataset, train
from quant_training.hooks import Hook
from quant_training.metrics import accuracy_of, logits_of, loss_of
from quant_training.trainer import lay_out

# Network, types, data, training samples, epochs.
CASES: dict[str, tuple[str, str, str, int, int]] = {
    "digits MLP, w4a4": ("digits", "w4a4", "digits", 1258, 20),
    "TFC, w2a2": ("tfc", "w2a2", "mnist", 16384, 3),
    "LeNet-5, w4a4": ("lenet5", "w4a4", "mnist", 4096, 2),
}
_BATCH = 128


class Clock(Hook):
    """Processor seconds from the first step to the end of training."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def begin(self, model: Any, device: torch.device) -> None:
        """Start."""
        del model, device
        self.seconds = -time.process_time()

    def end(self, model: Any) -> None:
        """Stop."""
        del model
        self.seconds += time.process_time()


def ours(network: str, bits: str, data: Dataset, epochs: int) -> float:
    """Seconds of `quant_training.train`."""
    clock = Clock()
    config = TrainConfig(epochs=epochs, batch_size=_BATCH, progress=False, keep="last")
    train(models.build(network, bits, seed=0), data, config, [clock])
    return clock.seconds


def plain(network: str, bits: str, data: Dataset, epochs: int) -> float:
    """Seconds of a loop written out."""
    model = models.build(network, bits, seed=0)
    lay_out(model, torch.channels_last)
    begin = time.process_time()
    with torch.no_grad():
        x, val_x = (model.quantise(torch.from_numpy(part.x)) for part in (data.train, data.val))
    y, val_y = (torch.from_numpy(part.labels) for part in (data.train, data.val))
    optimiser = torch.optim.Adam(model.parameters(), 0.01, fused=True)
    steps = len(x) // _BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * steps)
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(x))
        for step in range(steps):
            rows = order[step * _BATCH : (step + 1) * _BATCH]
            optimiser.zero_grad()
            loss = loss_of(model.classify(x[rows]), y[rows])
            torch.autograd.backward(loss)
            optimiser.step()
            model.clip_weights()
            schedule.step()
        model.eval()
        with torch.no_grad():
            logits = logits_of(model, val_x)
            accuracy_of(logits, val_y)
            loss_of(logits, val_y)
    return time.process_time() - begin


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--case", choices=list(CASES), action="append")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in arguments.case or CASES:
        network, bits, source, samples, epochs = CASES[name]
        data = load_dataset(source)
        data = replace(data, train=data.train.take(samples), val=data.val.take(samples // 10))
        for loop in (ours, plain):
            loop(network, bits, data, 1)  # imports and first-time work
        pairs = [(ours(network, bits, data, epochs), plain(network, bits, data, epochs)) for _ in range(arguments.repeats)]
        share = statistics.median(theirs / mine for mine, theirs in pairs)
        count = epochs * (len(data.train) // _BATCH) * _BATCH
        speeds = [count / statistics.median(pair[side] for pair in pairs) for side in (0, 1)]
        rows.append([name, f"{speeds[0]:,.0f}", f"{speeds[1]:,.0f}", f"{100 * share:.1f} %"])
        print(*rows[-1], sep="  ", flush=True)
    if not arguments.case:
        results.save(
            "train_speed", title="Training throughput", command="python benchmarks/train_speed.py",
            columns=["network", "samples/s", "plain PyTorch loop", "share"], rows=rows,
            notes=[f"Processor time of one thread, batches of {_BATCH}, median of {arguments.repeats} pairs of runs; "
                   "the goal is 95 %."],
        )


if __name__ == "__main__":
    main()
