"""Run a tool in a process group of its own, with a time-out, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class ToolTimeoutError(Exception):
    """The tool did not end in time; its whole process group was killed."""


class ToolCancelledError(Exception):
    """The caller set the ``cancel`` event; the tool's whole process group was killed."""


def run_tool(
    command: Sequence[str], *, cwd: Path, log: Path, timeout_s: float,
    env: Mapping[str, str] | None = None, cancel: threading.Event | None = None,
) -> int:
    """Run ``command`` with stdout and stderr in ``log``; returns the exit status.

    Raises
    ------
    ToolTimeoutError : it ran longer than ``timeout_s`` seconds.
    ToolCancelledError : ``cancel`` was set by another thread.
    """
    deadline = time.monotonic() + timeout_s
    with log.open("wb") as sink:
        process = subprocess.Popen(
            list(command), cwd=cwd, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})}, start_new_session=True,
        )
        try:
            while True:
                try:
                    return process.wait(timeout=min(0.1, max(0.0, deadline - time.monotonic())))
                except subprocess.TimeoutExpired:
                    if time.monotonic() >= deadline:
                        raise ToolTimeoutError from None
                    if cancel is not None and cancel.is_set():
                        raise ToolCancelledError from None
        finally:
            # Also after a normal end: a tool may leave helpers (Yosys starts abc) in its group.
            _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
