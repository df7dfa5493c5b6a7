"""Run synthesis jobs, each in a fresh process, through a cache addressed by content."""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hw_flow.errors import FlowError
from hw_flow.storage import cache_dir, locked
from hw_flow.synth import stat
from hw_flow.synth.job import LOG, SCRIPT_VERSION, SynthJob, SynthResult, read_file, script
from hw_flow.synth.resources import Resources
from sim.cache import cache_root
from sim.process import run_process

_CHILD = Path(__file__).with_name("_child.py")


class CancelledError(Exception):
    """The caller set ``cancel`` while a job ran; its processes are gone."""


def run(job: SynthJob, *, cancel: threading.Event | None = None) -> SynthResult:
    """Synthesise ``job``, or take its result from the cache.

    A result is a directory ``<cache>/synth/<key>/`` with ``result.json``, the log and the script. A second process
    that wants the same job waits for the first one.

    Raises
    ------
    FlowError : Yosys is missing, stopped with an error (its line is in the message) or took longer than ``job.timeout_s``.
    CancelledError : another thread set ``cancel``.
    """
    key = cache_key(job)
    directory = cache_dir("synth") / key
    found = _load(directory, job)
    if found is not None:
        return found
    with locked(directory.with_suffix(".lock")):
        found = _load(directory, job)
        if found is not None:
            return found
        # The lock is ours, so a directory of this name was left by a killed run.
        part = directory.with_suffix(".part")
        _remove(part)
        part.mkdir()
        try:
            result = _synthesise(job, part, directory.with_suffix(".failed.txt"), cancel)
            if cache_key(job) != key:
                raise FlowError(f"{job.top}: its sources changed while Yosys read them; synthesise again once they are complete")
            (part / "result.json").write_text(json.dumps(_record(result, job), default=str, indent=1))
            _remove(directory)
            part.replace(directory)
        finally:
            _remove(part)
    return replace(result, log=directory / LOG)


def cached(job: SynthJob) -> SynthResult | None:
    """The result of ``job`` if the cache has it; starts nothing."""
    return _load(cache_directory() / cache_key(job), job)


def cache_directory() -> Path:
    """``$BITWRIGHT_CACHE/synth``, by default ``~/.cache/bitwright/synth``."""
    return cache_root() / "synth"


def cache_key(job: SynthJob) -> str:
    """Hash of everything that the result depends on.

    File names do not count, and the top's own name, also as a prefix (``<top>_weights``), is replaced in the sources: two
    generated wrappers that differ in nothing else, such as equal FIFOs, are one entry. A part around black boxes recurs in
    every design with a layer of its shape, so there the layer's title (lines of ``///``) does not count either.
    """
    digest = hashlib.sha256()

    def add(label: str, value: bytes) -> None:
        digest.update(f"{label} {len(value)}\n".encode() + value)

    own_name = re.compile(_own_name(job).encode())
    add("tool", f"{SCRIPT_VERSION} {yosys_version()}".encode())
    for path in job.files:
        text = path.read_bytes()
        if job.blackboxes:
            text = re.sub(rb"^///.*\n", b"", text, flags=re.MULTILINE)
        add("file", own_name.sub(b"<top>", text))
    for folder in job.include_dirs:
        for path in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
            add(f"include {path.relative_to(folder)}", path.read_bytes())
    for path in job.data:
        add("data", path.read_bytes())
    if job.liberty is not None:
        add("liberty", job.liberty.read_bytes())
    options = {
        "defines": job.defines, "parameters": job.parameters, "target": job.target, "flatten": job.flatten,
        "nodsp": job.nodsp, "blackboxes": sorted(_neutral(name, job) for name in job.blackboxes), "delay": job.delay,
    }
    add("options", json.dumps(options, sort_keys=True).encode())
    return digest.hexdigest()[:32]


@functools.cache
def yosys_version() -> str:
    """Version of the installed pyosys, without importing it.

    Raises
    ------
    FlowError : there is none.
    """
    found = importlib.util.find_spec("pyosys")
    if found is None:
        raise FlowError("Yosys was not found (Python module 'pyosys'), so nothing can be synthesised; pip install pyosys==0.70")
    try:
        return importlib.metadata.version("pyosys")
    except importlib.metadata.PackageNotFoundError:
        # A build of one's own, put on the path by hand.
        return f"local-{Path(found.origin).stat().st_mtime_ns}" if found.origin else "local"


def _synthesise(job: SynthJob, directory: Path, failed: Path, cancel: threading.Event | None) -> SynthResult:
    (directory / "read.f").write_text(read_file(job))
    (directory / "job.ys").write_text(script(job))
    if job.liberty is not None:
        data = job.liberty.read_bytes()
        (directory / "cells.lib").write_bytes(gzip.decompress(data) if job.liberty.suffix == ".gz" else data)
    log = directory / "log.txt"
    command = [sys.executable, "-P", "-W", "ignore", str(_CHILD), "job.ys"]
    # Yosys and abc put their scratch files under TMPDIR; here they vanish with the directory, also after a kill.
    done = run_process(command, cwd=directory, log=log, timeout_s=job.timeout_s, env={"TMPDIR": str(directory)}, stop=cancel)
    if done.timed_out and cancel is not None and cancel.is_set():
        raise CancelledError(f"{job.top}: synthesis was cancelled")
    if done.timed_out:
        log.replace(failed)
        raise FlowError(
            f"{job.top}: Yosys ({job.target}) did not end within {job.timeout_s:g} s and was stopped; "
            f"raise the time-out or fold the layer further (log: {failed})"
        )
    if not done.ok:
        line = stat.error_line(done.output, directory) or done.error
        log.replace(failed)
        raise FlowError(f"{job.top}: Yosys ({job.target}) stopped: {line} (log: {failed})")
    result = stat.result(job, directory, done.seconds)
    with gzip.open(directory / LOG, "wb") as sink:
        sink.write(log.read_bytes())
    log.unlink()
    (directory / "cells.lib").unlink(missing_ok=True)
    failed.unlink(missing_ok=True)
    return result


def _remove(directory: Path) -> None:
    """Delete a directory into which processes that were just killed may still write for an instant."""
    for _ in range(50):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(0.02)


def _own_name(job: SynthJob) -> str:
    return rf"\b{re.escape(job.top)}(?=\b|_)"


def _neutral(module: str, job: SynthJob) -> str:
    """``module`` as it stands in the cache, where an entry may serve another top."""
    return re.sub(_own_name(job), "<top>", module)


def _record(result: SynthResult, job: SynthJob) -> dict[str, Any]:
    record = asdict(result)
    for key in ("boxes", "modules"):
        record[key] = {_neutral(name, job): value for name, value in record[key].items()}
    if not record["modules"]:
        del record["modules"]
    return record


def _load(directory: Path, job: SynthJob) -> SynthResult | None:
    """The result in ``directory``; None if there is none, or it is damaged."""
    try:
        found = _parse(json.loads((directory / "result.json").read_text()), directory, job)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    with suppress(OSError):  # a cache that another user owns can still be read
        os.utime(directory)  # what was used longest ago is trimmed first
    return found


def _parse(stored: dict[str, Any], directory: Path, job: SynthJob) -> SynthResult:
    for part in (stored, *stored.get("modules", {}).values()):
        part["sequential"] = tuple(part["sequential"])
    stored["boxes"] = {name.replace("<top>", job.top): number for name, number in stored["boxes"].items()}
    stored["modules"] = {name.replace("<top>", job.top): Resources(**part) for name, part in stored.get("modules", {}).items()}
    return SynthResult(**{**stored, "log": directory / LOG, "cached": True})
