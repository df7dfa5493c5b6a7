"""Named steps of a job: their seconds, and a listener that may show progress.

Functions that take more than a moment accept a ``Steps`` and wrap each part in ``with steps("simulate")``.
What listens (a terminal, nothing) is the caller's business.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Listener(Protocol):
    """Told when steps begin and end."""

    def begin(self, name: str, own_display: bool) -> None:
        """Step ``name`` starts; with ``own_display`` it shows its progress itself."""

    def end(self, name: str, seconds: float) -> None:
        """Step ``name`` ended, also when it failed."""


class Steps:
    """Records wall-clock seconds by step name; a name used twice adds up."""

    def __init__(self, listener: Listener | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._listener = listener

    @property
    def watched(self) -> bool:
        """Whether somebody looks on, so that progress is worth drawing."""
        return self._listener is not None

    @contextmanager
    def __call__(self, name: str, *, own_display: bool = False) -> Iterator[None]:
        """Time the enclosed block as step ``name``; ``own_display``: what runs in it draws a progress bar of its own."""
        if self._listener is not None:
            self._listener.begin(name, own_display)
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 3)
            if self._listener is not None:
                self._listener.end(name, spent)
