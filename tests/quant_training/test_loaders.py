"""Readers of the known data sets, on small files of their formats."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant_training import TrainingError, load_dataset
from quant_training.loaders import radio
from quant_training.loaders.audio import KEYWORDS, mfcc, one_second


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BITWRIGHT_DATA", raising=False)


def fault(name: object, **options: Any) -> str:
    with pytest.raises(TrainingError) as error:
        load_dataset(name, **options)  # type: ignore[arg-type]  # faults under test
    assert "\n" not in str(error.value)
    return str(error.value)


def _tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_cifar10_binary(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (60, 3, 32, 32), dtype=np.uint8)
    records = [bytes([index % 10]) + image.tobytes() for index, image in enumerate(images)]
    members = {f"cifar-10-batches-bin/data_batch_{i}.bin": b"".join(records[10 * i - 10 : 10 * i]) for i in range(1, 6)}
    file = tmp_path / "cifar-10-binary.tar.gz"
    _tar(file, members | {"cifar-10-batches-bin/test_batch.bin": b"".join(records[50:])})
    data = load_dataset("cifar10", folder=tmp_path, val_fraction=0)
    assert (len(data.train), len(data.test), data.input_shape) == (50, 10, (3, 32, 32))
    assert np.array_equal(data.test.integers.reshape(-1, 3, 32, 32), images[50:])
    assert data.test.labels.tolist() == list(range(10))
    _tar(file, members | {"cifar-10-batches-bin/test_batch.bin": b"short"})
    assert fault("cifar10", folder=tmp_path) == (
        f"{file}: cifar-10-batches-bin/test_batch.bin has 5 bytes, no multiple of 3,073; download it again"
    )
    _tar(file, members)
    assert fault("cifar10", folder=tmp_path) == f"{file}: has no cifar-10-batches-bin/test_batch.bin; download it again"
    file.write_bytes(b"nothing")
    assert fault("cifar10", folder=tmp_path).startswith(f"{file}: damaged archive (")


def test_cifar100_takes_the_fine_labels(tmp_path: Path) -> None:
    records = b"".join(bytes([7, label]) + bytes([label]) * 3072 for label in range(100))
    names = "\n".join(f"name{label}" for label in range(100)).encode()
    _tar(tmp_path / "cifar-100-binary.tar.gz", {
        "cifar-100-binary/train.bin": records, "cifar-100-binary/test.bin": records[:3074 * 5],
        "cifar-100-binary/fine_label_names.txt": names,
    })
    data = load_dataset("cifar100", folder=tmp_path, val_fraction=0)
    assert (data.classes[42], data.test.labels.tolist()) == ("name42", [0, 1, 2, 3, 4])
    assert np.array_equal(data.train.integers[:, 0], data.train.labels)


@pytest.mark.shared_data
def test_cifar10_of_jpegs_is_decoded_once(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The lossless file holds the first 4,000 of the same images: order, channels and labels are right if they are close.
    exact = load_dataset(data_dir / "cifar10" / "cifar10_lossless_4000train_1000test.npz", val_fraction=0)
    from quant_training.loaders import images

    path = data_dir / "cifar10" / "cifar10_jpeg_60000.npz"
    with np.load(path) as arrays:
        some = {"train_jpeg": arrays["train_jpeg"], "train_offsets": arrays["train_offsets"][:201]}
        decoded, labels = images._jpegs(path, some, "train"), arrays["train_labels"][:200]
    with np.load(data_dir / "cifar10" / "cifar10_lossless_4000train_1000test.npz") as arrays:
        lossless = arrays["x_train"][:200].transpose(0, 3, 1, 2)
        assert np.array_equal(arrays["y_train"][:200], labels)
    assert len(exact.train) == 4000
    assert np.abs(decoded.astype(int) - lossless).mean() < 8


def test_svhn(tmp_path: Path) -> None:
    from scipy.io import savemat

    x = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 20), dtype=np.uint8)
    for file in ("train_32x32.mat", "test_32x32.mat"):
        savemat(tmp_path / file, {"X": x, "y": (np.arange(20) % 10 + 1)[:, None]})
    data = load_dataset("svhn", folder=tmp_path, val_fraction=0)
    assert data.test.labels[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert np.array_equal(data.test.integers[3].reshape(3, 32, 32), x[:, :, :, 3].transpose(2, 0, 1))
    (tmp_path / "test_32x32.mat").write_bytes(b"MATLAB")
    assert fault("svhn", folder=tmp_path).startswith(f"{tmp_path / 'test_32x32.mat'}: cannot be read as SVHN's .mat file (")


def test_image_folder(tmp_path: Path) -> None:
    from PIL import Image

    for part, count in (("train", 3), ("test", 1)):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / part / name).mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (6, 4), (100 * label, index, 7)).save(tmp_path / part / name / f"{index}.png")
    data = load_dataset(tmp_path, val_fraction=0)
    assert (data.classes, data.input_shape, len(data.train), len(data.test)) == (("cat", "dog"), (3, 4, 6), 6, 2)
    assert data.test.integers[1].reshape(3, 4, 6)[:, 0, 0].tolist() == [100, 0, 7]
    assert load_dataset(tmp_path, image_size=8).input_shape == (3, 8, 8)
    odd = tmp_path / "train" / "dog" / "9.png"
    Image.new("RGB", (5, 4)).save(odd)
    assert fault(tmp_path) == f"{odd}: has 5 x 4 pixels, the first image 6 x 4; set image_size"
    odd.write_bytes(b"no image")
    assert fault(tmp_path).startswith(f"{odd}: cannot be read as an image (")
    for file in (tmp_path / "train" / "dog").iterdir():
        file.unlink()
    assert fault(tmp_path) == (
        f"{tmp_path / 'train' / 'dog'}: has no images (.png, .jpg, .jpeg, .bmp, .pgm, .ppm); add some, or remove the class"
    )
    assert fault(tmp_path / "test" / "dog") == (
        f"{tmp_path / 'test' / 'dog'}: has 0 folders of images; give one folder a class, at least two"
    )


def test_coefficients_tell_tones_apart() -> None:
    time = np.arange(16000) / 16000
    tones = np.stack([np.sin(2 * np.pi * hertz * time) for hertz in (200, 800, 3200)]).astype(np.float32)
    found = mfcc(tones, 16000)
    assert found.shape == (3, 49, 10)
    # A steady tone has the same spectrum in every frame, and no two of them the same.
    assert np.abs(found - found[:, :1]).max() < 0.2
    assert min(np.abs(found[a, 5] - found[b, 5]).max() for a, b in ((0, 1), (0, 2), (1, 2))) > 2
    # At half the rate the same bands see the same tone.
    assert np.abs(mfcc(tones[:2, ::2], 8000)[:, 5, 1:] - found[:2, 5, 1:]).max() < 1.0
    assert one_second(np.full(10, 16384, np.int16), 16).tolist() == [0.0] * 3 + [0.5] * 10 + [0.0] * 3
    assert one_second(np.arange(20, dtype=np.int16) * 1024, 16).tolist() == [index / 32 for index in range(2, 18)]


def test_speech_commands(tmp_path: Path) -> None:
    from scipy.io import wavfile

    generator = np.random.default_rng(0)
    for word in (*KEYWORDS, "bed", "_background_noise_"):
        (tmp_path / word).mkdir()
        for take in range(6):
            sound = generator.integers(-999, 999, 15000 + 500 * take, dtype=np.int16)
            wavfile.write(tmp_path / word / f"{take}.wav", 16000, sound)
    (tmp_path / "testing_list.txt").write_text("\n".join(f"{word}/0.wav" for word in (*KEYWORDS, "bed")))
    data = load_dataset("speech-commands", folder=tmp_path, val_fraction=0)
    assert (data.classes[10:], data.input_shape) == (("silence", "unknown"), (1, 49, 10))
    assert (len(data.train), len(data.test)) == (50 + 5 + 5, 10 + 1 + 1)
    again = load_dataset("speech-commands", folder=tmp_path, val_fraction=0)
    assert np.array_equal(data.train.integers, again.train.integers)
    wavfile.write(tmp_path / "bed" / "1.wav", 8000, np.zeros(9000, np.int16))
    assert fault("speech-commands", folder=tmp_path).endswith("give 16 kHz, 16 bit, mono")
    (tmp_path / "testing_list.txt").unlink()
    assert fault("speech-commands", folder=tmp_path) == (
        f"{tmp_path}: no testing_list.txt; put it there (unpack speech_commands_v0.02.tar.gz there, all of it)"
    )
    assert fault("speech-commands") == (
        f"speech-commands: there is no download for it; put testing_list.txt into {tmp_path / 'cache/data/speech-commands'}, or "
        "into $BITWRIGHT_DATA/speech-commands (unpack speech_commands_v0.02.tar.gz there, all of it)"
    )


@pytest.mark.shared_data
def test_spoken_digits(data_dir: Path) -> None:
    data = load_dataset("fsdd", folder=data_dir)
    assert (len(data.train), len(data.val), len(data.test)) == (2430, 270, 300)
    assert np.bincount(data.test.labels).tolist() == [30] * 10


def test_radioml(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    count = 2 * 24
    ratios = np.tile([0, 20], 24)
    with h5py.File(tmp_path / radio.FILE, "w") as file:
        file["X"] = np.repeat(np.random.default_rng(0).normal(0, 0.7, (count, 1024, 2)), radio._FRAMES // 256, axis=0)
        file["Y"] = np.repeat(np.eye(24)[np.arange(count) // 2], radio._FRAMES // 256, axis=0)
        file["Z"] = np.repeat(ratios, radio._FRAMES // 256)[:, None]
    pytest.MonkeyPatch().setattr(radio, "_FRAMES", radio._FRAMES // 256)
    data = load_dataset("radioml", folder=tmp_path, val_fraction=0)
    assert (len(data.train), len(data.test), data.input_shape) == (24 * 14, 24 * 2, (2, 1, 1024))
    (tmp_path / radio.FILE).write_bytes(b"\x89HDF nothing")
    assert "cannot be read as RadioML 2018.01A (" in fault("radioml", folder=tmp_path)


def test_unsw_nb15(tmp_path: Path) -> None:
    header = ["id", "dur", "proto", "service", "attack_cat", "label"]
    rows = [[str(i), str(i / 10), ("tcp", "udp")[i % 2], "-", ("Normal", "DoS")[i % 2], str(i % 2)] for i in range(20)]
    for file, count in (("UNSW_NB15_training-set.csv", 20), ("UNSW_NB15_testing-set.csv", 6)):
        with (tmp_path / file).open("w", newline="") as out:
            csv.writer(out).writerows([header, *rows[:count]])
    data = load_dataset("unsw-nb15", folder=tmp_path, val_fraction=0)
    assert (data.features, len(data.train), len(data.test), data.classes) == (4, 20, 6, ("normal", "attack"))
    bits = np.random.default_rng(0).integers(0, 2, (30, 594))
    np.savez(tmp_path / "unsw_nb15_binarized.npz", train=bits, test=bits[:7])
    data = load_dataset("unsw-nb15", folder=tmp_path, val_fraction=0)
    assert (data.features, data.input_type) == (593, "UINT1")


@pytest.mark.shared_data
def test_nsl_kdd(data_dir: Path) -> None:
    data = load_dataset("nsl-kdd", folder=data_dir)
    assert (len(data.test), data.classes, data.input_type) == (22544, ("normal", "attack"), "UINT8")
    assert 0.56 < float(data.test.labels.mean()) < 0.58


def test_jets(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = "".join(",".join(f"{value:.4f}" for value in generator.normal(size=16)) + f",{'gqtwz'[i % 5]}\n" for i in range(200))
    file = tmp_path / "hls4ml_lhc_jets_hlf.csv"
    file.write_text(",".join(f"f{i}" for i in range(16)) + ",class\n" + rows)
    data = load_dataset("jets", folder=tmp_path)
    assert (data.features, data.classes) == (16, ("g", "q", "t", "w", "z"))
    file.write_text(rows.replace(",z\n", ",w\n"))
    assert fault("jets", folder=tmp_path) == "jets: 16 features and the classes g, q, t, w; give 16 features and g, q, t, w, z"


def test_empty_classes(tmp_path: Path) -> None:
    file = tmp_path / "x.npz"
    x = np.arange(40, dtype=np.uint8).reshape(20, 2)
    np.savez(file, x_train=x, y_train=np.arange(20) % 2, x_test=x[:3], y_test=np.array([0, 1, 2]))
    assert fault(file) == (
        "x: class '2' has no training samples (1 in the other parts); add some, leave the class out, or give another seed"
    )
