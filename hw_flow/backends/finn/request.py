"""What the child process is asked, as plain values in a JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """A conversion.

    Attributes
    ----------
    model : QONNX file.
    output : folder for all that is made.
    name : of the accelerator.
    part, board : what FINN builds for.
    clock_ns : period of the clock.
    input_type, input_scale : the graph input as integers times a scale.
    classify : let the accelerator end in the index of the largest output.
    standalone_thresholds : keep activations out of the matrix units, as the RTL matrix unit needs.
    styles_file, folding_file : FINN's JSON files, or None.
    target_cycles : cycles a frame that FINN folds for.
    mvau_wwidth_max : bits of a weight word that FINN's folding stays below.
    """

    model: Path
    output: Path
    name: str
    part: str
    board: str | None
    clock_ns: float
    input_type: str | None = None
    input_scale: float | None = None
    classify: bool = False
    standalone_thresholds: bool = False
    styles_file: Path | None = None
    folding_file: Path | None = None
    target_cycles: int | None = None
    mvau_wwidth_max: int = 36

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
        path.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")

    def relative_to(self, folder: Path) -> Request:
        """The same with paths inside ``folder`` relative to it."""
        def moved(path: Path) -> Path:
            return path.relative_to(folder) if path.is_relative_to(folder) else path

        return replace(self, model=moved(self.model), output=moved(self.output),
                       styles_file=self.styles_file and moved(self.styles_file),
                       folding_file=self.folding_file and moved(self.folding_file))

    def inside(self, folder: Path) -> Request:
        """The same with relative paths taken from ``folder``: the opposite of `relative_to`."""
        return replace(self, model=folder / self.model, output=folder / self.output,
                       styles_file=self.styles_file and folder / self.styles_file,
                       folding_file=self.folding_file and folder / self.folding_file)

    @classmethod
    def load(cls, path: Path) -> Request:
        """Read what `save` wrote."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        paths = ("model", "output", "styles_file", "folding_file")
        known: dict[str, Any] = {field.name: values[field.name] for field in fields(cls)}
        return cls(**known | {key: Path(known[key]) for key in paths if known[key]})
