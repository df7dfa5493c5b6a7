"""Readers of data files: IDX, CSV, NPZ, and the download of the standard sets."""

from __future__ import annotations

import csv
import gzip
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from quant_training.checks import check_numbers, check_part
from quant_training.errors import TrainingError

IDX_FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
_URLS = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
}
_SHA256: Mapping[str, Mapping[str, str]] = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
}


def idx_folder(name: str, folder: Path | None) -> Path:
    """Where the four files of MNIST or Fashion-MNIST lie.

    ``folder`` if given, else ``$BITWRIGHT_DATA/<name>``, else the cache, into which they are
    downloaded and checked.
    """
    if folder is not None:
        candidates = [folder, folder / name]
    elif "BITWRIGHT_DATA" in os.environ:
        candidates = [Path(os.environ["BITWRIGHT_DATA"]).expanduser() / name]
    else:
        return _download(name)
    for candidate in candidates:
        if all((candidate / file).exists() for file in IDX_FILES.values()):
            return candidate
    missing = next(file for file in IDX_FILES.values() if not (candidates[0] / file).exists())
    raise TrainingError(f"{candidates[0]}: no {missing}; give a folder that holds the four .gz files of {name}")


def data_files(name: str, folder: Path | None) -> tuple[Path, ...]:
    """Files on disk that `load_dataset` reads the set from; none for digits and for what it downloads and checks itself."""
    from quant_training import loaders

    key = name.lower()
    if key in _URLS:
        if folder is None and "BITWRIGHT_DATA" not in os.environ:
            return ()
        where = idx_folder(key, folder)
        return tuple(where / file for file in IDX_FILES.values())
    if key in loaders.NAMES:
        return loaders.files(key, folder)
    path = Path(name)
    if path.is_dir():
        return tuple(sorted(file for file in path.rglob("*") if file.is_file()))
    return (path,) if path.is_file() else ()


def _download(name: str) -> Path:
    from quant_training.loaders.fetch import cache_folder, download

    for file in IDX_FILES.values():
        download(name, _URLS[name] + file, f"sha256:{_SHA256[name][file]}")
    return cache_folder(name)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Array of an IDX file of unsigned bytes, gzip-compressed or not."""
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such file; give a folder that holds the IDX files") from error
    except (OSError, EOFError, zlib.error) as error:
        raise TrainingError(f"{path}: damaged gzip file ({error}); download it again") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08" or len(data) < 4 + 4 * data[3]:
        raise TrainingError(f"{path}: not an IDX file of bytes (it starts with {data[:4].hex()}); download it again")
    shape = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    body = data[4 + 4 * data[3] :]
    if len(body) != int(np.prod(shape)):
        raise TrainingError(f"{path}: holds {len(body):,} bytes, its header says {int(np.prod(shape)):,}; download it again")
    return np.frombuffer(body, dtype=np.uint8).reshape(shape)


def read_csv(path: Path, label: str | int | None, columns: Sequence[str | int] | None) -> tuple[NDArray[np.float64], list[str]]:
    """Features ``[N, F]`` and label texts of a CSV file (``.gz`` too).

    The first row is a header if none of its cells is a number. ``label`` and ``columns`` are header
    names or positions from 0 (negative: from the end); the label is the last column unless given, and
    the features are all others.
    """
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            rows = [row for row in csv.reader(file, skipinitialspace=True) if row]
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such file; give a CSV or NPZ file, or digits, mnist, fashion-mnist") from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{path}: cannot be read as CSV ({error}); give comma-separated text") from error
    if not rows:
        raise TrainingError(f"{path}: is empty; give one sample a row")
    header = [cell.strip() for cell in rows[0]] if not any(_is_number(cell) for cell in rows[0]) else None
    body = rows[1:] if header else rows
    if not body:
        raise TrainingError(f"{path}: has a header but no samples; give one sample a row")
    first = 2 if header else 1
    width = len(rows[0])
    for line, row in enumerate(body, start=first):
        if len(row) != width:
            raise TrainingError(
                f"{path}, row {line}: has {len(row)} cells, the first row {width}; give each row the same columns"
            )
    target = _column(path, -1 if label is None else label, header, width)
    chosen = [_column(path, c, header, width) for c in columns] if columns else [c for c in range(width) if c != target]
    if not chosen or target in chosen:
        raise TrainingError(f"{path}: the label column {target} leaves no features or is one of them; choose other columns")
    features = np.empty((len(body), len(chosen)))
    for position, column in enumerate(chosen):
        for index, row in enumerate(body):
            try:
                features[index, position] = float(row[column])
            except ValueError as error:
                where = f"'{header[column]}'" if header else str(column)
                raise TrainingError(
                    f"{path}, row {index + first}: column {where} holds '{row[column]}', not a number; "
                    "leave the column out with columns, or encode it"
                ) from error
    check_numbers(path, features)
    return features, [row[target].strip() for row in body]


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of an NPZ file by name; arrays of Python objects are refused."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such file; give a CSV or NPZ file, or digits, mnist, fashion-mnist") from error
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error, AttributeError) as error:
        # NumPy's own words advise to unpickle what may be anybody's code.
        reason = "it is none" if "pickled" in str(error) else error
        raise TrainingError(f"{path}: cannot be read as NPZ ({reason}); write it with numpy.savez") from error


def npz_parts(path: Path) -> tuple[tuple[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], NDArray[Any]] | None]:
    """(x, y) and, where the file has them, (x_test, y_test): keys x, y or x_train, y_train (any case)."""
    arrays = {key.lower(): value for key, value in read_npz(path).items()}
    suffix = "_train" if "x_train" in arrays else ""
    parts = []
    for ending in (suffix, "_test"):
        x, y = arrays.get(f"x{ending}"), arrays.get(f"y{ending}")
        if x is None and y is None and ending == "_test":
            break
        if x is None or y is None:
            found = ", ".join(sorted(arrays)) or "none"
            raise TrainingError(
                f"{path}: has no arrays x{ending} and y{ending} (found {found}); name them x and y, "
                "or x_train, y_train, x_test, y_test"
            )
        check_part(path, (f"x{ending}", f"y{ending}"), x, y)
        parts.append((x, y))
    shapes = [list(x.shape[1:]) or [1] for x, _ in parts]
    if shapes[0] != shapes[-1]:
        raise TrainingError(f"{path}: samples of x{suffix} are {shapes[0]}, of x_test {shapes[1]}; give both the same shape")
    return parts[0], parts[1] if len(parts) > 1 else None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _column(path: Path, key: str | int, header: list[str] | None, width: int) -> int:
    if isinstance(key, str) and header and key in header:
        return header.index(key)
    if isinstance(key, str) and not key.lstrip("-").isdigit():
        known = f"columns are {', '.join(header)}" if header else f"the file has no header; give a position 0 .. {width - 1}"
        raise TrainingError(f"{path}: no column '{key}'; {known}")
    index = int(key)
    if not -width <= index < width:
        raise TrainingError(f"{path}: no column {index}; the file has {width} columns")
    return index % width
