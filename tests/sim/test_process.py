"""Child processes end in time, whole, and say what went wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sim.process import error_line, run_process


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_output_is_merged_and_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = "import os; print('one', flush=True); os.write(2, b'two'); print(os.environ['X'], os.getcwd())"
    done = run_process(script(text), timeout_s=60, cwd=tmp_path, env={"X": "three"}, log=log)
    assert done.ok
    assert done.error == ""
    assert done.output == log.read_text() == f"one\ntwothree {tmp_path}\n"


def test_a_time_out_kills_the_grandchildren_too(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    late = f"import time, pathlib; time.sleep(3); pathlib.Path({str(mark)!r}).touch()"
    text = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {late!r}]); time.sleep(60)"
    done = run_process(script(text), timeout_s=1)
    assert done.timed_out
    assert not done.ok
    assert done.error == "no end after 1 s"
    time.sleep(3)
    assert not mark.exists()


def test_a_child_of_the_child_does_not_outlive_it() -> None:
    text = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    started = time.monotonic()
    assert run_process(script(text), timeout_s=60).ok
    assert time.monotonic() - started < 30


def test_another_thread_can_stop_it() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    done = run_process(script("import time; time.sleep(60)"), timeout_s=60, stop=stop)
    assert not done.ok
    assert done.seconds < 30


def test_the_memory_is_bounded() -> None:
    text = "import time; time.sleep(0.5); bytearray(1 << 30)"
    done = run_process(script(text), timeout_s=60, memory_bytes=512 << 20)
    assert done.error == "MemoryError"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent ended")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_killed_parent(tmp_path: Path, how: signal.Signals) -> None:
    pids = tmp_path / "pids"
    child = (
        "import os, pathlib, subprocess, sys, time; "
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        f"part = pathlib.Path({str(pids)!r} + '.part'); part.write_text(f'{{os.getpid()}} {{p.pid}}'); "
        f"part.rename({str(pids)!r}); time.sleep(60)"
    )
    text = f"import sys; from sim.process import run_process; run_process([sys.executable, '-c', {child!r}], timeout_s=60)"
    parent = subprocess.Popen([sys.executable, "-c", text], cwd=Path(__file__).parents[2])
    limit = time.monotonic() + 30
    while not pids.exists():
        assert time.monotonic() < limit
        time.sleep(0.02)
    parent.send_signal(how)
    parent.wait()
    left = [Path("/proc", pid, "stat") for pid in pids.read_text().split()]
    limit = time.monotonic() + 10
    while any(_runs(stat) for stat in left):
        assert time.monotonic() < limit, "a child outlived its parent"
        time.sleep(0.02)


def _runs(stat: Path) -> bool:
    """Whether the process of this file in /proc runs (dead ones may wait for an init that does not reap)."""
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_that_does_not_exist_is_an_exception(tmp_path: Path) -> None:
    for name in ("no-such-program", "./no-such-program", str(tmp_path / "gone")):
        with pytest.raises(FileNotFoundError):
            run_process([name], timeout_s=60, cwd=tmp_path)
    here = tmp_path / "here"
    here.write_text("#!/bin/sh\nexit 3\n")
    here.chmod(0o755)
    assert run_process(["./here"], timeout_s=60, cwd=tmp_path).returncode == 3
    here.write_text("#!/no/interpreter\n")
    assert run_process([here], timeout_s=60).error == f"error: {here}: No such file or directory"


def test_a_signal_is_named() -> None:
    done = run_process(script("import os; os.kill(os.getpid(), 9)"), timeout_s=60)
    assert done.error == "killed by signal SIGKILL"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (
            "%Warning: a\n%Error: f.sv:3:1: syntax error\n  3 | x\n%Error: Exiting due to 1 error(s)\n",
            "%Error: f.sv:3:1: syntax error",
        ),
        ("1. Executing\nERROR: Module `x' not found\n", "ERROR: Module `x' not found"),
        ("a.cpp:1:2: note: b\na.cpp:1:2: error: c\ncollect2: error: ld returned 1\n", "a.cpp:1:2: error: c"),
        ("Traceback (most recent call last):\n  x\nValueError: no\n", "ValueError: no"),
        ("one\ntwo\n\n", "two"),
        ("", ""),
    ],
)
def test_the_line_that_names_the_fault(log: str, line: str) -> None:
    assert error_line(log) == line


def test_programs_get_a_large_stack() -> None:
    program = "import resource; soft, hard = resource.getrlimit(resource.RLIMIT_STACK); print(soft >= 2**30 or soft == hard)"
    assert run_process([sys.executable, "-c", program], timeout_s=60).output.strip() == "True"
