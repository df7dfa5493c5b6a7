"""How far a search is: a bar on a terminal, plain lines elsewhere, nothing in tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console


class Progress(Protocol):
    """What the loop reports."""

    def start(self, total: int, done: int, workers: int) -> None:
        """The loop begins with ``done`` of ``total`` trials measured."""

    def advance(self, done: int, best: str) -> None:
        """A trial ended."""

    def say(self, text: str) -> None:
        """An event that is not a trial."""

    def stop(self) -> None:
        """The loop ended."""


class Silent:
    """Reports nothing."""

    def start(self, total: int, done: int, workers: int) -> None:
        """See `Progress`."""

    def advance(self, done: int, best: str) -> None:
        """See `Progress`."""

    def say(self, text: str) -> None:
        """See `Progress`."""

    def stop(self) -> None:
        """See `Progress`."""


class Clock:
    """Time left, from the pace of this run; the workers' first results arrive together, so they count as one."""

    def __init__(self, total: int, done: int, workers: int) -> None:
        self._total, self._first, self._workers = total, done, workers
        self._start = time.monotonic()

    def left(self, done: int) -> float | None:
        """Seconds to the end; None before the first result."""
        new = done - self._first
        if new <= 0:
            return None
        pace = (time.monotonic() - self._start) / max(new, self._workers)
        return pace * (self._total - done)


def duration(seconds: float | None) -> str:
    """``4:05``, or ``-:--`` if unknown."""
    return "-:--" if seconds is None else f"{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02d}"


class Live:
    """A rich bar with trials done, the best so far and the time left; one line a trial if not on a terminal.

    As a listener of `hw_flow.steps` it shows the running step, too.

    Parameters
    ----------
    label, unit : of the whole, and of what is counted.
    """

    def __init__(self, console: Console, label: str = "search", unit: str = "trial") -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._console, self._label, self._unit = console, label, unit
        self._bar = Bar(
            TextColumn(label), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left {task.fields[left]}"), TextColumn("{task.fields[best]}"), TextColumn("{task.fields[step]}"),
            console=console, transient=False,
        )

    def start(self, total: int, done: int, workers: int) -> None:
        """See `Progress`."""
        self._total, self._clock = total, Clock(total, done, workers)
        self._task = self._bar.add_task(self._label, total=total, completed=done, left="-:--", best="", step="")
        if self._console.is_terminal:
            self._bar.start()

    def advance(self, done: int, best: str) -> None:
        """See `Progress`."""
        left = duration(self._clock.left(done))
        self._bar.update(self._task, completed=done, left=left, best=best)
        if not self._console.is_terminal:
            self._console.print(f"{self._unit} {done}/{self._total}, left {left}, {best}", highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """See `Progress`."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def stop(self) -> None:
        """See `Progress`."""
        if self._console.is_terminal:
            self._bar.stop()

    def begin(self, name: str, own_display: bool) -> None:
        """Step ``name`` starts; see `hw_flow.steps.Listener`."""
        self._bar.update(self._task, step=name)
        if own_display and self._console.is_terminal:
            self._bar.stop()

    def end(self, name: str, seconds: float) -> None:
        """Step ``name`` ended."""
        del name, seconds
        self._bar.update(self._task, step="")
        if self._console.is_terminal and not self._bar.live.is_started:
            self._bar.start()
