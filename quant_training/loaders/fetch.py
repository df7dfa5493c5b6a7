"""Where the files of a data set lie: a folder, ``$BITWRIGHT_DATA``, or a checked download in the cache."""

from __future__ import annotations

import hashlib
import os
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from quant_training.errors import TrainingError

Item = TypeVar("Item")
Part = tuple[NDArray[Any], NDArray[np.int64]]
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class Loaded:
    """A data set as its reader found it.

    Attributes
    ----------
    train, test : (samples ``[N, ...]``, labels ``[N]``); ``test`` is None where the set has no part of its own.
    classes : names by label.
    shape : of one sample, channels first.
    percentile : share in percent of each feature's values that may fall outside of its integer range, on either side;
        for features with long tails.
    """

    train: Part
    test: Part | None
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    percentile: float = 0.0


def cache_folder(name: str) -> Path:
    """``$BITWRIGHT_CACHE/data/<name>`` or ``~/.cache/bitwright/data/<name>``, made."""
    override = os.environ.get("BITWRIGHT_CACHE")
    folder = (Path(override).expanduser() if override else Path.home() / ".cache" / "bitwright") / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def home(name: str, folder: Path | None) -> Path | None:
    """Where files that the user has put there lie: ``folder``, its part ``name``, or ``$BITWRIGHT_DATA/<name>``; None: nowhere.

    ``_`` and ``-`` in folder names are the same.
    """
    if folder is not None:
        candidates = [folder / spelling for spelling in _spellings(name)]
        return next((path for path in candidates if path.is_dir()), folder)
    if "BITWRIGHT_DATA" not in os.environ:
        return None
    base = Path(os.environ["BITWRIGHT_DATA"]).expanduser()
    return next((base / spelling for spelling in _spellings(name) if (base / spelling).is_dir()), base / name)


def _spellings(name: str) -> tuple[str, ...]:
    return name, name.replace("-", "_"), name.replace("_", "-")


def find(name: str, folder: Path | None, choices: Sequence[str], remedy: str) -> Path:
    """The first of the files ``choices`` that is there.

    Raises
    ------
    TrainingError : none is; the message names the file, the folder and ``remedy``.
    """
    where = home(name, folder)
    if where is None:
        cached = cache_folder(name)
        found = next((cached / file for file in choices if (cached / file).exists()), None)
        if found is not None:
            return found
        raise TrainingError(f"{name}: there is no download for it; put {choices[0]} into {cached}, or into $BITWRIGHT_DATA/{name}"
                            f" ({remedy})")
    for file in choices:
        if (where / file).exists():
            return where / file
    raise TrainingError(f"{where}: no {choices[0]}; put it there ({remedy})")


def download(name: str, url: str, checksum: str) -> Path:
    """The file behind ``url`` in the cache, fetched once; ``checksum`` is its publisher's, ``md5:...`` or ``sha256:...``.

    Raises
    ------
    TrainingError : no network, or a wrong checksum; nothing is kept then.
    """
    file = url.rsplit("/", 1)[1]
    target = cache_folder(name) / file
    if target.exists():
        return target
    kind, wanted = checksum.split(":")
    digest = hashlib.new(kind, usedforsecurity=False)
    temporary = target.with_name(f".{file}.{os.getpid()}.tmp")
    try:
        with urllib.request.urlopen(url, timeout=60) as reply, temporary.open("wb") as out:  # noqa: S310 - our constant
            while block := reply.read(_CHUNK):
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != wanted:
            raise TrainingError(
                f"{name}: {url} has a wrong checksum; fetch the file by hand and put it into $BITWRIGHT_DATA/{name}"
            )
        temporary.replace(target)
    except (urllib.error.URLError, OSError) as error:
        raise TrainingError(
            f"{name}: cannot download {url} ({error}); fetch it by hand and put it into $BITWRIGHT_DATA/{name}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def watched(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The ``items``, with a bar and the time left where a terminal shows it."""
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def derived(name: str, files: Sequence[Path], version: str, make: Callable[[], Mapping[str, NDArray[Any]]],
            ) -> dict[str, NDArray[Any]]:
    """Arrays that take long to make from ``files``, kept in the cache under a hash of those.

    ``version`` names the recipe; a damaged cache is made anew.
    """
    digest = hashlib.sha256(version.encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    kept = cache_folder("derived") / f"{name}-{digest.hexdigest()[:20]}.npz"
    try:
        with np.load(kept, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error):
        kept.unlink(missing_ok=True)
    arrays = dict(make())
    temporary = kept.with_name(f".{kept.stem}.{os.getpid()}.npz")
    try:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]  # NumPy's types take a mapping of arrays for its flags
        temporary.replace(kept)
    finally:
        temporary.unlink(missing_ok=True)
    return arrays
