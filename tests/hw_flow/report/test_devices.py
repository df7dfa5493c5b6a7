"""The device table: consistent in itself, and found by the names tools and people use."""

from __future__ import annotations

import re

import pytest

from hw_flow.errors import FlowError
from hw_flow.report.devices import DEVICES, Device, family_of, find
from hw_flow.synth.parsers import UNITS

# Sites by family that no part may lack.
NEEDED = {"xilinx": {"luts", "ff", "bram18", "uram", "dsp"}, "ecp5": {"luts", "ff", "ebr", "dsp"},
          "ice40": {"luts", "ff", "lc", "ebr", "spram", "dsp"}, "gowin": {"luts", "ff", "ebr", "dsp"}}


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_a_device_is_consistent(device: Device) -> None:
    capacity = device.capacity
    assert set(capacity) == NEEDED[device.family]
    assert set(capacity) <= set(UNITS)
    assert all(isinstance(value, int) and value >= 0 for value in capacity.values())
    assert re.match(r"(DS\d+|FPGA-DS-\d+) \(", device.document)
    if device.family == "xilinx":
        # A block RAM tile is two of 18 kbit, a slice four or eight LUTs, and memory and DSP blocks stay in proportion to logic.
        assert capacity["bram18"] % 2 == 0
        assert capacity["luts"] % 8 == 0
        assert capacity["ff"] == 2 * capacity["luts"]
        assert 90 < capacity["luts"] / capacity["dsp"] < 350
        assert 100 < capacity["luts"] / capacity["bram18"] < 400
    if device.family == "ice40":
        assert capacity["luts"] % 8 == 0  # a logic block has eight cells
    if device.family == "gowin":
        assert capacity["ff"] * 4 == capacity["luts"] * 3  # three of four slices have flip-flops


def test_names_are_unique_and_every_name_finds_its_device() -> None:
    names = [name for device in DEVICES for name in (device.name, *device.boards)]
    assert len(set(names)) == len(names)
    assert all(find(name) is device for device in DEVICES for name in (device.name, *device.boards))


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("xc7z020-clg400-1", "zynq-7020"), ("7z020clg484-1", "zynq-7020"), ("xczu3egsbva484-1", "zu3eg"),
        ("xczu7ev-ffvc1156-2-e", "zu7ev"), ("xczu28dr-ffvg1517-2-e", "zu28dr"), ("xcu50-fsvh2104-2-e", "u50"),
        ("xcu250-figd2104-2L-e", "u250"), ("xcu280-fsvh2892-2L-e", "u280"), ("xcu200-fsgd2104-2-e", "u200"),
        ("xczu9eg-ffvb1156-2-e", "zu9eg"), ("xcu55c-fsvh2892-2L-e", "u55c"), ("xc7a35ticsg324-1L", "artix-7-35t"),
        ("xc7a100tcsg324-1", "artix-7-100t"), ("LFE5UM5G-85F-8BG381C", "ecp5-85"), ("LFE5U-25F-6BG256C", "ecp5-25"),
        ("iCE40UP5K-SG48", "ice40up5k"), ("hx8k", "ice40hx8k"), ("GW1NR-LV9QN88PC6/I5", "gw1n-9"),
        ("GW1N-LV1QN48C6/I5", "gw1n-1"), ("GW2AR-LV18QN88C8/I7", "gw2a-18"), ("Pynq-Z2", "zynq-7020"), ("ZCU104", "zu7ev"),
    ],
)
def test_part_numbers_and_boards(part: str, name: str) -> None:
    assert find(part).name == name


def test_an_unknown_device_lists_those_known() -> None:
    known = r"device 'xcku115' is not in the table; known ones: zynq-7020, .*gw2a-18, their part numbers and boards"
    with pytest.raises(FlowError, match=known):
        find("xcku115")


def test_the_family_of_figures() -> None:
    assert family_of("xc7", "yosys-0.70") == "xilinx"
    assert family_of("ecp5", "yosys-0.70") == "ecp5"
    assert family_of("xcku115-flva1517-2-e", "vivado_hls-2018.2") == "xilinx"
    assert family_of("", "finn-estimate") == "xilinx"
    assert family_of("", "nextpnr-ice40") == "ice40"
    assert family_of("sky130hd", "openroad-26Q2") is None
    assert family_of("generic", "yosys-0.70") is None
