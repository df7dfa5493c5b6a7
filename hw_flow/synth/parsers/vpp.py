"""The estimate that v++ writes of its kernels, ``system_estimate*.xtxt``."""

from __future__ import annotations

import re

from hw_flow.synth.parsers.hls import COLUMNS
from hw_flow.synth.parsers.text import Content, number
from hw_flow.synth.parsers.values import ToolReport, figures


def is_system_estimate(content: Content) -> bool:
    """``system_estimate.xtxt`` of v++."""
    return re.search(r"^Version:\s+v\+\+ v[\d.]+", content.head, re.MULTILINE) is not None


def parse_system_estimate(content: Content) -> ToolReport:
    """``system_estimate.xtxt``: compute units, columns of blanks; the sum of all units is the total."""
    version = re.search(r"v\+\+ v([\d.]+)", content.head)
    if version is None or "Area Information" not in content.text:
        content.fail("a v++ estimate with 'Area Information'")
    source = f"vpp-{version.group(1)}"
    area, latency = _columns(content.text, "Area Information"), _columns(content.text, "Latency Information")
    units = {row["Compute Unit"]: row["Kernel Name"] for row in area}
    tops = {}
    for unit, kernel in units.items():
        mine = next((row for row in area if row["Compute Unit"] == unit and row["Module Name"] == kernel), None)
        if mine is None:
            content.fail(f"the kernel '{kernel}' of compute unit '{unit}' in 'Area Information'")
        values: dict[str, float | None] = {metric: number(mine[column]) for column, metric in COLUMNS.items() if column in mine}
        cycles = next((row for row in latency if row["Compute Unit"] == unit and row["Module Name"] == kernel), {})
        tops[unit] = {**values, "latency_cycles": number(cycles.get("Worst (cycles)")),
                      "interval_cycles": number(cycles.get("Start Interval"))}
    names = dict.fromkeys(name for values in tops.values() for name in values if not name.endswith("_cycles"))
    total = {name: sum(values[name] or 0.0 for values in tops.values()) for name in names}
    return ToolReport(
        format="vpp-system-estimate", source=source, stage="hls",
        design=_value(content.head, "Design Name"), part=_value(content.head, "Target Device"),
        total=figures(total, source), layers={unit: figures(values, source) for unit, values in tops.items()},
        notes=() if len(tops) == 1 else (f"total of {len(tops)} compute units",),
    )


def _value(text: str, name: str) -> str:
    match = re.search(rf"^{re.escape(name)}:\s*(\S.*?)\s*$", text, re.MULTILINE)
    return match.group(1) if match else ""


def _columns(text: str, title: str) -> list[dict[str, str]]:
    """A table of v++: a line of titles, a line of dashes that gives the columns, rows up to an empty line."""
    lines = iter(text.partition(title)[2].splitlines()[1:])
    heads, dashes = next(lines, ""), next(lines, "")
    spans = [match.span() for match in re.finditer(r"-+", dashes)]
    starts = [begin for begin, _ in spans]
    ends = [*starts[1:], None]
    cut = list(zip(starts, ends, strict=True))
    names = [heads[begin:end].strip() for begin, end in cut]
    rows = []
    for line in lines:
        if not line.strip() or set(line.strip()) == {"-"}:
            break
        rows.append({name: line[begin:end].strip() for name, (begin, end) in zip(names, cut, strict=True)})
    return rows
