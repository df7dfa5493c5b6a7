from __future__ import annotations

import pytest

from hw_flow.synth import Resources, Target, total


@pytest.mark.parametrize(
    ("target", "cells", "expected"),
    [
        ("xc7", {"LUT6": 3, "LUT2": 2, "INV": 1, "RAM32M": 2, "RAM64X1D": 1, "RAM128X1D": 1, "SRLC32E": 5, "SRL16E": 1},
         {"luts": 3 + 2 + 1 + 8 + 2 + 4 + 5 + 1, "lutram": 14, "srl": 6}),
        ("xc7", {"RAMB18E1": 1, "RAMB36E1": 2, "MUXF7": 4, "MUXF8": 2, "CARRY4": 3, "FDRE": 7, "FDSE_1": 1, "DSP48E1": 2},
         {"luts": 0, "bram18": 5, "muxf": 6, "carry": 3, "ff": 8, "dsp": 2}),
        ("xcup", {"RAMB36E2": 1, "URAM288": 2, "CARRY8": 1, "DSP48E2": 1, "RAM64M8": 1},
         {"luts": 8, "bram18": 2, "uram": 2, "carry": 1, "dsp": 1}),
        ("ecp5", {"LUT4": 10, "CCU2C": 3, "PFUMX": 4, "L6MUX21": 1, "TRELLIS_FF": 9, "TRELLIS_DPR16X4": 1, "DP16KD": 2,
                  "MULT18X18D": 3, "ALU54B": 1},
         {"luts": 10 + 6 + 6, "muxf": 5, "ff": 9, "ebr": 2, "dsp": 3}),
        ("ice40", {"SB_LUT4": 5, "SB_CARRY": 4, "SB_DFFESR": 3, "SB_DFF": 1, "SB_RAM40_4K": 1, "SB_SPRAM256KA": 2, "SB_MAC16": 1},
         {"luts": 5, "carry": 4, "ff": 4, "ebr": 1, "spram": 2, "dsp": 1}),
        ("generic", {"$_NAND_": 4, "$_AOI3_": 2, "$_DFF_P_": 3, "$_DFFE_PP_": 1}, {"gates": 6, "ff": 4}),
    ],
)
def test_units(target: Target, cells: dict[str, int], expected: dict[str, int]) -> None:
    found = Resources(target=target, cells=cells)
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.other == {}


def test_cells_that_no_figure_counts_are_named() -> None:
    found = Resources(target="xc7", cells={"BUFG": 1, "$mul": 2, "LUT1": 1})
    assert found.other == {"BUFG": 1, "$mul": 2}
    assert found.luts == 1


def test_totals() -> None:
    parts = [Resources(target="generic", cells={"NAND2": 2, "DFF": 1}, area=10.0, sequential=("DFF",)),
             Resources(target="generic", cells={"NAND2": 1}, area=2.5)]
    both = total("generic", parts)
    assert (both.gates, both.ff, both.area, both.transistors) == (3, 1, 12.5, None)
    assert both.figures() == {"gates": 3, "ff": 1, "area": 12.5}
    assert total("generic", [*parts, Resources(target="generic")]).area is None
