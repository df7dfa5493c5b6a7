"""What bitwright keeps between runs, how much it is, and how to get rid of it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hw_flow.errors import FlowError
from hw_flow.storage import locked
from sim.cache import cache_root

KINDS = {
    "builds": "builds of `verify` and `synth`", "synth": "results of Yosys", "sim/models": "compiled simulators",
    "finn": "what FINN computed, and designs with its RTL", "sim/runtime": "Verilator's run-time", "data": "downloaded data sets",
}
# Where the lock of an entry lies; who makes the entry holds it.
_LOCKS = {"builds": "{0}/.lock", "synth": "{0}.lock", "sim/models": ".locks/{0}", "sim/runtime": ".locks/{0}", "data": "",
          "finn": ""}
# A run may still read an entry that it found; `trim` leaves those alone that were used so lately.
_IN_USE_S = 3600.0
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Entry:
    """One folder of a cache: ``bytes`` on disk, ``used`` in seconds since the epoch."""

    kind: str
    path: Path
    bytes: int
    used: float


def entries(kind: str) -> list[Entry]:
    """The entries of one kind."""
    found = []
    for path in _listed(cache_root() / kind):
        try:
            size = sum(file.lstat().st_size for file in path.rglob("*"))
            found.append(Entry(kind, path, size, path.stat().st_mtime))
        except OSError:  # another process removed it
            continue
    return found


def usage() -> dict[str, tuple[int, int]]:
    """Number of entries and bytes by kind."""
    found = {kind: entries(kind) for kind in KINDS}
    return {kind: (len(own), sum(entry.bytes for entry in own)) for kind, own in found.items()}


def trim(keep: int, *, kinds: tuple[str, ...] = tuple(KINDS), younger_s: float = _IN_USE_S) -> tuple[int, int]:
    """Delete what was used longest ago until at most ``keep`` bytes are left; what is being made or was used lately stays.

    Returns
    -------
    Number of entries deleted, and their bytes.
    """
    found = sorted((entry for kind in kinds for entry in entries(kind)), key=lambda entry: entry.used)
    total, gone = sum(entry.bytes for entry in found), []
    for entry in found:
        if total <= keep or time.time() - entry.used < younger_s:
            break
        if _delete(entry):
            gone.append(entry)
            total -= entry.bytes
    return len(gone), sum(entry.bytes for entry in gone)


def clear() -> tuple[int, int]:
    """Delete all but what is being made at this moment; runs that are under way may have to be started again."""
    return trim(-1, younger_s=float("-inf"))


def size_of(text: str) -> int:
    """Bytes of ``500M``, ``2G``, ``1.5GiB`` or ``1000000``; FlowError if it is none of these."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), flags=re.IGNORECASE)
    if match is None:
        raise FlowError(f"size '{text}' is not known; give bytes, or a number with K, M, G or T, for example 2G")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def shown(size: int) -> str:
    """``1.2 GiB``."""
    value, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _listed(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _delete(entry: Entry) -> bool:
    """Remove an entry unless somebody is making it."""
    key, place = entry.path.name.partition(".")[0], _LOCKS[entry.kind]  # `<key>.part` is a synthesis under way, or a killed one
    lock = entry.path.parent / place.format(key) if place else None
    with ExitStack() as held:
        try:
            if lock is not None:
                held.enter_context(locked(lock, wait=False))
            shutil.rmtree(entry.path)
        except OSError:  # being made, or another user's
            return False
    return True
