"""What a search leaves on disk: one file per evaluation, and a journal that counts them."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw_flow.codesign.executor import Task
from hw_flow.storage import write_json

Json = dict[str, Any]


@dataclass(frozen=True)
class Store:
    """The result files of one search folder.

    ``trials/<hash>.json`` holds a finished evaluation; ``journal.jsonl`` one line each time an evaluation starts
    and one when its file has been written, so that ``finished`` counts the work that was really done.
    """

    directory: Path

    def path(self, key: str) -> Path:
        """File of the evaluation ``key``."""
        return self.directory / "trials" / f"{key}.json"

    def get(self, key: str) -> Json | None:
        """The finished evaluation, or None."""
        try:
            data: Json = json.loads(self.path(key).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return data

    def log(self, event: str, key: str, **more: str) -> None:
        """Append a line to the journal (one write, so lines of several processes do not mix)."""
        line = json.dumps({"event": event, "key": key, "time": round(time.time(), 3), "pid": os.getpid(), **more}) + "\n"
        with (self.directory / "journal.jsonl").open("ab", buffering=0) as file:
            file.write(line.encode())

    def count(self, event: str) -> Counter[str]:
        """How often ``event`` (``started``, ``finished``, ``died`` or ``failed``) happened, by key."""
        try:
            lines = (self.directory / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return Counter()
        return Counter(entry["key"] for entry in map(json.loads, filter(None, lines)) if entry["event"] == event)


def evaluate_cached(task: Json) -> Json:
    """Run on a worker: the evaluation ``task["key"]`` from its file, or else by ``task["evaluate"]``.

    Parameters
    ----------
    task : ``directory`` and ``key`` (see `Store`), ``evaluate`` (a function of JSON) and its ``argument``.
    """
    store, key = Store(Path(task["directory"])), task["key"]
    known = store.get(key)
    if known is not None:
        return known
    store.log("started", key)
    evaluate: Task = task["evaluate"]
    result = {"key": key, **evaluate(task["argument"])}
    write_json(store.path(key), result)
    store.log("finished", key)
    return result
