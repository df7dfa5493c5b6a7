"""FINN's folding JSON: the same keys and meaning, read into and written from our nodes.

A file maps node names to parameters, ``{"Defaults": {}, "MVAU_hls_0": {"PE": 16, "SIMD": 49}}``.
FINN decorates names with the implementation (``_hls``, ``_rtl``), has renamed operators over the years and has nodes of its own
(padding, stream copies, converters); the tables below say what each means here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from hw_flow.errors import FlowError
from hw_flow.folding.check import check, check_node, node_names
from hw_flow.folding.choose import complete
from hw_flow.folding.rules import Limit, parallel_limits
from hw_flow.folding.values import Folding, FoldingPlan, NodeFolding, RamStyle, ResType, Style
from hw_flow.ir import VVAU, GlobalPool, Graph, Node, Pool, SlidingWindow
from hw_flow.storage import write_json

_ALIASES = {
    "MatrixVectorActivation": "MVAU", "StreamingFCLayer_Batch": "MVAU", "StreamingFCLayer": "MVAU",
    "VectorVectorActivation": "VVAU", "Vector_Vector_Activate_Batch": "VVAU",
    "Thresholding_Batch": "Thresholding", "LabelSelect_Batch": "LabelSelect",
    "ConvolutionInputGenerator": "SlidingWindow", "ConvolutionInputGenerator1D": "SlidingWindow",
    "StreamingMaxPool": "Pool", "StreamingMaxPool_Batch": "Pool", "Pool_Batch": "Pool",
    "GlobalAccPool": "GlobalPool", "GlobalAccPool_Batch": "GlobalPool",
    "AddStreams": "Add", "AddStreams_Batch": "Add", "ElementwiseAdd": "Add", "ElementwiseMul": "Multiply",
    "StreamingConcat": "Concat", "StreamingSplit": "Slice", "Split": "Slice", "Requant": "Requantise",
}
_NAME = re.compile(r"(?P<kind>[A-Za-z][A-Za-z_]*?(?:1D)?)(?:_(?:hls|rtl))?_(?P<index>\d+)")
# Nodes that only FINN's graph has; nodes that ours may do on the host or inside another node, so that numbers may not agree.
_FINN_ONLY = ("Reshape", "StreamingFIFO", "StreamingDataWidthConverter", "IODMA", "TLastMarker", "FMPadding", "FMPadding_Pixel",
              "FMPadding_Batch", "DuplicateStreams", "DuplicateStreams_Batch", "ReplicateStream", "Squeeze", "Unsqueeze",
              "ChannelwiseOp", "UpsampleNearestNeighbour", "Upsampler", "InnerShuffle", "OuterShuffle", "Crop", "CheckSum")
_OPTIONAL = ("Thresholding", "LabelSelect", "Multiply")
_CHOICES = {"ram_style": ("auto", "distributed", "block"), "resType": ("auto", "lut", "dsp"),
            "style": ("auto", "memory", "constant")}
_REDUCING = ("MVAU", "VVAU", "Pool")
_NUMBERS = ("pipeline_levels", "pipeline_stages")
_KEYS = ("PE", "SIMD", "parallel_window", *_CHOICES, *_NUMBERS)


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
    uncertain = {_kind(our_name(key)) for key in entries if our_name(key) not in nodes} & set(_OPTIONAL)
    for key, values in entries.items():
        name = our_name(key)
        kind = _kind(name)
        if kind in uncertain and name in nodes:
            notes.append(f"{key}: ignored, the file has more nodes of this kind than graph '{graph.name}'")
            continue
        if name not in nodes:
            if kind in _FINN_ONLY or kind in _OPTIONAL:
                notes.append(f"{key}: ignored, graph '{graph.name}' has no such node")
                continue
            if kind in ("SlidingWindow", "Pool") and any(isinstance(node, GlobalPool) for node in graph):
                notes.append(f"{key}: ignored, graph '{graph.name}' pools whole maps without a window")
                continue
            raise FlowError(f"{path}: node '{key}' is not in graph '{graph.name}'; its nodes: {node_names(graph)}")
        if name in given:
            raise FlowError(f"{path}: node '{name}' is given twice (again as '{key}'); keep one entry")
        if not isinstance(values, Mapping):
            raise FlowError(f"{path}: node '{key}' is {values!r}; give an object such as {{\"PE\": 4, \"SIMD\": 8}}")
        node = nodes[name]
        given[name] = _node(node, key, {**_for_kind(defaults, kind), **values}, parallel_limits(node, graph), path=path,
                            notes=notes)
        check_node(node, given[name], graph)
    for name, node in nodes.items():
        values = _for_kind(defaults, _kind(name))
        if name not in given and set(values) & set(parallel_limits(node, graph)):
            given[name] = _node(node, name, values, parallel_limits(node, graph), path=path, notes=notes)
            check_node(node, given[name], graph)
    given |= _pools(graph, given, entries)
    if not given:
        raise FlowError(f"{path}: no entry for any node of graph '{graph.name}'; its nodes: {node_names(graph)}")
    chosen = complete(graph, given)
    return replace(chosen, notes=(*notes, *chosen.notes))


def write(path: Path, folding: Folding) -> None:
    """Write ``folding`` as FINN's JSON (atomically)."""
    entries: dict[str, object] = {"Defaults": {}}
    for name, node in folding.items():
        kind = _kind(name)
        if kind == "SlidingWindow":
            entry: dict[str, object] = {"SIMD": node.simd, "parallel_window": int(node.parallel_window)}
        else:
            entry = {"PE": node.pe}
        if kind in _REDUCING:
            entry["SIMD"] = node.simd
        for key, value in (("ram_style", node.ram_style), ("resType", node.res_type), ("style", node.style)):
            if value != "auto" or (kind in ("MVAU", "VVAU") and key != "style"):
                entry[key] = value
        entry |= {key: value for key in _NUMBERS if (value := getattr(node, key))}
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


