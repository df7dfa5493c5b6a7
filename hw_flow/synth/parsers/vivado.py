"""Utilisation reports of Vivado: flat, hierarchical (text and XML), by super logic region, and v++'s by kernel.

Block RAM counts in units of 18 kbit: a RAMB36 is two, as everywhere in this project. What `hls4ml` keeps as
``vivado_synth.rpt`` is the flat report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from hw_flow.synth.parsers.text import Content, field, number, section, tables
from hw_flow.synth.parsers.values import Stage, ToolReport, figures

# Rows of the flat report, by the name without its footnote marks, with their metric. "CLB" on UltraScale, "Slice" before.
_SITES = {
    "Slice LUTs": "luts", "CLB LUTs": "luts", "LUT as Distributed RAM": "lutram", "LUT as Shift Register": "srl",
    "Slice Registers": "ff", "CLB Registers": "ff", "CARRY8": "carry", "URAM": "uram", "DSPs": "dsp", "DSP Slices": "dsp",
}
_NETLIST_COLUMNS = {"Total LUTs": "luts", "LUTRAMs": "lutram", "SRLs": "srl", "FFs": "ff", "URAM": "uram", "DSP Blocks": "dsp",
                    "DSP48 Blocks": "dsp"}
_KERNEL_COLUMNS = {"LUT": "luts", "LUTAsMem": "lutram", "REG": "ff", "URAM": "uram", "DSP": "dsp"}
_STAGES: tuple[tuple[str, Stage], ...] = (
    ("routed", "routed"), ("postroute", "routed"), ("placed", "placed"), ("postplace", "placed"), ("synthesized", "synthesis"),
    ("optimized", "synthesis"),
)
# A node of FINN's graph in a hierarchy: partition and name, perhaps with the suffix of its block design cell.
_FINN_NODE = re.compile(r"(?:StreamingDataflowPartition_\d+_)?[A-Z][A-Za-z_]*_(?:hls|rtl)_\d+")
_Values = dict[str, float | None]


def source(content: Content) -> str:
    """``vivado-<version>`` from the banner of a Vivado report."""
    match = re.search(r"Tool Version\s*:\s*Vivado v\.([\d.]+)", content.head)
    if match is None:
        content.fail("'Tool Version : Vivado v.<year>.<n>' in the banner")
    return f"vivado-{match.group(1).rstrip('.')}"


def stage(state: str) -> Stage:
    """The stage of a ``Design State`` (``Synthesized``, ``Fully Placed``, ``Physopt postRoute``, ...)."""
    plain = state.lower().replace(" ", "")
    return next((found for word, found in _STAGES if word in plain), "synthesis")


def is_flat(content: Content) -> bool:
    """``report_utilization`` with the table of sites."""
    return ("Utilization Design Information" in content.head and section(content.text, "Primitives") is not None
            and re.search(r"^\| (Slice|CLB) LUTs", content.text, re.MULTILINE) is not None)


def parse_flat(content: Content) -> ToolReport:
    """``report_utilization``: one row a kind of site, with what the device has."""
    used: _Values = {}
    available: dict[str, float] = {}
    tiles = {"RAMB36/FIFO": 2, "RAMB18": 1}
    blocks: dict[str, float] = {}
    for table in tables(content.text):
        heads = [cell.strip() for cell in table[0]]
        if heads[:2] != ["Site Type", "Used"]:
            continue
        for row in table[1:]:
            name, count = row[0].strip().rstrip("*"), number(row[1])
            offered = number(row[heads.index("Available")]) if "Available" in heads else None
            if name in _SITES and count is not None:
                used.setdefault(_SITES[name], count)
                if offered is not None:
                    available.setdefault(_SITES[name], offered)
            elif name in tiles and count is not None:
                blocks[name] = count * tiles[name]
            elif name == "Block RAM Tile" and offered is not None:
                available["bram18"] = 2 * offered
    if "luts" not in used or "ff" not in used:
        content.fail("rows for LUTs and registers")
    if blocks:
        used["bram18"] = sum(blocks.values())
    return _report(content, "vivado-utilisation", used, {}, capacity=available)


def is_hierarchical(content: Content) -> bool:
    """``report_utilization -hierarchical``."""
    return "Utilization by Hierarchy" in content.head and "Total LUTs" in content.text and content.root is None


def parse_hierarchical(content: Content) -> ToolReport:
    """``report_utilization -hierarchical``: blanks in front of an instance tell its depth."""
    table = next((table for table in tables(content.text) if table[0][0].strip() == "Instance"), None)
    if table is None or len(table) < 2:
        content.fail("the table of instances")
    rows = _rows(content, table)
    return _report(content, "vivado-hierarchy", rows[0][2], dict(parts(rows)))


def is_hierarchical_xml(content: Content) -> bool:
    """``report_utilization -hierarchical -format xml``, FINN's ``post_synth_resources.xml``."""
    return "<RptDoc" in content.head and "Utilization by Hierarchy" in content.head


def parse_hierarchical_xml(content: Content) -> ToolReport:
    """The XML of the hierarchical report; it does not name Vivado's version."""
    root = content.root
    assert root is not None
    table = [[str(cell.get("contents", "")) for cell in row] for row in root.iter("tablerow")]
    if len(table) < 2 or not table[0] or table[0][0] != "Instance":
        content.fail("the table of instances")
    rows = _rows(content, table)
    tool = "vivado-unknown"
    return ToolReport(
        format="vivado-hierarchy-xml", source=tool, stage=stage(root.get("designstate", "")), design=root.get("designname", ""),
        part=root.get("partname", ""), total=figures(rows[0][2], tool),
        layers={layer: figures(values, tool) for layer, values in parts(rows)})


