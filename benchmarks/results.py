"""Benchmark results: one JSON file each under benchmarks/results, rendered together into docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
# The order in which the page shows them.
ORDER = ("back_ends", "mnist_tfc", "mnist_networks", "float_twins", "smallest", "techniques", "post_training", "robustness",
         "resnet_chain", "cooperative", "finn_foldings", "finn_conv", "third_party", "performance_model", "random_graphs",
         "fifo_sizing", "lut_per_mac", "unrolled", "codebooks", "shifts", "lut_model", "budget", "steps", "sim_speed",
         "train_speed", "hls4ml_models", "finn_backend", "finn_board", "search_digits")

HEAD = """# Benchmarks

Made by `make bench` on real data; each section names its command. Figures carry their source: `verilator-*` is measured cycle
by cycle, `yosys-*` counted after synthesis (a Yosys LUT is not a Vivado LUT), `model` is a formula, `published` is somebody
else's figure.
Machine: {machine}.
"""


def save(
    name: str, *, title: str, command: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str] = (),
    data: Any = None,
) -> Path:
    """Write one result atomically and return its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    record = {
        "title": title, "command": command, "columns": list(columns), "rows": [list(row) for row in rows], "notes": list(notes),
        "data": data,
    }
    _write(path, record)
    return path


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """What ``make`` gives, as plain values, from the JSON file ``path`` if an earlier run has left it there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, make())
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, value: Any) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean and standard deviation of a few runs, such as ``98.5 ± 0.4``; one figure where all are alike."""
    mean = f"{statistics.mean(values):,.{digits}f}"
    return mean if len(set(values)) == 1 else f"{mean} ± {statistics.stdev(values):,.{digits}f}"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("|", "\\|")


def section(record: dict[str, Any]) -> str:
    """One result as Markdown."""
    lines = [f"## {record['title']}", "", f"`{record['command']}`", ""]
    lines += ["| " + " | ".join(_cell(column) for column in record["columns"]) + " |", "|" + "---|" * len(record["columns"])]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in record["rows"]]
    if record["notes"]:
        lines += ["", *(f"* {note}" for note in record["notes"])]
    return "\n".join(lines) + "\n"


def render() -> Path:
    """Write docs/benchmarks.md from every result that exists."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    names = [name for name in ORDER if name in found] + [name for name in found if name not in ORDER]
    machine = f"{os.cpu_count()} x {platform.machine()} cores, Python {platform.python_version()}"
    PAGE.write_text("\n".join([HEAD.format(machine=machine), *(section(found[name]) for name in names)]), encoding="utf-8")
    return PAGE


if __name__ == "__main__":
    print(render())
