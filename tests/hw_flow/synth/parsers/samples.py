"""Small reports in the shape of every format, with the figures that they hold."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """A report: its text, and what a parser must find."""

    name: str
    text: str
    source: str
    stage: str
    total: dict[str, float]
    layers: dict[str, dict[str, float]] = field(default_factory=dict)
    capacity: dict[str, float] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_text(self.text, encoding="utf-8")
        return path


def table(*rows: tuple[object, ...], indent: str = "") -> str:
    """Rows in a frame, the first a heading; cells keep their leading blanks."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    rule = indent + "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    drawn = ("|".join(f" {cell:<{width}} " for cell, width in zip(row, widths, strict=True)) for row in cells)
    lines = [f"{indent}|{row}|" for row in drawn]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule]) + "\n"


def _csynth_xml(version: str, dsp: str, modules: str = "") -> str:
    return f"""<profile>
<ReportVersion><Version>{version}</Version></ReportVersion>
<UserAssignments><Part>xc7z020-clg400-1</Part><TopModelName>net</TopModelName></UserAssignments>
<PerformanceEstimates>
<SummaryOfTimingAnalysis><EstimatedClockPeriod>4.000</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><Best-caseLatency>9</Best-caseLatency><Worst-caseLatency>12</Worst-caseLatency>
<Interval-min>3</Interval-min><Interval-max>4</Interval-max></SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates>
<Resources><BRAM_18K>5</BRAM_18K><{dsp}>7</{dsp}><FF>200</FF><LUT>100</LUT></Resources>
<AvailableResources><BRAM_18K>280</BRAM_18K><{dsp}>220</{dsp}><FF>106400</FF><LUT>53200</LUT></AvailableResources>
</AreaEstimates>
{modules}</profile>
"""


_MODULES = """<RTLDesignHierarchy><TopModule><ModuleName>net</ModuleName><InstancesList>
<Instance><InstName>body_U0</InstName><ModuleName>body</ModuleName><InstancesList>
<Instance><InstName>dense_ap_config2_U0</InstName><ModuleName>dense_ap_config2_s</ModuleName></Instance>
</InstancesList></Instance></InstancesList></TopModule></RTLDesignHierarchy>
<ModuleInformation><Module><Name>dense_ap_config2_s</Name>
<PerformanceEstimates><SummaryOfOverallLatency><Best-caseLatency>2</Best-caseLatency><Worst-caseLatency>2</Worst-caseLatency>
<PipelineInitiationInterval>1</PipelineInitiationInterval></SummaryOfOverallLatency></PerformanceEstimates>
<AreaEstimates><Resources><FF>30</FF><LUT>40</LUT><BRAM_18K>1</BRAM_18K><DSP>2</DSP></Resources></AreaEstimates></Module>
</ModuleInformation>
"""
_HLS = {"bram18": 5, "dsp": 7, "ff": 200, "luts": 100, "latency_cycles": 12, "latency_min_cycles": 9, "interval_cycles": 4,
        "fmax_mhz": 250}
_ROOM = {"bram18": 280, "dsp": 220, "ff": 106400, "luts": 53200}


