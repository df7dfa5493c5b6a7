"""Which builds may be replaced without being asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hw_flow.errors import FlowError
from hw_flow.storage import digest

_PROJECT = Path("finn") / "project"


def project_digest(directory: Path) -> str:
    """Hash of the project in the build ``directory``, which the user may edit and run."""
    folder = directory / _PROJECT
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest(part for path in files for part in (str(path.relative_to(folder)), path.read_bytes()))


def check_older(directory: Path, older: Mapping[str, Any], inputs: str) -> None:
    """FlowError if the build stamped ``older`` must stay; one of the same ``inputs`` by older code, as it was made, may go."""
    remedy = "give another --output, or --force to replace it"
    what = f"{directory}: holds a {older['backend']} build of {older['model_file']}"
    if "inputs" not in older:
        raise FlowError(f"{what} made from other inputs or by another version; {remedy}")
    if older["inputs"] != inputs:
        raise FlowError(f"{what} made from other inputs; {remedy}")
    if older.get("project") != project_digest(directory):
        raise FlowError(f"{what} made by another version, and its {_PROJECT} has changed since; {remedy}")
