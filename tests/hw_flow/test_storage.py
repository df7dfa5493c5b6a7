"""Where files go, and who may write them."""

from __future__ import annotations

import resource
import shutil
import threading
import time
from pathlib import Path

import pytest

from hw_flow.storage import cache_dir, locked, write_text
from hw_flow.synth.runner import cache_directory


def test_every_cache_is_below_one_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for root, expected in (("~/c", "c"), ("", ".cache/bitwright")):
        monkeypatch.setenv("BITWRIGHT_CACHE", root)
        assert cache_dir("verify") == tmp_path / expected / "verify"
        assert cache_dir("verify").is_dir()
        assert cache_directory() == tmp_path / expected / "synth"


def test_a_lock_is_held_once_and_survives_its_removal(tmp_path: Path) -> None:
    file = tmp_path / "made" / ".lock"
    with locked(file):
        with pytest.raises(BlockingIOError), locked(file, wait=False):
            pass
        entered: list[bool] = []

        def wait() -> None:
            with locked(file):
                entered.append(file.exists())

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.05)
        shutil.rmtree(file.parent)
        assert not entered
    waiting.join(timeout=30)
    assert entered == [True]


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "before")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_text(tmp_path / "a", "x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert caught.value.filename == str(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
