"""Runs of a search for FIFO depths, remembered: a search that was interrupted repeats none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hw_flow.storage import write_json


@dataclass
class Trials:
    """Outcomes of runs by their limits, rewritten atomically after each.

    Attributes
    ----------
    path : JSON file, or None for none.
    key : hash of all that outcomes depend on; a file with another one counts as empty.
    known : whether interval, latency and results stayed, by limits.
    """

    path: Path | None
    key: str
    known: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None, key: str) -> Trials:
        """The outcomes in ``path``; a missing, damaged or outdated file counts as none."""
        trials = cls(path, key)
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
            if found.get("key") == key:
                trials.known = {str(limits): bool(kept) for limits, kept in found["known"].items()}
        except (OSError, ValueError, KeyError, AttributeError):
            pass
        return trials

    def outcome(self, limits: Sequence[int], run: Callable[[], bool]) -> bool:
        """That of ``limits``, by ``run`` if it is not known."""
        name = " ".join(map(str, limits))
        if name not in self.known:
            self.known[name] = run()
            if self.path is not None:
                write_json(self.path, {"key": self.key, "known": self.known})
        return self.known[name]
