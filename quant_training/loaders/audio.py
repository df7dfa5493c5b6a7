"""Speech Commands and the free spoken digits as mel-frequency cepstral coefficients."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_training.checks import check_pieces, needed, utf8, whole
from quant_training.errors import TrainingError
from quant_training.loaders.fetch import Loaded, Part, derived, find, watched

KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
_FRAMES, _COEFFICIENTS, _MELS = 49, 10, 40
_SEED = 0
_UNPACK = "unpack speech_commands_v0.02.tar.gz there"


def mfcc(signals: NDArray[np.floating[Any]], rate: int) -> NDArray[np.float32]:
    """Coefficients ``[N, 49, 10]`` of one second of sound each, ``[N, rate]`` in [-1, 1].

    Windows of 40 ms every 20 ms, 40 mel bands from 20 Hz to 4 kHz, logarithm, DCT-II: the features of MLPerf Tiny's
    keyword spotting (Zhang et al., arXiv 1711.07128).
    """
    from scipy.fft import dct

    window, hop = rate // 25, rate // 50
    taper = (np.hanning(window + 1)[:-1] / (window / 2)).astype(np.float32)  # a full-scale tone has the power 1
    size = 1 << (window - 1).bit_length()
    bank = _mel_bank(size, rate)
    found = np.empty((len(signals), _FRAMES, _COEFFICIENTS), dtype=np.float32)
    for index, signal in enumerate(signals):
        frames = np.lib.stride_tricks.sliding_window_view(signal, window)[::hop][:_FRAMES] * taper
        power = np.abs(np.fft.rfft(frames, size)) ** 2
        found[index] = dct(np.log(power @ bank.T + 1e-8), norm="ortho")[:, :_COEFFICIENTS]
    return found


def _mel_bank(size: int, rate: int) -> NDArray[np.float64]:
    """Triangular filters ``[40, size / 2 + 1]``."""
    low, high = (1127 * np.log1p(hertz / 700) for hertz in (20.0, 4000.0))
    corners = 700 * np.expm1(np.linspace(low, high, _MELS + 2) / 1127)
    bins = np.fft.rfftfreq(size, 1 / rate)
    rise = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    fall = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    bank: NDArray[np.float64] = np.maximum(0, np.minimum(rise, fall))
    return bank


def to_bytes(train: NDArray[np.float32], *others: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    """Each coefficient's range in ``train``, but for half a percent on either side, to 0 .. 255; ``[N, 1, 49, 10]``."""
    low, high = np.percentile(train, (0.5, 99.5), axis=(0, 1))
    span = np.where(high > low, high - low, 1)
    return [np.clip(np.rint((part - low) / span * 255), 0, 255).astype(np.uint8)[:, None] for part in (train, *others)]


