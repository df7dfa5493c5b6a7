"""RadioML 2018.01A: modulations from 1,024 complex samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from quant_training.checks import check_numbers
from quant_training.errors import TrainingError
from quant_training.loaders.fetch import Loaded, Part, find

FILE = "GOLD_XYZ_OSC.0001_1024.hdf5"
# Order of the columns of Y, which the file's own classes.txt has wrong (classes-fixed.json of the later release).
CLASSES = (
    "OOK", "4ASK", "8ASK", "BPSK", "QPSK", "8PSK", "16PSK", "32PSK", "16APSK", "32APSK", "64APSK", "128APSK", "16QAM", "32QAM",
    "64QAM", "128QAM", "256QAM", "AM-SSB-WC", "AM-SSB-SC", "AM-DSB-WC", "AM-DSB-SC", "FM", "GMSK", "OQPSK",
)
# 4,096 frames of each modulation and signal-to-noise ratio; a tenth of each is tested, as in FINN's example.
_FRAMES, _TESTED = 4096, 0.1
_LEAST_SNR = 10


def radioml(folder: Path | None) -> Loaded:
    """Frames of at least 10 dB as ``[2, 1, 1024]``, eight bits each; the last tenth of each modulation and ratio is tested.

    Raises
    ------
    TrainingError : no h5py, no file, or not the arrays X, Y, Z.
    """
    path = find("radioml", folder, (FILE,), "RadioML 2018.01A of deepsig.ai, 20 GB")
    try:
        import h5py
    except ImportError as error:
        raise TrainingError("radioml needs the package h5py; install it with: pip install h5py") from error
    train: list[Part] = []
    test: list[Part] = []
    try:
        with h5py.File(path, "r") as file:
            x, y, z = file["X"], file["Y"], file["Z"]
            if x.shape[1:] != (1024, 2) or y.shape != (len(x), len(CLASSES)) or len(z) != len(x):
                raise TrainingError(f"{path}: X is {list(x.shape)} and Y {list(y.shape)}; give [N, 1024, 2] and [N, 24]")
            ratios = np.asarray(z).reshape(-1)
            check_numbers(f"{path}, Z", ratios)
            for begin in range(0, len(x), _FRAMES):
                if ratios[begin] < _LEAST_SNR:
                    continue
                frames = np.asarray(x[begin : begin + _FRAMES])
                check_numbers(f"{path}, X from {begin:,} on", frames)
                # The frames have unit power: four standard deviations hold nearly all of them.
                samples = np.clip(np.rint(frames.transpose(0, 2, 1)[:, :, None] * 32 + 128), 0, 255).astype(np.uint8)
                labels = np.asarray(y[begin : begin + _FRAMES]).argmax(axis=1).astype(np.int64)
                kept = len(samples) - max(1, round(len(samples) * _TESTED))
                train.append((samples[:kept], labels[:kept]))
                test.append((samples[kept:], labels[kept:]))
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError(f"{path}: cannot be read as RadioML 2018.01A ({error}); download it again") from error
    if not train:
        raise TrainingError(f"{path}: no frames of at least {_LEAST_SNR} dB; download it again")
    parts = [(np.concatenate([a for a, _ in part]), np.concatenate([b for _, b in part])) for part in (train, test)]
    return Loaded(parts[0], parts[1], CLASSES, (2, 1, 1024))
