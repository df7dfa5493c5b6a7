"""Reports of Intel's oneAPI compiler and of Quartus (``*.ndjson``), as hls4ml's oneAPI back end leaves them.

None of the files states a version of its tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hw_flow.synth.parsers.text import Content, number
from hw_flow.synth.parsers.values import ToolReport, figures

_ONEAPI, _QUARTUS = "oneapi-unknown", "quartus-unknown"
_COLUMNS = {"ALUTs": "alut", "FFs": "ff", "RAMs": "m20k", "DSPs": "dsp", "MLABs": "mlab"}
_FITTED = {"alm": "alm", "alut": "alut", "reg": "ff", "dsp": "dsp", "ram": "m20k", "mlab": "mlab"}
_SUMS = ("Kernel Subtotal", "Pipe resources", "Total", "Available")
_Values = dict[str, float | None]


def _records(content: Content) -> list[dict[str, Any]]:
    data = content.data
    return [record for record in data if isinstance(record, dict)] if isinstance(data, list) else []


def is_summary(content: Content) -> bool:
    """``summary.ndjson``: estimated resources of the kernels."""
    return any(record.get("summary_type") == "estimatedResources" for record in _records(content))


def parse_summary(content: Content) -> ToolReport:
    """``summary.ndjson``: the compiler's estimate, by kernel."""
    records = _records(content)
    head = next(record for record in records if record.get("summary_type") == "estimatedResources")
    columns = [str(column).strip() for column in head.get("columns", [])][1:]
    rows: dict[str, _Values] = {}
    for record in records:
        if record.get("parent") == "estimatedResources" and isinstance(record.get("data"), list):
            cells = zip(columns, record["data"], strict=False)
            rows[str(record.get("name"))] = {_COLUMNS[column]: number(cell) for column, cell in cells if column in _COLUMNS}
    if "Total" not in rows:
        content.fail("a row 'Total' of the estimated resources")
    available = {name: value for name, value in rows.get("Available", {}).items() if value is not None}
    return ToolReport(
        format="oneapi-summary", source=_ONEAPI, stage="hls", total=figures(rows["Total"], _ONEAPI),
        layers={name: figures(row, _ONEAPI) for name, row in rows.items() if name not in _SUMS}, capacity=available)


def is_loops(content: Content) -> bool:
    """``loop_attr.ndjson``: loops of the kernels."""
    return any(record.get("name") == "loop_attributes" for record in _records(content))


def parse_loops(content: Content) -> ToolReport:
    """``loop_attr.ndjson``: a kernel's longest block and largest initiation interval; the clock is the slowest kernel's."""
    records = {record.get("id"): record for record in _records(content)}
    kernels = [record for record in records.values() if record.get("type") == "kernel"]
    heads = (record.get("nodes", []) for record in records.values() if record.get("name") == "loop_attributes")
    listed: list[Any] = next(heads, [])
    if not kernels or len(kernels) < len(listed):
        content.fail(f"{max(1, len(listed))} records of type 'kernel'", f"found {len(kernels)}")
    layers: dict[str, Mapping[str, float | None]] = {}
    for kernel in kernels:
        children = kernel.get("children", [])
        missing = [child for child in children if child not in records]
        if missing:
            content.fail(f"record {missing[0]} of '{kernel.get('name')}'")
        blocks = [records[child] for child in children]
        latencies = [value for block in blocks if (value := number(block.get("lt"))) is not None]
        intervals = [value for block in blocks if (value := number(block.get("ii"))) is not None]
        layers[str(kernel.get("name"))] = {
            "latency_cycles": max(latencies, default=None), "interval_cycles": max(intervals, default=None),
            "fmax_mhz": number(kernel.get("fmax"))}
    rates = [value for layer in layers.values() if (value := layer["fmax_mhz"]) is not None]
    total = figures({"fmax_mhz": min(rates, default=None)}, _ONEAPI)
    return ToolReport(format="oneapi-loops", source=_ONEAPI, stage="hls", total=total,
                      layers={name: figures(layer, _ONEAPI) for name, layer in layers.items()},
                      notes=("intervals are those of one loop iteration, not of a frame",))


def is_quartus(content: Content) -> bool:
    """``quartus.ndjson``: what the fitter used."""
    data = content.data
    first = data[0] if isinstance(data, list) and data else data
    return isinstance(first, dict) and "quartusFitResourceUsageSummary" in first


def parse_quartus(content: Content) -> ToolReport:
    """``quartus.ndjson``: resources after the fitter, whole image and kernels, and the clock."""
    data = content.data
    first = data[0] if isinstance(data, list) else data
    nodes = _nodes(first, "quartusFitResourceUsageSummary")
    system = next((node for node in nodes if node.get("type") == "system"), None)
    if system is None:
        content.fail("the system's resources after the fitter")
    clock = next(iter(_nodes(first, "quartusFitClockSummary")), {})
    kernels = [node for node in nodes if node.get("type") == "kernel"]
    return ToolReport(
        format="quartus-fit", source=_QUARTUS, stage="routed",
        design=str(kernels[0].get("name", "")) if len(kernels) == 1 else "",
        total=figures({**_row(system), "fmax_mhz": number(clock.get("clock fmax"))}, _QUARTUS),
        layers={str(node.get("name")): figures(_row(node), _QUARTUS) for node in kernels})


def _nodes(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    section = data.get(name)
    nodes = section.get("nodes") if isinstance(section, dict) else None
    return [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []


def _row(node: Mapping[str, Any]) -> _Values:
    return {metric: number(node.get(key)) for key, metric in _FITTED.items() if key in node}
