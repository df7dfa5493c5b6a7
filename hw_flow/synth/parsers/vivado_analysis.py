"""Timing and power reports of Vivado."""

from __future__ import annotations

import re

from hw_flow.report.schema import Figure
from hw_flow.synth.parsers.text import Content, field, number, section, tables
from hw_flow.synth.parsers.values import Stage, ToolReport, figures
from hw_flow.synth.parsers.vivado import parts, source, stage

_SUMMARY = {"wns_ns": "WNS(ns)", "tns_ns": "TNS(ns)", "whs_ns": "WHS(ns)"}
_POWER = {"Total On-Chip Power (W)": "power_w", "Dynamic (W)": "dynamic_w", "Device Static (W)": "static_w"}


def is_timing(content: Content) -> bool:
    """``report_timing_summary``."""
    return "report_timing_summary" in content.head or re.search(r"^Timing Summary Report", content.head, re.MULTILINE) is not None


def parse_timing(content: Content) -> ToolReport:
    """``report_timing_summary``: worst slacks, and the rate that the slowest clock could have, ``1 / (period - slack)``."""
    tool = source(content)
    summary = _cells(section(content.text, "Design Timing Summary"))
    if not summary:
        content.fail("'Design Timing Summary' with its slacks")
    worst = summary[0]
    clocks = {row["Clock"]: row for row in _cells(section(content.text, "Clock Summary")) if row.get("Clock")}
    slacks = {row["Clock"]: number(row.get("WNS(ns)")) for row in _cells(section(content.text, "Intra Clock Table"))}
    rates = {}
    for name, row in clocks.items():
        period, slack = number(row.get("Period(ns)")), slacks.get(name)
        if period is not None and slack is not None and period > slack:
            rates[name] = (1000 / (period - slack), 1000 / period)
    slowest = min(rates, key=lambda name: rates[name][0] / rates[name][1]) if rates else None
    values = {name: number(worst.get(title)) for name, title in _SUMMARY.items()}
    if slowest is not None:
        values |= {"fmax_mhz": round(rates[slowest][0], 3), "clock_mhz": round(rates[slowest][1], 3)}
    note = (f"Fmax of clock {slowest} from its period and slack; other clocks have more room",) if len(rates) > 1 else ()
    return ToolReport(format="vivado-timing", source=tool, stage=_stage(content), design=field(content.head, "Design"),
                      part=field(content.head, "Device"), total=figures(values, tool), notes=note)


def _stage(content: Content) -> Stage:
    """A timing report states no design state: the name it was written under or the places in its paths tell."""
    if "routed" in field(content.head, "Command"):
        return "routed"
    return "placed" if re.search(r"SLICE_X\d", content.text) else "synthesis"


def is_power(content: Content) -> bool:
    """``report_power``."""
    return re.search(r"^Power Report\s*$", content.head, re.MULTILINE) is not None and "Tool Version" in content.head


def parse_power(content: Content) -> ToolReport:
    """``report_power``: total, dynamic and static; the confidence level goes into a note."""
    tool = source(content)
    rows = {row[0].strip(): row[1].strip() for table in tables(content.text) for row in table if len(row) == 2}
    values = {metric: number(rows.get(title)) for title, metric in _POWER.items()}
    if values["power_w"] is None:
        content.fail("a row 'Total On-Chip Power (W)'")
    confidence = rows.get("Confidence Level")
    return ToolReport(
        format="vivado-power", source=tool, stage=stage(field(content.head, "Design State")),
        design=field(content.head, "Design"), part=field(content.head, "Device"), total=figures(values, tool),
        layers=_hierarchy(content, tool),
        notes=(f"Vivado's confidence in the power is {confidence}",) if confidence else (),
    )


def _hierarchy(content: Content, tool: str) -> dict[str, dict[str, Figure]]:
    """Dynamic power by instance, the same instances as in the hierarchical utilisation."""
    table = next((table for table in tables(section(content.text, "By Hierarchy") or "") if table[0][0].strip() == "Name"), [])
    rows = [(len(row[0]) - len(row[0].lstrip()), row[0].strip(), {"dynamic_w": number(row[1])}) for row in table[1:]]
    return {name: figures(values, tool) for name, values in parts(rows)}


def _cells(text: str | None) -> list[dict[str, str]]:
    """A table of blanks below a heading: titles, dashes that give the columns, rows up to an empty line."""
    lines = (text or "").splitlines()
    start = next((index for index, line in enumerate(lines) if re.fullmatch(r"\s*-{3,}(\s+-{3,})+\s*", line)), None)
    if start is None or start == 0:
        return []
    starts = [match.start() for match in re.finditer(r"-+", lines[start])]
    cut = list(zip(starts, [*starts[1:], None], strict=True))
    names = [lines[start - 1][begin:end].strip() for begin, end in cut]
    rows = []
    for line in lines[start + 1:]:
        if not line.strip():
            break
        rows.append({name: line[begin:end].strip() for name, (begin, end) in zip(names, cut, strict=True)})
    return rows
