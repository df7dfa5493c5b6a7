"""The cache: whole entries only, whatever happens to their builders."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim import SimError, runtime
from sim.cache import Cache, cache_root, digest

BUILDER = """
import sys, time
from pathlib import Path
from sim.cache import Cache
def build(work):
    (work / "part").write_text("half")
    Path(sys.argv[2]).open("a").write("x")
    time.sleep(float(sys.argv[3]))
    (work / "whole").write_text("done")
print(Cache(Path(sys.argv[1])).get("key", build))
"""


def builder(root: Path, count: Path, seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", BUILDER, str(root), str(count), str(seconds)])


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_two_processes_build_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    workers = [builder(tmp_path / "cache", count, 0.5) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert count.read_text() == "x"


def test_a_killed_builder_leaves_nothing_broken(tmp_path: Path) -> None:
    root, count = tmp_path / "cache", tmp_path / "count"
    victim = builder(root, count, 60)
    wait_for(count)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    cache = Cache(root)
    assert cache.find("key") is None

    def build(work: Path) -> None:
        (work / "whole").write_text("done")

    assert (cache.get("key", build) / "whole").read_text() == "done"
    assert sorted(path.name for path in root.iterdir()) == [".locks", "key"]


def test_a_failed_builder_leaves_nothing(tmp_path: Path) -> None:
    def build(work: Path) -> None:
        (work / "part").write_text("half")
        raise SimError("no")

    cache = Cache(tmp_path / "cache")
    with pytest.raises(SimError, match=r"^no$"):
        cache.get("key", build)
    assert [path.name for path in cache.root.iterdir()] == [".locks"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SimError) as error:
        Cache(tmp_path / "file" / "cache").get("key", lambda work: None)
    assert str(error.value) == f"cache {tmp_path}/file/cache: cannot be written (Not a directory); set BITWRIGHT_CACHE"


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def build(work: Path) -> None:
        (work / "data").write_bytes(bytes(1000))

    for age, name in enumerate(("new", "middle", "old")):
        entry = cache.get(name, build)
        os.utime(entry, (time.time() - 10_000 * age - 1,) * 2)
    cache.trim(1500)
    assert cache.find("new") is not None
    assert cache.find("middle") is None
    assert cache.find("old") is None
    cache.trim(0)  # in use an hour ago or less
    assert cache.find("new") is not None


def test_names_depend_on_the_value_alone() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


def test_the_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.setenv("BITWRIGHT_CACHE", "~/c")
    assert cache_root() == Path.home() / "c"
    monkeypatch.delenv("BITWRIGHT_CACHE")
    assert cache_root() == Path.home() / ".cache" / "bitwright"


@pytest.mark.parametrize("name", ["GLUE", "HARNESS"])
def test_models_depend_on_the_glue_and_the_harness(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = runtime.harness_digest()
    copy = tmp_path / getattr(runtime, name).name
    if name == "GLUE":
        copy.write_text(runtime.GLUE.read_text() + "# changed\n")
    else:
        shutil.copytree(runtime.HARNESS, copy)
        monkeypatch.setattr(runtime, name, copy)
        assert runtime.harness_digest() == before
        (copy / "bw_engine.h").write_text("")
    monkeypatch.setattr(runtime, name, copy)
    assert runtime.harness_digest() != before
