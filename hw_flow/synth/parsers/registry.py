"""Which formats there are, and how a file's is found: from its content, never from its name alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hw_flow.errors import FlowError
from hw_flow.synth.parsers import finn, hls, intel, open_tools, vivado, vivado_analysis, vpp
from hw_flow.synth.parsers.text import Content, check_whole, read
from hw_flow.synth.parsers.values import Stage, ToolReport


@dataclass(frozen=True)
class Format:
    """One kind of report file.

    Attributes
    ----------
    name : short and stable; `ToolReport.format` of what ``parse`` gives.
    tool : who writes it, with the versions it was tried on.
    files : names it usually has.
    gives : what is in it, for the documentation.
    stage : how near to hardware its figures are.
    matches : whether a file is of this format.
    parse : its figures; FlowError if it is damaged.
    end : pattern of a heading near the end, without which the file is cut off.
    """

    name: str
    tool: str
    files: str
    gives: str
    stage: Stage
    matches: Callable[[Content], bool]
    parse: Callable[[Content], ToolReport]
    end: str = ""


_LONGEST_NAME = 1000
_AREA = "LUT, FF, BRAM, URAM, DSP"
FORMATS: tuple[Format, ...] = (
    Format("csynth-xml", "Vivado HLS, Vitis HLS", "csynth.xml, *_csynth.xml",
           f"{_AREA}, latency, interval, clock; by instance since 2021", "hls", hls.is_xml, hls.parse_xml),
    Format("csynth-rpt", "Vivado HLS, Vitis HLS", "*_csynth.rpt", f"{_AREA}, latency, interval, clock; by instance", "hls",
           hls.is_rpt, hls.parse_rpt, r"^== Interface"),
    Format("csynth-summary", "Vitis HLS", "csynth.rpt", f"{_AREA}, latency, interval; by module", "hls",
           hls.is_summary, hls.parse_summary, r"^== HW Interfaces"),
    Format("vpp-system-estimate", "v++", "system_estimate.xtxt", f"{_AREA}, latency, interval; by compute unit", "hls",
           vpp.is_system_estimate, vpp.parse_system_estimate, r"^-{70,}\s*\Z"),
    Format("vpp-kernel-utilisation", "v++", "*kernel_util_*.rpt", f"{_AREA}; by compute unit", "routed",
           vivado.is_kernels, vivado.parse_kernels),
    Format("vivado-utilisation", "Vivado", "*utilization*.rpt, hls4ml's vivado_synth.rpt", f"{_AREA}, carry; what the device has",
           "routed", vivado.is_flat, vivado.parse_flat),
    Format("vivado-slr", "Vivado", "*slr_util*.rpt (-slr)", f"{_AREA}; by super logic region", "routed",
           vivado.is_regions, vivado.parse_regions),
    Format("vivado-hierarchy", "Vivado", "*utilization*.rpt (-hierarchical)", f"{_AREA}; by instance", "routed",
           vivado.is_hierarchical, vivado.parse_hierarchical),
    Format("vivado-hierarchy-xml", "Vivado, for FINN", "post_synth_resources.xml", f"{_AREA}; by node", "routed",
           vivado.is_hierarchical_xml, vivado.parse_hierarchical_xml),
    Format("vivado-timing", "Vivado", "*timing_summary*.rpt, post_route_timing.rpt", "slack, clock, Fmax", "routed",
           vivado_analysis.is_timing, vivado_analysis.parse_timing, r"^\| Timing Details"),
    Format("vivado-power", "Vivado", "*power*.rpt", "power: total, dynamic, static; by instance", "routed",
           vivado_analysis.is_power, vivado_analysis.parse_power),
    Format("finn-performance", "FINN", "estimate_network_performance.json", "interval, latency, frames a second", "estimate",
           finn.is_performance, finn.parse_performance),
    Format("finn-rtlsim", "FINN, FINN+", "rtlsim_performance.json", "interval, latency, frames a second", "simulation",
           finn.is_simulation, finn.parse_simulation),
    Format("finn-throughput-test", "FINN's driver", "nw_metrics.json", "frames a second on the board", "board",
           finn.is_throughput_test, finn.parse_throughput_test),
    Format("finn-out-of-context", "FINN, FINN+", "ooc_synth_and_timing.json", f"{_AREA}, slack, Fmax, power", "routed",
           finn.is_out_of_context, finn.parse_out_of_context),
    Format("finn-fifo-sizing", "FINN+", "fifo_sizing.json", "depth and bits of every FIFO", "simulation",
           finn.is_fifos, finn.parse_fifos),
    Format("finn-seconds", "FINN", "time_per_step.json", "seconds of the build", "board", finn.is_seconds, finn.parse_seconds),
    Format("finn-post-synthesis", "Vivado, for FINN", "post_synth_resources.json", f"{_AREA}, SRL; by node", "routed",
           finn.is_post_synthesis, finn.parse_post_synthesis),
    Format("finn-counts", "FINN", "op_and_param_counts.json", "multiply-accumulates, weights, thresholds; by node", "estimate",
           finn.is_counts, finn.parse_counts),
    Format("finn-layer-resources-hls", "Vitis HLS, for FINN", "estimate_layer_resources_hls.json", f"{_AREA}; by node", "hls",
           finn.is_hls, finn.parse_hls),
    Format("finn-layer-resources", "FINN", "estimate_layer_resources.json", "LUT, BRAM, URAM, DSP; by node", "estimate",
           finn.is_layer_resources, finn.parse_layer_resources),
    Format("finn-layer-cycles", "FINN", "estimate_layer_cycles.json", "cycles; by node", "estimate",
           finn.is_layer_cycles, finn.parse_layer_cycles),
    Format("oneapi-summary", "oneAPI", "summary.ndjson", "ALUT, FF, M20K, MLAB, DSP; by kernel", "hls",
           intel.is_summary, intel.parse_summary),
    Format("oneapi-loops", "oneAPI", "loop_attr.ndjson", "latency, interval of the loop, Fmax; by kernel", "hls",
           intel.is_loops, intel.parse_loops),
    Format("quartus-fit", "Quartus", "quartus.ndjson", "ALM, ALUT, FF, M20K, MLAB, DSP, Fmax; by kernel", "routed",
           intel.is_quartus, intel.parse_quartus),
    Format("yosys-stat", "Yosys", "stat -json", "the figures of `bitwright synth`; by module", "synthesis",
           open_tools.is_yosys, open_tools.parse_yosys),
    Format("nextpnr", "nextpnr", "--report file.json", "LUT or LC, FF, EBR, DSP, Fmax", "routed",
           open_tools.is_nextpnr, open_tools.parse_nextpnr),
    Format("openroad", "OpenROAD's flow", "metadata*.json, 6_report.json", "cell and die area, FF, Fmax, power", "routed",
           open_tools.is_openroad, open_tools.parse_openroad),
)
# Files that stand beside reports and hold no figures of a design: what they are, and what to give instead.
_OTHERS: tuple[tuple[Callable[[Content], bool], str], ...] = (
    (lambda content: "<AutoPilot:project" in content.head, "a project file of Vivado HLS; give its csynth.xml"),
    (lambda content: isinstance(content.data, dict) and bool(content.data) and all(
        isinstance(row, list) and row and isinstance(row[0], dict) and "LUT" in row[0] for row in content.data.values()),
     "FINN's alternatives for each node, not one design; give estimate_layer_resources.json"),
)


def parse(path: str | Path) -> ToolReport:
    """The figures of one report file; its format is found from its content.

    Raises
    ------
    FlowError : unreadable, of no known format, damaged or cut off.
    """
    content = read(Path(path))
    found = detect(content)
    if found is None:
        for is_it, what in _OTHERS:
            if is_it(content):
                raise FlowError(f"{path}: is {what}")
        raise FlowError(f"{path}: no report of a known format (expected one of {', '.join(kind.name for kind in FORMATS)}); "
                        "the table in docs/reports.md names the files")
    try:
        check_whole(content, found.end)
        report = found.parse(content)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        # A file that has the marks of its format and not its structure.
        raise FlowError(f"{path}: expected a {found.name} report ({type(error).__name__}: {error}); the file is damaged or cut "
                        "off, let the tool write it again") from error
    _check(path, report)
    return report


def _check(path: str | Path, report: ToolReport) -> None:
    """FlowError for names and figures that no tool writes."""
    names = (report.design, report.part, report.source, *report.layers, *report.kinds, *report.notes)
    if not all(name.isprintable() and len(name) <= _LONGEST_NAME for name in names):
        raise FlowError(f"{path}: holds names with control characters or of more than {_LONGEST_NAME} characters; no tool writes "
                        "such, take it from its maker again")
    for row in (report.total, *report.layers.values()):
        for metric, figure in row.items():
            below = figure.value < 0 and figure.unit != "ns"  # slack alone may be
            if below or not math.isfinite(figure.value):
                raise FlowError(f"{path}: says that {metric} is {figure.value:,}; no tool counts {'below 0' if below else 'so'}, "
                                "take it from its maker again")


def detect(content: Content) -> Format | None:
    """The format of a file; None if it has none of them."""
    return next((kind for kind in FORMATS if kind.matches(content)), None)