def _csynth_rpt(*, absolute: bool, latency: str = "12") -> str:
    extra = ("30.0 ns", "40.0 ns") if absolute else ()
    names = ("absolute min", "absolute max") if absolute else ()
    return f"""

================================================================
== Vivado HLS Report for 'net'
================================================================
* Date:           Mon Jan  1 00:00:00 2024

* Version:        2019.2 (Build 1 on Mon Jan 1 00:00:00 MST 2024)
* Target device:  xc7z020-clg400-1


================================================================
== Performance Estimates
================================================================
+ Timing:
    * Summary:
{table(("Clock", "Target", "Estimated", "Uncertainty"), ("ap_clk", "5.00 ns", "4.000 ns", "0.62 ns"), indent="    ")}
+ Latency:
    * Summary:
{table(("Latency", "", *names, "Interval", "", "Pipeline"), ("min", "max", *names, "min", "max", "Type"),
       ("9" if latency != "?" else "?", latency, *extra, "3", "4" if latency != "?" else "?", "none"), indent="    ")}
    + Detail:
        * Instance:
{table(("", "", "Latency", "", *names, "Interval", "", "Pipeline"),
       ("Instance", "Module", "min", "max", *names, "min", "max", "Type"),
       ("dense_U0", "dense", "2", "2", *extra, "1", "1", "function"), indent="        ")}
        * Loop:
        N/A

================================================================
== Utilization Estimates
================================================================
* Summary:
{table(("Name", "BRAM_18K", "DSP48E", "FF", "LUT"), ("Instance", "1", "2", "30", "40"), ("Total", "5", "7", "200", "100"),
       ("Available", "280", "220", "106400", "53200"), ("Utilization (%)", "1", "3", "~0", "~0"))}
+ Detail:
    * Instance:
{table(("Instance", "Module", "BRAM_18K", "DSP48E", "FF", "LUT"), ("dense_U0", "dense", "1", "2", "30", "40"),
       ("Total", "", "1", "2", "30", "40"), indent="    ")}
================================================================
== Interface
================================================================
* Summary:
{table(("RTL Ports", "Dir"), ("ap_clk", "in"))}"""


_SUMMARY = f"""

================================================================
== Synthesis Summary Report of 'net'
================================================================
+ General Information:
    * Version:        2023.1 (Build 1 on May 7 2023)
    * Target device:  xcu55c-fsvh2892-2L-e

+ Performance & Resource Estimates:

    PS: '+' for module; 'o' for loop; '*' for dataflow
{table(("Modules", "Latency", "", "", "", "", ""), ("& Loops", "(cycles)", "Interval", "BRAM", "DSP", "FF", "LUT"),
       ("+ net*", "12", "4", "5 (1%)", "7 (~0%)", "200 (~0%)", "100 (1%)"),
       (" + dense_config2_s", "2", "1", "-", "2 (~0%)", "30 (~0%)", "40 (~0%)"),
       ("  o LOOP", "2", "1", "-", "-", "-", "-"), indent="    ")}
================================================================
== HW Interfaces
================================================================
* TOP LEVEL CONTROL
{table(("Interface", "Type"), ("ap_clk", "clock"))}"""


def _banner(command: str, state: str = "Routed") -> str:
    rule = "-" * 80
    return f"""Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
{rule}
| Tool Version : Vivado v.2023.2 (lin64) Build 1 Mon Jan 1 00:00:00 MST 2024
| Date         : Mon Jan  1 00:00:00 2024
| Command      : {command}
| Design       : net
| Device       : 7z020clg400-1
| Design State : {state}
{rule}

"""


def _contents(*titles: str) -> str:
    return "Table of Contents\n-----------------\n" + "".join(f"{i}. {title}\n" for i, title in enumerate(titles, 1)) + "\n"


def _head(index: int, title: str) -> str:
    line = f"{index}. {title}"
    return f"{line}\n{'-' * len(line)}\n\n"


def _flat(state: str, note: str = "") -> str:
    site = ("Site Type", "Used", "Fixed", "Available", "Util%")
    return (
        _banner("report_utilization -file net.rpt", state) + "Utilization Design Information\n\n"
        + _contents("Slice Logic", "Memory", "DSP", "Primitives")
        + _head(1, "Slice Logic") + table(
            site, ("Slice LUTs*", 100, 0, 53200, "0.19"), ("  LUT as Logic", 90, 0, 53200, "0.17"),
            ("    LUT as Distributed RAM", 6, 0, "", ""), ("    LUT as Shift Register", 4, 0, "", ""),
            ("Slice Registers", 200, 0, 106400, "0.19")) + note + "\n"
        + _head(2, "Memory") + table(site, ("Block RAM Tile", "2.5", 0, 140, "1.79"), ("  RAMB36/FIFO*", 2, 0, 140, "1.43"),
                                     ("  RAMB18", 1, 0, 280, "0.36")) + "\n"
        + _head(3, "DSP") + table(site, ("DSPs", 7, 0, 220, "3.18"), ("  DSP48E1 only", 7, "", "", "")) + "\n"
        + _head(4, "Primitives") + table(("Ref Name", "Used", "Functional Category"), ("FDRE", 200, "Flop & Latch")))


