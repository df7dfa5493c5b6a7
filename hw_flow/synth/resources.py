"""What a netlist costs: cells of each target, and the figures made of them.

``luts`` is the number of LUTs a design occupies: logic LUTs of every size, inverters (INV is a LUT1), LUTRAM and
SRL. Each target's table gives a cell's kind and how many units of that kind it takes:

* Xilinx: RAM32M 4 LUTs, RAM64X1D 2, RAM128X1D 4, SRL16E and SRLC32E 1. A RAMB36 is two ``bram18``.
  LUTs that Yosys does not emit (route-through into a carry chain) are not counted; LUT pairs that a placer
  could pack into one LUT6 are counted as two.
* ECP5: a CCU2C is two LUT4 with a carry, counted as 2 ``luts`` and 1 ``carry``; TRELLIS_DPR16X4 takes three slices, 6 LUT4.
* iCE40: SB_CARRY shares the logic cell of an SB_LUT4 and adds no LUT.
* generic: ``gates`` are two-input and complex gates after ABC, ``transistors`` is Yosys' CMOS table (16 for a flip-flop).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Target = Literal["xc7", "xcup", "ecp5", "ice40", "generic"]
TARGETS: tuple[Target, ...] = ("xc7", "xcup", "ecp5", "ice40", "generic")

# (pattern of the cell name, kind, units). First match wins.
_Row = tuple[str, str, int]

_XILINX: tuple[_Row, ...] = (
    (r"INV", "lut1", 1),
    *((rf"LUT{size}", f"lut{size}", 1) for size in range(1, 7)),
    (r"CARRY[48]", "carry", 1),
    (r"MUXF[789]", "muxf", 1),
    (r"FD[RSCP]E(_1)?", "ff", 1),
    (r"LD[CP]E(_1)?", "latch", 1),
    (r"RAM(16|32|64)X1S(_1)?", "lutram", 1),
    (r"RAM(16|32|64)X1D(_1)?", "lutram", 2),
    (r"RAM128X1S(_1)?", "lutram", 2),
    (r"RAM128X1D", "lutram", 4),
    (r"RAM256X1S", "lutram", 4),
    (r"RAM256X1D", "lutram", 8),
    (r"RAM512X1S", "lutram", 8),
    (r"RAM(32|64)M", "lutram", 4),
    (r"RAM32M16|RAM64M8|RAM32X16DR8|RAM64X8SW", "lutram", 8),
    (r"SRL16E?(_1)?|SRLC16E?(_1)?|SRLC32E(_1)?", "srl", 1),
    (r"RAMB18E[12]", "bram18", 1),
    (r"RAMB36E[12]", "bram18", 2),
    (r"URAM288.*", "uram", 1),
    (r"DSP48E[12]", "dsp", 1),
)
_ECP5: tuple[_Row, ...] = (
    (r"LUT4", "lut4", 1),
    (r"CCU2C", "carry", 1),
    (r"PFUMX|L6MUX21", "muxf", 1),
    (r"TRELLIS_FF", "ff", 1),
    (r"TRELLIS_DPR16X4", "lutram", 6),
    (r"DP16KD|PDPW16KD", "ebr", 1),
    (r"MULT18X18D|MULT9X9D", "dsp", 1),
    (r"ALU54B|ALU24B", "alu", 1),
)
_ICE40: tuple[_Row, ...] = (
    (r"SB_LUT4", "lut4", 1),
    (r"SB_CARRY", "carry", 1),
    (r"SB_DFF.*", "ff", 1),
    (r"SB_RAM40_4K.*", "ebr", 1),
    (r"SB_SPRAM256KA", "spram", 1),
    (r"SB_MAC16", "dsp", 1),
)
_GENERIC: tuple[_Row, ...] = (
    (r"\$_(SR|DFF|DFFE|DFFSR|SDFF|SDFFE|ALDFF).*", "ff", 1),
    (r"\$_DLATCH.*", "latch", 1),
    (r"\$_[A-Z0-9]+_", "gate", 1),
)
_TABLES: dict[str, tuple[_Row, ...]] = {
    "xc7": _XILINX, "xcup": _XILINX, "ecp5": _ECP5, "ice40": _ICE40, "generic": _GENERIC,
}


class _Count:
    """A figure that is the number of units of the kind that it is named after."""

    def __init__(self, kind: str | None = None) -> None:
        self._kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        self._kind = self._kind or name

    def __get__(self, instance: Resources, owner: type | None = None) -> int:
        assert self._kind is not None
        return instance.units(self._kind)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Cells of a netlist on one target; every other figure is counted from them.

    Attributes
    ----------
    target : what the cells belong to.
    cells : cell type -> number.
    area : in the liberty file's unit (mostly um^2), or None without a liberty file.
    transistors : CMOS estimate, generic target without a liberty file only.
    sequential : the cell types that are flip-flops or latches of the liberty file.
    """

    target: Target
    cells: Mapping[str, int] = field(default_factory=dict)
    area: float | None = None
    transistors: int | None = None
    sequential: tuple[str, ...] = ()

    carry = _Count()  # CARRY4 of 4 bits, CCU2C of 2, SB_CARRY of 1
    muxf = _Count()  # wide multiplexers between LUTs: MUXF7/F8, PFUMX/L6MUX21
    ff = _Count()
    latch = _Count()  # should be 0
    lutram = _Count()  # LUTs used as memory
    srl = _Count()  # LUTs used as shift registers
    bram18 = _Count()  # Xilinx block RAM in units of 18 kbit
    ebr = _Count()  # Lattice block RAMs: ECP5 DP16KD (18 kbit), iCE40 SB_RAM40_4K (4 kbit)
    spram = _Count()  # iCE40 SB_SPRAM256KA
    uram = _Count()
    dsp = _Count()  # DSP48, MULT18X18D or SB_MAC16
    gates = _Count("gate")  # generic target

    def units(self, *kinds: str) -> int:
        """Units of the given kinds, for example ``units("lut4", "lutram")``."""
        total = 0
        for cell, number in self.cells.items():
            kind, weight = self._classify(cell)
            if kind in kinds:
                total += number * weight
        return total

    def _classify(self, cell: str) -> tuple[str, int]:
        for pattern, kind, weight in _TABLES[self.target]:
            if re.fullmatch(pattern, cell):
                return kind, weight
        if self.area is None:
            return "other", 1
        return ("ff" if cell in self.sequential else "gate"), 1

    @property
    def lut(self) -> dict[int, int]:
        """Logic LUTs by number of inputs, 1 to 6."""
        return {size: self.units(f"lut{size}") for size in range(1, 7)}

    @property
    def luts(self) -> int:
        """All LUTs: logic, LUTRAM, SRL, and on ECP5 those inside carry cells."""
        inside_carry = 2 * self.carry if self.target == "ecp5" else 0
        return sum(self.lut.values()) + self.lutram + self.srl + inside_carry

    @property
    def other(self) -> dict[str, int]:
        """Cells that no figure counts."""
        return {cell: number for cell, number in self.cells.items() if self._classify(cell)[0] == "other"}

    def figures(self) -> dict[str, float]:
        """The figures that mean something on this target, by name; what ``--json`` and reports print."""
        names = {
            "xc7": ("luts", "carry", "muxf", "ff", "lutram", "srl", "bram18", "dsp"),
            "xcup": ("luts", "carry", "muxf", "ff", "lutram", "srl", "bram18", "uram", "dsp"),
            "ecp5": ("luts", "carry", "muxf", "ff", "lutram", "ebr", "dsp"),
            "ice40": ("luts", "carry", "ff", "ebr", "spram", "dsp"),
            "generic": ("gates", "ff", "transistors", "area"),
        }[self.target]
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def total(target: Target, parts: Iterable[Resources]) -> Resources:
    """Sum of ``parts``; area and transistors only where every part has them."""
    cells: Counter[str] = Counter()
    areas: list[float | None] = []
    transistors: list[int | None] = []
    sequential: set[str] = set()
    for part in parts:
        cells.update(part.cells)
        areas.append(part.area)
        transistors.append(part.transistors)
        sequential.update(part.sequential)
    known_areas = [value for value in areas if value is not None]
    known_transistors = [value for value in transistors if value is not None]
    return Resources(
        target=target, cells=dict(sorted(cells.items())),
        area=sum(known_areas) if areas and len(known_areas) == len(areas) else None,
        transistors=sum(known_transistors) if transistors and len(known_transistors) == len(transistors) else None,
        sequential=tuple(sorted(sequential)),
    )
