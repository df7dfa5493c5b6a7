"""Data sets: splits, integer representation, and what is said of files that cannot be used."""

from __future__ import annotations

import gzip
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from quant_training import TrainingError, load_dataset
from quant_training.sources import IDX_FILES, read_idx


def write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


@pytest.fixture
def idx(tmp_path: Path) -> Path:
    """A folder with a small MNIST of 50 + 10 images."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 50), ("test", 10)):
        write_idx(tmp_path / IDX_FILES[f"{part}_images"], generator.integers(0, 256, (count, 28, 28)))
        write_idx(tmp_path / IDX_FILES[f"{part}_labels"], np.arange(count) % 10)
    return tmp_path


def fault(name: object, **options: object) -> str:
    with pytest.raises(TrainingError) as error:
        load_dataset(name, **options)  # type: ignore[arg-type]  # faults under test
    assert "\n" not in str(error.value)
    return str(error.value)


def test_digits() -> None:
    data = load_dataset("digits")
    assert (len(data.train), len(data.val), len(data.test)) == (1258, 180, 359)
    assert (data.input_type, data.input_scale, data.input_shape) == ("UINT5", Fraction(1, 16), (8, 8))
    assert data.train.x.dtype == np.float32
    assert (data.train.x.min(), data.train.x.max()) == (0.0, 1.0)
    assert np.array_equal(data.train.x, data.train.integers / np.float32(16))


def test_the_split_depends_on_its_seed_alone() -> None:
    first, again, other = (load_dataset("digits", seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.test.integers, again.test.integers)
    assert not np.array_equal(first.test.integers, other.test.integers)
    # Another share for validation leaves the test part as it is.
    assert np.array_equal(first.test.integers, load_dataset("digits", seed=1, val_fraction=0.3).test.integers)


def test_idx_keeps_its_test_part_and_its_pixels(idx: Path) -> None:
    data = load_dataset("mnist", folder=idx, val_fraction=0.2)
    assert (len(data.train), len(data.val), len(data.test)) == (40, 10, 10)
    assert data.input_type == "UINT8"
    assert data.input_scale == Fraction(1, 255)
    assert np.array_equal(data.test.integers.reshape(-1, 28, 28), read_idx(idx / IDX_FILES["test_images"]))
    assert load_dataset("mnist", folder=idx, power_of_two=True).input_scale == Fraction(1, 256)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_sets(name: str, data_dir: Path) -> None:
    data = load_dataset(name, folder=data_dir / name, val_fraction=0)
    assert (len(data.train), len(data.val), len(data.test)) == (60_000, 0, 10_000)
    assert len(data.classes) == 10
    assert np.bincount(data.test.labels).sum() == 10_000


def test_faults_of_idx_files(idx: Path, tmp_path: Path) -> None:
    images = idx / IDX_FILES["train_images"]
    whole = images.read_bytes()
    images.write_bytes(whole[: len(whole) // 2])
    assert fault("mnist", folder=idx).startswith(f"{images}: damaged gzip file (")
    images.write_bytes(gzip.compress(b"\x89PNG and more"))
    assert fault("mnist", folder=idx) == f"{images}: not an IDX file of bytes (it starts with 89504e47); download it again"
    images.write_bytes(gzip.compress(gzip.decompress(whole)[:-1]))
    assert fault("mnist", folder=idx) == f"{images}: holds 39,199 bytes, its header says 39,200; download it again"
    images.write_bytes((idx / IDX_FILES["test_images"]).read_bytes())
    assert fault("mnist", folder=idx) == (
        f"{idx}: train images and labels are [10, 28, 28] and [50]; put the four files of one data set there"
    )
    images.unlink()
    assert fault("mnist", folder=idx) == (
        f"{idx}: no train-images-idx3-ubyte.gz; give a folder that holds the four .gz files of mnist"
    )


def test_folder_from_the_environment(idx: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "mnist").symlink_to(idx)
    monkeypatch.setenv("BITWRIGHT_DATA", str(tmp_path / "all"))
    assert len(load_dataset("mnist").test) == 10


def test_csv_with_header(tmp_path: Path) -> None:
    file = tmp_path / "flowers.csv"
    file.write_text("length,width,kind\n" + "".join(f"{i / 10},{-i},{'rose' if i % 2 else 'aster'}\n" for i in range(20)))
    data = load_dataset(file)
    assert data.classes == ("aster", "rose")
    assert (data.features, data.input_type, data.input_scale) == (2, "UINT8", Fraction(1, 255))
    assert data.train.x.min() == 0
    assert data.train.x.max() == 1
    assert data.feature_range is not None
    assert data.feature_range.shape == (2, 2)
    assert load_dataset(file, columns=["length"]).features == 1
    assert fault(file, label="colour") == f"{file}: no column 'colour'; columns are length, width, kind"


def test_integer_csv_without_header_stays_integer(tmp_path: Path) -> None:
    file = tmp_path / "letters.csv.gz"
    file.write_bytes(gzip.compress("".join(f"{'AB'[i % 2]},{i % 16},{15 - i % 16}\n" for i in range(64)).encode()))
    data = load_dataset(file, label=0)
    assert (data.classes, data.input_type, data.input_scale) == (("A", "B"), "UINT4", Fraction(1, 15))
    assert data.feature_range is None


def test_numeric_labels_are_in_numeric_order(tmp_path: Path) -> None:
    file = tmp_path / "n.csv"
    file.write_text("".join(f"{i},{i % 12}\n" for i in range(60)))
    assert load_dataset(file).classes == tuple(str(i) for i in range(12))


def test_faults_of_csv_files(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"

    def says(text: str, **options: object) -> str:
        file.write_text(text)
        return fault(file, **options)

    assert says("") == f"{file}: is empty; give one sample a row"
    assert says("a,b,c\n") == f"{file}: has a header but no samples; give one sample a row"
    assert says("1,2,x\n1,y\n") == f"{file}, row 2: has 2 cells, the first row 3; give each row the same columns"
    assert says("a,b,c\n1,red,0\n1,blue,1\n") == (
        f"{file}, row 2: column 'b' holds 'red', not a number; leave the column out with columns, or encode it"
    )
    assert says("1,2,x\n3,4,x\n5,6,x\n") == f"{file}: all samples have the label 'x'; choose another label column"
    assert says("1,2,x\nnan,4,y\n") == f"{file}: sample 1 holds a value that is not finite; clean the data first"
    assert says("1,2,x\n3,4,y\n", label=5) == f"{file}: no column 5; the file has 3 columns"
    file.unlink()
    assert fault(file) == f"{file}: no such file; give a CSV or NPZ file, or digits, mnist, fashion-mnist"
    assert fault("mnst") == (
        "unknown data set 'mnst'; give digits, mnist, fashion-mnist, cifar10, cifar100, svhn, speech-commands, fsdd, radioml, "
        "jets, unsw-nb15, nsl-kdd, or the path of a CSV or NPZ file or of a folder of images"
    )
    assert fault("digits", val_fraction=1.0) == "val_fraction is 1.0; give a fraction in [0, 1)"


def test_npz(tmp_path: Path) -> None:
    file = tmp_path / "images.npz"
    x, y = np.arange(96, dtype=np.uint8).reshape(6, 4, 4), np.array([0, 1, 2, 0, 1, 2])
    np.savez(file, x_train=x, y_train=y, x_test=x[:3], y_test=y[:3])
    data = load_dataset(file, val_fraction=0)
    assert (len(data.train), len(data.test), data.input_shape, data.input_type) == (6, 3, (4, 4), "UINT7")
    np.savez(file, x=x, y=y[:5])
    assert fault(file) == f"{file}: x is [6, 4, 4] and y [5]; give one label a sample"
    np.savez(file, data=x)
    assert fault(file) == f"{file}: has no arrays x and y (found data); name them x and y, or x_train, y_train, x_test, y_test"
    np.savez(file, x=np.array([object()], dtype=object), y=np.array([1]))
    assert fault(file).startswith(f"{file}: cannot be read as NPZ (Object arrays cannot be loaded")
    file.write_bytes(b"PK\x03\x04 broken")
    assert fault(file).startswith(f"{file}: cannot be read as NPZ (")