_COLUMNS = ("Instance", "Module", "Total LUTs", "Logic LUTs", "LUTRAMs", "SRLs", "FFs", "RAMB36", "RAMB18", "DSP Blocks")
_TREE = (
    ("top", "(top)", 100, 90, 6, 4, 200, 2, 1, 7),
    ("  (top)", "(top)", 10, 10, 0, 0, 20, 0, 0, 0),
    ("  part", "p", 90, 80, 6, 4, 180, 2, 1, 7),
    ("    StreamingDataflowPartition_1_MVAU_hls_0", "m", 60, 60, 0, 0, 100, 2, 0, 7),
    ("      MVAU_hls_0_inner", "n", 50, 50, 0, 0, 90, 0, 0, 7),
    ("    StreamingDataflowPartition_1_StreamingFIFO_rtl_0", "f", 30, 20, 6, 4, 80, 0, 1, 0),
)
_TREE_LAYERS = {
    "MVAU_hls_0": {"luts": 60, "lutram": 0, "srl": 0, "ff": 100, "dsp": 7, "bram18": 4},
    "StreamingFIFO_rtl_0": {"luts": 30, "lutram": 6, "srl": 4, "ff": 80, "dsp": 0, "bram18": 1},
}
_VIVADO = {"luts": 100, "lutram": 6, "srl": 4, "ff": 200, "dsp": 7, "bram18": 5}


def _hierarchy_xml() -> str:
    def row(tag: str, cells: tuple[object, ...]) -> str:
        return "<tablerow>" + "".join(f'<{tag} contents="{cell}"/>' for cell in cells) + "</tablerow>\n"

    rows = row("tableheader", _COLUMNS) + "".join(row("tablecell", cells) for cells in _TREE)
    return (f'<?xml version="1.0"?>\n<RptDoc designname="top" designstate="Physopt postRoute" partname="xczu7ev-ffvc1156-2-e" '
            f'version="1">\n<section title="Utilization by Hierarchy"><table>\n{rows}</table></section></RptDoc>\n')


_TIMING = _banner("report_timing_summary -file net_timing_summary_routed.rpt") + """Timing Summary Report

------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints      WHS(ns)
    -------      -------  ---------------------      -------
     -1.000       -3.500                      9        0.050

------------------------------------------------------------------------------------------------
| Clock Summary
| -------------
------------------------------------------------------------------------------------------------

Clock     Waveform(ns)       Period(ns)      Frequency(MHz)
-----     ------------       ----------      --------------
fast      {0.000 1.000}      2.000           500.000
slow      {0.000 2.000}      4.000           250.000

------------------------------------------------------------------------------------------------
| Intra Clock Table
| -----------------
------------------------------------------------------------------------------------------------

Clock         WNS(ns)      TNS(ns)
-----         -------      -------
fast            0.100        0.000
slow           -1.000       -3.500

------------------------------------------------------------------------------------------------
| Timing Details
| --------------
------------------------------------------------------------------------------------------------
"""

_POWER = (
    _banner("report_power -file net_power_routed.rpt", "routed") + "Power Report\n\n" + _contents("Summary", "By Hierarchy")
    + _head(1, "Summary") + table(("Total On-Chip Power (W)", "1.500"), ("Dynamic (W)", "1.200"), ("Device Static (W)", "0.300"),
                                  ("Confidence Level", "Low")) + "\n\n"
    + _head(2, "By Hierarchy") + table(("Name", "Power (W)"), ("net", "1.200"), ("  MVAU_hls_0", "0.900"),
                                       ("    inner", "<0.001"), ("  fifo", "<0.001")))


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


