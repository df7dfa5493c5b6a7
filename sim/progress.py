"""Progress on standard error for what takes longer than two seconds; nothing without a terminal."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any

_PATIENCE_S = 2.0


class Waiting:
    """Show a bar, or a spinner where the total is unknown, once two seconds have gone by.

    Use it as a context manager; `update` may be called from any thread at any time.
    """

    def __init__(self, title: str, enabled: bool | None = None, total: int | None = None, unit: str = "") -> None:
        self.title = title
        self.enabled = sys.stderr.isatty() if enabled is None else enabled
        self.total = total
        self.unit = unit
        self._bar: Any = None
        self._task: Any = None
        self._timer: threading.Timer | None = None
        self._started = time.monotonic()

    def __enter__(self) -> Waiting:
        """Start the clock; a spinner appears by itself."""
        if self.enabled and self.total is None:
            self._timer = threading.Timer(_PATIENCE_S, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove what was shown."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int) -> None:
        """Tell how much of the total is done."""
        if not self.enabled or time.monotonic() - self._started < _PATIENCE_S:
            return
        if self._bar is None:
            self._show()
        self._bar.update(self._task, completed=done)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns: list[Any] = [SpinnerColumn(), TextColumn("{task.description}")]
        if self.total is not None:
            columns += [BarColumn(), MofNCompleteColumn(), TextColumn(self.unit), TimeRemainingColumn()]
        else:
            columns.append(TimeElapsedColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(self.title, total=self.total)
        self._bar.start()
