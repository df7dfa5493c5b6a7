"""What a design costs, in parts that recur from trial to trial.

The memories of a matrix unit (weights and tables of thresholds) are modules of their own. What is around them does
not depend on their contents: it is synthesised with the memories as black boxes, under names that do not tell which
layer it is, and so comes from the cache for every later layer of the same shape and types. All memories of a
design are synthesised together, in one run. The sum is what Yosys makes of the design with its memories kept as
modules (``keep_hierarchy``).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.synth.design import run_all
from hw_flow.synth.job import SynthJob, SynthResult
from hw_flow.synth.resources import Resources, Target, total

if TYPE_CHECKING:
    from hw_flow.rtl.design import Design, Instance

_PORT = re.compile(r"^  (input|output) +logic *((?:\[\d+:0\])*) *(\w+),?$", re.MULTILINE)
MEMORIES = "memories"


@dataclass(frozen=True)
class Area:
    """Resources of a design.

    Attributes
    ----------
    layers : per graph node, FIFO and converter; weights and thresholds of all layers under ``memories``.
    source : tool and version.
    """

    layers: Mapping[str, Resources]
    target: Target
    source: str

    @property
    def total(self) -> Resources:
        """Sum of all layers."""
        return total(self.target, self.layers.values())


def area(design: Design, target: Target, *, nodsp: bool, timeout_s: float) -> Area:
    """Synthesise ``design`` in parts, one Yosys process at a time.

    Raises
    ------
    FlowError : a module cannot be synthesised or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="bitwright-area-") as name:
        folder = Path(name)
        jobs = {i.name: _around(design, i, folder / str(n)) for n, i in enumerate(design.instances)}
        memories = [file for instance in design.instances for file in _memories(instance)]
        if memories:
            jobs[MEMORIES] = _inside(design, memories, folder)
        jobs = {label: replace(job, target=target, nodsp=nodsp, timeout_s=timeout_s) for label, job in jobs.items()}
        results = run_all(jobs.values(), workers=1)
    groups: dict[str, list[SynthResult]] = {}
    layer_of = {instance.name: instance.layer for instance in design.instances} | {MEMORIES: MEMORIES}
    for label, job in jobs.items():
        groups.setdefault(layer_of[label], []).append(results[job])
    layers = {layer: total(target, parts) for layer, parts in groups.items()}
    return Area(layers, target, next(iter(results.values())).source)


def _memories(instance: Instance) -> list[str]:
    names = {f"{instance.module}_weights.sv", f"{instance.module}_thresholds.sv"}
    return [file for file in instance.files if Path(file).name in names]


def _around(design: Design, instance: Instance, folder: Path) -> SynthJob:
    """Everything of an instance but its memories, with its own name and title taken out."""
    folder.mkdir()
    inner, own = _memories(instance), f"{instance.module}.sv"
    neutral: dict[str, Path] = {}
    for file in (*inner, own):
        text = (design.directory / file).read_text(encoding="utf-8").replace(instance.module, "unit")
        neutral[file] = folder / Path(file).name.replace(instance.module, "unit")
        neutral[file].write_text("".join(line for line in text.splitlines(True) if not line.startswith("///")), encoding="utf-8")
    files = tuple(neutral.get(file, design.directory / file) for file in instance.files if file not in inner)
    hidden = tuple(neutral[file] for file in inner)
    return SynthJob(top="unit", files=files, hidden=hidden, blackboxes=tuple(path.stem for path in hidden))


def _inside(design: Design, files: list[str], folder: Path) -> SynthJob:
    """All memories side by side in one module."""
    ports, body = [], []
    for number, file in enumerate(files):
        pins = []
        text = (design.directory / file).read_text(encoding="utf-8")
        for direction, shape, port in _PORT.findall(text[:text.index(");")]):
            ports.append(f"  {direction} logic {shape} {port}_{number}")
            pins.append(f".{port}({port}_{number})")
        body.append(f"  {Path(file).stem} u_{number} ({', '.join(pins)});")
    top = folder / f"{MEMORIES}.sv"
    top.write_text("\n".join([f"module {MEMORIES} (", ",\n".join(ports), ");", *body, "endmodule", ""]), encoding="utf-8")
    return SynthJob(top=MEMORIES, files=(*(design.directory / file for file in files), top))
