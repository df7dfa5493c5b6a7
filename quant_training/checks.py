"""Checks of arrays that came from files; each fault is a line that names the file and the array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_training.errors import TrainingError


def needed(where: Path, arrays: Mapping[str, NDArray[Any]], keys: Sequence[str]) -> list[NDArray[Any]]:
    """The arrays named ``keys``; TrainingError if one is missing."""
    for key in keys:
        if key not in arrays:
            found = ", ".join(sorted(arrays)) or "none"
            raise TrainingError(f"{where}: has no array {key} (found {found}); give {', '.join(keys)}")
    return [arrays[key] for key in keys]


def check_numbers(where: object, x: NDArray[Any]) -> None:
    """TrainingError if ``x`` ``[N, ...]`` holds anything but real, finite numbers."""
    if x.dtype.kind not in "biuf":
        raise TrainingError(f"{where}: holds values of type {x.dtype}; give real numbers")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        row = int(np.argwhere(~np.isfinite(x))[0][0])
        raise TrainingError(f"{where}: sample {row} holds a value that is not finite; clean the data first")


def check_part(where: object, names: tuple[str, str], x: NDArray[Any], y: NDArray[Any]) -> None:
    """TrainingError unless ``x`` ``[N, ...]`` holds samples of at least one real number each, and ``y`` ``[N]`` their labels."""
    if not x.ndim or y.ndim != 1 or len(x) != len(y):
        raise TrainingError(f"{where}: {names[0]} is {list(x.shape)} and {names[1]} {list(y.shape)}; give one label a sample")
    if not x.size:
        what = "features" if len(x) else "samples"
        raise TrainingError(f"{where}: {names[0]} is {list(x.shape)}, it has no {what}; give at least one")
    check_numbers(f"{where}, {names[0]}", x)


def check_labels(where: object, y: NDArray[Any]) -> None:
    """TrainingError if a label ``[N]``, a number or a text, is missing: not finite, ``nan`` or empty."""
    if y.dtype.kind not in "biufUS":
        raise TrainingError(f"{where}: holds labels of type {y.dtype}; give numbers or texts")
    texts = [label.decode(errors="replace") if isinstance(label, bytes) else str(label) for label in y.tolist()]
    missing = [_missing(text) for text in texts]
    if any(missing):
        row = missing.index(True)
        raise TrainingError(f"{where}: sample {row} has the label '{texts[row]}'; label it, or leave it out")


def _missing(text: str) -> bool:
    try:
        return not isfinite(float(text))
    except ValueError:
        return not text.strip()


def whole(where: object, y: NDArray[Any]) -> NDArray[np.int64]:
    """``y`` ``[N]`` as integers; TrainingError if that would change a value."""
    if y.ndim != 1 or y.dtype.kind not in "biuf":
        raise TrainingError(f"{where}: is {y.dtype} {list(y.shape)}; give one whole number a sample")
    with np.errstate(invalid="ignore"):
        integers: NDArray[np.int64] = y.astype(np.int64)
    changed = integers != y
    if changed.any():
        row = int(changed.argmax())
        raise TrainingError(f"{where}: sample {row} has {y[row]}, no whole number; give one a sample")
    return integers


def check_pieces(where: Path, names: tuple[str, str], stream: NDArray[Any], offsets: NDArray[Any], kind: str) -> list[int]:
    """``offsets`` ``[N + 1]`` as integers that rise within ``stream``, a vector of ``kind``; TrainingError if they do not."""
    if stream.ndim != 1 or stream.dtype != kind:
        raise TrainingError(f"{where}: {names[0]} is {stream.dtype} {list(stream.shape)}; give {kind} [N]")
    found: list[int] = whole(f"{where}, {names[1]}", offsets).tolist()
    if not found or found[0] < 0 or found[-1] > len(stream) or found != sorted(found):
        raise TrainingError(f"{where}: {names[1]} do not rise within 0 .. {len(stream):,}; make the file again")
    return found


def utf8(where: object, raw: bytes, remedy: str) -> str:
    """``raw`` as text; TrainingError if it is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise TrainingError(f"{where}: is no UTF-8 text ({error.reason} at byte {error.start:,}); {remedy}") from error
