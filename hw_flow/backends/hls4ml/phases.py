"""Which phase a vendor's tool is in, read off what it prints while it runs.

Knows the lines of Vivado HLS and Vitis HLS (message ids such as ``HLS 200-42``, the same from 2016.4 to 2024.1), the banners
of hls4ml's build scripts, and the sections of Vivado's synthesis. None of them says how much is left, with one exception: when
code is generated, every module has been scheduled before, so that their number is known.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

# Seconds between two looks at a log.
_POLL_S = 0.5
_NOTHING = "no estimate"
# What a line begins. HLS compilers name most phases when these end; the next one then runs.
_HLS = (
    (re.compile(r"\[HLS 200-10\] Analyzing design file"), "read C++"),
    (re.compile(r"\[HLS 200-111\] Finished Source Code Analysis and Preprocessing"), "compile C++"),
    (re.compile(r"\[HLS 200-10\] Starting code transformations"), "transform loops and arrays"),
    (re.compile(r"\[HLS 200-10\] Starting hardware synthesis"), "schedule"),
    (re.compile(r"\[HLS 200-111\] Finished Generating all RTL models"), "write Verilog"),
)
_MODULE = re.compile(r"\[HLS 200-42\] -- Implementing module '([^']+)'")
_CODE = re.compile(r"\[HLS 200-10\] -- Generating RTL for module '([^']+)'")
_BANNER = re.compile(r"^\*{5} (?!.*COMPLETED IN)([A-Z/ ]+?) \*{5}$")
_VIVADO = re.compile(r"^(?:Start|Starting) ([A-Z][^:]{3,60}?)(?: : Time.*)?$")


@dataclass(frozen=True)
class Phase:
    """A phase: its name, what it is at, and how many of how many modules are done where that is known."""

    name: str
    at: str = ""
    done: int = 0
    total: int | None = None

    @property
    def label(self) -> str:
        """The name, with how much of it is done."""
        if self.total is not None:
            return f"{self.name}, {self.done} of {self.total} modules"
        return f"{self.name}, {self.done} modules" if self.done else self.name


@dataclass
class Phases:
    """Reads lines; knows the present phase and the seconds of each.

    Attributes
    ----------
    now : the present phase.
    seconds : by name, of the phases that ended.
    """

    started: float = field(default_factory=time.monotonic)
    now: Phase = Phase("start")
    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(init=False)
    _vivado: bool = False

    def __post_init__(self) -> None:
        self._since = self.started

    def read(self, line: str, at: float | None = None) -> None:
        """Take in a line that came at ``at`` on the monotonic clock."""
        clock = time.monotonic() if at is None else at
        line = line.rstrip()
        if match := _MODULE.search(line):
            self._enter(Phase("schedule", match[1], self.now.done + 1 if self.now.name == "schedule" else 1), clock)
        elif match := _CODE.search(line):
            total = self.now.done if self.now.name == "schedule" else self.now.total
            done = self.now.done + 1 if self.now.name == "generate Verilog" else 0
            self._enter(Phase("generate Verilog", match[1], done, total), clock)
        elif match := _BANNER.match(line):
            self._vivado = match[1].startswith("VIVADO")
            self._enter(Phase(match[1].lower().replace("rtl", "RTL").replace("c/", "C/")), clock)
        elif self._vivado and (match := _VIVADO.match(line)):
            self._enter(Phase(f"Vivado: {match[1]}"), clock)
        else:
            for pattern, name in _HLS:
                if pattern.search(line):
                    self._enter(Phase(name), clock)

    def _enter(self, phase: Phase, clock: float) -> None:
        if phase.name != self.now.name:
            self.seconds[self.now.name] = self.seconds.get(self.now.name, 0.0) + clock - self._since
            self._since = clock
        self.now = phase

    def close(self) -> None:
        """The tool ended: count the time of the last phase, which stays the present one."""
        clock = time.monotonic()
        self.seconds[self.now.name] = self.seconds.get(self.now.name, 0.0) + clock - self._since
        self._since = clock

    def left(self, at: float | None = None) -> float | None:
        """Seconds left of the present phase, or None where nothing tells."""
        if self.now.total is None or self.now.done == 0:
            return None
        spent = (time.monotonic() if at is None else at) - self._since
        return spent / self.now.done * max(0, self.now.total - self.now.done)

    def line(self, at: float | None = None) -> str:
        """Phase, module, count and time left in one line."""
        left = self.left(at)
        rest = f"{timedelta(seconds=round(left))} left of this phase" if left is not None else _NOTHING
        return f"{self.now.label}{f' ({self.now.at[:40]})' if self.now.at else ''}: {rest}"


@contextmanager
def watched(log: Path, *, show: bool) -> Iterator[Phases]:
    """Follow ``log`` while the enclosed block writes it; with ``show``, draw phase and elapsed time on stderr."""
    phases, end = Phases(), threading.Event()
    drawn = _Line() if show else None
    thread = threading.Thread(target=_follow, args=(log, phases, end, drawn), daemon=True)
    thread.start()
    try:
        yield phases
    finally:
        end.set()
        thread.join()
        phases.close()
        if drawn is not None:
            drawn.stop()


def _follow(log: Path, phases: Phases, end: threading.Event, drawn: _Line | None) -> None:
    place, rest = 0, b""
    while True:
        last = end.wait(_POLL_S)
        if log.is_file():
            with log.open("rb") as stream:
                stream.seek(place)
                new = stream.read()
            place += len(new)
            *lines, rest = (rest + new).split(b"\n")
            for line in lines:
                phases.read(line.decode(errors="replace"))
        if last:
            return
        if drawn is not None:
            drawn.update(phases.line())


class _Line:
    """One line on stderr: a spinner, the phase, the time since the start."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns: tuple[Any, ...] = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("start", total=None)
        self._bar.start()

    def update(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def stop(self) -> None:
        self._bar.stop()
