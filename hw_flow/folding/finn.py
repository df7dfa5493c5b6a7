"""FINN's folding JSON: the same keys and meaning, read into and written from our nodes.

A file maps node names to parameters, ``{"Defaults": {}, "MVAU_hls_0": {"PE": 16, "SIMD": 49}}``.
FINN decorates names with the implementation (``_hls``, ``_rtl``) and once called the matrix unit
``MatrixVectorActivation`` or ``StreamingFCLayer_Batch``; all of those mean our ``MVAU``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from hw_flow.errors import FlowError
from hw_flow.folding.choose import complete
from hw_flow.folding.values import Folding, FoldingPlan, NodeFolding, RamStyle, ResType, check, check_node, node_names
from hw_flow.ir import MVAU, Graph, Node
from hw_flow.storage import write_json

_ALIASES = {
    "MatrixVectorActivation": "MVAU", "StreamingFCLayer_Batch": "MVAU",
    "Thresholding_Batch": "Thresholding", "LabelSelect_Batch": "LabelSelect",
}
_NAME = re.compile(r"(?P<kind>[A-Za-z][A-Za-z_]*?)(?:_(?:hls|rtl))?_(?P<index>\d+)")
# Nodes that only FINN's graph has, and nodes that ours may do on the host or inside an MVAU.
_FINN_ONLY = ("Reshape", "StreamingFIFO", "StreamingDataWidthConverter", "IODMA", "TLastMarker")
_OPTIONAL = ("Thresholding", "LabelSelect")
_STYLES = {"ram_style": ("auto", "distributed", "block"), "resType": ("auto", "lut", "dsp")}


def our_name(name: str) -> str:
    """``MVAU_hls_0`` -> ``MVAU_0``; a name that is not FINN's comes back unchanged."""
    match = _NAME.fullmatch(name)
    if match is None:
        return name
    kind = match["kind"]
    return f"{_ALIASES.get(kind, kind)}_{match['index']}"


def read(path: Path, graph: Graph) -> FoldingPlan:
    """Read a folding file for ``graph``.

    A node that the file leaves out gets a folding that keeps the interval of those it names, and
    the plan's notes say so; they also name every entry and key that was ignored.

    Raises
    ------
    FlowError : malformed file, unknown node, illegal value (the legal ones are listed).
    """
    entries = _load(path)
    notes: list[str] = []
    defaults = _defaults(entries.pop("Defaults", {}), path)
    nodes = {node.name: node for node in graph}
    given: dict[str, NodeFolding] = {}
    for key, values in entries.items():
        name = our_name(key)
        kind = name.rsplit("_", 1)[0]
        if name not in nodes:
            if kind in _FINN_ONLY or kind in _OPTIONAL:
                notes.append(f"{key}: ignored, graph '{graph.name}' has no such node")
                continue
            raise FlowError(f"{path}: node '{key}' is not in graph '{graph.name}'; its nodes: {node_names(graph)}")
        if name in given:
            raise FlowError(f"{path}: node '{name}' is given twice (again as '{key}'); keep one entry")
        if not isinstance(values, Mapping):
            raise FlowError(f"{path}: node '{key}' is {values!r}; give an object such as {{\"PE\": 4, \"SIMD\": 8}}")
        node = nodes[name]
        given[name] = _node(node, key, {**_for_kind(defaults, kind), **values}, path, notes)
        check_node(node, given[name], graph)
    for name, node in nodes.items():
        values = _for_kind(defaults, name.rsplit("_", 1)[0])
        if name not in given and "PE" in values:
            given[name] = _node(node, name, values, path, notes)
            check_node(node, given[name], graph)
    if not given:
        raise FlowError(f"{path}: no entry for any node of graph '{graph.name}'; its nodes: {node_names(graph)}")
    chosen = complete(graph, given)
    return replace(chosen, notes=(*notes, *chosen.notes))


