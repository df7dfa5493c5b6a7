"""What the emitter made: files, ports and instances."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hw_flow.errors import FlowError
from hw_flow.rtl.files import write_text
from sim.streams import StreamPort

FILE = "design.json"
_VERSION = 1


@dataclass(frozen=True)
class Instance:
    """One generated module in the top.

    Attributes
    ----------
    name : instance in the top.
    module : its module, which has no parameters.
    kind : the kernel without its prefix: ``mvau``, ``add``, ..., also ``fifo``, ``dwc`` and ``fork``.
    layer : graph node that it is counted under; FIFOs, converters and forks: their own name.
    files : what its synthesis needs, relative to the design's directory, packages first.
    """

    name: str
    module: str
    kind: str
    layer: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """A self-contained directory of SystemVerilog.

    Attributes
    ----------
    top : name of the top module.
    directory : where the files lie.
    files : in compile order, relative to ``directory``, packages first.
    inputs, outputs : streams of the top.
    instances : in the order of the data.
    """

    top: str
    directory: Path
    files: tuple[str, ...]
    inputs: tuple[StreamPort, ...]
    outputs: tuple[StreamPort, ...]
    instances: tuple[Instance, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Absolute paths of ``files``."""
        return tuple(self.directory.resolve() / file for file in self.files)

    @property
    def ports(self) -> tuple[StreamPort, ...]:
        """All streams, inputs first."""
        return self.inputs + self.outputs

    def save(self) -> Path:
        """Write ``design.json`` into the directory and return its path."""
        record = {"version": _VERSION} | asdict(self)
        del record["directory"]
        path = self.directory / FILE
        write_text(path, json.dumps(record, indent=2) + "\n")
        return path

    @classmethod
    def load(cls, directory: Path) -> Design:
        """Read the design that lies in ``directory``.

        Raises
        ------
        FlowError : no design there, or written by another version.
        """
        path = directory / FILE
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise FlowError(f"{path}: no readable design ({error}); build it again") from error
        if record.get("version") != _VERSION:
            found = record.get("version")
            raise FlowError(f"{path}: version {found} of the format, this program reads {_VERSION}; build it again")
        return cls(
            top=record["top"],
            directory=directory,
            files=tuple(record["files"]),
            inputs=tuple(StreamPort(**port) for port in record["inputs"]),
            outputs=tuple(StreamPort(**port) for port in record["outputs"]),
            instances=tuple(Instance(**(entry | {"files": tuple(entry["files"])})) for entry in record["instances"]),
        )
