"""JSON files of a FINN or FINN+ build (``report/*.json``), and the throughput test of its PYNQ driver.

The files state no tool version: estimates are of ``finn-estimate``, HLS figures of ``vitis_hls-unknown``, netlists of
``vivado-unknown``, unless a ``sources.json`` beside them says who made them (this project's builds write one).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hw_flow.synth.parsers.text import Content, number
from hw_flow.synth.parsers.values import Stage, ToolReport, figures
from hw_flow.synth.parsers.vivado import plain_name

ESTIMATE = "finn-estimate"
_NODE = re.compile(r"[A-Za-z][A-Za-z_0-9]*_\d+")
_RESOURCES = {"LUT": "luts", "FF": "ff", "SRL": "srl", "URAM": "uram", "DSP": "dsp", "DSP48E": "dsp", "BRAM_18K": "bram18",
              "EBR": "ebr", "SPRAM": "spram"}
_Values = dict[str, float | None]


def is_layer_cycles(content: Content) -> bool:
    """``estimate_layer_cycles.json``: a number by node."""
    data = content.data
    return isinstance(data, dict) and bool(data) and all(
        _NODE.fullmatch(name) and isinstance(value, int | float) for name, value in data.items())


def parse_layer_cycles(content: Content) -> ToolReport:
    """``estimate_layer_cycles.json``; the slowest node sets the interval."""
    cycles = {name: _needed(content, value, name) for name, value in content.data.items()}
    source = _source(content, ESTIMATE)
    return _report("finn-layer-cycles", source, "estimate", {"interval_cycles": max(cycles.values())},
                   {name: {"cycles": value} for name, value in cycles.items()})


def is_performance(content: Content) -> bool:
    """``estimate_network_performance.json``."""
    return isinstance(content.data, dict) and "critical_path_cycles" in content.data


def parse_performance(content: Content) -> ToolReport:
    """``estimate_network_performance.json``; FINN's latency is the sum over the longest path, which overlap makes shorter."""
    data = content.data
    values = {"interval_cycles": number(data.get("max_cycles")), "latency_cycles": number(data["critical_path_cycles"]),
              "throughput_fps": number(data.get("estimated_throughput_fps"))}
    return _report("finn-performance", _source(content, ESTIMATE), "estimate", values, {})


def is_layer_resources(content: Content) -> bool:
    """``estimate_layer_resources.json``: LUT and BRAM_18K by node, no FF."""
    rows = _rows(content)
    return bool(rows) and all("LUT" in row and "FF" not in row for row in rows.values() if row) and "total" in rows


def parse_layer_resources(content: Content) -> ToolReport:
    """``estimate_layer_resources.json``; FINN writes 0 LUTs for a node that it has no formula for."""
    source = _source(content, ESTIMATE)
    rows = {name: _resources(row) for name, row in _rows(content).items()}
    total = rows.pop("total")
    if source.startswith("yosys"):
        return _report("finn-layer-resources", source, "synthesis", total, rows)
    silent = [name for name, row in rows.items() if row.get("luts") == 0]
    for name in silent:
        del rows[name]["luts"]
    shown = f"{', '.join(silent[:3])}{f' and {len(silent) - 3} more' if len(silent) > 3 else ''}"
    return _report("finn-layer-resources", source, "estimate", total, rows,
                   notes=(f"FINN has no formula for the LUTs of {shown}",) if silent else ())


def is_hls(content: Content) -> bool:
    """``estimate_layer_resources_hls.json``: what csynth said of each HLS node."""
    rows = _rows(content)
    return bool(rows) and "(top)" not in rows and any("FF" in row for row in rows.values()) and all(
        "BRAM_36K" not in row for row in rows.values())


def parse_hls(content: Content) -> ToolReport:
    """``estimate_layer_resources_hls.json``; the total is FINN's, or the sum of the nodes, which are only those made by HLS."""
    rows = {name: _resources(row) for name, row in _rows(content).items()}
    total = rows.pop("total", None) or _sum(rows)
    return _report("finn-layer-resources-hls", _source(content, "vitis_hls-unknown"), "hls", total, rows,
                   notes=("only nodes that FINN makes with HLS",))


