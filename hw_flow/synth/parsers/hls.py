"""Reports of Vivado HLS and Vitis HLS: ``csynth.xml``, ``*_csynth.rpt``, and the summary ``csynth.rpt``.

Up to 2020 DSP blocks are ``DSP48E``, later ``DSP``. An unknown trip count makes latency and interval ``?`` or ``undef``: such a
figure is left out and noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from xml.etree.ElementTree import Element

from hw_flow.synth.parsers.text import Content, field, number, tables
from hw_flow.synth.parsers.values import ToolReport, figures

COLUMNS = {"BRAM_18K": "bram18", "BRAM": "bram18", "DSP48E": "dsp", "DSP": "dsp", "FF": "ff", "LUT": "luts", "URAM": "uram"}
# hls4ml names the function of a layer after the configuration of that layer.
_LAYER = re.compile(r"config\d+")
_UNKNOWN_LATENCY = "latency is not known to the compiler (a loop without a fixed trip count)"
_Values = dict[str, float | None]


def is_xml(content: Content) -> bool:
    """``csynth.xml``: root ``profile``."""
    return content.head.lstrip().startswith(("<profile", "<?xml")) and "<profile" in content.head


def parse_xml(content: Content) -> ToolReport:
    """``csynth.xml`` or ``<function>_csynth.xml``."""
    root = content.root
    assert root is not None
    version, area = root.findtext("ReportVersion/Version"), root.find("AreaEstimates/Resources")
    if version is None or area is None:
        content.fail("a csynth.xml with ReportVersion and AreaEstimates")
    # The XML does not name its tool: Vivado HLS, which ended with 2020.1, always writes DSP48E.
    vitis = area.find("DSP") is not None or tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= (2020, 2)
    source = _source("Vitis" if vitis else "Vivado", version)
    performance = root.find("PerformanceEstimates")
    values = {**_area(area), **(_performance(performance) if performance is not None else {})}
    available = root.find("AreaEstimates/AvailableResources")
    return ToolReport(
        format="csynth-xml", source=source, stage="hls", design=root.findtext("UserAssignments/TopModelName") or "",
        part=root.findtext("UserAssignments/Part") or "", total=figures(values, source),
        layers={name: figures(own, source) for name, own in _modules(root).items()},
        inside=frozenset(module.text or "" for module in root.iterfind("RTLDesignHierarchy//Instance/ModuleName")),
        capacity={name: value for name, value in _area(available).items() if value is not None} if available is not None else {},
        notes=_notes(values),
    )


def is_rpt(content: Content) -> bool:
    """``*_csynth.rpt`` of one function."""
    return re.search(r"^== (Vivado|Vitis) HLS Report for '", content.head, re.MULTILINE) is not None


def parse_rpt(content: Content) -> ToolReport:
    """``<function>_csynth.rpt``: totals, and the instances in it."""
    banner = re.search(r"== (Vivado|Vitis) HLS Report for '([^']+)'", content.head)
    version = re.match(r"[\d.]+", field(content.head, "Version"))
    if banner is None or version is None:
        content.fail("an HLS report with its version")
    source = _source(banner.group(1), version.group())
    found = tables(content.text)
    rows = _summary(found)
    if rows is None or "Total" not in rows:
        content.fail("the table of utilization estimates")
    timing = next((table for table in found if table[0][0].strip() == "Clock" and len(table) > 1), None)
    latency = next((table for table in found if table[0][0].strip().startswith("Latency") and len(table) > 2), None)
    values = {**rows["Total"], **(_latency(latency[2]) if latency else {}), "fmax_mhz": _fmax(timing[1][2]) if timing else None}
    return ToolReport(
        format="csynth-rpt", source=source, stage="hls", design=banner.group(2), part=field(content.head, "Target device"),
        total=figures(values, source), layers={name: figures(own, source) for name, own in _instances(found).items()},
        inside=frozenset(_instance_modules(found)),
        capacity={name: value for name, value in rows.get("Available", {}).items() if value is not None}, notes=_notes(values),
    )


def is_summary(content: Content) -> bool:
    """``csynth.rpt`` of Vitis HLS: all modules in one table."""
    return "== Synthesis Summary Report of '" in content.head


def parse_summary(content: Content) -> ToolReport:
    """``csynth.rpt`` of Vitis HLS: every module below the top, loops left out."""
    version = re.match(r"[\d.]+", field(content.head, "Version"))
    table = next((table for table in tables(content.text) if table[0][0].strip() == "Modules"), None)
    if version is None or table is None or len(table) < 3:
        content.fail("a synthesis summary with its version and its table of modules")
    source = _source("Vitis", version.group())
    # Two lines of headings, one above the other.
    heads = [f"{upper.strip()} {lower.strip()}".strip() for upper, lower in zip(table[0], table[1], strict=True)]
    modules: dict[str, _Values] = {}
    for row in table[2:]:
        name = re.match(r"\s*\+ (\S+)", row[0])
        if name is not None and len(row) == len(heads):
            cells = dict(zip(heads, row, strict=True))
            modules[name.group(1).rstrip("*")] = {
                **{metric: number(cells[column]) or 0.0 for column, metric in COLUMNS.items() if column in cells},
                "latency_cycles": number(cells.get("Latency (cycles)")), "interval_cycles": number(cells.get("Interval")),
            }
    if not modules:
        content.fail("modules in the synthesis summary")
    top, *below = modules
    return ToolReport(
        format="csynth-summary", source=source, stage="hls", design=top, part=field(content.head, "Target device"),
        total=figures(modules[top], source), layers={name: figures(modules[name], source) for name in _chosen(below)},
        inside=frozenset(below),
        notes=_notes(modules[top]),
    )


def _source(family: str, version: str) -> str:
    return f"{'vitis' if family == 'Vitis' else 'vivado'}_hls-{version}"


def _area(element: Element) -> _Values:
    return {metric: number(element.findtext(tag)) for tag, metric in COLUMNS.items() if element.find(tag) is not None}


def _performance(element: Element) -> _Values:
    overall = "SummaryOfOverallLatency"
    low, high = (number(element.findtext(f"{overall}/{which}-caseLatency")) for which in ("Best", "Worst"))
    interval = element.findtext(f"{overall}/Interval-max") or element.findtext(f"{overall}/PipelineInitiationInterval")
    return {
        "latency_cycles": high, "latency_min_cycles": low if low != high else None, "interval_cycles": number(interval),
        "fmax_mhz": _fmax(element.findtext("SummaryOfTimingAnalysis/EstimatedClockPeriod")),
    }


def _fmax(period: str | None) -> float | None:
    """MHz of an estimated clock period in ns."""
    value = number(period)
    return round(1000 / value, 3) if value else None


def _latency(row: list[str]) -> _Values:
    """Cells of the latency summary: min, max, (absolute min, max since 2020,) interval min, max, type."""
    cells = [row[0], row[1], *row[-3:-1]]
    low, high, _, interval = (number(cell) for cell in cells)
    return {"latency_cycles": high, "latency_min_cycles": low if low != high else None, "interval_cycles": interval}


def _summary(found: list[list[list[str]]]) -> dict[str, _Values] | None:
    """Rows of the utilization summary by name."""
    for table in found:
        heads = [cell.strip() for cell in table[0]]
        if heads[0] == "Name" and {"FF", "LUT"} <= set(heads) and any(row[0].strip() == "Total" for row in table):
            return {row[0].strip(): _cells(heads, row) for row in table[1:]}
    return None


def _cells(heads: list[str], row: list[str]) -> _Values:
    return {COLUMNS[head]: number(cell) for head, cell in zip(heads, row, strict=False) if head in COLUMNS}


def _instances(found: list[list[list[str]]]) -> dict[str, _Values]:
    """Instances with their resources, and their cycles from the table above."""
    layers: dict[str, _Values] = {}
    for table in found:
        heads = [cell.strip() for cell in table[0]]
        if heads[:2] == ["Instance", "Module"] and "LUT" in heads:
            for row in table[1:]:
                if len(row) == len(heads) and row[0].strip() != "Total":
                    layers[row[0].strip()] = _cells(heads, row)
    for table in found:
        if (len(table) > 2 and any(cell.strip() == "Instance" for cell in table[1][:1])) or (
                len(table) > 2 and table[2][0].strip() == "Instance"):
            for row in table[2:]:
                if row[0].strip() in layers and len(row) >= 7:
                    cycles = _latency(row[2:])
                    layers[row[0].strip()] |= {"latency_cycles": cycles["latency_cycles"],
                                               "interval_cycles": cycles["interval_cycles"]}
    return layers


def _instance_modules(found: list[list[list[str]]]) -> Iterator[str]:
    for table in found:
        if [cell.strip() for cell in table[0][:2]] == ["Instance", "Module"]:
            yield from (row[1].strip() for row in table[1:] if len(row) > 1)


def _modules(root: Element) -> dict[str, _Values]:
    """Instances with the figures of their modules (Vitis HLS since 2021 puts all modules into one file)."""
    known = {module.findtext("Name") or "": module for module in root.iterfind("ModuleInformation/Module")}
    top = root.find("RTLDesignHierarchy/TopModule")
    if top is None or not known:
        return {}
    instances = {instance.findtext("InstName") or "": instance.findtext("ModuleName") or "" for instance in top.iter("Instance")}
    direct = {instance.findtext("InstName") or "" for instance in top.iterfind("InstancesList/Instance")}
    layers = {}
    for name in _chosen(list(instances), direct):
        module = known.get(instances[name])
        area = module.find("AreaEstimates/Resources") if module is not None else None
        performance = module.find("PerformanceEstimates") if module is not None else None
        if area is not None:
            timed = _performance(performance) if performance is not None else {}
            layers[name] = {**_area(area), "latency_cycles": timed.get("latency_cycles"),
                            "interval_cycles": timed.get("interval_cycles")}
    return layers


def _chosen(names: Iterable[str], direct: set[str] | None = None) -> list[str]:
    """The layers of an hls4ml project if there are any, however deep; else the direct children, or all."""
    listed = list(names)
    layers = [name for name in listed if _LAYER.search(name)]
    return layers or [name for name in listed if direct is None or name in direct]


def _notes(values: Mapping[str, float | None]) -> tuple[str, ...]:
    return (_UNKNOWN_LATENCY,) if "latency_cycles" in values and values["latency_cycles"] is None else ()
