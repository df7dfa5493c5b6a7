"""Ctrl-C and SIGTERM, held back while something is being recorded."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stopping:
    """Raises KeyboardInterrupt on SIGINT and SIGTERM (which batch systems send before they kill), but never inside `held`.

    An exception in the middle of a database's commit would leave it locked for whoever records the rest.
    """

    def __init__(self) -> None:
        self._held = 0
        self._pending = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Take both signals over; outside the main thread, which alone may, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # A shell starts background jobs with SIGINT ignored: leave that as it is.
        taken = [signal.SIGTERM, *([signal.SIGINT] if signal.getsignal(signal.SIGINT) is signal.default_int_handler else [])]
        before = {number: signal.signal(number, self._stop) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Run the body whole; a signal that came meanwhile counts at its end."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self._pending and not self._held:
            self._pending = False
            raise KeyboardInterrupt

    def _stop(self, _number: int, _frame: Any) -> None:
        if self._held:
            self._pending = True
            return
        raise KeyboardInterrupt