def one_second(samples: NDArray[Any], rate: int) -> NDArray[np.float32]:
    """The middle second of int16 samples, zeros around shorter ones; float32 ``[rate]`` in [-1, 1]."""
    signal: NDArray[Any] = samples.astype(np.float32) / 32768
    spare = rate - len(signal)
    if spare >= 0:
        signal = np.pad(signal, (spare // 2, spare - spare // 2))
    begin = max(0, -spare // 2)
    middle: NDArray[np.float32] = signal[begin : begin + rate]
    return middle


def fsdd(folder: Path | None) -> Loaded:
    """The free spoken digit dataset from one NPZ file; takes 0 to 4 of each speaker and digit are the test part."""
    from quant_training.sources import read_npz

    path = find("fsdd", folder, ("fsdd_8k_3000.npz", "fsdd.npz"), "NPZ with pcm_int16, offsets, labels and index, 8 kHz")

    def make() -> dict[str, NDArray[Any]]:
        pcm, offsets, found, index = needed(path, read_npz(path), ("pcm_int16", "offsets", "labels", "index"))
        bounds = check_pieces(path, ("pcm_int16", "offsets"), pcm, offsets, "int16")
        labels, take = whole(f"{path}, labels", found), whole(f"{path}, index", index)
        if not len(bounds) - 1 == len(labels) == len(take):
            raise TrainingError(f"{path}: {len(bounds) - 1} sounds, {len(labels)} labels, {len(take)} takes; make it again")
        test = take < 5
        if test.all() or not test.any():
            raise TrainingError(f"{path}: index has {test.sum()} of {len(take)} takes below 5, the test part; "
                                "give both parts takes")
        features = mfcc(np.stack([one_second(pcm[a:b], 8000) for a, b in pairwise(bounds)]), 8000)
        x_train, x_test = to_bytes(features[~test], features[test])
        return {"x_train": x_train, "y_train": labels[~test], "x_test": x_test, "y_test": labels[test]}

    return _loaded(derived("fsdd", [path], "mfcc 1", make), tuple(str(digit) for digit in range(10)))


def speech_commands(folder: Path | None) -> Loaded:
    """Speech Commands (Warden, arXiv 1804.03209) in twelve classes: ten keywords, silence, unknown.

    The set's own test list is the test part; silence is cut from its background noise, and as many unknown words are drawn as
    a keyword has samples on average.
    """
    listing = find("speech-commands", folder, ("testing_list.txt",), f"{_UNPACK}, all of it")
    base = listing.parent
    tested = set(utf8(listing, listing.read_bytes(), f"{_UNPACK} again").split())
    files = sorted(path for path in base.glob("*/*.wav") if not path.parent.name.startswith("_"))
    if not files:
        raise TrainingError(f"{base}: has no folders of .wav files; {_UNPACK}")
    if tested.isdisjoint(f"{path.parent.name}/{path.name}" for path in files):
        raise TrainingError(f"{listing}: names none of the .wav files beside it; {_UNPACK} again")
    missing = [word for word in KEYWORDS if not (base / word).is_dir()]
    if missing:
        raise TrainingError(f"{base}: no folder '{missing[0]}'; {_UNPACK}")

    def make() -> dict[str, NDArray[Any]]:
        generator = np.random.default_rng(_SEED)
        found: dict[str, NDArray[Any]] = {}
        for part, wanted in (("train", False), ("test", True)):
            chosen = _chosen([path for path in files if (f"{path.parent.name}/{path.name}" in tested) == wanted], generator)
            sounds = [one_second(_wave(path), 16000) for path, _ in watched(chosen, "reading sounds")]
            quiet = _silence(base, max(1, len(chosen) // 11), generator)
            found[f"x_{part}"] = mfcc(np.stack([*sounds, *quiet]), 16000)
            found[f"y_{part}"] = np.asarray([label for _, label in chosen] + [10] * len(quiet))
        found["x_train"], found["x_test"] = to_bytes(found["x_train"], found["x_test"])
        return found

    # The list of names stands for 2 GB of sound.
    stamp = "\n".join(f"{path.relative_to(base)} {path.stat().st_size}" for path in files)
    return _loaded(derived("speech-commands", [listing], f"mfcc 1 {stamp}", make), (*KEYWORDS, "silence", "unknown"))


def _chosen(files: list[Path], generator: np.random.Generator) -> list[tuple[Path, int]]:
    known = [(path, KEYWORDS.index(path.parent.name)) for path in files if path.parent.name in KEYWORDS]
    others = [path for path in files if path.parent.name not in KEYWORDS]
    count = min(len(others), max(1, len(known) // len(KEYWORDS)))
    return [*known, *((others[index], 11) for index in generator.permutation(len(others))[:count])]


def _silence(base: Path, count: int, generator: np.random.Generator) -> list[NDArray[np.float32]]:
    noises = [_wave(path) for path in sorted((base / "_background_noise_").glob("*.wav"))] or [np.zeros(16000, np.int16)]
    found = []
    for _ in range(count):
        noise = noises[generator.integers(len(noises))]
        begin = int(generator.integers(max(1, len(noise) - 16000)))
        found.append(one_second(noise[begin : begin + 16000], 16000) * np.float32(generator.uniform(0, 1)))
    return found


def _wave(path: Path) -> NDArray[np.int16]:
    from scipy.io import wavfile

    try:
        rate, samples = wavfile.read(path)
    except (ValueError, OSError, EOFError) as error:
        raise TrainingError(f"{path}: cannot be read as a WAV file ({error}); unpack it again") from error
    if rate != 16000 or samples.dtype != np.int16 or samples.ndim != 1:
        raise TrainingError(f"{path}: {rate} Hz, {samples.dtype}, {samples.ndim} channels; give 16 kHz, 16 bit, mono")
    sound: NDArray[np.int16] = samples
    return sound


def _loaded(arrays: dict[str, NDArray[Any]], classes: tuple[str, ...]) -> Loaded:
    parts: list[Part] = [(arrays[f"x_{part}"], arrays[f"y_{part}"].astype(np.int64)) for part in ("train", "test")]
    return Loaded(parts[0], parts[1], classes, (1, _FRAMES, _COEFFICIENTS))
