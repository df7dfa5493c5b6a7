"""Tables: jet substructure, and the two intrusion-detection sets."""

from __future__ import annotations

import csv
import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_training.checks import check_numbers, needed, whole
from quant_training.errors import TrainingError
from quant_training.loaders.fetch import Loaded, Part, cache_folder, find, home
from quant_training.sources import read_csv, read_npz

_JETS = "hls4ml_lhc_jets_hlf"
_JET_CLASSES = ("g", "q", "t", "w", "z")
_TWO = ("normal", "attack")


def jets(folder: Path | None) -> Loaded:
    """The 16 high-level features of hls4ml's jets, five classes: a CSV file, or OpenML, whose checksum scikit-learn checks."""
    where = home("jets", folder)
    if where is not None:
        path = find("jets", folder, (f"{_JETS}.csv", f"{_JETS}.csv.gz"), f"OpenML's {_JETS} as CSV, label in the last column")
        features, names = read_csv(path, None, None)
    else:
        from sklearn.datasets import fetch_openml

        try:
            table = fetch_openml(_JETS, version=1, as_frame=False, data_home=str(cache_folder("jets")), parser="liac-arff")
        except (OSError, ValueError) as error:
            raise TrainingError(f"jets: cannot download {_JETS} from OpenML ({error}); put {_JETS}.csv into $BITWRIGHT_DATA/jets"
                                ) from error
        features, names = np.asarray(table.data, dtype=np.float64), [str(name) for name in table.target]
    classes = tuple(sorted(set(names)))
    if classes != _JET_CLASSES or features.shape[1] != 16:
        raise TrainingError(f"jets: {features.shape[1]} features and the classes {', '.join(classes[:8])}; give 16 features and"
                            f" {', '.join(_JET_CLASSES)}")
    labels = np.asarray([classes.index(name) for name in names], dtype=np.int64)
    return Loaded((features, labels), None, classes, (16,), percentile=0.1)


def unsw_nb15(folder: Path | None) -> Loaded:
    """UNSW-NB15, normal or attack: FINN's 593 bits if that file is there, else the two CSV files."""
    remedy = "the binarized set of FINN's cyber-security example, or UNSW_NB15_training-set.csv and UNSW_NB15_testing-set.csv"
    path = find("unsw-nb15", folder, ("unsw_nb15_binarized.npz", "UNSW_NB15_training-set.csv"), remedy)
    if path.suffix == ".npz":
        return _binary(path)
    other = find("unsw-nb15", folder, ("UNSW_NB15_testing-set.csv",), remedy)
    tables = [_rows(path), _rows(other)]
    header, again = ([name.strip().lstrip("\ufeff") for name in table[0]] for table in tables)
    if "label" not in header or "attack_cat" not in header:
        raise TrainingError(f"{path}: no columns 'label' and 'attack_cat'; give the published training set")
    if again != header:
        raise TrainingError(f"{other}: has other columns than {path.name}; download both again")
    for file, table in zip((path, other), tables, strict=True):
        _check_widths(file, table, len(header))
    used = [index for index, name in enumerate(header) if name not in ("id", "label", "attack_cat")]
    symbolic = [index for index in used if header[index] in ("proto", "service", "state")]
    target = header.index("label")
    encoded = _encoded([table[1:] for table in tables], used, symbolic, (path, other))
    labels = [_zero_or_one(file, table, target) for file, table in zip((path, other), tables, strict=True)]
    return Loaded((encoded[0], labels[0]), (encoded[1], labels[1]), _TWO, (encoded[0].shape[1],), percentile=0.1)


