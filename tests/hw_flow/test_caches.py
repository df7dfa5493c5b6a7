"""Caches can be measured, trimmed and cleared; what is in use stays."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from hw_flow import api, caches
from hw_flow.cli.entry import run
from hw_flow.errors import FlowError
from hw_flow.storage import locked
from tests.hw_flow.tiny import tiny


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entry(root: Path, name: str, size: int, hours: float) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(bytes(size))
    os.utime(folder, (time.time() - 3600 * hours,) * 2)
    return folder


def test_what_was_used_longest_ago_goes_first(root: Path) -> None:
    old = entry(root, "synth/a", 500, 30)
    older = entry(root, "builds/b", 300, 40)
    new = entry(root, "sim/models/c", 900, 2)
    fresh = entry(root, "synth/d", 1000, 0.5)
    assert caches.usage() == {
        "builds": (1, 300), "synth": (2, 1500), "sim/models": (1, 900), "sim/runtime": (0, 0), "data": (0, 0),
        "finn": (0, 0)}
    assert caches.trim(2000) == (2, 800)
    assert [path.exists() for path in (older, old, new, fresh)] == [False, False, True, True]
    assert caches.trim(0) == (1, 900)
    assert fresh.exists()


@pytest.mark.parametrize(("name", "lock"), [
    ("builds/a", "builds/a/.lock"), ("synth/a", "synth/a.lock"), ("synth/a.part", "synth/a.lock"),
    ("sim/models/a", "sim/models/.locks/a"), ("sim/runtime/a", "sim/runtime/.locks/a")])
def test_what_is_being_made_stays(root: Path, name: str, lock: str) -> None:
    folder = entry(root, name, 10, 100)
    with locked(root / lock):
        assert caches.clear() == (0, 0)
        assert folder.exists()
    assert caches.clear() == (1, 10)
    assert not folder.exists()


def test_command_line(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    entry(root, "synth/a", 3 << 20, 30)
    entry(root, "synth/b", 1 << 20, 20)
    assert run(["cache", "trim", "--keep", "2M"]) == 0
    assert capfd.readouterr().out == "1 entries deleted, 3.0 MiB; 1 left, 1.0 MiB\n"
    assert run(["doctor", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)["cache"]
    assert (shown["directory"], shown["synth"]) == (str(root), {"entries": 1, "bytes": 1 << 20})
    assert run(["cache", "clear", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"deleted": {"entries": 1, "bytes": 1 << 20}, "left": {"entries": 0, "bytes": 0}}


def test_a_build_in_the_cache_counts_as_used_whenever_it_is_taken(tmp_path: Path) -> None:
    model = tiny(tmp_path / "tiny.onnx")
    made = api.build_cached(model, api.BuildOptions())
    os.utime(made.directory, (0, 0))
    again = api.build_cached(model, api.BuildOptions())
    assert again.reused
    assert time.time() - again.directory.stat().st_mtime < 600
    assert caches.usage()["builds"][0] == 1


def test_sizes() -> None:
    assert [caches.size_of(text) for text in ("1000", "2G", "1.5KiB", "3 mb")] == [1000, 2 << 30, 1536, 3 << 20]
    assert [caches.shown(size) for size in (10, 2048, 5 << 30, 3000 << 30)] == ["10 B", "2.0 KiB", "5.0 GiB", "3000.0 GiB"]
    for text in ("", "-1", "G", "1P"):
        message = f"^size '{text}' is not known; give bytes, or a number with K, M, G or T, for example 2G$"
        with pytest.raises(FlowError, match=message):
            caches.size_of(text)