def is_post_synthesis(content: Content) -> bool:
    """``post_synth_resources.json``: a row ``(top)``."""
    return "(top)" in _rows(content)


def parse_post_synthesis(content: Content) -> ToolReport:
    """``post_synth_resources.json``; FINN writes it from the routed design, shell and DMA engines included."""
    source = _source(content, "vivado-unknown")
    rows = {plain_name(name): {**_resources(row), "bram18": _bram18(row)} for name, row in _rows(content).items()}
    own = not source.startswith("vivado")
    return _report("finn-post-synthesis", source, "synthesis" if own else "routed", rows.pop("(top)"), rows,
                   notes=() if own else ("the total holds shell and DMA engines too",))


def is_out_of_context(content: Content) -> bool:
    """``ooc_synth_and_timing.json``."""
    return isinstance(content.data, dict) and {"WNS", "fmax_mhz"} <= content.data.keys()


def parse_out_of_context(content: Content) -> ToolReport:
    """``ooc_synth_and_timing.json``: the accelerator alone, placed and routed by Vivado."""
    data = content.data
    values = {**_resources(data), "bram18": _bram18({"BRAM_36K": data.get("BRAM", 0), **data}),
              "wns_ns": number(data["WNS"]), "fmax_mhz": number(data["fmax_mhz"]),
              "throughput_fps": number(data.get("estimated_throughput_fps")), "power_w": number(data.get("total_power_W"))}
    return _report("finn-out-of-context", f"vivado-{data.get('vivado_version', 'unknown')}", "routed", values, {})


def is_counts(content: Content) -> bool:
    """``op_and_param_counts.json``: ``op_mac_*``, ``param_weight_*`` by node."""
    rows = _rows(content)
    keys = [key for row in rows.values() for key in row]
    return bool(keys) and all(key.startswith(("op_", "param_")) for key in keys)


def parse_counts(content: Content) -> ToolReport:
    """``op_and_param_counts.json``: multiply-accumulates, weights and thresholds, summed over their widths."""
    def counts(row: Mapping[str, Any]) -> _Values:
        prefixes = {"macs": "op_mac", "weights": "param_weight", "thresholds": "param_threshold"}
        found = {name: sum(number(value) or 0 for key, value in row.items() if key.startswith(prefix))
                 for name, prefix in prefixes.items() if any(key.startswith(prefix) for key in row)}
        return dict(found)

    rows = {name: counts(row) for name, row in _rows(content).items()}
    total = rows.pop("total", None) or _sum(rows)
    return _report("finn-counts", _source(content, ESTIMATE), "estimate", total, {name: row for name, row in rows.items() if row})


def is_simulation(content: Content) -> bool:
    """``rtlsim_performance.json`` of FINN (an object) or FINN+ 1.6 (a list)."""
    first = _first_run(content)
    rates = {"throughput[images/s]", "throughput_fps", "intervals"}
    return first is not None and "cycles" in first and bool(rates & first.keys())


def parse_simulation(content: Content) -> ToolReport:
    """``rtlsim_performance.json``: cycles of Vivado's simulator, or of Verilator where ``sources.json`` says so."""
    data = _first_run(content)
    assert data is not None
    intervals, latency = data.get("intervals"), data.get("latency_cycles")
    interval = data.get("interval_cycles")
    if isinstance(intervals, list) and intervals:
        interval = intervals[-1]  # the last frame's: the pipeline is full
    rate = data.get("stable_throughput[images/s]", data.get("throughput[images/s]", data.get("throughput_fps")))
    first = min(latency, default=None) if isinstance(latency, list) else latency
    values = {"interval_cycles": number(interval), "latency_cycles": number(first), "throughput_fps": number(rate),
              "clock_mhz": number(data.get("fclk[mhz]"))}
    several = isinstance(content.data, list) and len(content.data) > 1
    return _report("finn-rtlsim", _source(content, "rtlsim-unknown"), "simulation", values, {},
                   notes=("the first of several runs",) if several else ())


