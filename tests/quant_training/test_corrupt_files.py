"""Every file that cannot be used is refused in one line that names what is wrong, where, and what to do."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from quant_training import TrainingError, load_dataset
from quant_training.checks import whole
from quant_training.dataset import make_dataset
from quant_training.loaders import radio
from quant_training.loaders.audio import KEYWORDS

X, Y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
IMAGES = np.zeros((20, 32, 32, 3), np.uint8)
BITS = np.arange(60).reshape(10, 6) % 2
JPEG = {f"{part}_{key}": array for part in ("train", "test") for key, array in
        (("jpeg", np.zeros(40, np.uint8)), ("offsets", np.arange(0, 42, 2)), ("labels", np.arange(20) % 10))}
SHOWN = {"x_train": IMAGES, "y_train": Y, "x_test": IMAGES, "y_test": Y}
SOUND = {"pcm_int16": np.zeros(40, np.int16), "offsets": JPEG["train_offsets"], "labels": JPEG["train_labels"],
         "index": np.arange(20)}
BINARY = "unsw_nb15_binarized.npz"
TRAIN, TEST = "UNSW_NB15_training-set.csv", "UNSW_NB15_testing-set.csv"
ROWS = ["id,dur,proto,attack_cat,label", *(f"{i},{i / 10},tcp,Normal,{i % 2}" for i in range(8))]
TAKE = {f"{word}/0.wav": b"RIFF" for word in KEYWORDS}


def _with(array: np.ndarray, value: Any, *place: int, dtype: type | None = None) -> np.ndarray:
    changed = array.astype(dtype or array.dtype)
    changed[place] = value
    return changed


def _csv(row: int, text: str, rows: list[str] = ROWS) -> str:
    return "\n".join([*rows[:row], text, *rows[row + 1 :]])


def _names(path: Path) -> None:
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("cifar-100-binary/fine_label_names.txt")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"cat\n\xff"))


def _digits(path: Path, x: np.ndarray, y: np.ndarray) -> None:
    savemat(path, {"X": x.transpose(1, 2, 3, 0), "y": y[:, None]})


def _radio(path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["X"] = _with(np.zeros((24, 1024, 2), np.float32), np.nan, 5, 700, 1)
        file["Y"], file["Z"] = np.eye(24), np.full((24, 1), 20)


def _without(arrays: dict[str, np.ndarray], key: str) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name != key}


# Set, or the file itself: files with their content (arrays of an NPZ, text, bytes, who writes it), and the message after the
# folder's path.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "npz labels nan": ("a.npz", {"a.npz": {"x": X, "y": _with(Y, np.nan, 3, dtype=float)}},
                       "/a.npz: sample 3 has the label 'nan'; label it, or leave it out"),
    "npz labels inf": ("a.npz", {"a.npz": {"x_train": X, "y_train": Y, "x_test": X, "y_test": _with(Y, np.inf, 0, dtype=float)}},
                       "/a.npz, test: sample 0 has the label 'inf'; label it, or leave it out"),
    "npz labels empty": ("a.npz", {"a.npz": {"x": X[:3], "y": np.array(["a", "", "b"])}},
                         "/a.npz: sample 1 has the label ''; label it, or leave it out"),
    "npz labels complex": ("a.npz", {"a.npz": {"x": X, "y": Y * 1j}},
                           "/a.npz: holds labels of type complex128; give numbers or texts"),
    "csv labels nan among words": ("a.csv", {"a.csv": "1,2,cat\n3,4,NaN\n5,6,dog\n"},
                                   "/a.csv: sample 1 has the label 'NaN'; label it, or leave it out"),
    "csv labels nan": ("a.csv", {"a.csv": "1,2,0\n3,4,nan\n5,6,1\n"},
                       "/a.csv: sample 1 has the label 'nan'; label it, or leave it out"),
    "npz x nan": ("a.npz", {"a.npz": {"x": _with(X, np.nan, 4, 1), "y": Y}},
                  "/a.npz, x: sample 4 holds a value that is not finite; clean the data first"),
    "npz x complex": ("a.npz", {"a.npz": {"x": X + 1j, "y": Y}},
                      "/a.npz, x: holds values of type complex128; give real numbers"),
    "npz x_test narrower": ("a.npz", {"a.npz": {"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y}},
                            "/a.npz: samples of x_train are [2], of x_test [1]; give both the same shape"),
    "npz no samples": ("a.npz", {"a.npz": {"x": X[:0], "y": Y[:0]}},
                       "/a.npz: x is [0, 2], it has no samples; give at least one"),
    "npz no features": ("a.npz", {"a.npz": {"x": X[:, :0], "y": Y}},
                        "/a.npz: x is [20, 0], it has no features; give at least one"),
    "npz y 0-d": ("a.npz", {"a.npz": {"x": X, "y": np.array(1)}},
                  "/a.npz: x is [20, 2] and y []; give one label a sample"),
    "npz x 0-d": ("a.npz", {"a.npz": {"x": np.array(1), "y": Y}},
                  "/a.npz: x is [] and y [20]; give one label a sample"),
    "cifar no offsets": ("cifar10", {"cifar10.npz": _without(JPEG, "train_offsets")},
                         "/cifar10.npz: has no array train_offsets (found test_jpeg, test_labels, test_offsets, train_jpeg, "
                         "train_labels); give train_jpeg, train_offsets, train_labels"),
    "cifar 20 streams 12 labels": ("cifar10", {"cifar10.npz": JPEG | {"train_labels": np.arange(12) % 10}},
                                   "/cifar10.npz: train_offsets is [21] and train_labels [12]; give an offset more than labels"),
    "cifar offsets beyond": ("cifar10", {"cifar10.npz": JPEG | {"train_offsets": np.arange(0, 63, 3)}},
                             "/cifar10.npz: train_offsets do not rise within 0 .. 40; make the file again"),
    "cifar stream of floats": ("cifar10", {"cifar10.npz": JPEG | {"train_jpeg": np.zeros((40, 1))}},
                               "/cifar10.npz: train_jpeg is float64 [40, 1]; give uint8 [N]"),
    "cifar names 0-d": ("cifar10", {"cifar10.npz": JPEG | {"class_names": np.array("cat")}},
                        "/cifar10.npz: class_names is []; give one name a class"),
    "cifar 28 x 28": ("cifar10", {"cifar10.npz": SHOWN | {"x_train": IMAGES[:, :28, :28]}},
                      "/cifar10.npz: x_train is [20, 28, 28, 3]; give images [N, 32, 32, 3]"),
    "cifar 20 images 12 labels": ("cifar10", {"cifar10.npz": SHOWN | {"y_train": Y[:12]}},
                                  "/cifar10.npz: x_train is [20, 32, 32, 3] and y_train [12]; give one label a sample"),
    "cifar half a label": ("cifar10", {"cifar10.npz": SHOWN | {"y_train": Y / 2}},
                           "/cifar10.npz, y_train: sample 1 has 0.5, no whole number; give one a sample"),
    "unsw cell nan": ("unsw-nb15", {TRAIN: _csv(3, "2,nan,tcp,Normal,0"), TEST: "\n".join(ROWS)},
                      f"/{TRAIN}, column 1: sample 2 holds a value that is not finite; clean the data first"),
    "unsw cell inf": ("unsw-nb15", {TRAIN: "\n".join(ROWS), TEST: _csv(1, "0,inf,tcp,Normal,0")},
                      f"/{TEST}, column 1: sample 0 holds a value that is not finite; clean the data first"),
    "unsw label": ("unsw-nb15", {TRAIN: "\n".join(ROWS), TEST: _csv(2, "0,1,tcp,Normal,x")},
                   f"/{TEST}, row 3: column 'label' holds 'x', not 0 or 1; download it again"),
    "unsw short row": ("unsw-nb15", {TRAIN: _csv(4, "0,1,tcp"), TEST: "\n".join(ROWS)},
                       f"/{TRAIN}, row 5: has 3 cells, not 5; download it again"),
    "unsw other columns": ("unsw-nb15", {TRAIN: "\n".join(ROWS), TEST: _csv(0, "id,proto,dur,attack_cat,label")},
                           f"/{TEST}: has other columns than {TRAIN}; download both again"),
    "unsw bits 300": ("unsw-nb15", {BINARY: {"train": BITS, "test": _with(BITS, 300, 7, 2)}},
                      f"/{BINARY}, test: sample 7 holds 300 in column 2, not 0 or 1; binarize it again"),
    "unsw bits -1": ("unsw-nb15", {BINARY: {"train": _with(BITS, -1, 0, 5), "test": BITS}},
                     f"/{BINARY}, train: sample 0 holds -1 in column 5, not 0 or 1; binarize it again"),
    "unsw bits nan": ("unsw-nb15", {BINARY: {"train": _with(BITS, np.nan, 1, 1, dtype=float), "test": BITS}},
                      f"/{BINARY}, train: sample 1 holds a value that is not finite; clean the data first"),
    "unsw bits narrower": ("unsw-nb15", {BINARY: {"train": BITS, "test": BITS[:, :4]}},
                           f"/{BINARY}: train is [10, 6] and test [10, 4]; give [N, features + 1] both, the label in the last "
                           "column"),
    "unsw bits 0-d": ("unsw-nb15", {BINARY: {"train": np.array(1), "test": BITS}},
                      f"/{BINARY}: train is [] and test [10, 6]; give [N, features + 1] both, the label in the last column"),
    "fsdd no test take": ("fsdd", {"fsdd.npz": SOUND | {"index": np.full(20, 9)}},
                          "/fsdd.npz: index has 0 of 20 takes below 5, the test part; give both parts takes"),
    "fsdd 2-D pcm": ("fsdd", {"fsdd.npz": SOUND | {"pcm_int16": np.zeros((40, 2), np.int16)}},
                     "/fsdd.npz: pcm_int16 is int16 [40, 2]; give int16 [N]"),
    "fsdd labels": ("fsdd", {"fsdd.npz": SOUND | {"labels": np.array(["a"] * 20)}},
                    "/fsdd.npz, labels: is <U1 [20]; give one whole number a sample"),
    "fsdd 20 sounds 12 labels": ("fsdd", {"fsdd.npz": SOUND | {"labels": np.arange(12)}},
                                 "/fsdd.npz: 20 sounds, 12 labels, 20 takes; make it again"),
    "test list no text": ("speech-commands", TAKE | {"testing_list.txt": b"yes/0.wav\n\xff"},
                          "/testing_list.txt: is no UTF-8 text (invalid start byte at byte 10); unpack "
                          "speech_commands_v0.02.tar.gz there again"),
    "test list of others": ("speech-commands", TAKE | {"testing_list.txt": "yes/1.wav"},
                            "/testing_list.txt: names none of the .wav files beside it; unpack "
                            "speech_commands_v0.02.tar.gz there again"),
    "cifar names no text": ("cifar100", {"cifar-100-binary.tar.gz": _names},
                            "/cifar-100-binary.tar.gz, cifar-100-binary/fine_label_names.txt: is no UTF-8 text (invalid start "
                            "byte at byte 4); download it again"),
    "svhn label 11": ("svhn", {"train_32x32.mat": lambda path: _digits(path, IMAGES, Y + 10), "test_32x32.mat": b""},
                      "/train_32x32.mat: y holds 10 .. 11, not 1 .. 10; download it again"),
    "svhn nan": ("svhn", {"train_32x32.mat": lambda path: _digits(path, _with(IMAGES, np.nan, 4, 9, 9, 1, dtype=float), Y + 1),
                          "test_32x32.mat": b""},
                 "/train_32x32.mat, X: sample 4 holds a value that is not finite; clean the data first"),
    "radio nan": ("radioml", {radio.FILE: _radio},
                  f"/{radio.FILE}, X from 0 on: sample 5 holds a value that is not finite; clean the data first"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("error")
def test_corrupt_files(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path / "cache"))
    name, files, message = CASES[case]
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        if callable(content):
            content(tmp_path / file)
        elif isinstance(content, dict):
            np.savez(tmp_path / file, **content)
        else:
            (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(TrainingError) as error:
        load_dataset(tmp_path / name if name in files else name, folder=None if name in files else tmp_path)
    assert str(error.value) == f"{tmp_path}{message}"


@pytest.mark.parametrize(("x", "y", "message"), [
    (X, Y[:12], "d: x_train is [20, 2] and y_train [12]; give one label a sample"),
    (X[:, :1], Y, "d: x_train is [20, 1], samples of shape [1, 2] have 2 values; give each sample as many"),
    (X[:0], Y[:0], "d: x_train is [0, 2], it has no samples; give at least one"),
    (_with(X, np.inf, 6, 0), Y, "d, x_train: sample 6 holds a value that is not finite; clean the data first"),
    (X.astype(str), Y, "d, x_train: holds values of type <U32; give real numbers"),
    (X, Y + 0.5, "d, y_train: sample 0 has 0.5, no whole number; give one a sample"),
    (_with(_with(X, -1e308, 0, 1), 1e308, 1, 1), Y, "d: feature 1 spans more than a float64 holds; scale it down"),
])
@pytest.mark.filterwarnings("error")
def test_what_no_reader_has_checked(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(TrainingError) as error:
        make_dataset("d", (x, y), None, classes=("a", "b"), input_shape=(1, 2), val_fraction=0, test_fraction=0, seed=0,
                     power_of_two=False)
    assert str(error.value) == message


def test_whole_numbers_of_any_type_stay_what_they_are() -> None:
    for array in (np.array([True, False]), np.array([3, 255], np.uint8), np.array([-2.0, 7.0])):
        assert whole("y", array).tolist() == array.astype(int).tolist()
    for odd in (np.array([2**63], np.uint64), np.array([1e30]), np.array([np.nan])):
        with pytest.raises(TrainingError, match=r"^y: sample 0 has .*, no whole number; give one a sample$"):
            whole("y", odd)


def test_labels_of_two_types_are_the_same_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_test=X, y_test=Y.astype(float))
    data = load_dataset(tmp_path / "a.npz", val_fraction=0)
    assert (len(data.classes), data.test.labels.tolist()) == (2, Y.tolist())
