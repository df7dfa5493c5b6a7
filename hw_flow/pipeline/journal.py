"""Which steps of a run are done: one JSON file, rewritten atomically after each step."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw_flow.steps import Steps
from hw_flow.storage import digest, write_json

FILE = "run.json"


@dataclass
class Journal:
    """Steps done in one folder, by name: ``key`` (hash of all that a step depends on), ``seconds``, ``result``.

    A step is reused only if its key is the same, and a key contains the keys of the steps before it: one
    that changes invalidates all that follow. A killed run loses the step it was in, no other.
    """

    directory: Path
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    reused: list[str] = field(default_factory=list)
    _chain: str = ""

    @classmethod
    def open(cls, directory: Path) -> Journal:
        """The journal in ``directory``; a missing or damaged file counts as nothing done."""
        try:
            found = json.loads((directory / FILE).read_text(encoding="utf-8"))
            return cls(directory, dict(found["steps"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(directory)

    def step(self, name: str, settings: object, work: Callable[[], dict[str, Any]], steps: Steps, *,
             intact: Callable[[], bool] = lambda: True, own_display: bool = False) -> dict[str, Any]:
        """Do ``work`` unless it was done with the same settings after the same steps, and its files are still ``intact``.

        Returns
        -------
        What ``work`` returned, now or then: plain JSON.
        """
        self._chain = digest((self._chain, name, json.dumps(settings, sort_keys=True, default=str)))
        found = self.done.get(name)
        if found is not None and found["key"] == self._chain and intact():
            self.reused.append(name)
            result: dict[str, Any] = found["result"]
            return result
        before = dict(steps.seconds)
        with steps(name, own_display=own_display):
            result = work()
        seconds = round(steps.seconds[name] - before.get(name, 0.0), 3)
        self.done[name] = {"key": self._chain, "seconds": seconds, "result": result}
        write_json(self.directory / FILE, {"version": 1, "steps": self.done})
        return result

    @property
    def seconds(self) -> dict[str, float]:
        """Wall clock of each step when it was done."""
        return {name: entry["seconds"] for name, entry in self.done.items()}
