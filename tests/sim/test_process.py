"""Child processes end in time, whole, and say what went wrong."""

from __future__ import annotations

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
