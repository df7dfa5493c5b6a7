"""What a parser gives: the figures of one report file, with the tool and the stage that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from hw_flow.report.schema import Figure

Stage = Literal["estimate", "hls", "synthesis", "placed", "routed", "simulation", "board"]
"""How near to hardware figures are: ``estimate`` (a formula), ``hls`` (a compiler's schedule), ``synthesis`` (a netlist),
``placed``, ``routed``, ``simulation`` (cycles) and ``board`` (measured)."""
STAGES: tuple[Stage, ...] = get_args(Stage)

# Every metric a parser may give, in the order of tables, with its unit.
UNITS: Mapping[str, str] = {
    "interval_cycles": "cycles", "latency_cycles": "cycles", "latency_min_cycles": "cycles", "cycles": "cycles",
    "throughput_fps": "frames/s", "fmax_mhz": "MHz", "clock_mhz": "MHz", "wns_ns": "ns", "tns_ns": "ns", "whs_ns": "ns",
    "luts": "LUT", "ff": "FF", "lutram": "LUT", "srl": "LUT", "carry": "CARRY", "muxf": "MUXF", "bram18": "BRAM18",
    "uram": "URAM", "dsp": "DSP", "ebr": "EBR", "spram": "SPRAM", "lc": "LC", "slices": "slices", "alm": "ALM", "alut": "ALUT",
    "m20k": "M20K", "mlab": "MLAB", "gates": "gates", "transistors": "transistors", "area": "um2", "die_area": "um2",
    "power_w": "W", "dynamic_w": "W", "static_w": "W", "fifo_bits": "bits", "depth": "beats", "macs": "1", "weights": "1",
    "thresholds": "1", "build_s": "s",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is known of a layer beside its figures, to find the same layer in other reports.

    Attributes
    ----------
    kind : what it computes, under our names of nodes (``MVAU``, ``Pool``); ``""`` if that is not known.
    matrix : inputs and outputs of its weights (``MW``, ``MH``), or None.
    names : what other reports of the same project call it.
    """

    kind: str = ""
    matrix: tuple[int, int] | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ToolReport:
    """The figures of one report.

    Attributes
    ----------
    format : name of the format, a key of the table in docs/reports.md.
    source : tool and version as the file states them, ``vivado-2022.2``; ``-unknown`` where it states none.
    stage : how near to hardware the figures are.
    design : name of the top, or ``""``.
    part : the device as the tool names it, or ``""``.
    total : figures of the whole by metric (the keys of `UNITS`).
    layers : figures of the parts, by the name the file gives them.
    kinds : what a part is (``fifo``, ``dwc``, ...), by its name, where that is known.
    parts : what else is known of a layer, by its name.
    order : names of layers in the order of the network, where the report has that order.
    inside : names of the modules below the top, where the file lists them.
    capacity : what the device offers, by metric, where the file says.
    notes : what a reader should know, one sentence each.
    """

    format: str
    source: str
    stage: Stage
    design: str = ""
    part: str = ""
    total: Mapping[str, Figure] = field(default_factory=dict)
    layers: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    inside: frozenset[str] = frozenset()
    capacity: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def figures(values: Mapping[str, int | float | None], source: str) -> dict[str, Figure]:
    """``values`` by metric as figures of ``source``; None (not stated) is left out, whole floats become integers."""
    found = {}
    for name, value in values.items():
        if value is not None:
            plain = int(value) if isinstance(value, float) and value.is_integer() else value
            found[name] = Figure(value=plain, unit=UNITS[name], source=source)
    return found
