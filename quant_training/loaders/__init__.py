"""One reader for each known data set, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import cast

from quant_training.loaders.fetch import Loaded

__all__ = ["NAMES", "Loaded", "files", "read"]

# name: (module, function); a module is imported when its set is asked for.
_READERS: Mapping[str, tuple[str, str]] = {
    "cifar10": ("images", "cifar10"), "cifar100": ("images", "cifar100"), "svhn": ("images", "svhn"),
    "speech-commands": ("audio", "speech_commands"), "fsdd": ("audio", "fsdd"), "radioml": ("radio", "radioml"),
    "jets": ("tables", "jets"), "unsw-nb15": ("tables", "unsw_nb15"), "nsl-kdd": ("tables", "nsl_kdd"),
}
NAMES = tuple(_READERS)


def read(name: str, folder: Path | None) -> Loaded:
    """The data set ``name`` from ``folder``, ``$BITWRIGHT_DATA`` or the cache.

    Raises
    ------
    TrainingError : a file is missing (with its name and where to put it) or damaged.
    """
    module, function = _READERS[name]
    reader = cast("Callable[[Path | None], Loaded]", getattr(import_module(f"quant_training.loaders.{module}"), function))
    return reader(folder)


def files(name: str, folder: Path | None) -> tuple[Path, ...]:
    """Files on disk that `read` would use; none where it downloads and checks them itself."""
    from quant_training.loaders.fetch import home

    where = home(name, folder)
    return tuple(sorted(path for path in where.rglob("*") if path.is_file())) if where is not None and where.is_dir() else ()
