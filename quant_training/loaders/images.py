"""CIFAR-10, CIFAR-100, SVHN, and folders of images."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant_training.checks import check_numbers, check_part, check_pieces, needed, utf8, whole
from quant_training.errors import TrainingError
from quant_training.loaders.fetch import Loaded, Part, derived, download, find, home, watched

_KRIZ = "https://www.cs.toronto.edu/~kriz/"
_STANFORD = "http://ufldl.stanford.edu/housenumbers/"
# As published beside the files.
_SUMS = {
    "cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-100-binary.tar.gz": "md5:03b5dce01913d631647c71ecec9e9cb8",
    "train_32x32.mat": "md5:e26dedcc434d2e4c54c9b2d4a06d8373",
    "test_32x32.mat": "md5:eb5a983be6a315427106f1b164d9cef3",
}
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_EDGE = 32
_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm")
_MOST_BYTES = 8 << 30


def cifar10(folder: Path | None) -> Loaded:
    """CIFAR-10 from its binary archive, or from an NPZ file with x_train, y_train, x_test, y_test, or with JPEG streams."""
    where = home("cifar10", folder)
    if where is not None and not (where / "cifar-10-binary.tar.gz").exists():
        packed = find("cifar10", folder, ("cifar10_jpeg_60000.npz", "cifar10.npz", "cifar-10-binary.tar.gz"),
                      f"NPZ, or cifar-10-binary.tar.gz of {_KRIZ}cifar.html")
        return _npz_images(packed)
    archive = _archive("cifar10", where, "cifar-10-binary.tar.gz")
    train = _records(archive, [f"cifar-10-batches-bin/data_batch_{index}.bin" for index in range(1, 6)], 1)
    test = _records(archive, ["cifar-10-batches-bin/test_batch.bin"], 1)
    return Loaded(train, test, _CIFAR10, (3, _EDGE, _EDGE))


def cifar100(folder: Path | None) -> Loaded:
    """CIFAR-100 with its fine labels."""
    archive = _archive("cifar100", home("cifar100", folder), "cifar-100-binary.tar.gz")
    listing = "cifar-100-binary/fine_label_names.txt"
    names = utf8(f"{archive}, {listing}", _member(archive, listing), "download it again").split()
    train, test = (_records(archive, [f"cifar-100-binary/{part}.bin"], 2) for part in ("train", "test"))
    return Loaded(train, test, tuple(names), (3, _EDGE, _EDGE))


def svhn(folder: Path | None) -> Loaded:
    """Street view house numbers, cropped digits."""
    where = home("svhn", folder)
    parts = []
    for file in ("train_32x32.mat", "test_32x32.mat"):
        path = download("svhn", _STANFORD + file, _SUMS[file]) if where is None else find("svhn", folder, (file,), _STANFORD)
        parts.append(_matlab(path))
    return Loaded(parts[0], parts[1], tuple(str(digit) for digit in range(10)), (3, _EDGE, _EDGE))


def _matlab(path: Path) -> Part:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        arrays = loadmat(path)
        x, y = arrays["X"], arrays["y"].reshape(-1)
    except (MatReadError, ValueError, KeyError, TypeError, OSError, NotImplementedError) as error:
        raise TrainingError(f"{path}: cannot be read as SVHN's .mat file ({_line(error)}); download it again") from error
    if x.ndim != 4 or x.shape[:3] != (_EDGE, _EDGE, 3) or x.shape[3] != len(y):
        raise TrainingError(f"{path}: X is {list(x.shape)} and y {list(y.shape)}; give 32 x 32 x 3 x N and N")
    images = np.ascontiguousarray(x.transpose(3, 2, 0, 1))
    check_numbers(f"{path}, X", images)
    labels = whole(f"{path}, y", y)
    if not np.isin(labels, range(1, 11)).all():
        raise TrainingError(f"{path}: y holds {labels.min()} .. {labels.max()}, not 1 .. 10; download it again")
    return images, labels % 10  # a zero has the label 10


def _archive(name: str, where: Path | None, file: str) -> Path:
    if where is None:
        return download(name, _KRIZ + file, _SUMS[file])
    if not (where / file).exists():
        raise TrainingError(f"{where}: no {file}; put it there (from {_KRIZ}cifar.html)")
    return where / file


def _member(archive: Path, name: str) -> bytes:
    try:
        with tarfile.open(archive) as tar:
            file = tar.extractfile(name)
            assert file is not None  # a plain file, or KeyError
            return file.read()
    except KeyError as error:
        raise TrainingError(f"{archive}: has no {name}; download it again") from error
    except (tarfile.TarError, OSError, EOFError, AssertionError) as error:
        raise TrainingError(f"{archive}: damaged archive ({_line(error)}); download it again") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _records(archive: Path, members: Sequence[str], labels: int) -> Part:
    """Images ``[N, 3, 32, 32]`` and the last of ``labels`` label bytes of each record."""
    size = labels + 3 * _EDGE * _EDGE
    raw = [_member(archive, member) for member in members]
    for member, content in zip(members, raw, strict=True):
        if not content or len(content) % size:
            raise TrainingError(f"{archive}: {member} has {len(content):,} bytes, no multiple of {size:,}; download it again")
    rows = np.frombuffer(b"".join(raw), dtype=np.uint8).reshape(-1, size)
    return rows[:, labels:].reshape(-1, 3, _EDGE, _EDGE), rows[:, labels - 1].astype(np.int64)


def _npz_images(path: Path) -> Loaded:
    from quant_training.sources import read_npz

    arrays = read_npz(path)
    named = np.asarray(arrays.get("class_names", _CIFAR10))
    if named.ndim != 1:
        raise TrainingError(f"{path}: class_names is {list(named.shape)}; give one name a class")
    parts = []
    if "train_jpeg" in arrays:
        labels = {}
        for part in ("train", "test"):
            _, offsets, found = needed(path, arrays, [f"{part}_{key}" for key in ("jpeg", "offsets", "labels")])
            labels[part] = whole(f"{path}, {part}_labels", found)
            if offsets.shape != (len(found) + 1,):
                raise TrainingError(f"{path}: {part}_offsets is {list(offsets.shape)} and {part}_labels {list(found.shape)}; "
                                    "give an offset more than labels")
        decoded = derived("cifar10", [path], "jpeg 1", lambda: {part: _jpegs(path, arrays, part) for part in ("train", "test")})
        parts = [(decoded[part], labels[part]) for part in ("train", "test")]
    else:
        for part in ("train", "test"):
            x, y = needed(path, arrays, (f"x_{part}", f"y_{part}"))
            if x.shape[1:] != (_EDGE, _EDGE, 3):
                raise TrainingError(f"{path}: x_{part} is {list(x.shape)}; give images [N, 32, 32, 3]")
            check_part(path, (f"x_{part}", f"y_{part}"), x, y)
            parts.append((np.ascontiguousarray(x.transpose(0, 3, 1, 2)), whole(f"{path}, y_{part}", y)))
    return Loaded(parts[0], parts[1], tuple(str(name) for name in named), (3, _EDGE, _EDGE))


def _jpegs(path: Path, arrays: dict[str, NDArray[Any]], part: str) -> NDArray[np.uint8]:
    stream, offsets = arrays[f"{part}_jpeg"], arrays[f"{part}_offsets"]
    bounds = check_pieces(path, (f"{part}_jpeg", f"{part}_offsets"), stream, offsets, "uint8")
    images = np.empty((len(bounds) - 1, 3, _EDGE, _EDGE), dtype=np.uint8)
    for index, (begin, end) in enumerate(pairwise(watched(bounds, f"decoding {part} images"))):
        image = _decoded(io.BytesIO(stream[begin:end].tobytes()), f"{path}, {part} image {index}", "RGB", None)
        if image.shape != (3, _EDGE, _EDGE):
            raise TrainingError(f"{path}: {part} image {index} has {image.shape[2]} x {image.shape[1]} pixels, not 32 x 32")
        images[index] = image
    return images


def image_folder(path: Path, size: int | None) -> Loaded:
    """Images in one folder a class, under ``train`` and ``test`` or directly in ``path``; resized to ``size x size`` if given.

    Raises
    ------
    TrainingError : a class without images, images of several sizes, a file that is none.
    """
    split = (path / "train").is_dir()
    classes = tuple(sorted(child.name for child in (path / "train" if split else path).iterdir() if child.is_dir()))
    if len(classes) < 2:
        raise TrainingError(f"{path}: has {len(classes)} folders of images; give one folder a class, at least two")
    train = _class_folders(path / "train" if split else path, classes, size)
    test = _class_folders(path / "test", classes, size) if split and (path / "test").is_dir() else None
    if test is not None and test[0].shape[1:] != train[0].shape[1:]:
        raise TrainingError(f"{path}: train images are {list(train[0].shape[1:])}, test images {list(test[0].shape[1:])}; "
                            "set image_size")
    return Loaded(train, test, classes, train[0].shape[1:])


def _class_folders(path: Path, classes: tuple[str, ...], size: int | None) -> Part:
    files: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        found = sorted(file for file in (path / name).glob("*") if file.suffix.lower() in _IMAGES)
        if not found:
            raise TrainingError(f"{path / name}: has no images ({', '.join(_IMAGES)}); add some, or remove the class")
        files += [(file, label) for file in found]
    first = _decoded(files[0][0], str(files[0][0]), None, size)
    mode = "L" if first.shape[0] == 1 else "RGB"
    if len(files) * first.size > _MOST_BYTES:
        raise TrainingError(f"{path}: {len(files):,} images of {first.size:,} bytes do not fit into {_MOST_BYTES >> 30} GiB; "
                            "set a smaller image_size")
    images = np.empty((len(files), *first.shape), dtype=np.uint8)
    for index, (file, _) in enumerate(watched(files, "reading images")):
        image = _decoded(file, str(file), mode, size)
        if image.shape != first.shape:
            raise TrainingError(f"{file}: has {image.shape[2]} x {image.shape[1]} pixels, the first image {first.shape[2]} x "
                                f"{first.shape[1]}; set image_size")
        images[index] = image
    return images, np.asarray([label for _, label in files], dtype=np.int64)


def _decoded(source: Path | io.BytesIO, what: str, mode: str | None, size: int | None) -> NDArray[np.uint8]:
    """One image ``[C, H, W]``; without ``mode`` grey images stay grey and all others become RGB."""
    from PIL import Image

    try:
        with Image.open(source) as image:
            wanted = mode or ("L" if image.mode in ("1", "L") else "RGB")
            picture = image.convert(wanted)
            if size is not None:
                picture = picture.resize((size, size), Image.Resampling.BILINEAR)
            array = np.asarray(picture, dtype=np.uint8)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise TrainingError(f"{what}: cannot be read as an image ({_line(error)}); replace or remove it") from error
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))
