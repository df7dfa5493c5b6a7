"""The tables of report formats and devices in docs/reports.md: ``python -m hw_flow.report.catalogue`` writes them."""

from __future__ import annotations

import re
from pathlib import Path

from hw_flow.report.devices import DEVICES
from hw_flow.storage import write_text
from hw_flow.synth.parsers import FORMATS, UNITS

_NAMES = {"luts": "LUT", "ff": "FF", "lc": "LC", "bram18": "BRAM18", "ebr": "EBR", "uram": "URAM", "spram": "SPRAM", "dsp": "DSP"}


def formats() -> str:
    """The table of formats."""
    lines = ["| format | written by | files, usually | gives |", "|---|---|---|---|"]
    lines += (f"| {kind.name} | {kind.tool} | {_code(kind.files)} | {kind.gives} |" for kind in FORMATS)
    return "\n".join(lines) + "\n"


def devices() -> str:
    """The table of parts."""
    columns = [metric for metric in UNITS if any(metric in device.capacity for device in DEVICES)]
    heads = ["device", *(_NAMES[metric] for metric in columns), "data sheet", "boards"]
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * len(columns) + "|---" * 2 + "|"]
    for device in DEVICES:
        sites = [f"{device.capacity[metric]:,}" if metric in device.capacity else "" for metric in columns]
        lines.append("| " + " | ".join([device.name, *sites, device.document, ", ".join(device.boards)]) + " |")
    return "\n".join(lines) + "\n"


def render(text: str) -> str:
    """``text`` with the tables between their marks made anew."""
    for name, table in (("formats", formats()), ("devices", devices())):
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = mark.sub(rf"\g<1>{table}\g<2>", text)
    return text


def _code(files: str) -> str:
    """File names and flags set as code."""
    return re.sub(r"(?<![^\s(])(--?\w[\w-]*|[\w*]*[.*][\w*.]*)", r"`\1`", files)


def main() -> None:
    """Write docs/reports.md."""
    path = Path(__file__).parents[2] / "docs" / "reports.md"
    write_text(path, render(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
