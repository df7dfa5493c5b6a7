"""Read what Yosys wrote: ``stat -json``, ``sta`` and the error in a log."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hw_flow.errors import FlowError
from hw_flow.synth.job import LOG, SynthJob, SynthResult
from hw_flow.synth.resources import Resources, total

_LINE = 300
# Left by hierarchy and flattening; they are not hardware.
_NO_HARDWARE = frozenset({"$scopeinfo", "$print", "$check", "$assert", "$assume", "$cover", "$meminit", "$meminit_v2"})


def result(job: SynthJob, directory: Path, seconds: float) -> SynthResult:
    """The result of a finished job from the files in its ``directory``."""
    report = json.loads((directory / "stat.json").read_text())
    modules: dict[str, Any] = {name.lstrip("\\"): module for name, module in report["modules"].items()}
    found = leaves(modules, job.top)
    boxes = {name: found.pop(name) for name in job.blackboxes if name in found}
    cells = dict(sorted(found.items()))
    area = sum(float(module.get("area", 0.0)) for module in modules.values()) if job.liberty is not None else None
    sequential = _sequential(directory / "cells.lib", cells) if job.liberty is not None else ()
    version = re.match(r"Yosys (\S+)", report["creator"])
    return _checked(job, SynthResult(
        target=job.target, cells=cells, area=area, transistors=_transistors(modules, bool(boxes)), sequential=sequential,
        source=f"yosys-{version.group(1) if version else 'unknown'}", seconds=round(seconds, 2),
        log=directory / LOG, boxes=boxes, modules=_modules(job, directory, modules),
        delay_ns=_delay_ns(directory / "sta.txt") if job.delay else None,
    ))


def _modules(job: SynthJob, directory: Path, modules: Mapping[str, Any]) -> dict[str, Resources]:
    """What is in all instances of each module but the top that holds no other module."""
    if job.flatten:
        return {}
    found: dict[str, list[Resources]] = {}
    library = job.liberty is not None
    for name, module in modules.items():
        if name == job.top or any(cell in modules for cell in module.get("num_cells_by_type", {})):
            continue
        cells = dict(sorted(leaves(modules, name).items()))
        # Slang makes a module of each instance, `module$path.of.instance`.
        found.setdefault(name.partition("$")[0], []).append(Resources(
            target=job.target, cells=cells, area=float(module.get("area", 0.0)) if library else None,
            transistors=_transistors({name: module}, False),
            sequential=_sequential(directory / "cells.lib", cells) if library else (),
        ))
    return {name: total(job.target, instances) for name, instances in found.items()}


def leaves(modules: Mapping[str, Any], top: str) -> Counter[str]:
    """Cells below ``top``, each module counted as often as it is instantiated."""
    done: dict[str, Counter[str]] = {}

    def below(name: str) -> Counter[str]:
        if name not in done:
            count: Counter[str] = Counter()
            for cell, number in modules[name].get("num_cells_by_type", {}).items():
                if cell in modules:
                    for leaf, times in below(cell).items():
                        count[leaf] += times * number
                elif cell not in _NO_HARDWARE:
                    count[cell] += number
            done[name] = count
        return done[name]

    return below(top).copy()


def _checked(job: SynthJob, found: SynthResult) -> SynthResult:
    """Refuse a netlist with cells that no figure would count."""
    counted: Resources = found
    unmapped = {cell: number for cell, number in counted.other.items() if cell.startswith("$")}
    if unmapped:
        names = ", ".join(f"{number} x {cell}" for cell, number in unmapped.items())
        raise FlowError(f"{job.top}: Yosys ({job.target}) left {names} unmapped; rewrite the module without them")
    if found.latch:
        raise FlowError(f"{job.top}: Yosys ({job.target}) inferred {found.latch} latches; assign every variable on every path")
    return found


def _transistors(modules: Mapping[str, Any], boxed: bool) -> int | None:
    numbers = [str(module["estimated_num_transistors"]) for module in modules.values() if "estimated_num_transistors" in module]
    # "123+" says that the table lacks some cells: then there is no figure, unless they are the black boxes.
    if not numbers or (not boxed and any(number.endswith("+") for number in numbers)):
        return None
    return sum(int(number.rstrip("+")) for number in numbers)


def _delay_ns(path: Path) -> float | None:
    """Latest arrival of Yosys' ``sta``, from picoseconds."""
    match = re.search(r"Latest arrival time in '.*' is (\d+)", path.read_text())
    return int(match.group(1)) / 1000.0 if match else None


def _sequential(liberty: Path, cells: Mapping[str, int]) -> tuple[str, ...]:
    """Those of ``cells`` that have an ``ff`` or ``latch`` group in the liberty file."""
    found: set[str] = set()
    cell = ""
    pattern = re.compile(r'^\s*(?:cell\s*\(\s*"?([^"\s)]+)"?\s*\)|(ff|latch|ff_bank|latch_bank)\s*\()', re.MULTILINE)
    for match in pattern.finditer(liberty.read_text(errors="replace")):
        if match.group(1):
            cell = match.group(1)
        elif cell in cells:
            found.add(cell)
    return tuple(sorted(found))


def error_line(output: str, directory: Path) -> str:
    """The first error in the log of a tool that ran in ``directory``, shortened; of a crash, its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        if line.startswith("Traceback"):
            return lines[-1][:_LINE]
        if re.search(r"\b(ERROR|Error|error):", line):
            # Slang names sources relative to the directory that the tool ran in, which means nothing to a reader.
            return re.sub(r"^\.\./.+?(?=:\d+:)", lambda match: str((directory / match.group()).resolve()), line)[:_LINE]
    return ""
