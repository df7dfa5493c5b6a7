"""A content-addressed store on disk that two processes, or a kill, cannot break."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sim.errors import SimError


def cache_root() -> Path:
    """The folder of bitwright's caches: `$BITWRIGHT_CACHE`, else `~/.cache/bitwright`."""
    override = os.environ.get("BITWRIGHT_CACHE")
    return Path(override).expanduser() if override else Path.home() / ".cache" / "bitwright"


def digest(value: Any) -> str:
    """A short name for a JSON value: equal values, equal names."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Cache:
    """Folders by content key below one root.

    An entry appears in one step (a rename), so whoever finds it finds it whole. Builders of the
    same key wait for each other on a file lock, which the kernel drops when its holder dies.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, key: str) -> Path | None:
        """The folder of `key`, or None."""
        entry = self.root / key
        if not entry.is_dir():
            return None
        with suppress(OSError):  # a cache that another user owns can still be read
            os.utime(entry)
        return entry

    def trim(self, limit_bytes: int, younger_s: float = 3600.0) -> None:
        """Delete the entries that were used longest ago until the rest fits; entries in recent use stay."""
        entries = [path for path in self.root.iterdir() if not path.name.startswith(".")]
        used = {path: path.stat().st_mtime for path in entries}
        sizes = {path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) for path in entries}
        total = sum(sizes.values())
        for path in sorted(entries, key=lambda path: used[path]):
            if total <= limit_bytes or time.time() - used[path] < younger_s:
                break
            shutil.rmtree(path, ignore_errors=True)
            total -= sizes[path]

    def get(self, key: str, build: Callable[[Path], None]) -> Path:
        """The folder of `key`; `build` fills it in a temporary folder first if there is none.

        Raises
        ------
        SimError
            The cache folder cannot be written.
        """
        entry = self.root / key
        if self.find(key) is not None:
            return entry
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = self._lock(key)
        except OSError as error:
            raise SimError(f"cache {self.root}: cannot be written ({error.strerror}); set BITWRIGHT_CACHE") from error
        with lock:
            if entry.is_dir():
                return entry
            for stale in self.root.glob(f".{key}.tmp-*"):  # a killed builder's; the lock says it is gone
                shutil.rmtree(stale, ignore_errors=True)
            work = Path(tempfile.mkdtemp(prefix=f".{key}.tmp-", dir=self.root))
            try:
                build(work)
                work.rename(entry)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        return entry

    @contextmanager
    def _locked(self, descriptor: int) -> Iterator[None]:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, key: str) -> Any:
        """An exclusive lock on `key` as a context manager; the file stays, empty."""
        folder = self.root / ".locks"
        folder.mkdir(exist_ok=True)
        return self._locked(os.open(folder / key, os.O_RDWR | os.O_CREAT, 0o666))
