"""The build directory: who may write it, when it is complete, and when it is still good.

A build is complete when ``build.json`` is there: it is removed first and comes last, so a killed build leaves a
directory that the next build clears and nobody reads. All artefacts are first made in ``.new`` and then moved into place, so
a build that fails leaves the older one as it was. The marker ``.bitwright-build`` is written before anything else and
tells such a directory from a user's that happens to hold the same names: only a marked one, or one with a whole stamp,
is ever cleared. The stamp's ``key`` is a hash of all that the result depends on.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from hw_flow import storage
from hw_flow.errors import FlowError
from hw_flow.storage import digest, read_json, write_json, write_text

STAMP = "build.json"
MARKER = ".bitwright-build"
TRIALS = "fifo_trials.json"
LOCK = ".lock"
_NEW = ".new"
_ARTEFACTS = (
    "config.yaml", "model.onnx", "graph.json", "graph.npz", "program.json", "folding.json", "fifo.json", "rtl", "sim", "synth",
    "report", "report.json", "report.png", "report.html", "build.log", "hls4ml", "hls4ml.json", "csim", TRIALS,
    "finn", "finn.log",
)
# What tells of the hardware of a build, and is wrong when that changes.
_MEASURED = ("sim", "synth", "report", "report.json", "report.png", "report.html", TRIALS)
# What every stamp holds; one that does not is damaged.
_STAMPED: dict[str, type] = {
    "key": str, "backend": str, "name": str, "model_file": str, "model_sha256": str, "notes": list, "host_ops": list,
    "seconds": dict,
}
# Rooms whose code decides what a build holds.
_ROOMS = ("ir", "frontend", "folding", "cost", "fifo", "rtl", "backends")


@dataclass(frozen=True)
class BuildOptions:
    """What a user may say about a build.

    Attributes
    ----------
    input_type, input_scale : the graph input as integers, ``"UINT8"`` and ``"1/255"``; None keeps the model's floats.
    folding : FINN folding JSON.
    target_cycles : cycles a frame to aim at.
    unfold : every node at full width.
    fps, clock_mhz : frames a second to aim at, and the clock that they are meant at.
    target_latency : cycles within which the first output must come.
    budget_luts, budget_brams, budget_dsps : what a design may use by the cost model; as fast as possible within that.
    pipeline_levels : levels of logic between the registers of constant logic; None takes what ``clock_mhz`` allows, or 2.
    name : of graph and top module; None takes the file's.
    settings : YAML file of the back end's own settings (`finn`).
    force : replace a project that another build made here; says nothing of the result.
    """

    input_type: str | None = None
    input_scale: str | None = None
    folding: Path | None = None
    target_cycles: int | None = None
    unfold: bool = False
    fps: float | None = None
    clock_mhz: float | None = None
    target_latency: int | None = None
    budget_luts: int | None = None
    budget_brams: int | None = None
    budget_dsps: int | None = None
    pipeline_levels: int | None = None
    name: str | None = None
    settings: Path | None = None
    force: bool = False

    def __post_init__(self) -> None:
        budget = [flag for flag, value in (("--budget-luts", self.budget_luts), ("--budget-brams", self.budget_brams),
                                           ("--budget-dsps", self.budget_dsps)) if value is not None]
        ways = (("--folding", self.folding), ("--target-cycles", self.target_cycles), ("--unfold", self.unfold or None),
                ("--fps", self.fps), ("--target-latency", self.target_latency))
        given = [*(flag for flag, value in ways if value is not None), *budget[:1]]
        if len(given) > 1:
            raise FlowError(f"{' and '.join(given)} contradict each other; give one")
        if self.fps is not None and self.clock_mhz is None:
            raise FlowError(f"--fps {self.fps:g} without --clock; give the clock in MHz too")
        if self.input_scale is not None and self.input_type is None:
            raise FlowError(f"--input-scale {self.input_scale} without --input-type; give the type too, for example UINT8")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for YAML and JSON."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}


def read_input(path: Path, what: str) -> bytes:
    """Content of a file that the user named; FlowError if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FlowError(f"{path}: cannot read the {what} ({error.strerror}); check the path") from error


def build_key(backend: str, model: Path, content: bytes, options: BuildOptions, *, code: bool = True) -> str:
    """Hash of all that a build depends on; without ``code``, of all but our own.

    These are the model's ``content`` with the files beside it that hold its data, the name of the top module,
    the options, the content of the folding and settings files, and the code that builds.
    """
    plain = options.as_dict()
    folding = read_input(options.folding, "folding file") if options.folding else b""
    settings = read_input(options.settings, "settings file") if options.settings else b""
    plain |= {"folding": None, "settings": None, "force": None, "name": top_name(model, options)}
    own = code_digest() if code else b""
    return digest((backend, content, *_beside(model, content), repr(sorted(plain.items())), folding, settings, own))


