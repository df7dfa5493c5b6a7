"""Which layers of different reports correspond.

Within a project a layer is found by its name, or by another name that the project gives it. Between projects layers are set in
line in the order of the network (`hw_flow.report.sequence`): two may be the same if they are of one kind and neither the shape
of their weights nor their multiply-accumulates differ; equal names count most. Only a pair that no other alignment as good
contradicts is taken, so pairs never cross, and what is not evident stays alone. Tools number nodes by themselves
(``MVAU_hls_0``): such a name says something only where both have as many of that kind. What is no layer (FIFOs, converters,
data movers) is summed by kind.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hw_flow.folding.finn import our_name
from hw_flow.report.schema import KIND_LABELS, Figure
from hw_flow.report.sequence import MOST_PAIRS, evident_pairs
from hw_flow.synth.parsers import Part, ToolReport

Evidence = Literal["name", "shape", "order"]
"""Why a layer stands in its row: one ``name``, one kind and ``shape``, or one kind in the ``order`` of the network."""
# FINN's nodes that stand between layers, by the beginning of their names.
_BETWEEN = {
    "StreamingFIFO": KIND_LABELS["fifo"], "StreamingDataWidthConverter": KIND_LABELS["dwc"],
    "DuplicateStreams": KIND_LABELS["fork"], "ReplicateStream": KIND_LABELS["fork"], "FMPadding": "padding",
    "IODMA": "data movers", "TLastMarker": "data movers", "CheckSum": "data movers",
}
FIFOS_AND_CONVERTERS = "FIFOs and converters"  # in one sum, by our model
GROUPS = tuple(dict.fromkeys((*KIND_LABELS.values(), FIFOS_AND_CONVERTERS, *_BETWEEN.values())))
# An HLS compiler decorates the name of a function where it is called.
_CALL, _NUMBER = r"(?:grp_|call_ret\d+_(?:i_)*)?", r"(?:_fu_\d+|_U\d+)?"
_HLS4ML = re.compile(
    rf"{_CALL}(?P<op>[a-z][a-z0-9_]*?)_(?:(?:u?(?:ap|ac)_|array|stream|nnet)\w*?)?config(?P<index>\d+)")
_CALLED = re.compile(rf"{_CALL}(?P<function>.+?){_NUMBER}")
_NUMBERED = re.compile(r"(?P<kind>[A-Za-z]\w*?)_\d+")
# hls4ml's functions and layers under our names of nodes.
_KINDS = {
    "depthwise": "VVAU", "dense": "MVAU", "conv_1d": "MVAU", "conv_2d": "MVAU", "conv1d": "MVAU", "conv2d": "MVAU",
    "pointwise": "MVAU", "globalpooling": "GlobalPool",
    "global_pooling": "GlobalPool", "globalaverage": "GlobalPool", "globalmax": "GlobalPool", "pooling": "Pool",
    "averagepooling": "Pool", "maxpooling": "Pool",
}
# More than all pairs without names together can be worth.
_SAME_NAME, _SAME_LAYER = 1 << 20, 1 << 40


@dataclass(frozen=True)
class Unit:
    """A layer of one report: its name there, what is known of it, and its figures (those of all its calls together)."""

    name: str
    kind: str
    names: frozenset[str]
    facts: Mapping[str, object]
    figures: Mapping[str, Figure]


@dataclass
class Aligned:
    """A layer, or a group: the `Unit` of every report that has it, and why it is there, by the place of the report."""

    name: str
    units: dict[int, Unit] = field(default_factory=dict)
    evidence: dict[int, Evidence] = field(default_factory=dict)


def hls4ml_kind(op: str) -> str:
    """The kind of a function or a layer of hls4ml, ``dense_latency`` or ``Conv2D``; ``op`` itself where we have no such node."""
    plain = op.lower()
    return next((kind for begin, kind in _KINDS.items() if plain.startswith(begin)), op)


def align(reports: Sequence[tuple[int, ToolReport]]) -> list[Aligned]:
    """Rows of layers in the order of the network, then of what has no place in it, then of `GROUPS`.

    Parameters
    ----------
    reports : each with the number of its project, in the order in which they are to be set against each other.
    """
    rows: list[Aligned] = []
    groups: dict[str, Aligned] = {}
    apart: list[Aligned] = []
    owners = [owner for owner, _ in reports]
    counts: list[Counter[str]] = []
    for place, (_, report) in enumerate(reports):
        placed, others, summed = _units(report)
        counts.append(Counter(unit.kind for unit in (*placed, *others)))
        _place(rows, placed, place, owners, counts)
        for unit in others:
            known = next((row for row in (*rows, *apart) if place not in row.units
                          and _worth(row, unit, place, owners, counts) >= _SAME_NAME), None)
            if known is None:
                known = Aligned(unit.name)
                apart.append(known)
            known.units[place], known.evidence[place] = unit, "name"
        for unit in summed:
            groups.setdefault(unit.name, Aligned(unit.name)).units[place] = unit
    layers = [*rows, *apart]
    plain = Counter(our_name(_first(row)) for row in layers)
    for row in layers:
        row.name = " = ".join(_names(row, plain[our_name(_first(row))] > 1))
    return [*layers, *(groups[name] for name in GROUPS if name in groups)]


def _first(row: Aligned) -> str:
    return next(iter(row.units.values())).name


def _names(row: Aligned, shared: bool) -> list[str]:
    """What the row's layer is called; FINN's decorations left away where its number is that of the others and of no other row."""
    names = [unit.name for unit in row.units.values()]
    if shared:
        return list(dict.fromkeys(names))
    return list(dict.fromkeys((our_name(names[0]), *(name for name in names[1:] if our_name(name) != our_name(names[0])))))


def _place(rows: list[Aligned], placed: Sequence[Unit], place: int, owners: Sequence[int],
           counts: Sequence[Counter[str]]) -> None:
    """Set the layers of a report in line with ``rows``; those without a counterpart get rows of their own in between."""
    if len(rows) * len(placed) > MOST_PAIRS:
        pairs: list[tuple[int, int]] = []
    else:
        pairs = evident_pairs([[_worth(row, unit, place, owners, counts) for unit in placed] for row in rows])
    partner = {column: rows[line] for line, column in pairs}
    at = 0 if pairs else len(rows)
    for column, unit in enumerate(placed):
        row = partner.get(column)
        if row is None:
            row = Aligned(unit.name)
            rows.insert(at, row)
            row.evidence[place] = "name"
        else:
            row.evidence[place] = _why(row, unit, _worth(row, unit, place, owners, counts))
        at = rows.index(row) + 1
        row.units[place] = unit


def _worth(row: Aligned, unit: Unit, place: int, owners: Sequence[int], counts: Sequence[Counter[str]]) -> int:
    """What it is worth to put ``unit`` into ``row``; 0 where it cannot belong there."""
    if any(owners[at] == owners[place] and member.names & unit.names for at, member in row.units.items()):
        return _SAME_LAYER
    if not all(_may_be(member, unit) for member in row.units.values()):
        return 0
    for at, member in row.units.items():
        if member.name == unit.name and (
                counts[at][unit.kind] == counts[place][unit.kind] or _NUMBERED.fullmatch(unit.name) is None):
            return _SAME_NAME
    return 1 if unit.kind else 0


def _may_be(first: Unit, second: Unit) -> bool:
    """Whether nothing that is known of both speaks against one layer."""
    return first.kind == second.kind and all(second.facts.get(name, value) == value for name, value in first.facts.items())


def _why(row: Aligned, unit: Unit, worth: int) -> Evidence:
    if worth >= _SAME_NAME:
        return "name"
    return "shape" if any(member.facts.keys() & unit.facts.keys() for member in row.units.values()) else "order"


def _units(report: ToolReport) -> tuple[list[Unit], list[Unit], list[Unit]]:
    """The layers of a report that have a place in the order of the network, the others, and the groups."""
    ranks = {name: rank for rank, name in enumerate(report.order)}
    parts: dict[str, tuple[float, Unit]] = {}
    groups: dict[str, Unit] = {}
    for name, figures in report.layers.items():
        group = _group(name, report.kinds)
        if group is not None:
            known = groups.get(group)
            groups[group] = Unit(group, "", frozenset(), {}, _together(known.figures if known else {}, figures))
            continue
        key, kind, index = _called(name) if report.stage == "hls" else (name, "", None)
        rank = ranks.get(name, float("inf") if index is None or ranks else index)
        part = report.parts.get(name, Part())
        unit = Unit(part.names[0] if part.names and index is not None else key, part.kind or kind or _kind(key),
                    frozenset((name, key, *part.names)), _facts(part, figures), figures)
        if key in parts:
            rank, known = min(rank, parts[key][0]), parts[key][1]
            unit = Unit(known.name, known.kind, known.names | unit.names, known.facts, _together(known.figures, figures))
        parts[key] = (rank, unit)
    placed = sorted((pair for pair in parts.values() if pair[0] != float("inf")), key=operator.itemgetter(0))
    others = [unit for rank, unit in parts.values() if rank == float("inf")]
    return [unit for _, unit in placed], others, list(groups.values())


def _facts(part: Part, figures: Mapping[str, Figure]) -> dict[str, object]:
    found: dict[str, object] = {name: figures[name].value for name in ("macs", "weights") if name in figures}
    if part.matrix is not None:
        found |= {"matrix": part.matrix, "weights": part.matrix[0] * part.matrix[1]}
    return found


def _together(first: Mapping[str, Figure], second: Mapping[str, Figure]) -> dict[str, Figure]:
    """Figures of both: resources add up, what takes time runs beside the other."""
    found = dict(first)
    for metric, own in second.items():
        joined = max if own.unit in ("cycles", "MHz", "ns", "beats") else operator.add
        found[metric] = own if metric not in found else own.model_copy(
            update={"value": joined(found[metric].value, own.value)})
    return found


def config_of(name: str) -> int | None:
    """The number of the configuration that a function of hls4ml is made for; None if ``name`` is no such function."""
    match = _HLS4ML.match(name)
    return int(match["index"]) if match is not None else None


def _called(name: str) -> tuple[str, str, int | None]:
    """Function, kind and place of what an HLS compiler lists."""
    match = _HLS4ML.match(name)
    if match is not None:
        return f"{match['op']}_config{match['index']}", hls4ml_kind(match["op"]), int(match["index"])
    function = _CALLED.fullmatch(name)
    return (function["function"] if function is not None else name), "", None


def _kind(name: str) -> str:
    """The kind in a name such as ``MVAU_hls_0``; ``""`` for names of another style."""
    match = _NUMBERED.fullmatch(our_name(name))
    return match["kind"] if match is not None and name[:1].isupper() else ""


def _group(name: str, kinds: Mapping[str, str]) -> str | None:
    if name in GROUPS:
        return name
    if kinds.get(name) in KIND_LABELS:
        return KIND_LABELS[kinds[name]]
    for begin, group in _BETWEEN.items():
        if re.match(rf"{begin}(_[A-Z]\w*?)?(_hls|_rtl|_Batch)*_\d+", name):
            return group
    return None
