"""FINN's own estimates of a model at a folding chosen elsewhere: its hardware graph and its analyses, no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from hw_flow.backends.finn.inside import convert
from hw_flow.backends.finn.inside.legal import illegal
from hw_flow.backends.finn.request import Request
from hw_flow.folding.finn import our_name
from hw_flow.report.align import align
from hw_flow.synth.parsers import Part, ToolReport

# What of a folding FINN's nodes have, by kind: the names of FINN's attributes.
_FOLDED = {"MVAU": ("PE", "SIMD"), "VVAU": ("PE", "SIMD"), "SlidingWindow": ("SIMD", "parallel_window")}


def estimate(request: Request, wanted: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Write FINN's reports for ``wanted``: entries of ``name``, ``kind``, ``matrix`` and FINN's folding attributes.

    Nodes of FINN's that correspond to none of these evidently are folded by FINN itself, for ``request.target_cycles``.
    """
    from finn.builder import build_dataflow_steps as finn

    cfg = convert.configuration(request)
    model = convert.hardware_graph(request, cfg)
    named = finn.step_specialize_layers(deepcopy(model), cfg)
    folding, notes = _folding(named, wanted)
    file = request.output / "folding.json"
    file.write_text(json.dumps({"Defaults": {}, **folding}), encoding="utf-8")
    request = replace(request, folding_file=file)
    cfg = convert.configuration(request)
    convert.reports(convert.fold(model, request, cfg), cfg)
    return {"notes": notes}


def _folding(model: Any, wanted: list[Mapping[str, Any]]) -> tuple[dict[str, dict[str, int]], list[str]]:
    """FINN's folding file for ``model``, and which nodes it says nothing of."""
    from qonnx.custom_op.registry import getCustomOp

    theirs, attributes = {}, {}
    for node in model.graph.node:
        own = getCustomOp(node)
        known = own.get_nodeattr_types()
        attributes[node.name] = {key: own.get_nodeattr(key) for key in known if key in _KEYS}
        theirs[node.name] = Part(kind=_kind(node.name), matrix=_matrix(attributes[node.name]))
    ours = {entry["name"]: Part(kind=entry["kind"], matrix=tuple(entry["matrix"]) if entry["matrix"] else None)
            for entry in wanted}
    rows = align([(0, _report(theirs)), (1, _report(ours))])
    pairs = {row.units[0].name: row.units[1].name for row in rows if row.units.keys() == {0, 1}}
    folds = {entry["name"]: entry for entry in wanted}
    found: dict[str, dict[str, int]] = {}
    for name, own in pairs.items():
        kind = theirs[name].kind
        values = {key: int(folds[own][key]) for key in _FOLDED.get(kind, ("PE",)) if key in attributes[name]}
        if values and illegal(name, name.rpartition("_")[0], {**attributes[name], **values}) is None:
            found[name] = values
    alone = [name for name, part in theirs.items() if name not in found and part.kind in ("MVAU", "VVAU")]
    return found, [f"folded by FINN itself: {', '.join(alone)}"] if alone else []


_KEYS = ("PE", "SIMD", "parallel_window", "MW", "MH", "Channels", "Kernel", "NumChannels", "Labels", "IFMChannels")


def _kind(name: str) -> str:
    return our_name(name).rpartition("_")[0]


def _matrix(attributes: Mapping[str, Any]) -> tuple[int, int] | None:
    if "MW" in attributes:
        return int(attributes["MW"]), int(attributes["MH"])
    if "Kernel" in attributes and "Channels" in attributes:
        first, second = attributes["Kernel"]
        return int(first) * int(second), int(attributes["Channels"])
    return None


def _report(parts: Mapping[str, Part]) -> ToolReport:
    return ToolReport(format="finn", source="finn", stage="estimate", layers={name: {} for name in parts}, parts=parts,
                      order=tuple(parts))


def run(file: Path, answer: dict[str, Any]) -> None:
    """The verb ``estimate``: beside the request lies ``wanted.json``."""
    answer |= estimate(Request.load(file), json.loads((file.parent / "wanted.json").read_text(encoding="utf-8")))
