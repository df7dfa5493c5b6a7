"""Capacity of real parts, for the share of a device that a design takes.

Figures are those of the vendors' data sheets, whose numbers stand with each part; where a sheet rounds (``24K LUTs``), the
count is that of the vendor's tool or of nextpnr's device database. Block RAM is in units of 18 kbit on Xilinx parts (``bram18``)
and in blocks (``ebr``: 18 kbit on ECP5 and Gowin, 4 kbit on iCE40) elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from hw_flow.errors import FlowError

Family = Literal["xilinx", "ecp5", "ice40", "gowin"]


@dataclass(frozen=True)
class Device:
    """One part.

    Attributes
    ----------
    name : what a user types; `find` takes part numbers and boards too.
    family : parts whose LUTs, block RAMs and DSP blocks are alike enough to count against each other.
    capacity : sites by metric, the keys of `hw_flow.synth.parsers.UNITS`.
    document : the data sheet.
    pattern : part numbers, as tools write them.
    boards : well-known boards with this part.
    """

    name: str
    family: Family
    capacity: Mapping[str, int]
    document: str
    pattern: str
    boards: tuple[str, ...] = ()


def _xilinx(luts: int, bram36: int, dsp: int, uram: int = 0) -> dict[str, int]:
    # Every LUT of these families has two flip-flops.
    return {"luts": luts, "ff": 2 * luts, "bram18": 2 * bram36, "uram": uram, "dsp": dsp}


def _ecp5(luts: int, ebr: int, dsp: int) -> dict[str, int]:
    return {"luts": luts, "ff": luts, "ebr": ebr, "dsp": dsp}


def _ice40(cells: int, ebr: int, dsp: int = 0, spram: int = 0) -> dict[str, int]:
    # A logic cell is a LUT, a flip-flop and a carry.
    return {"luts": cells, "ff": cells, "lc": cells, "ebr": ebr, "spram": spram, "dsp": dsp}


def _gowin(luts: int, ff: int, ebr: int, dsp: int) -> dict[str, int]:
    return {"luts": luts, "ff": ff, "ebr": ebr, "dsp": dsp}


_ZYNQ, _MPSOC, _RFSOC, _ARTIX = "DS190 (Zynq-7000)", "DS891 (Zynq UltraScale+)", "DS889 (RFSoC)", "DS180 (7 series)"
_LATTICE, _UP, _HX = "FPGA-DS-02012 (ECP5)", "FPGA-DS-02008 (iCE40 UltraPlus)", "FPGA-DS-02029 (iCE40 LP/HX)"
DEVICES: tuple[Device, ...] = (
    Device("zynq-7020", "xilinx", _xilinx(53_200, 140, 220), _ZYNQ, r"7z020", ("pynq-z1", "pynq-z2", "zedboard")),
    Device("zu3eg", "xilinx", _xilinx(70_560, 216, 360), _MPSOC, r"zu3eg", ("ultra96", "ultra96-v2")),
    Device("zu7ev", "xilinx", _xilinx(230_400, 312, 1_728, 96), _MPSOC, r"zu7ev", ("zcu104",)),
    Device("zu9eg", "xilinx", _xilinx(274_080, 912, 2_520), _MPSOC, r"zu9eg", ("zcu102",)),
    Device("zu28dr", "xilinx", _xilinx(425_280, 1_080, 4_272, 80), _RFSOC, r"zu28dr", ("rfsoc2x2", "zcu111")),
    Device("u50", "xilinx", _xilinx(871_680, 1_344, 5_952, 640), "DS965 (Alveo U50)", r"(xc)?u50(?!\d)"),
    Device("u200", "xilinx", _xilinx(1_182_240, 2_160, 6_840, 960), "DS962 (Alveo U200, U250)", r"(xc)?u200"),
    Device("u250", "xilinx", _xilinx(1_728_000, 2_688, 12_288, 1_280), "DS962 (Alveo U200, U250)", r"(xc)?u250"),
    Device("u55c", "xilinx", _xilinx(1_303_680, 2_016, 9_024, 960), "DS978 (Alveo U55C)", r"(xc)?u55c"),
    Device("u280", "xilinx", _xilinx(1_303_680, 2_016, 9_024, 960), "DS963 (Alveo U280)", r"(xc)?u280"),
    Device("artix-7-35t", "xilinx", _xilinx(20_800, 50, 90), _ARTIX, r"7a35t", ("arty-a7-35",)),
    Device("artix-7-100t", "xilinx", _xilinx(63_400, 135, 240), _ARTIX, r"7a100t", ("arty-a7-100",)),
    Device("ecp5-25", "ecp5", _ecp5(24_288, 56, 28), _LATTICE, r"lfe5u(m|m5g)?-25f?"),
    Device("ecp5-45", "ecp5", _ecp5(43_848, 108, 72), _LATTICE, r"lfe5u(m|m5g)?-45f?"),
    Device("ecp5-85", "ecp5", _ecp5(83_640, 208, 156), _LATTICE, r"lfe5u(m|m5g)?-85f?", ("ulx3s-85f",)),
    Device("ice40up5k", "ice40", _ice40(5_280, 30, 8, 4), _UP, r"(ice40)?-?up5k", ("icebreaker",)),
    Device("ice40hx8k", "ice40", _ice40(7_680, 32), _HX, r"(ice40)?-?hx8k"),
    Device("gw1n-1", "gowin", _gowin(1_152, 864, 4, 0), "DS100 (GW1N)", r"gw1n-(lv|uv)?1(?!\d)", ("tang-nano",)),
    Device("gw1n-9", "gowin", _gowin(8_640, 6_480, 26, 20), "DS100 (GW1N)", r"gw1nr?-(lv|uv)?9", ("tang-nano-9k",)),
    Device("gw2a-18", "gowin", _gowin(20_736, 15_552, 46, 48), "DS102 (GW2A)", r"gw2ar?-(lv|uv)?18", ("tang-nano-20k",)),
)
# Targets of `bitwright synth` and architectures of nextpnr.
_FAMILIES: Mapping[str, Family] = {"xc7": "xilinx", "xcup": "xilinx", "ecp5": "ecp5", "ice40": "ice40", "gowin": "gowin"}
# Sources that count in Xilinx' units whatever the part.
_XILINX_SOURCES = ("vivado", "vitis", "vpp", "finn", "model")


def find(text: str) -> Device:
    """The device that ``text`` names: one of the table, a part number, or a board.

    Raises
    ------
    FlowError : not in the table, which is listed.
    """
    plain = text.strip().lower().replace("_", "-").replace(" ", "-")
    for device in DEVICES:
        if plain == device.name or plain in device.boards or re.match(rf"(xc)?(k|q|a)?{device.pattern}", plain):
            return device
    names = ", ".join(device.name for device in DEVICES)
    raise FlowError(f"device '{text}' is not in the table; known ones: {names}, their part numbers and boards")


def family_of(target: str, source: str) -> Family | None:
    """The family whose units figures are in: from what they were made for, else from who made them; None if neither tells."""
    if target in _FAMILIES:
        return _FAMILIES[target]
    with suppress(FlowError):
        return find(target).family
    if source.startswith("nextpnr-"):
        return _FAMILIES.get(source.removeprefix("nextpnr-"))
    return "xilinx" if source.startswith(_XILINX_SOURCES) else None