def is_throughput_test(content: Content) -> bool:
    """``nw_metrics.json`` of FINN's PYNQ driver."""
    return isinstance(content.data, dict) and {"runtime[ms]", "batch_size"} <= content.data.keys()


def parse_throughput_test(content: Content) -> ToolReport:
    """Throughput measured on a board, transfers to and from it included."""
    data = content.data
    values = {"throughput_fps": number(data.get("throughput[images/s]")), "clock_mhz": number(data.get("fclk[mhz]"))}
    return _report("finn-throughput-test", _source(content, "board-unknown"), "board", values, {})


def is_fifos(content: Content) -> bool:
    """``fifo_sizing.json`` of FINN+."""
    return isinstance(content.data, dict) and isinstance(content.data.get("fifo_depths"), dict)


def parse_fifos(content: Content) -> ToolReport:
    """``fifo_sizing.json``: depth in beats and size in bits of every FIFO; the total is in bits."""
    data = content.data
    sizes = data.get("fifo_sizes") if isinstance(data.get("fifo_sizes"), dict) else {}
    layers: dict[str, _Values] = {name: {"depth": number(depth), "fifo_bits": number(sizes.get(name))}
                                  for name, depth in data["fifo_depths"].items()}
    kib = number(data.get("total_fifo_size_kiB"))
    return _report("finn-fifo-sizing", _source(content, "finn-fifo-sizing"), "simulation",
                   {"fifo_bits": kib * 8192 if kib is not None else None}, layers)


def is_seconds(content: Content) -> bool:
    """``time_per_step.json``."""
    return isinstance(content.data, dict) and "total_build_time" in content.data


def parse_seconds(content: Content) -> ToolReport:
    """``time_per_step.json``: how long FINN took, in seconds of wall clock."""
    return _report("finn-seconds", "wall-clock", "board", {"build_s": number(content.data["total_build_time"])}, {})


def _rows(content: Content) -> dict[str, dict[str, Any]]:
    data = content.data
    if not isinstance(data, dict) or not data or not all(isinstance(row, dict) for row in data.values()):
        return {}
    return data


def _first_run(content: Content) -> dict[str, Any] | None:
    data = content.data
    first = data[0] if isinstance(data, list) and data else data
    return first if isinstance(first, dict) else None


def _resources(row: Mapping[str, Any]) -> _Values:
    found: _Values = {}
    for key, metric in _RESOURCES.items():
        # Both spellings of DSP appear, one of them 0.
        value = number(row.get(key))
        if value is not None:
            found[metric] = max(value, found.get(metric) or 0)
    return found


def _bram18(row: Mapping[str, Any]) -> float:
    return 2 * (number(row.get("BRAM_36K")) or 0) + (number(row.get("BRAM_18K")) or 0)


def _sum(rows: Mapping[str, Mapping[str, float | None]]) -> _Values:
    names = dict.fromkeys(name for row in rows.values() for name in row)
    return {name: sum(row.get(name) or 0 for row in rows.values()) for name in names}


def _needed(content: Content, value: object, name: str) -> float:
    plain = number(value) if isinstance(value, str | int | float) else None
    if plain is None:
        content.fail(f"a number for '{name}'")
    return plain


def _source(content: Content, default: str) -> str:
    """What ``sources.json`` beside the file says of it, without the device; ``default`` if it says nothing."""
    try:
        listed = json.loads((content.path.parent / "sources.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default
    said = listed.get(content.path.name) if isinstance(listed, dict) else None
    return said.partition(" on ")[0] if isinstance(said, str) and said else default


def _report(name: str, source: str, stage: Stage, total: Mapping[str, float | None],
            layers: Mapping[str, Mapping[str, float | None]], *, notes: tuple[str, ...] = ()) -> ToolReport:
    return ToolReport(format=name, source=source, stage=stage, total=figures(total, source),
                      layers={layer: figures(values, source) for layer, values in layers.items()}, notes=notes,
                      # Estimates list the nodes as the graph has them, netlists do not.
                      order=tuple(layers) if stage in ("estimate", "hls") else ())