def nsl_kdd(folder: Path | None) -> Loaded:
    """NSL-KDD (Tavallaee et al., 2009), normal or attack: the full training part if it is there, else its 20 %, and KDDTest+."""
    remedy = "NSL-KDD of unb.ca/cic"
    choices = [f"KDDTrain+{part}.txt{packed}" for part in ("", "_20Percent") for packed in ("", ".gz")]
    train = find("nsl-kdd", folder, choices, remedy)
    test = find("nsl-kdd", folder, ("KDDTest+.txt", "KDDTest+.txt.gz"), remedy)
    tables = [_rows(train), _rows(test)]
    for path, table in zip((train, test), tables, strict=True):
        _check_widths(path, table, 43)
    # Duration and bytes have long tails; columns 1, 2 and 3 are names.
    encoded = _encoded(tables, list(range(41)), [1, 2, 3], (train, test), logarithmic=(0, 4, 5))
    parts: list[Part] = [(x, np.asarray([row[41] != "normal" for row in table], dtype=np.int64))
                         for x, table in zip(encoded, tables, strict=True)]
    return Loaded(parts[0], parts[1], _TWO, (encoded[0].shape[1],))


def _binary(path: Path) -> Loaded:
    """Arrays ``train`` and ``test`` of zeros and ones, the label in the last column."""
    parts: list[Part] = []
    arrays = needed(path, read_npz(path), ("train", "test"))
    shapes = [list(array.shape) for array in arrays]
    if any(len(shape) != 2 or shape[0] < 1 or shape[1] < 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise TrainingError(f"{path}: train is {shapes[0]} and test {shapes[1]}; give [N, features + 1] both, "
                            "the label in the last column")
    for name, array in zip(("train", "test"), arrays, strict=True):
        check_numbers(f"{path}, {name}", array)
        odd = (array != 0) & (array != 1)
        if odd.any():
            row, column = (int(index) for index in np.unravel_index(odd.argmax(), odd.shape))
            raise TrainingError(f"{path}, {name}: sample {row} holds {array[row, column]} in column {column}, not 0 or 1; "
                                "binarize it again")
        parts.append((array[:, :-1].astype(np.uint8), whole(f"{path}, {name}", array[:, -1])))
    return Loaded(parts[0], parts[1], _TWO, (parts[0][0].shape[1],))


def _check_widths(path: Path, table: list[list[str]], width: int) -> None:
    odd = next((number for number, row in enumerate(table, start=1) if len(row) != width), None)
    if odd is not None:
        raise TrainingError(f"{path}, row {odd}: has {len(table[odd - 1])} cells, not {width}; download it again")


def _zero_or_one(path: Path, table: list[list[str]], column: int) -> NDArray[np.int64]:
    """Labels ``[N]`` of a table with a header."""
    cells = [row[column].strip() for row in table[1:]]
    odd = next((number for number, cell in enumerate(cells, start=2) if cell not in ("0", "1")), None)
    if odd is not None:
        raise TrainingError(f"{path}, row {odd}: column 'label' holds '{cells[odd - 2]}', not 0 or 1; download it again")
    return np.asarray([int(cell) for cell in cells], dtype=np.int64)


def _rows(path: Path) -> list[list[str]]:
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            rows = [row for row in csv.reader(file, skipinitialspace=True) if row]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{path}: cannot be read as CSV ({error}); download it again") from error
    if len(rows) < 2:
        raise TrainingError(f"{path}: holds {len(rows)} rows; download it again")
    return rows


def _encoded(tables: list[list[list[str]]], used: list[int], symbolic: list[int], paths: tuple[Path, ...],
             logarithmic: tuple[int, ...] = ()) -> list[NDArray[np.float64]]:
    """Numbers as they are, names as one column for each value that the first table, the training part, has."""
    columns: list[list[NDArray[Any]]] = [[] for _ in tables]
    for index in used:
        if index in symbolic:
            known = sorted({row[index] for row in tables[0]})
            for found, table in zip(columns, tables, strict=True):
                values = np.asarray([row[index] for row in table])
                found.append(values[:, None] == np.asarray(known))
            continue
        for found, table, path in zip(columns, tables, paths, strict=True):
            try:
                numbers = np.asarray([float(row[index]) for row in table])
            except (ValueError, IndexError) as error:
                raise TrainingError(f"{path}: column {index} is not numeric throughout ({error}); download it again") from error
            check_numbers(f"{path}, column {index}", numbers)
            found.append((np.log1p(np.maximum(numbers, 0)) if index in logarithmic else numbers)[:, None])
    return [np.concatenate(found, axis=1).astype(np.float64) for found in columns]
