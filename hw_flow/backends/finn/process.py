"""Run FINN in a child process: a time-out, its log kept, its own error as one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hw_flow.errors import FlowError
from sim.process import run_process

LOG = "finn.log"


def run_inside(verb: str, request: Path, *, timeout_s: float, what: str, shown: Path | None = None) -> dict[str, Any]:
    """Run ``verb`` on a request file; returns the child's answer.

    Parameters
    ----------
    what : subject of the error line, for example the model's path.
    shown : where the error line says that the log is; by default ``finn.log`` beside the request.

    Raises
    ------
    FlowError : FINN refused, crashed or took too long; ``finn.log`` beside the request has all that it printed.
    """
    folder = request.parent
    answer, log = folder / "answer.json", folder / LOG
    answer.unlink(missing_ok=True)
    root = Path(__file__).parents[3]
    done = run_process(
        [sys.executable, "-W", "ignore", "-m", "hw_flow.backends.finn.inside", verb, request],
        timeout_s=timeout_s, log=log, env={"PYTHONPATH": str(root), "FINN_SETTINGS": str(folder / "settings.yaml")})
    try:
        told: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = {"error": done.error or "ended without an answer"}
    if done.timed_out:
        told["error"] = f"no end after {done.seconds:.0f} s; give more timeout_s in --settings"
    if "error" in told:
        raise FlowError(f"{what}: FINN: {told['error'].rstrip('.')}; see {shown or log}")
    return told