def _beside(model: Path, content: bytes) -> Iterator[bytes]:
    """Content of the files that hold data of ``model``; most models have none, which costs no import of ONNX to find out."""
    if b"location" not in content:
        return
    from hw_flow.frontend.load import external_files

    for path in external_files(content, model):
        yield path.name.encode()
        yield read_input(path, "model's data")


def top_name(model: Path, options: BuildOptions) -> str:
    """Name of graph and top module: the wanted one or the file's, as an identifier."""
    return sanitise(options.name or model.stem)


def sanitise(name: str) -> str:
    """``name`` as an identifier for files and modules."""
    clean = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "model"
    return f"m_{clean}" if clean[0].isdigit() else clean


@lru_cache
def code_digest(rooms: tuple[str, ...] = _ROOMS) -> str:
    """Hash of our own code in ``rooms`` of hw_flow, so that a newer version does its work anew."""
    root = Path(__file__).parents[1]
    files = sorted(path for room in rooms for path in (root / room).rglob("*") if path.suffix in (".py", ".sv", ".svh"))
    return digest(part for path in files for part in (str(path.relative_to(root)), path.read_bytes()))


@contextmanager
def locked(directory: Path, remedy: str = "give another --output") -> Iterator[None]:
    """Hold the directory against a second process; the lock ends with its process, however that ends."""
    with ExitStack() as held:
        try:
            held.enter_context(storage.locked(directory / LOCK))
        except OSError as error:
            raise FlowError(f"{directory}: cannot be written ({error.strerror}); {remedy}") from error
        yield


def current(directory: Path, key: str) -> dict[str, Any] | None:
    """The stamp of a complete build with this key, or None; an unreadable or damaged stamp counts as none."""
    stamp = _stamp(directory)
    return stamp if stamp is not None and stamp["key"] == key else None


def _stamp(directory: Path) -> dict[str, Any] | None:
    """The stamp in ``directory`` if it is whole."""
    try:
        stamp = read_json(directory / STAMP)
    except FlowError:
        return None
    return stamp if all(isinstance(stamp.get(name), kind) for name, kind in _STAMPED.items()) else None


def standing(directory: Path) -> dict[str, Any] | None:
    """The stamp of the complete build in ``directory``, or None."""
    return _stamp(directory)


def claim(directory: Path) -> None:
    """Mark the directory as ours; call it under the lock, before anything slow.

    Raises
    ------
    FlowError : the directory is not empty and neither the marker nor a whole stamp shows that a build made it.
    """
    if not (directory / MARKER).is_file() and _stamp(directory) is None:
        foreign = sorted(path.name for path in directory.iterdir() if path.name != LOCK)
        if foreign:
            raise FlowError(f"{directory}: holds '{foreign[0]}' and was not made by a build; give an empty or new --output")
    write_text(directory / MARKER, "Made by bitwright, which replaces its own files here.\n")


@contextmanager
def staged(directory: Path) -> Iterator[Path]:
    """An empty folder inside ``directory`` for the artefacts of a new build; gone at the end, whatever happens."""
    folder = directory / _NEW
    _remove(folder)
    folder.mkdir()
    try:
        yield folder
    finally:
        _remove(folder)


def finish(directory: Path, staging: Path, options: BuildOptions, stamp: Mapping[str, object]) -> None:
    """Put the artefacts in ``staging`` in the place of an older build's; last of all the stamp, which completes it."""
    write_text(staging / "config.yaml", yaml.safe_dump({"backend": stamp["backend"], **options.as_dict()}, sort_keys=False))
    _replace(directory, staging, stamp, _ARTEFACTS)


def refresh(directory: Path, staging: Path, stamp: Mapping[str, object]) -> None:
    """Put the artefacts in ``staging`` in the place of those of a complete build, and drop what was measured with the old."""
    _replace(directory, staging, stamp, (*_MEASURED, *(path.name for path in staging.iterdir())))


def _replace(directory: Path, staging: Path, stamp: Mapping[str, object], stale: Iterable[str]) -> None:
    write_json(staging / STAMP, dict(stamp))
    (directory / STAMP).unlink(missing_ok=True)
    for name in stale:
        _remove(directory / name)
    for path in sorted(staging.iterdir(), key=lambda path: path.name == STAMP):
        path.replace(directory / path.name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def stamp_of(directory: Path) -> dict[str, Any]:
    """The stamp of a complete build; FlowError if ``directory`` is none."""
    if directory.is_file():
        raise FlowError(f"{directory}: a file, no build directory; give what `bitwright build` made")
    if not directory.is_dir():
        raise FlowError(f"{directory}: no such build directory; run `bitwright build MODEL.onnx --output {directory}` first")
    if not (directory / STAMP).is_file():
        raise FlowError(f"{directory}: no complete build ({STAMP} is missing); run `bitwright build MODEL.onnx -o {directory}`")
    stamp = _stamp(directory)
    if stamp is None:
        raise FlowError(f"{directory}: {STAMP} is damaged; run `bitwright build MODEL.onnx -o {directory}`")
    return stamp
