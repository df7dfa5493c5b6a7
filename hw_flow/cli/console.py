"""What verbs print: results on stdout, progress on stderr and only where a terminal shows it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw_flow.steps import Steps


class _Bar:
    """Shows the running step with its elapsed time; finished steps stay as lines."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        self._tasks: dict[str, Any] = {}
        self._own: set[str] = set()

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, name: str, own_display: bool) -> None:
        """Show step ``name``, or make room for the bar that it draws itself."""
        self._tasks[name] = self._progress.add_task(name, total=None)
        if own_display:
            self._own.add(name)
            self._progress.stop()

    def end(self, name: str, seconds: float) -> None:
        """Replace the bar by a line, unless the step took no time worth telling."""
        self._progress.remove_task(self._tasks.pop(name))
        if name in self._own:
            self._own.remove(name)
            if not self._own:
                self._progress.start()
        if seconds >= 0.5:
            self._progress.console.print(f"  {name} [dim]{seconds:.1f} s[/dim]", highlight=False)


@contextmanager
def steps() -> Iterator[Steps]:
    """A step recorder for one verb, with a bar if stderr is a terminal."""
    from hw_flow.steps import Steps

    if not sys.stderr.isatty():
        yield Steps()
        return
    with _Bar() as bar:
        yield Steps(bar)


@contextmanager
def json_only(enabled: bool) -> Iterator[None]:
    """Keep stdout for our JSON: whatever packages and tools print meanwhile goes to stderr."""
    if not enabled:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def emit(value: object) -> None:
    """Print ``value`` as JSON on stdout."""
    print(json.dumps(value, indent=2, default=_plain))


def note(text: str) -> None:
    """A sentence for the user on stderr."""
    print(f"note: {text}", file=sys.stderr)


def timestamp() -> str:
    """Now, in UTC, as ISO 8601 to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _plain(value: object) -> object:
    if hasattr(value, "item"):
        return value.item()
    return str(value)