def is_regions(content: Content) -> bool:
    """``report_utilization -slr``."""
    return "SLR CLB Logic and Dedicated Block Utilization" in content.head and "SLR0" in content.text


def parse_regions(content: Content) -> ToolReport:
    """``report_utilization -slr``: a column a super logic region; the total is their sum."""
    body = section(content.text, "SLR CLB Logic and Dedicated Block Utilization")
    found = tables(body or "")
    if not found or found[0][0][0].strip() != "Site Type":
        content.fail("the table of super logic regions")
    heads = [cell.strip() for cell in found[0][0]]
    regions = [head for head in heads[1:] if re.fullmatch(r"SLR\d+", head)]
    layers: dict[str, _Values] = {region: {} for region in regions}
    for row in found[0][1:]:
        name = row[0].strip().rstrip("*")
        for region in regions:
            count = number(row[heads.index(region)])
            if name in _SITES:
                layers[region].setdefault(_SITES[name], count)
            elif name in ("RAMB36/FIFO", "RAMB18"):
                layers[region]["bram18"] = (layers[region].get("bram18") or 0) + (count or 0) * (2 if name[4:6] == "36" else 1)
    metrics = dict.fromkeys(name for values in layers.values() for name in values)
    total: _Values = {name: sum(values.get(name) or 0 for values in layers.values()) for name in metrics}
    if "luts" not in total:
        content.fail("a row for CLB LUTs")
    return _report(content, "vivado-slr", total, layers)


def is_kernels(content: Content) -> bool:
    """``report_accelerator_utilization`` of v++."""
    return "Accelerator Utilization Design Information" in content.head


def parse_kernels(content: Content) -> ToolReport:
    """``report_accelerator_utilization``: the kernels without the platform; percentages in brackets are dropped."""
    table = next((table for table in tables(content.text) if table[0][0].strip() == "Name"), None)
    if table is None:
        content.fail("the table of kernels")
    heads = [cell.strip() for cell in table[0]]
    rows = {row[0].strip(): (row, len(row[0]) - len(row[0].lstrip())) for row in table[1:]}
    if "Used Resources" not in rows:
        content.fail("a row 'Used Resources'")

    def values(name: str) -> _Values:
        row = rows[name][0]
        found: _Values = {metric: number(row[heads.index(head)]) for head, metric in _KERNEL_COLUMNS.items() if head in heads}
        blocks = number(row[heads.index("BRAM")]) if "BRAM" in heads else None
        return {**found, "bram18": 2 * blocks if blocks is not None else None}

    fixed = ("Platform", "User Budget", "Used Resources", "Unused Resources")
    deepest = max((depth for name, (_, depth) in rows.items() if name not in fixed), default=0)
    units = {name: values(name) for name, (_, depth) in rows.items() if name not in fixed and depth == deepest}
    return _report(content, "vpp-kernel-utilisation", values("Used Resources"), units,
                   notes=("kernels only, without the platform",))


def _report(content: Content, name: str, total: Mapping[str, float | None], layers: Mapping[str, _Values], *,
            capacity: Mapping[str, float] | None = None, notes: tuple[str, ...] = ()) -> ToolReport:
    tool = source(content)
    # v++ takes this report of a synthesised design inside a platform that is routed, whose state it then states.
    early = "Run opt_design after synthesis" in content.text
    return ToolReport(
        format=name, source=tool, stage="synthesis" if early else stage(field(content.head, "Design State")),
        design=field(content.head, "Design"), part=field(content.head, "Device"), total=figures(total, tool),
        layers={layer: figures(values, tool) for layer, values in layers.items()}, capacity=capacity or {}, notes=notes)


def _rows(content: Content, table: list[list[str]]) -> list[tuple[int, str, _Values]]:
    """Rows of a hierarchy as (depth, instance, values), the top first."""
    heads = [cell.strip() for cell in table[0]]
    if "Total LUTs" not in heads or "FFs" not in heads:
        content.fail("columns 'Total LUTs' and 'FFs'")
    rows = [(len(row[0]) - len(row[0].lstrip()), row[0].strip(), _instance(heads, row))
            for row in table[1:] if len(row) == len(heads)]
    if not rows:
        content.fail("rows of instances")
    return rows


def _instance(heads: list[str], row: list[str]) -> _Values:
    cells = dict(zip(heads, row, strict=True))
    found: _Values = {metric: number(cells[head]) for head, metric in _NETLIST_COLUMNS.items() if head in cells}
    if "RAMB36" in cells:
        found["bram18"] = 2 * (number(cells["RAMB36"]) or 0) + (number(cells.get("RAMB18")) or 0)
    return found


def parts(rows: list[tuple[int, str, _Values]]) -> Iterator[tuple[str, _Values]]:
    """The parts of a hierarchy given as (depth, instance, values), the top first.

    FINN's nodes wherever they are, none inside another; without any, the direct children of the top. Vivado gives the logic of
    an instance itself a row of its own, named like the instance in brackets.
    """
    nodes = {index for index, (_, name, _) in enumerate(rows) if _FINN_NODE.fullmatch(name)}
    if not nodes:
        level = rows[1][0] if len(rows) > 1 else 0
        yield from ((name, values) for depth, name, values in rows[1:] if depth == level)
        return
    inside: int | None = None
    for index, (depth, name, values) in enumerate(rows):
        if inside is not None and depth > inside:
            continue
        inside = depth if index in nodes else None
        if inside is not None:
            yield plain_name(name), values


def plain_name(name: str) -> str:
    """FINN's name of a node without the partition that it is in."""
    return re.sub(r"^StreamingDataflowPartition_\d+_(?=[A-Z])", "", name)