_KERNELS = _banner("report_accelerator_utilization -kernels net") + "Accelerator Utilization Design Information\n\n" + _contents(
    "System Utilization") + _head(1, "System Utilization") + table(
    ("Name", "LUT", "LUTAsMem", "REG", "BRAM", "URAM", "DSP"),
    ("Platform", "900 [ 9.0%]", "1 [1%]", "9 [1%]", "9 [1%]", "0 [0%]", "4 [1%]"),
    ("User Budget", "9999 [100%]", "9 [1%]", "9 [1%]", "9 [1%]", "9 [1%]", "9 [1%]"),
    ("   Used Resources", "100 [ 1.0%]", "6 [1%]", "200 [1%]", "2.5 [1%]", "0 [0%]", "7 [1%]"),
    ("   Unused Resources", "9899 [99%]", "3 [1%]", "9 [1%]", "9 [1%]", "9 [1%]", "9 [1%]"),
    ("net", "100 [ 1.0%]", "6 [1%]", "200 [1%]", "2.5 [1%]", "0 [0%]", "7 [1%]"),
    ("   net_1", "100 [ 1.0%]", "6 [1%]", "200 [1%]", "2.5 [1%]", "0 [0%]", "7 [1%]"))

_REGIONS = _banner("report_utilization -slr") + "Utilization Design Information\n\n" + _contents(
    "SLR CLB Logic and Dedicated Block Utilization") + _head(1, "SLR CLB Logic and Dedicated Block Utilization") + table(
    ("Site Type", "SLR0", "SLR1", "SLR0 %", "SLR1 %"), ("CLB LUTs", 60, 40, "1.0", "1.0"),
    ("    LUT as Distributed RAM", 6, 0, "1.0", "0.0"), ("    LUT as Shift Register", 4, 0, "1.0", "0.0"),
    ("CLB Registers", 120, 80, "1.0", "1.0"), ("Block RAM Tile", 2, "0.5", "1.0", "1.0"), ("  RAMB36/FIFO", 2, 0, "1.0", "0.0"),
    ("  RAMB18", 0, 1, "0.0", "1.0"), ("URAM", 0, 0, "0.0", "0.0"), ("DSPs", 7, 0, "1.0", "0.0"))


_ESTIMATE = """===============================================================================
Version:    v++ v2022.2 (64-bit)
===============================================================================
Design Name:             net
Target Device:           xilinx:u55c:gen3x16

Latency Information
Compute Unit  Kernel Name  Module Name  Start Interval  Best (cycles)  Avg (cycles)  Worst (cycles)
------------  -----------  -----------  --------------  -------------  ------------  --------------
net_1         net          dense        1               2              2             2
net_1         net          net          4               9              10            12

Area Information
Compute Unit  Kernel Name  Module Name  FF   LUT  DSP  BRAM  URAM
------------  -----------  -----------  ---  ---  ---  ----  ----
net_1         net          dense        30   40   2    1     0
net_1         net          net          200  100  7    5     0
-------------------------------------------------------------------------------
"""

_YOSYS = {"creator": "Yosys 0.70 (git sha1 1)", "modules": {
    "\\top": {"num_cells_by_type": {"inner": 2, "LUT6": 3, "FDRE": 4}},
    "\\inner": {"num_cells_by_type": {"LUT2": 5, "RAMB36E1": 1, "SRL16E": 1}}}}

_ONEAPI = "\n".join(json.dumps(record) for record in (
    {"name": "Kernel Summary", "summary_type": "performanceSummary", "columns": ["Kernel Name"]},
    {"name": "Estimated Resource Usage", "summary_type": "estimatedResources",
     "columns": ["Kernel Name", "ALUTs ", "FFs  ", "RAMs ", "DSPs ", "MLABs", "Frac. DSPs"]},
    {"name": "net", "parent": "estimatedResources", "data": [90, 180, 5, 7, 1, 0]},
    {"name": "Pipe resources", "parent": "estimatedResources", "data": [10, 20, 0, 0, 0, 0]},
    {"name": "Total", "parent": "estimatedResources", "data": [100, 200, 5, 7, 1, 0]},
    {"name": "Available", "parent": "estimatedResources", "data": ["1000", "2000", "50", "70", "10", "0"]}))
_LOOPS = "\n".join(json.dumps(record) for record in (
    {"name": "loop_attributes", "id": 9, "nodes": [1]},
    {"name": "net", "id": 1, "fmax": "480.00", "type": "kernel", "children": [2, 3]},
    {"name": "net.B0", "id": 2, "ii": "1", "lt": "17.000000", "type": "bb"},
    {"name": "net.B1", "id": 3, "ii": "2", "lt": "176.000000", "type": "loop"}))