def write(path: Path, folding: Folding) -> None:
    """Write ``folding`` as FINN's JSON (atomically)."""
    entries: dict[str, object] = {"Defaults": {}}
    for name, node in folding.items():
        entry: dict[str, object] = {"PE": node.pe}
        if name.startswith("MVAU"):
            entry |= {"SIMD": node.simd, "ram_style": node.ram_style, "resType": node.res_type}
        entries[name] = entry
    write_json(path, entries)


def from_mapping(values: Mapping[str, tuple[int, int]], graph: Graph) -> FoldingPlan:
    """A plan from ``{node: (PE, SIMD)}``, checked; every node must be named."""
    plan = FoldingPlan({name: NodeFolding(pe, simd) for name, (pe, simd) in values.items()})
    check(graph, plan)
    return plan


def _load(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FlowError(f"{path}: cannot read the folding file ({error.strerror}); give a FINN folding JSON") from error
    except ValueError as error:
        raise FlowError(f"{path}: not JSON ({error}); give a FINN folding JSON") from error
    if not isinstance(entries, dict):
        found = type(entries).__name__
        raise FlowError(f"{path}: holds a {found}, not an object; give {{\"MVAU_0\": {{\"PE\": 4, \"SIMD\": 8}}}}")
    return entries


def _defaults(section: object, path: Path) -> dict[str, tuple[object, tuple[str, ...]]]:
    """FINN's ``{"PE": [value, ["MVAU", ...] or ["all"]]}`` (a bare value means all)."""
    if not isinstance(section, Mapping):
        raise FlowError(f"{path}: \"Defaults\" is {section!r}; give an object, {{}} if there are none")
    result: dict[str, tuple[object, tuple[str, ...]]] = {}
    for key, value in section.items():
        if isinstance(value, list) and len(value) == 2:
            kinds = [value[1]] if isinstance(value[1], str) else value[1]
            if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
                raise FlowError(f"{path}: \"Defaults\" has {key} {value!r}; give [value, [\"all\"]] or [value, [\"MVAU\"]]")
            result[key] = (value[0], tuple(re.sub(r"_(hls|rtl)$", "", kind) for kind in kinds))
        else:
            result[key] = (value, ("all",))
    return result


def _for_kind(defaults: Mapping[str, tuple[object, tuple[str, ...]]], kind: str) -> dict[str, object]:
    return {key: value for key, (value, kinds) in defaults.items()
            if "all" in kinds or kind in (_ALIASES.get(name, name) for name in kinds)}


def _node(node: Node, key: str, values: Mapping[str, object], path: Path, notes: list[str]) -> NodeFolding:
    matrix = isinstance(node, MVAU)
    needed = ("PE", "SIMD") if matrix else ("PE",)
    for name in needed:
        if name not in values:
            raise FlowError(f"{path}: node '{key}' lacks {name}; a {type(node).__name__} takes {' and '.join(needed)}")
        if not isinstance(values[name], int) or isinstance(values[name], bool):
            raise FlowError(f"{path}: node '{key}' has {name} {values[name]!r}; give a whole number")
    known = ("PE", "SIMD", *_STYLES) if matrix else ("PE",)
    ignored = [name for name in values if name not in known]
    if ignored:
        notes.append(f"{key}: ignored {', '.join(ignored)}, which this flow decides itself")
    result = NodeFolding(pe=_whole(values["PE"]), simd=_whole(values["SIMD"]) if matrix else 1)
    if not matrix:
        return result
    style, resource = str(values.get("ram_style", "auto")), str(values.get("resType", "auto"))
    if style == "ultra":
        notes.append(f"{key}: ram_style 'ultra' taken as 'block', this flow infers no UltraRAM")
        style = "block"
    for name, value in (("ram_style", style), ("resType", resource)):
        if value not in _STYLES[name]:
            raise FlowError(f"{path}: node '{key}' has {name} '{value}'; legal values: {', '.join(_STYLES[name])}")
    return replace(result, ram_style=cast(RamStyle, style), res_type=cast(ResType, resource))


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
