"""Bounded child processes: argument lists, a time-out, a process group that dies as a whole."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CHILD = Path(__file__).with_name("_child.py")
_ERROR = re.compile(r"%Error|^ERROR\b|^Error\b|\berror:|\bError:|^[A-Za-z_.]*(?:Error|Exception):|^Killed")
_NOISE = re.compile(r"%Error: (?:Exiting due to|Command Failed)|too many errors|collect2: error")


@dataclass(frozen=True)
class Completed:
    """What a child process left behind.

    Attributes
    ----------
    returncode : int
        Exit code; negative for a signal, as in `subprocess`.
    output : str
        Standard output and standard error, merged in the order of writing.
    seconds : float
        Wall-clock time.
    timed_out : bool
        Whether the time limit ended it.
    """

    args: tuple[str, ...]
    returncode: int
    output: str
    seconds: float
    timed_out: bool

    @property
    def ok(self) -> bool:
        """Whether the process ended by itself with exit code 0."""
        return self.returncode == 0 and not self.timed_out

    @property
    def error(self) -> str:
        """One line that says what went wrong, empty if nothing did."""
        if self.timed_out:
            return f"no end after {self.seconds:.0f} s"
        if self.ok:
            return ""
        if self.returncode < 0 and not error_line(self.output):
            return f"killed by signal {signal.Signals(-self.returncode).name}"
        return error_line(self.output) or f"exit code {self.returncode}"


def error_line(text: str) -> str:
    """The line of a tool's log that names the fault: the first error, else the last line that is not empty."""
    last = ""
    for line in text.splitlines():
        bare = line.strip()
        if _ERROR.search(bare) and not _NOISE.search(bare):
            return bare
        last = bare or last
    return last


def run_process(
    args: Sequence[str | Path],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    memory_bytes: int | None = None,
    stop: threading.Event | None = None,
) -> Completed:
    """Run a program to its end, or to the time limit, and return its log.

    The child has a process group of its own, and the whole group is killed on a time-out, on an
    exception (Ctrl-C included), when the child ends before its own children, and, on Linux, when
    this process ends, even by SIGKILL.

    Parameters
    ----------
    args : sequence of str or Path
        Program and arguments; no shell is involved.
    timeout_s : float
        Wall-clock limit in seconds.
    env : mapping, optional
        Variables added to this process's environment.
    log : Path, optional
        File that also receives the output, kept afterwards.
    memory_bytes : int, optional
        Limit of the child's address space.
    stop : threading.Event, optional
        Kills the child when another thread sets it; the result then counts as timed out.

    Raises
    ------
    FileNotFoundError
        The program does not exist.
    """
    command = tuple(str(arg) for arg in args)
    variables = {**os.environ, **env} if env is not None else None
    _must_exist(command[0], cwd, (variables or os.environ).get("PATH"))
    watched = (sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), str(memory_bytes or 0), *command)
    started = time.monotonic()
    timed_out = False
    # A file, not a pipe: a grandchild that outlives the child cannot keep us waiting for its end.
    with log.open("w+b") if log is not None else tempfile.TemporaryFile() as sink:
        process = subprocess.Popen(
            watched,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=variables,
            start_new_session=True,
        )
        try:
            timed_out = not _wait(process, started + timeout_s, stop)
        finally:
            _kill_group(process)
        seconds = time.monotonic() - started
        sink.seek(0)
        output = sink.read().decode(errors="replace")
    return Completed(command, process.returncode, output, seconds, timed_out)


def _wait(process: subprocess.Popen[bytes], deadline: float, stop: threading.Event | None) -> bool:
    """Whether the process ended by itself before the deadline."""
    while True:
        left = deadline - time.monotonic()
        try:
            process.wait(max(0.0, left if stop is None else min(left, 0.1)))
            return True
        except subprocess.TimeoutExpired:
            if time.monotonic() >= deadline or (stop is not None and stop.is_set()):
                return False


def _must_exist(program: str, cwd: Path | None, path: str | None) -> None:
    """Raise FileNotFoundError as `subprocess` would, which sees only the watcher."""
    place = os.path.join(cwd or ".", program) if os.sep in program else program  # noqa: PTH118 - keeps "./"
    if shutil.which(place, path=path) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the child's process group and reap the child."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
