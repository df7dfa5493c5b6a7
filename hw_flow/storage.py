"""Files that are either whole or absent: atomic writes, locks, content hashes, the cache folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hw_flow.errors import FlowError


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` through a temporary file in the same directory and a rename."""
    path = Path(path)
    try:
        _write(path, data)
    except OSError as error:  # which names the temporary file, or none
        raise OSError(error.errno, error.strerror, str(path)) from error


def check_writable(path: Path) -> None:
    """FlowError unless a file ``path`` can be written: for results of a long job, before it begins."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise FlowError(f"{path}: cannot be written ({error.strerror}); give another file") from error
    if path.is_dir():
        raise FlowError(f"{path}: is a folder; give the name of a file")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> dict[str, object]:
    """The object in a JSON file that this program wrote; FlowError if it is gone or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FlowError(f"{path}: cannot read ({error.strerror}); build again") from error
    except ValueError as error:
        raise FlowError(f"{path}: damaged ({error}); build again") from error
    if not isinstance(value, dict):
        raise FlowError(f"{path}: damaged (not an object); build again")
    return value


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on file ``path``, made if needed; the system drops it when the process dies.

    The file stays, unless the holder removes it together with what it guards; who waited then makes a new one.

    Raises
    ------
    BlockingIOError : another process holds it and ``wait`` is False.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(handle, path):
                yield
                return
        finally:
            os.close(handle)


def _same(handle: int, path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def digest(parts: Iterable[bytes | str]) -> str:
    """SHA-256 over length-prefixed parts, as hex."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(f"{len(data)}:".encode())
        state.update(data)
    return state.hexdigest()


def cache_dir(kind: str) -> Path:
    """``$BITWRIGHT_CACHE/<kind>`` or ``~/.cache/bitwright/<kind>``, created."""
    from sim.cache import cache_root

    path = cache_root() / kind
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlowError(f"cache {path}: cannot be written ({error.strerror}); set BITWRIGHT_CACHE") from error
    return path
