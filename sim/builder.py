"""From SystemVerilog to a model that can be run: Verilator, the glue, the C++ compiler, the cache."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sim.cache import Cache, cache_root, digest, file_digest
from sim.errors import SimError
from sim.glue import free_pins, generate, parse_ports
from sim.model import Model
from sim.process import run_process
from sim.profiles import Flags, Profile, flags
from sim.progress import Waiting
from sim.runtime import Runtime, get_runtime, harness_digest, run_compilers
from sim.streams import StreamPort
from sim.toolchain import Compiler, Verilator, compiler, has_lz4, verilator

_VERSION = 1  # of what a build consists of: a change makes older cache entries invisible
_CACHE_BYTES = 4 << 30  # of models kept; each takes some 100 KiB to some MiB
_SPLIT_BYTES = 400_000  # generated C++ beyond this is compiled in parts side by side


@dataclass(frozen=True)
class Source:
    """What to build.

    Attributes
    ----------
    top : str
        Name of the top module.
    files : tuple of Path
        SystemVerilog files in compile order, packages first.
    include_dirs : tuple of Path
        Folders of included files.
    defines : tuple of str
        Macros, "NAME" or "NAME=VALUE".
    parameters : mapping
        Parameters of the top module.
    """

    top: str
    files: tuple[Path, ...]
    include_dirs: tuple[Path, ...] = ()
    defines: tuple[str, ...] = ()
    parameters: Mapping[str, int | str] = field(default_factory=dict)


def build(
    source: Source,
    ports: Sequence[StreamPort],
    profile: Profile | str = Profile.CHECK,
    *,
    clock: str = "clk_i",
    reset: str = "rst_ni",
    timeout_s: float = 1800.0,
    progress: bool | None = None,
) -> Model:
    """Build a model, or take it from the cache.

    Parameters
    ----------
    source : Source
        The design.
    ports : sequence of StreamPort
        Its streams. A stream `s` has the ports `s_tdata`, `s_tvalid`, `s_tready` and perhaps `s_tlast`
        (or `s_data`, ..., also with `_i` and `_o`).
    profile : Profile or str
        What the model is for.
    clock, reset : str
        Names of the clock and of the synchronous reset, which is active low if its name ends in n, ni or n_i.
    timeout_s : float
        Limit of the seconds that Verilator may take.
    progress : bool, optional
        Show progress on standard error after two seconds; by default if that is a terminal.

    Raises
    ------
    SimError
        A file or a tool is missing, or the design does not compile.
    """
    kind = _profile(profile)
    ports = tuple(ports)
    names = [port.name for port in ports]
    if len(set(names)) != len(names):
        raise SimError(f"ports: the stream names must differ, not {', '.join(names)}")
    for path in source.files:
        if not path.is_file():
            raise SimError(f"{path}: no such file (source of {source.top})")
    tool, cxx = verilator(), compiler()
    if kind is Profile.FST and not has_lz4():
        raise SimError(
            "profile fst: the headers of lz4 or zlib are missing; "
            "install the packages liblz4-dev and zlib1g-dev or use a .vcd trace"
        )
    job = _Job(source, ports, kind, clock, reset, tool, cxx, timeout_s)
    key = job.key()
    models = Cache(cache_root() / "sim" / "models")
    folder = models.find(key)
    if folder is None:
        with Waiting(f"building {source.top} ({kind.value})", progress):
            folder = models.get(key, job)
        models.trim(_CACHE_BYTES)
    meta = json.loads((folder / "meta.json").read_text())

    def traced(other: Profile) -> Model:
        return build(source, ports, other, clock=clock, reset=reset, timeout_s=timeout_s, progress=progress)

    return Model(folder / "model.so", ports=ports, profile=kind, pins=tuple(meta["pins"]), source=tool.source, traced=traced)


def _profile(profile: Profile | str) -> Profile:
    try:
        return Profile(profile)
    except ValueError:
        raise SimError(f"profile: must be one of {', '.join(Profile)}, not {profile!r}") from None


@dataclass(frozen=True)
class _Job:
    """One build: its name in the cache and how to make it."""

    source: Source
    ports: tuple[StreamPort, ...]
    profile: Profile
    clock: str
    reset: str
    tool: Verilator
    cxx: Compiler
    timeout_s: float

    @property
    def flags(self) -> Flags:
        """The profile's flags."""
        return flags(self.profile)

    def key(self) -> str:
        """Everything that the library depends on; the files by content, so a moved design is the same design."""
        source = self.source
        included = [
            (path.relative_to(folder).as_posix(), file_digest(path))
            for folder in source.include_dirs
            for path in sorted(folder.rglob("*"))
            if path.suffix in (".sv", ".svh", ".v", ".vh") and path.is_file()
        ]
        return digest(
            [
                ["model", _VERSION, self.profile.value, asdict(self.flags), harness_digest()],
                [self.tool.version, str(self.tool.root), self.cxx.version, self.cxx.machine],
                [source.top, list(source.defines), sorted(source.parameters.items()), self.clock, self.reset],
                [(path.name, file_digest(path)) for path in source.files],
                included,
                [[port.name, port.direction, port.width, port.lanes] for port in self.ports],
            ]
        )

    def __call__(self, work: Path) -> None:
        """Leave `model.so` and `meta.json` in `work`."""
        generated = work / "cpp"
        self._verilate(generated, work / "verilator.log")
        pins = parse_ports((generated / "Vdut.h").read_text())
        (generated / "bw_glue.cpp").write_text(generate(pins, self.ports, self.clock, self.reset))
        self._compile(work, generated, get_runtime(self.tool, self.cxx, self.flags))
        free = free_pins(pins, self.ports, self.clock, self.reset)
        (work / "meta.json").write_text(json.dumps({"top": self.source.top, "pins": [pin.name for pin in free]}))
        shutil.rmtree(generated)

    def _verilate(self, target: Path, log: Path) -> None:
        source = self.source
        command: list[str | Path] = [self.tool.binary, "--cc", "--prefix", "Vdut", "--top-module", source.top, "--Mdir", target]
        command += ["-Wno-fatal", "--no-timing", "--output-split", "5000", *self.flags.verilator]
        command += [f"-D{define}" for define in source.defines]
        command += [f"-I{folder}" for folder in source.include_dirs]
        command += [f"-G{name}={_literal(value)}" for name, value in source.parameters.items()]
        command += source.files
        done = run_process(command, timeout_s=self.timeout_s, env={"VERILATOR_ROOT": str(self.tool.root)}, log=log)
        if not done.ok:
            raise SimError(f"verilator: {source.top}: {done.error.removeprefix('%Error: ')}")

    def _compile(self, work: Path, generated: Path, runtime: Runtime) -> None:
        """Compile the generated files in as few translation units as the cores can use, and link."""
        units = _units(generated, self.flags.defines)
        objects = [unit.with_suffix(".o") for unit in units]
        start = (*runtime.compile, f"-I{generated}")
        run_compilers([(*start, "-c", unit, "-o", unit.with_suffix(".o")) for unit in units], self.source.top)
        link: tuple[str | Path, ...] = (self.cxx.binary, "-shared", "-o", work / "model.so", *objects, runtime.library)
        run_compilers([(*link, "-Wl,--exclude-libs,ALL", *self.flags.libraries, "-pthread")], self.source.top)


def _units(generated: Path, defines: tuple[str, ...]) -> list[Path]:
    """Files that include the generated ones: one, or some of about equal size for a large model."""
    glue = generated / "bw_glue.cpp"
    files = sorted((path for path in generated.glob("Vdut*.cpp")), key=lambda path: -path.stat().st_size)
    total = sum(path.stat().st_size for path in files)
    count = max(1, min(2 * (os.cpu_count() or 1), len(files), round(total / _SPLIT_BYTES)))
    groups: list[list[Path]] = [[glue], *([] for _ in range(count - 1))]
    loads = [0] * count
    for path in files:
        lightest = loads.index(min(loads))
        groups[lightest].append(path)
        loads[lightest] += path.stat().st_size
    units = []
    for index, group in enumerate(groups):
        unit = generated / f"bw_unit_{index}.cpp"
        # Macros here and not on the command line, where they would spoil the precompiled header.
        lines = [f"#define {define}\n" for define in defines] + [f'#include "{path.name}"\n' for path in group]
        unit.write_text("".join(lines))
        units.append(unit)
    return units


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