_FITTED = {"type": "system", "alm": "120.5", "alut": "100", "reg": "200", "dsp": "7", "ram": "5", "mlab": "1"}

SAMPLES: dict[str, Sample] = {
    "csynth-xml": Sample("csynth.xml", _csynth_xml("2019.2", "DSP48E"), "vivado_hls-2019.2", "hls", _HLS, {}, _ROOM),
    "csynth-xml with modules": Sample(
        "csynth.xml", _csynth_xml("2023.1", "DSP", _MODULES), "vitis_hls-2023.1", "hls", _HLS,
        {"dense_ap_config2_U0": {"ff": 30, "luts": 40, "bram18": 1, "dsp": 2, "latency_cycles": 2, "interval_cycles": 1}}, _ROOM),
    "csynth-rpt": Sample(
        "net_csynth.rpt", _csynth_rpt(absolute=False), "vivado_hls-2019.2", "hls", _HLS,
        {"dense_U0": {"bram18": 1, "dsp": 2, "ff": 30, "luts": 40, "latency_cycles": 2, "interval_cycles": 1}}, _ROOM),
    "csynth-rpt since 2020": Sample(
        "net_csynth.rpt", _csynth_rpt(absolute=True), "vivado_hls-2019.2", "hls", _HLS,
        {"dense_U0": {"bram18": 1, "dsp": 2, "ff": 30, "luts": 40, "latency_cycles": 2, "interval_cycles": 1}}, _ROOM),
    "csynth-rpt without a latency": Sample(
        "net_csynth.rpt", _csynth_rpt(absolute=False, latency="?"), "vivado_hls-2019.2", "hls",
        {name: value for name, value in _HLS.items() if not name.endswith("_cycles")},
        {"dense_U0": {"bram18": 1, "dsp": 2, "ff": 30, "luts": 40, "latency_cycles": 2, "interval_cycles": 1}}, _ROOM),
    "csynth-summary": Sample(
        "csynth.rpt", _SUMMARY, "vitis_hls-2023.1", "hls",
        {"bram18": 5, "dsp": 7, "ff": 200, "luts": 100, "latency_cycles": 12, "interval_cycles": 4},
        {"dense_config2_s": {"bram18": 0, "dsp": 2, "ff": 30, "luts": 40, "latency_cycles": 2, "interval_cycles": 1}}),
    "vpp-system-estimate": Sample(
        "system_estimate_net.xtxt", _ESTIMATE, "vpp-2022.2", "hls", {"bram18": 5, "dsp": 7, "ff": 200, "luts": 100, "uram": 0},
        {"net_1": {"bram18": 5, "dsp": 7, "ff": 200, "luts": 100, "uram": 0, "latency_cycles": 12, "interval_cycles": 4}}),
    "vpp-kernel-utilisation": Sample(
        "kernel_util_routed.rpt", _KERNELS, "vivado-2023.2", "routed",
        {"luts": 100, "lutram": 6, "ff": 200, "uram": 0, "dsp": 7, "bram18": 5},
        {"net_1": {"luts": 100, "lutram": 6, "ff": 200, "uram": 0, "dsp": 7, "bram18": 5}}),
    "vivado-slr": Sample(
        "slr_util_routed.rpt", _REGIONS, "vivado-2023.2", "routed", {**_VIVADO, "uram": 0},
        {"SLR0": {"luts": 60, "lutram": 6, "srl": 4, "ff": 120, "bram18": 4, "uram": 0, "dsp": 7},
         "SLR1": {"luts": 40, "lutram": 0, "srl": 0, "ff": 80, "bram18": 1, "uram": 0, "dsp": 0}}),
    "vivado-utilisation": Sample(
        "vivado_synth.rpt", _flat("Synthesized"), "vivado-2023.2", "synthesis", _VIVADO, {},
        {"luts": 53200, "ff": 106400, "bram18": 280, "dsp": 220}),
    "vivado-utilisation placed": Sample(
        "util_placed.rpt", _flat("Fully Placed"), "vivado-2023.2", "placed", _VIVADO, {},
        {"luts": 53200, "ff": 106400, "bram18": 280, "dsp": 220}),
    "vivado-utilisation inside a routed platform": Sample(
        "full_util_synthed.rpt",
        _flat("Physopt postRoute", "* Warning! The Final LUT count is lower. Run opt_design after synthesis.\n"),
        "vivado-2023.2", "synthesis", _VIVADO, {}, {"luts": 53200, "ff": 106400, "bram18": 280, "dsp": 220}),
    "vivado-hierarchy": Sample(
        "hierarchical.rpt", _banner("report_utilization -hierarchical") + "Utilization Design Information\n\n"
        + _contents("Utilization by Hierarchy") + _head(1, "Utilization by Hierarchy") + table(_COLUMNS, *_TREE),
        "vivado-2023.2", "routed", _VIVADO, _TREE_LAYERS),
    "vivado-hierarchy-xml": Sample("post_synth_resources.xml", _hierarchy_xml(), "vivado-unknown", "routed", _VIVADO,
                                   _TREE_LAYERS),
    "vivado-timing": Sample(
        "timing.rpt", _TIMING, "vivado-2023.2", "routed",
        {"wns_ns": -1.0, "tns_ns": -3.5, "whs_ns": 0.05, "fmax_mhz": 200, "clock_mhz": 250}),
    "vivado-power": Sample("power.rpt", _POWER, "vivado-2023.2", "routed", {"power_w": 1.5, "dynamic_w": 1.2, "static_w": 0.3},
                           {"MVAU_hls_0": {"dynamic_w": 0.9}}),
    "finn-layer-cycles": Sample("estimate_layer_cycles.json", _json({"MVAU_hls_0": 64, "MVAU_hls_1": 80}), "finn-estimate",
                                "estimate", {"interval_cycles": 80},
                                {"MVAU_hls_0": {"cycles": 64}, "MVAU_hls_1": {"cycles": 80}}),
    "finn-performance": Sample(
        "estimate_network_performance.json", _json({
            "critical_path_cycles": 144, "max_cycles": 80, "max_cycles_node_name": "MVAU_hls_1",
            "estimated_throughput_fps": 1.25e6, "estimated_latency_ns": 1440.0}),
        "finn-estimate", "estimate", {"interval_cycles": 80, "latency_cycles": 144, "throughput_fps": 1250000}),
    "finn-layer-resources": Sample(
        "estimate_layer_resources.json", _json({
            "MVAU_hls_0": {"BRAM_18K": 5, "BRAM_efficiency": 0.5, "LUT": 100, "URAM": 0, "URAM_efficiency": 1, "DSP": 7},
            "total": {"BRAM_18K": 5.0, "LUT": 100.0, "URAM": 0.0, "DSP": 7.0}}),
        "finn-estimate", "estimate", {"luts": 100, "uram": 0, "dsp": 7, "bram18": 5},
        {"MVAU_hls_0": {"luts": 100, "uram": 0, "dsp": 7, "bram18": 5}}),
    "finn-layer-resources-hls": Sample(
        "estimate_layer_resources_hls.json", _json({
            "MVAU_hls_0": {"BRAM_18K": "5", "FF": "200", "LUT": "100", "DSP48E": 0, "URAM": "0", "DSP": "7"}}),
        "vitis_hls-unknown", "hls", {"luts": 100, "ff": 200, "uram": 0, "dsp": 7, "bram18": 5},
        {"MVAU_hls_0": {"luts": 100, "ff": 200, "uram": 0, "dsp": 7, "bram18": 5}}),
    "finn-post-synthesis": Sample(
        "post_synth_resources.json", _json({
            "(top)": {"LUT": 100, "SRL": 4, "FF": 200, "BRAM_36K": 2, "BRAM_18K": 1, "URAM": 0, "DSP": 7},
            "StreamingDataflowPartition_1_MVAU_hls_0": {
                "LUT": 60, "SRL": 0, "FF": 100, "BRAM_36K": 2, "BRAM_18K": 0, "URAM": 0, "DSP": 7}}),
        "vivado-unknown", "routed", {"luts": 100, "ff": 200, "srl": 4, "uram": 0, "dsp": 7, "bram18": 5},
        {"MVAU_hls_0": {"luts": 60, "ff": 100, "srl": 0, "uram": 0, "dsp": 7, "bram18": 4}}),
    "finn-out-of-context": Sample(
        "ooc_synth_and_timing.json", _json({
            "LUT": 100, "FF": 200, "DSP": 7, "BRAM": 2, "BRAM_36K": 2, "BRAM_18K": 1, "URAM": 0, "SRL": 4, "WNS": 0.5,
            "clk_period_ns": 5.0, "fmax_mhz": 222.2, "total_power_W": 1.5, "vivado_version": "2024.2",
            "estimated_throughput_fps": 2777500.0}),
        "vivado-2024.2", "routed", {"luts": 100, "ff": 200, "srl": 4, "uram": 0, "dsp": 7, "bram18": 5, "wns_ns": 0.5,
                                    "fmax_mhz": 222.2, "throughput_fps": 2777500, "power_w": 1.5}),
    "finn-counts": Sample(
        "op_and_param_counts.json", _json({
            "MVAU_hls_0": {"op_mac_2bx2b": 64, "param_weight_2b": 32, "param_threshold_8b": 3}, "Pool_hls_0": {},
            "total": {"op_mac_2bx2b": 64, "param_weight_2b": 32, "param_threshold_8b": 3}}),
        "finn-estimate", "estimate", {"macs": 64, "weights": 32, "thresholds": 3},
        {"MVAU_hls_0": {"macs": 64, "weights": 32, "thresholds": 3}}),
    "finn-rtlsim": Sample(
        "rtlsim_performance.json", _json({
            "cycles": 300, "N": 3, "latency_cycles": 140, "interval_cycles": 80, "runtime[ms]": 0.003,
            "throughput[images/s]": 1e6, "fclk[mhz]": 100.0, "stable_throughput[images/s]": 1.25e6}),
        "rtlsim-unknown", "simulation",
        {"interval_cycles": 80, "latency_cycles": 140, "throughput_fps": 1250000, "clock_mhz": 100}),
    "finn-rtlsim of FINN+": Sample(
        "rtlsim_performance.json", _json([{
            "cycles": 300, "samples": 3, "intervals": [85, 80], "latency_cycles": [140, 150], "throughput_fps": 1.25e6}]),
        "rtlsim-unknown", "simulation", {"interval_cycles": 80, "latency_cycles": 140, "throughput_fps": 1250000}),
    "finn-throughput-test": Sample(
        "nw_metrics.json", _json({"runtime[ms]": 1.0, "throughput[images/s]": 1e6, "fclk[mhz]": 100, "batch_size": 1000}),
        "board-unknown", "board", {"throughput_fps": 1000000, "clock_mhz": 100}),
    "finn-fifo-sizing": Sample(
        "fifo_sizing.json", _json({
            "fifo_depths": {"StreamingFIFO_rtl_0": 32}, "fifo_sizes": {"StreamingFIFO_rtl_0": 256},
            "fifo_sizes_effective": {"StreamingFIFO_rtl_0": 256}, "total_fifo_size_kiB": 0.03125}),
        "finn-fifo-sizing", "simulation", {"fifo_bits": 256}, {"StreamingFIFO_rtl_0": {"depth": 32, "fifo_bits": 256}}),
    "finn-seconds": Sample("time_per_step.json", _json({"step_hls_codegen": 1.5, "total_build_time": 60.5}), "wall-clock",
                           "board", {"build_s": 60.5}),
    "oneapi-summary": Sample(
        "summary.ndjson", _ONEAPI, "oneapi-unknown", "hls", {"alut": 100, "ff": 200, "m20k": 5, "dsp": 7, "mlab": 1},
        {"net": {"alut": 90, "ff": 180, "m20k": 5, "dsp": 7, "mlab": 1}},
        {"alut": 1000, "ff": 2000, "m20k": 50, "dsp": 70, "mlab": 10}),
    "oneapi-loops": Sample("loop_attr.ndjson", _LOOPS, "oneapi-unknown", "hls", {"fmax_mhz": 480},
                           {"net": {"latency_cycles": 176, "interval_cycles": 2, "fmax_mhz": 480}}),
    "quartus-fit": Sample(
        "quartus.ndjson", json.dumps({
            "quartusFitClockSummary": {"nodes": [{"clock fmax": "597.73"}]},
            "quartusFitResourceUsageSummary": {"nodes": [
                _FITTED, {**_FITTED, "type": "kernel", "name": "net", "alm": "120.0"}]}}),
        "quartus-unknown", "routed", {"alm": 120.5, "alut": 100, "ff": 200, "dsp": 7, "m20k": 5, "mlab": 1, "fmax_mhz": 597.73},
        {"net": {"alm": 120, "alut": 100, "ff": 200, "dsp": 7, "m20k": 5, "mlab": 1}}),
    "yosys-stat": Sample(
        "stat.json", _json(_YOSYS), "yosys-0.70", "synthesis",
        {"luts": 15, "carry": 0, "muxf": 0, "ff": 4, "lutram": 0, "srl": 2, "bram18": 4, "dsp": 0},
        {"inner": {"luts": 6, "carry": 0, "muxf": 0, "ff": 0, "lutram": 0, "srl": 1, "bram18": 2, "dsp": 0}}),
    "nextpnr of an ECP5": Sample(
        "report.json", _json({
            "fmax": {"clk": {"achieved": 120.5, "constraint": 100.0}},
            "utilization": {"TRELLIS_COMB": {"used": 100, "available": 24288}, "TRELLIS_FF": {"used": 200, "available": 24288},
                            "DP16KD": {"used": 5, "available": 56}, "MULT18X18D": {"used": 7, "available": 28},
                            "TRELLIS_IO": {"used": 9, "available": 197}}, "critical_paths": []}),
        "nextpnr-ecp5", "routed", {"luts": 100, "ff": 200, "ebr": 5, "dsp": 7, "fmax_mhz": 120.5, "clock_mhz": 100},
        {}, {"luts": 24288, "ff": 24288, "ebr": 56, "dsp": 28}),
    "nextpnr": Sample(
        "report.json", _json({
            "fmax": {"clk": {"achieved": 60.25, "constraint": 50.0}, "usb": {"achieved": 49.0, "constraint": 48.0}},
            "utilization": {"ICESTORM_LC": {"used": 300, "available": 5280}, "ICESTORM_RAM": {"used": 5, "available": 30},
                            "ICESTORM_DSP": {"used": 7, "available": 8}, "ICESTORM_SPRAM": {"used": 0, "available": 4}}}),
        "nextpnr-ice40", "routed", {"lc": 300, "ebr": 5, "dsp": 7, "spram": 0, "fmax_mhz": 49, "clock_mhz": 48},
        {}, {"lc": 5280, "ebr": 30, "dsp": 8, "spram": 4}),
    "openroad": Sample(
        "metadata.json", _json({
            "run__flow__design": "net", "run__flow__platform": "sky130hd", "run__flow__openroad_version": "26Q2",
            "run__flow__platform__time_units": "1ns", "constraints__clocks__details": ["core: 1.25"],
            "finish__design__instance__area": 5213.75, "finish__design__die__area": 6404, "finish__timing__setup__ws": -0.75,
            "finish__timing__fmax": 5e8, "finish__timing__fmax__clock__core": 5e8, "finish__power__total": 0.0088,
            "finish__power__leakage__total": 2e-09, "finish__design__instance__count__class__sequential_cell": 35}),
        "openroad-26Q2", "routed", {"area": 5213.75, "die_area": 6404, "ff": 35, "power_w": 0.0088, "static_w": 2e-09,
                                    "wns_ns": -0.75, "clock_mhz": 800, "fmax_mhz": 500}),
    "openroad in picoseconds, without Fmax": Sample(
        "metadata.json", _json({
            "run__flow__platform": "asap7", "run__flow__openroad_version": "v2.0", "run__flow__platform__time_units": "1ps",
            "constraints__clocks__details": ["core: 400.0"], "finish__design__instance__area": 60.5,
            "finish__timing__setup__ws": -100.0}),
        "openroad-v2.0", "routed", {"area": 60.5, "wns_ns": -0.1, "clock_mhz": 2500, "fmax_mhz": 2000}),
}
