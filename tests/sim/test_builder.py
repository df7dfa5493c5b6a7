"""Builds: the cache hit, two at once, a killed one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sim import Model, Source, StreamPort, build
from sim.cache import cache_root

RTL = Path(__file__).parent / "rtl"
ENDS = (StreamPort("s_axis", "in", 8, 1, 10), StreamPort("m_axis", "out", 8, 1, 10))
CHILD = """
import sys
from pathlib import Path
from sim import Source, StreamPort, build
ends = (StreamPort("s_axis", "in", 8, 1, 10), StreamPort("m_axis", "out", 8, 1, 10))
print(build(Source("fifo", (Path(sys.argv[1]),)), ends).library, flush=True)
"""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache without models that shares the run-time, which takes seconds to compile, with the usual one."""
    build(Source("fifo", (RTL / "fifo.sv",)), ENDS)
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "runtime").symlink_to(cache_root() / "sim" / "runtime")
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path))
    return tmp_path / "sim" / "models"


def works(model: Model) -> bool:
    values = np.arange(100).reshape(10, 10)
    return np.array_equal(model.run({"s_axis": values}).check().outputs["m_axis"], values)


def child(source: Path = RTL / "fifo.sv") -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CHILD, str(source)], stdout=subprocess.PIPE, text=True)


def test_the_second_build_is_a_look_up(fresh: Path, tmp_path: Path) -> None:
    model = build(Source("fifo", (RTL / "fifo.sv",)), ENDS)
    copy = tmp_path / "elsewhere" / "fifo.sv"
    copy.parent.mkdir()
    shutil.copy(RTL / "fifo.sv", copy)
    best = 1e9
    for _ in range(5):
        started = time.monotonic()
        again = build(Source("fifo", (copy,)), ENDS)
        best = min(best, time.monotonic() - started)
    assert again.library == model.library
    assert best < 0.2
    assert works(again)
    assert len([path for path in fresh.iterdir() if not path.name.startswith(".")]) == 1


def test_a_changed_source_is_another_model(fresh: Path, tmp_path: Path) -> None:
    folder = tmp_path / "include"
    folder.mkdir()
    (folder / "depth.svh").write_text("`define DEPTH 4\n")
    source = tmp_path / "fifo.sv"
    text = (RTL / "fifo.sv").read_text().replace("Depth = 4", "Depth = `DEPTH")
    source.write_text('`include "depth.svh"\n' + text)
    libraries = []
    for depth in (4, 8):
        (folder / "depth.svh").write_text(f"`define DEPTH {depth}\n")
        model = build(Source("fifo", (source,), include_dirs=(folder,)), ENDS, "fast")
        libraries.append(model.library)
        assert works(model)
    assert libraries[0] != libraries[1]


def test_two_processes_at_once(fresh: Path) -> None:
    workers = [child() for _ in range(2)]
    paths = {worker.communicate(timeout=120)[0].strip() for worker in workers}
    assert len(paths) == 1
    assert works(build(Source("fifo", (RTL / "fifo.sv",)), ENDS))


def test_a_killed_build_leaves_no_broken_cache(fresh: Path) -> None:
    worker = child()
    deadline = time.monotonic() + 60
    while not list(fresh.glob(".*.tmp-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    assert not [path for path in fresh.iterdir() if not path.name.startswith(".")]
    assert works(build(Source("fifo", (RTL / "fifo.sv",)), ENDS))
    assert not list(fresh.glob(".*.tmp-*"))
