"""``load_dataset``: one door to all data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_training import loaders
from quant_training.checks import check_labels
from quant_training.dataset import Dataset, IntArray, make_dataset
from quant_training.errors import TrainingError
from quant_training.sources import IDX_FILES, idx_folder, npz_parts, read_csv, read_idx

NAMES = ("digits", "mnist", "fashion-mnist", *loaders.NAMES)
_FASHION = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_DIGITS = tuple(str(digit) for digit in range(10))


def load_dataset(
    name: str | Path,
    *,
    folder: Path | None = None,
    label: str | int | None = None,
    columns: Sequence[str | int] | None = None,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
    power_of_two: bool = False,
    image_size: int | None = None,
) -> Dataset:
    """Load a set of ``NAMES``, a CSV or NPZ file, or a folder of images.

    Parameters
    ----------
    name : name of a set, path of a file (``.npz``; anything else is read as CSV, ``.gz`` too), or of a folder with one folder of
        images a class.
    folder : where the set's files lie; without it ``$BITWRIGHT_DATA/<name>``, or a checked download.
    label, columns : label and feature columns of a CSV file, by header name or position.
    val_fraction, test_fraction : of the training samples; sets with a test part of their own keep it.
    seed : of the split.
    power_of_two : scale integers by 1/256 instead of 1/255, and so on.
    image_size : rows and columns that images of a folder are resized to.

    Raises
    ------
    TrainingError : a missing or damaged file, a column that is not numeric, too few samples.
    """
    split: dict[str, Any] = {
        "val_fraction": val_fraction, "test_fraction": test_fraction, "seed": seed, "power_of_two": power_of_two,
    }
    key = str(name).lower()
    if key == "digits":
        return _digits(split)
    if key in ("mnist", "fashion-mnist"):
        return _idx(key, folder, split)
    if key in loaders.NAMES:
        return _loaded(key, loaders.read(key, folder), split)
    path = Path(name)
    if path.is_dir():
        from quant_training.loaders.images import image_folder

        return _loaded(path.name, image_folder(path, image_size), split)
    if not path.exists() and not path.suffix:
        raise TrainingError(f"unknown data set '{name}'; give {', '.join(NAMES)}, or the path of a CSV or NPZ file or of a folder"
                            " of images")
    if path.suffix == ".npz":
        train, test = npz_parts(path)
    else:
        features, texts = read_csv(path, label, columns)
        train, test = (features, np.asarray(texts)), None
    for part, found in (("train", train), ("test", test)):
        if found is not None:
            check_labels(f"{path}, {part}" if test else path, found[1])
    together = np.concatenate([train[1], test[1]]) if test else train[1]  # 0 and 0.0 become one class
    classes = tuple(_ordered(np.unique(together)))
    if len(classes) < 2:
        raise TrainingError(f"{path}: all samples have the label '{classes[0]}'; choose another label column")
    shape = train[0].shape[1:] or (1,)
    labels, count = _labels(together, classes), len(train[1])
    return make_dataset(
        path.name.split(".")[0],
        (_flat(train[0]), labels[:count]),
        (_flat(test[0]), labels[count:]) if test else None,
        classes=classes,
        input_shape=shape,
        **split,
    )


def _loaded(name: str, found: loaders.Loaded, split: dict[str, Any]) -> Dataset:
    test = None if found.test is None else (_flat(found.test[0]), found.test[1])
    return make_dataset(
        name, (_flat(found.train[0]), found.train[1]), test, classes=found.classes, input_shape=found.shape,
        percentile=found.percentile, **split,
    )


def _digits(split: dict[str, Any]) -> Dataset:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return make_dataset("digits", (x, y), None, classes=_DIGITS, input_shape=(8, 8), **split)


def _idx(name: str, folder: Path | None, split: dict[str, Any]) -> Dataset:
    where = idx_folder(name, folder)
    arrays = {part: read_idx(where / file) for part, file in IDX_FILES.items()}
    parts = []
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            shapes = f"{list(images.shape)} and {list(labels.shape)}"
            raise TrainingError(f"{where}: {part} images and labels are {shapes}; put the four files of one data set there")
        parts.append((_flat(images), labels.astype(np.int64)))
    classes = _FASHION if name == "fashion-mnist" else _DIGITS
    return make_dataset(name, parts[0], parts[1], classes=classes, input_shape=arrays["train_images"].shape[1:], **split)


def _flat(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(len(x), int(np.prod(x.shape[1:])))  # -1 is refused where there are no samples


def _ordered(labels: NDArray[Any]) -> list[str]:
    """Label texts; in numeric order if all are numbers."""
    texts = [str(label) for label in labels.tolist()]
    try:
        return sorted(texts, key=float)
    except ValueError:
        return sorted(texts)


def _labels(labels: NDArray[Any], classes: tuple[str, ...]) -> IntArray:
    index = {name: number for number, name in enumerate(classes)}
    return np.asarray([index[str(label)] for label in labels.tolist()], dtype=np.int64)
