"""Reports of Yosys (``stat -json``), nextpnr (``--report``) and OpenROAD (its flow's metrics)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hw_flow.synth.parsers.text import Content, number
from hw_flow.synth.parsers.values import ToolReport, figures
from hw_flow.synth.resources import TARGETS, Resources, Target
from hw_flow.synth.stat import leaves

# nextpnr's bel types by architecture, with metric and units. An ICESTORM_LC is a LUT4 with its flip-flop and carry: what of it is
# in use the report does not say.
_BELS: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "ecp5": {"TRELLIS_COMB": ("luts", 1), "TRELLIS_FF": ("ff", 1), "DP16KD": ("ebr", 1), "MULT18X18D": ("dsp", 1),
             "TRELLIS_SLICE": ("slices", 1)},
    "ice40": {"ICESTORM_LC": ("lc", 1), "ICESTORM_RAM": ("ebr", 1), "ICESTORM_DSP": ("dsp", 1), "ICESTORM_SPRAM": ("spram", 1)},
    "nexus": {"OXIDE_COMB": ("luts", 1), "OXIDE_FF": ("ff", 1), "OXIDE_EBR": ("ebr", 1), "MULT9_CORE": ("dsp", 1)},
    "gowin": {"LUT4": ("luts", 1), "DFF": ("ff", 1), "ALU": ("carry", 1), "BSRAM": ("ebr", 1), "MULT18X18": ("dsp", 1)},
}


def is_yosys(content: Content) -> bool:
    """``stat -json``."""
    data = content.data
    return isinstance(data, dict) and str(data.get("creator", "")).startswith("Yosys") and "modules" in data


def parse_yosys(content: Content) -> ToolReport:
    """``stat -json``: the cells below the top, counted as this project counts them; the target is read off the cells' names."""
    data = content.data
    version = re.match(r"Yosys (\S+)", str(data["creator"]))
    modules = {str(name).lstrip("\\"): module for name, module in data["modules"].items() if isinstance(module, dict)}
    used = {cell for module in modules.values() for cell in module.get("num_cells_by_type", {})}
    tops = [name for name in modules if name not in used]
    if version is None or not tops:
        content.fail("a version of Yosys and a top module")
    source = f"yosys-{version.group(1)}"
    top = max(tops, key=lambda name: sum(leaves(modules, name).values()))
    cells = dict(leaves(modules, top))
    target = _target(cells)
    area = number(data.get("design", {}).get("area"))
    children = [name for name in modules[top].get("num_cells_by_type", {}) if name in modules]
    others = Resources(target=target, cells=cells).other
    return ToolReport(
        format="yosys-stat", source=source, stage="synthesis", design=top, part=target,
        total=figures({**Resources(target=target, cells=cells).figures(), "area": area}, source),
        layers={name: figures(Resources(target=target, cells=leaves(modules, name)).figures(), source) for name in children},
        notes=(f"cells that no figure counts: {', '.join(sorted(others)[:5])}",) if others else (),
    )


def is_nextpnr(content: Content) -> bool:
    """``nextpnr-* --report``: utilization and fmax."""
    data = content.data
    return isinstance(data, dict) and isinstance(data.get("utilization"), dict) and isinstance(data.get("fmax"), dict)


def parse_nextpnr(content: Content) -> ToolReport:
    """``--report``: cells after place and route, and the rate of the clock with the least room; no version is stated."""
    used: dict[str, float | None] = {}
    offered: dict[str, float] = {}
    bels = content.data["utilization"]
    kind = max(_BELS, key=lambda name: sum(bel in bels for bel in _BELS[name]))
    if not any(bel in bels for bel in _BELS[kind]):
        content.fail(f"cells of {', '.join(_BELS)}", f"found {', '.join(sorted(bels)[:5])}")
    for bel, (metric, units) in _BELS[kind].items():
        row = bels.get(bel)
        if isinstance(row, dict):
            used[metric] = (number(row.get("used")) or 0) * units
            offered[metric] = (number(row.get("available")) or 0) * units
    clocks = {name: (number(row.get("achieved")), number(row.get("constraint")))
              for name, row in content.data["fmax"].items() if isinstance(row, dict)}
    rates = {name: (achieved, wanted) for name, (achieved, wanted) in clocks.items() if achieved is not None}
    notes: tuple[str, ...] = ()
    if rates:
        slowest = min(rates, key=lambda name: (rates[name][0] or 0) / (rates[name][1] or 1))
        used |= {"fmax_mhz": round(rates[slowest][0] or 0, 3), "clock_mhz": rates[slowest][1]}
        notes = (f"Fmax of clock {slowest}; other clocks have more room",) if len(rates) > 1 else ()
    source = f"nextpnr-{kind}"
    return ToolReport(format="nextpnr", source=source, stage="routed", part=kind, total=figures(used, source), capacity=offered,
                      notes=notes)


def is_openroad(content: Content) -> bool:
    """``metadata.json`` or ``6_report.json`` of OpenROAD's flow."""
    data = content.data
    return isinstance(data, dict) and any(str(key).startswith(("run__flow__", "finish__")) for key in data) and any(
        str(key).endswith("__design__instance__area") for key in data)


def parse_openroad(content: Content) -> ToolReport:
    """Metrics of the finished layout: cell and die area, Fmax, power."""
    data = content.data
    done = "finish__design__instance__area" in data
    step = "finish" if done else "floorplan"
    if f"{step}__design__instance__area" not in data:
        content.fail("metrics of the steps 'finish' or 'floorplan'")
    source = f"openroad-{data.get('run__flow__openroad_version', 'unknown')}"
    clocks = [number(value) for key, value in data.items() if str(key).startswith(f"{step}__timing__fmax__clock__")]
    rate = min((value for value in clocks if value is not None), default=number(data.get(f"{step}__timing__fmax")))
    values = {
        "area": number(data[f"{step}__design__instance__area"]), "die_area": number(data.get(f"{step}__design__die__area")),
        "ff": number(data.get(f"{step}__design__instance__count__class__sequential_cell")),
        "power_w": number(data.get(f"{step}__power__total")), "static_w": number(data.get(f"{step}__power__leakage__total")),
        **_slack(data, step),
    }
    if rate is not None:
        values["fmax_mhz"] = round(rate / 1e6, 3)
    return ToolReport(
        format="openroad", source=source, stage="routed" if done else "synthesis", design=str(data.get("run__flow__design", "")),
        part=str(data.get("run__flow__platform", "")), total=figures(values, source),
        notes=() if done else ("the layout is not finished: figures of the floor plan",),
    )


def _target(cells: Mapping[str, int]) -> Target:
    """The target whose table names most of the cells; the first of several that name all."""
    return min(TARGETS, key=lambda target: sum(Resources(target=target, cells=cells).other.values()))


def _slack(data: Mapping[str, Any], step: str) -> dict[str, float | None]:
    """Slack in ns, and Fmax of the constrained clock if there is one only: some versions state no Fmax."""
    picoseconds = data.get("run__flow__platform__time_units") == "1ps"
    slack = number(data.get(f"{step}__timing__setup__ws"))
    details = data.get("constraints__clocks__details")
    if slack is None:
        return {}
    slack = slack / 1000 if picoseconds else slack
    found: dict[str, float | None] = {"wns_ns": slack}
    if isinstance(details, list) and len(details) == 1:
        period = number(str(details[0]).rpartition(":")[2])
        if period is not None:
            period = period / 1000 if picoseconds else period
            found |= {"clock_mhz": round(1000 / period, 3), "fmax_mhz": round(1000 / (period - slack), 3)}
    return found
