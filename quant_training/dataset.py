"""Data sets as NumPy arrays: integers, as the accelerator will see them, and floats in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_training.checks import check_part, whole
from quant_training.errors import TrainingError

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Samples of one part of a data set.

    Attributes
    ----------
    integers : uint8 or uint16 ``[N, features]``.
    labels : int64 ``[N]``.
    scale : what an integer is multiplied with to give the input of the network.
    """

    integers: NDArray[Any]
    labels: IntArray
    scale: Fraction

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def x(self) -> FloatArray:
        """float32 ``[N, features]`` in [0, 1]."""
        levels = np.arange(int(self.integers.max(initial=0)) + 1, dtype=np.float64) * float(self.scale)
        x: FloatArray = levels.astype(np.float32)[self.integers]
        return x

    def take(self, count: int) -> Split:
        """The first ``count`` samples."""
        return Split(self.integers[:count], self.labels[:count], self.scale)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in three parts.

    Attributes
    ----------
    name : short name.
    train, val, test : the parts; ``val`` may be empty.
    classes : their names, by label.
    input_shape : of one sample, for example ``(28, 28)``; arrays are flat.
    input_type : QONNX name of the integers' type, for example ``UINT8``.
    input_scale : Fraction(1, 255): input of the network = integer * scale.
    feature_range : for features that came as floats, ``[features, 2]``: the smallest and largest value
        in ``train`` that became 0 and the largest integer; None if the integers are the data itself.
    """

    name: str
    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    input_type: str
    input_scale: Fraction
    feature_range: NDArray[np.float64] | None = None

    @property
    def features(self) -> int:
        """Inputs of a fully connected network."""
        return int(np.prod(self.input_shape))


def make_dataset(
    name: str,
    train: tuple[NDArray[Any], IntArray],
    test: tuple[NDArray[Any], IntArray] | None,
    *,
    classes: tuple[str, ...],
    input_shape: tuple[int, ...],
    val_fraction: float,
    test_fraction: float,
    seed: int,
    power_of_two: bool,
    feature_bits: int = 8,
    percentile: float = 0.0,
) -> Dataset:
    """Split, and bring features to integers.

    Without ``test`` a part of ``train`` is split off. The split is a permutation of a generator of its
    own, so that it depends on ``seed`` and the number of samples only. Features that are non-negative
    integers below 2**16 stay as they are; others are mapped from their range in the training part, but for
    ``percentile`` percent of the values on either side, to ``feature_bits`` bits.

    Raises
    ------
    TrainingError : samples that are not of ``input_shape``, real and finite, with a label each; no sample left to train on,
        in all or of a class; a label that names no class.
    """
    for field, value in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 <= value < 1:
            raise TrainingError(f"{field} is {value}; give a fraction in [0, 1)")
    x, y = _checked(name, "train", train, input_shape)
    test = None if test is None else _checked(name, "test", test, input_shape)
    order = np.random.default_rng(seed).permutation(len(x))
    tests = 0 if test is not None else round(len(x) * test_fraction)
    vals = round(len(x) * val_fraction)
    if len(x) - tests - vals < 1:
        raise TrainingError(f"{name}: {len(x)} samples leave none to train on; lower val_fraction and test_fraction")
    test_rows, val_rows, train_rows = order[:tests], order[tests : tests + vals], order[tests + vals :]
    held_out = test if test is not None else (x[test_rows], y[test_rows])
    parts = [(x[train_rows], y[train_rows]), (x[val_rows], y[val_rows]), held_out]
    _check_labels(name, parts, classes)
    ranges: NDArray[np.float64] | None = None
    if not all(_is_plain_integer(part) for part, _ in parts):
        low, high = np.percentile(parts[0][0].astype(np.float64), (percentile, 100 - percentile), axis=0)
        ranges = np.stack([low, high], axis=1)
        _check_spans(name, ranges)
        parts = [(to_integers(part, ranges, feature_bits), labels) for part, labels in parts]
        top = 2**feature_bits - 1
    else:
        top = max(1, *(int(part.max(initial=0)) for part, _ in parts))
    bits = max(1, ceil(log2(top + 1)))
    scale = Fraction(1, 2 ** ceil(log2(top))) if power_of_two else Fraction(1, top)
    dtype = np.uint8 if bits <= 8 else np.uint16
    splits = [Split(np.ascontiguousarray(part, dtype=dtype), labels.astype(np.int64), scale) for part, labels in parts]
    return Dataset(name, splits[0], splits[1], splits[2], classes, input_shape, f"UINT{bits}", scale, ranges)


def _checked(name: str, part: str, samples: tuple[NDArray[Any], NDArray[Any]], shape: tuple[int, ...],
             ) -> tuple[NDArray[Any], IntArray]:
    x, y = samples
    check_part(name, (f"x_{part}", f"y_{part}"), x, y)
    width = int(np.prod(shape))
    if x.shape[1:] != (width,):
        raise TrainingError(f"{name}: x_{part} is {list(x.shape)}, samples of shape {list(shape)} have {width:,} values; "
                            "give each sample as many")
    return x, whole(f"{name}, y_{part}", y)


def _check_spans(name: str, ranges: NDArray[np.float64]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        lost = ~np.isfinite(ranges[:, 1] - ranges[:, 0])
    if lost.any():
        raise TrainingError(f"{name}: feature {int(lost.argmax())} spans more than a float64 holds; scale it down")


def _check_labels(name: str, parts: list[tuple[NDArray[Any], IntArray]], classes: tuple[str, ...]) -> None:
    for _, labels in parts:
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
            odd = int(labels.min()) if labels.min() < 0 else int(labels.max())
            raise TrainingError(f"{name}: a sample has the label {odd}, there are {len(classes)} classes; repair the labels")
    trained = np.bincount(parts[0][1], minlength=len(classes))
    for index, count in enumerate(trained.tolist()):
        if not count:
            rest = sum(int((labels == index).sum()) for _, labels in parts[1:])
            raise TrainingError(
                f"{name}: class '{classes[index]}' has no training samples ({rest} in the other parts); add some, leave "
                "the class out, or give another seed"
            )


def to_integers(x: NDArray[Any], ranges: NDArray[np.float64], bits: int = 8) -> NDArray[np.float64]:
    """Map features ``[N, F]`` from ``ranges [F, 2]`` to 0 .. 2**bits - 1, rounded and clipped."""
    low, span = ranges[:, 0], ranges[:, 1] - ranges[:, 0]
    top = 2**bits - 1
    scaled = (x.astype(np.float64) - low) / np.where(span > 0, span, 1.0) * top
    integers: NDArray[np.float64] = np.clip(np.rint(scaled), 0, top)
    return integers


def _is_plain_integer(x: NDArray[Any]) -> bool:
    if not x.size:
        return True
    return bool(x.min() >= 0 and x.max() < 2**16 and (np.issubdtype(x.dtype, np.integer) or np.array_equal(x, np.rint(x))))
