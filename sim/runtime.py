"""Verilator's run-time library and a precompiled header: compiled once per machine and set of flags."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sim.cache import Cache, cache_root, digest, file_digest
from sim.errors import SimError
from sim.process import run_process
from sim.profiles import Flags
from sim.toolchain import Compiler, Verilator

HARNESS = Path(__file__).parent / "harness"
GLUE = Path(__file__).parent / "glue.py"
_COMMON = ("verilated.cpp", "verilated_dpi.cpp", "verilated_threads.cpp")
_SUPPORT = ("bw_support.h", "bw_support.cpp")
_VERSION = 1
_TIMEOUT_S = 1800.0
_FIXED = (
    "-std=gnu++20",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-gnu-unique",  # else two models in one process would share what should be their own
    "-fno-semantic-interposition",
    "-DVERILATOR=1",
    "-DVL_TIME_CONTEXT",
    "-DVL_USER_FINISH",
    "-DVL_USER_STOP",
    "-DVL_USER_FATAL",
    "-DVL_PRINTF=bw_printf",
)

Command = Sequence[str | Path]


@dataclass(frozen=True)
class Runtime:
    """A compiled run-time.

    Attributes
    ----------
    compile : tuple of str
        Start of a command that compiles a file against it (`-c FILE -o OBJECT` is missing).
    library : Path
        Static library to link.
    """

    compile: tuple[str, ...]
    library: Path


def harness_digest() -> str:
    """Changes with any file of the harness, and with what generates the glue between it and a model."""
    return digest([_digest_of(path.name for path in HARNESS.iterdir() if path.suffix in (".h", ".cpp")), file_digest(GLUE)])


def get_runtime(tool: Verilator, cxx: Compiler, flags: Flags) -> Runtime:
    """The run-time for these tools and flags, from the cache or compiled now (about 10 s on two cores).

    Raises
    ------
    SimError
        It does not compile.
    """
    options = (flags.optimise, *_FIXED, *(f"-I{folder}" for folder in (tool.include, tool.include / "vltstd", HARNESS)))
    versions = [_VERSION, tool.version, cxx.version, cxx.machine, _digest_of(_SUPPORT)]
    key = digest([versions, options, flags.sources])
    folder = Cache(cache_root() / "sim" / "runtime").get(key, lambda work: _compile(work, tool, cxx, flags, options))
    command = (str(cxx.binary), *options, "-Winvalid-pch", "-include", str(folder / "bw_pch.h"))
    return Runtime(command, folder / "libverilated.a")


def _digest_of(names: Iterable[str]) -> str:
    return digest([(name, file_digest(HARNESS / name)) for name in sorted(names)])


def _compile(work: Path, tool: Verilator, cxx: Compiler, flags: Flags, options: tuple[str, ...]) -> None:
    headers = ("bw_support.h", "verilated.h", "verilated_dpi.h", *((flags.header,) if flags.header else ()))
    pch = work / "bw_pch.h"
    pch.write_text("#pragma once\n" + "".join(f'#include "{header}"\n' for header in headers))
    sources = [tool.include / name for name in (*_COMMON, *flags.sources)] + [HARNESS / "bw_support.cpp"]
    objects = [work / f"{source.stem}.o" for source in sources]
    # Without the precompiled header: these files set switches of their own before they include anything.
    jobs: list[Command] = [
        (cxx.binary, *options, "-include", HARNESS / "bw_support.h", "-c", source, "-o", target)
        for source, target in zip(sources, objects, strict=True)
    ]
    jobs.insert(1, (cxx.binary, *options, "-x", "c++-header", pch, "-o", work / "bw_pch.h.gch"))
    run_compilers(jobs, "the run-time of Verilator")
    done = run_process(["ar", "rcs", work / "libverilated.a", *objects], timeout_s=_TIMEOUT_S)
    if not done.ok:
        raise SimError(f"ar: cannot make the run-time library: {done.error}")
    for path in objects:
        path.unlink()


def run_compilers(jobs: Sequence[Command], what: str) -> None:
    """Run compiler commands side by side, as many as there are cores.

    Raises
    ------
    SimError
        One failed; the message holds its first error line.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=max(1, min(len(jobs), os.cpu_count() or 1))) as pool:
        try:
            for done in pool.map(lambda job: run_process(job, timeout_s=_TIMEOUT_S, stop=stop), jobs):
                if not done.ok:
                    raise SimError(f"{Path(done.args[0]).name}: {what} does not compile: {done.error}")
        except BaseException:  # Ctrl-C too: end the others at once
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