def _node(node: Node, key: str, values: Mapping[str, object], limits: Mapping[str, Limit], *, path: Path,
          notes: list[str]) -> NodeFolding:
    needed = [name for name in limits if not (name == "SIMD" and isinstance(node, VVAU | Pool))]
    kind = type(node).__name__
    for name in needed:
        if name not in values:
            raise FlowError(f"{path}: node '{key}' lacks {name}; a {kind} takes {' and '.join(needed)}")
    for name in (*limits, *_NUMBERS):
        value = values.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool):
            raise FlowError(f"{path}: node '{key}' has {name} {value!r}; give a whole number")
    ignored = [name for name in values if name not in _KEYS or (name in ("PE", "SIMD") and name not in limits)]
    if ignored:
        notes.append(f"{key}: ignored {', '.join(ignored)}, which this flow decides itself")
    parallel = values.get("parallel_window", 0)
    if parallel not in (0, 1):
        raise FlowError(f"{path}: node '{key}' has parallel_window {parallel!r}; legal values: 0, 1")
    choices = {name: str(values.get(name, "auto")) for name in _CHOICES}
    if choices["ram_style"] == "ultra":
        notes.append(f"{key}: ram_style 'ultra' taken as 'block', this flow infers no UltraRAM")
        choices["ram_style"] = "block"
    for name, value in choices.items():
        if value not in _CHOICES[name]:
            raise FlowError(f"{path}: node '{key}' has {name} '{value}'; legal values: {', '.join(_CHOICES[name])}")
    return NodeFolding(
        pe=_whole(values["PE"]) if "PE" in limits else 1, simd=_whole(values.get("SIMD", 1)) if "SIMD" in limits else 1,
        ram_style=cast(RamStyle, choices["ram_style"]), res_type=cast(ResType, choices["resType"]),
        parallel_window=isinstance(node, SlidingWindow) and bool(parallel), style=cast(Style, choices["style"]),
        pipeline_levels=_whole(values.get("pipeline_levels", 0)), pipeline_stages=_whole(values.get("pipeline_stages", 0)))


def _pools(graph: Graph, given: Mapping[str, NodeFolding], entries: Mapping[str, Any]) -> dict[str, NodeFolding]:
    """FINN's files give a pool no SIMD: it takes all taps at once behind a parallel window."""
    told = {our_name(key) for key, values in entries.items() if isinstance(values, Mapping) and "SIMD" in values}
    result = {}
    for node in graph:
        window = graph.producer(node.inputs[0])
        if isinstance(node, Pool) and isinstance(window, SlidingWindow) and {node.name, window.name} <= set(given) - (
                told & {node.name}):
            result[node.name] = replace(given[node.name], simd=node.taps if given[window.name].parallel_window else 1)
    return result


def _kind(name: str) -> str:
    return name.rsplit("_", 1)[0]


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
