"""The download of the standard data sets, from a network that a test makes up."""

from __future__ import annotations

import hashlib
import io
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from quant_training import TrainingError, load_dataset, sources
from quant_training.sources import IDX_FILES, idx_folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("BITWRIGHT_DATA", raising=False)
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path))
    return tmp_path / "data" / "mnist"


def _network(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[str]:
    """Answer every request with ``content``; the list collects the addresses."""
    asked: list[str] = []

    def urlopen(url: str, **options: Any) -> io.BytesIO:
        assert options["timeout"] > 0
        asked.append(url)
        return io.BytesIO(content)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_files_are_fetched_once_and_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _network(monkeypatch, b"good")
    sums = dict.fromkeys(IDX_FILES.values(), hashlib.sha256(b"good").hexdigest())
    monkeypatch.setattr(sources, "_SHA256", {"mnist": sums})
    assert idx_folder("mnist", None) == cache
    assert [url.rsplit("/", 1)[1] for url in asked] == list(IDX_FILES.values())
    assert sorted(file.name for file in cache.iterdir()) == sorted(IDX_FILES.values())
    idx_folder("mnist", None)
    assert len(asked) == 4


def test_a_wrong_checksum_keeps_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _network(monkeypatch, b"something else")
    with pytest.raises(TrainingError) as error:
        load_dataset("mnist")
    assert str(error.value) == (
        f"mnist: {asked[0]} has a wrong checksum; fetch the file by hand and put it into $BITWRIGHT_DATA/mnist"
    )
    assert not list(cache.iterdir())


def test_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(url: str, **options: Any) -> io.BytesIO:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(TrainingError) as error:
        load_dataset("fashion-mnist")
    text = str(error.value)
    assert text.startswith("fashion-mnist: cannot download http")
    assert text.endswith("(<urlopen error no route to host>); fetch it by hand and put it into $BITWRIGHT_DATA/fashion-mnist")
    assert not cache.exists() or not list(cache.iterdir())


def test_a_folder_without_the_files(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as error:
        load_dataset("mnist", folder=tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: no train-images-idx3-ubyte.gz; give a folder that holds the four .gz files of mnist"
    )


def test_the_real_files_have_the_checksums(data_dir: Path) -> None:
    for name, sums in sources._SHA256.items():
        for file, wanted in sums.items():
            assert hashlib.sha256((data_dir / name / file).read_bytes()).hexdigest() == wanted, f"{name}/{file}"


def test_home_is_expanded(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    _network(monkeypatch, b"good")
    sums = dict.fromkeys(IDX_FILES.values(), hashlib.sha256(b"good").hexdigest())
    monkeypatch.setattr(sources, "_SHA256", {"mnist": sums})
    monkeypatch.setenv("BITWRIGHT_CACHE", "~/c")
    assert idx_folder("mnist", None) == tmp_path / "c" / "data" / "mnist" != cache
    monkeypatch.setenv("BITWRIGHT_DATA", "~/c/data")
    assert idx_folder("mnist", None) == tmp_path / "c" / "data" / "mnist"
