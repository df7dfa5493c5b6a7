"""Foldings that a node cannot have, and entries that fit none: FINN names no node, and complains late or never."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from typing import Any

# By operator without style: what PE and SIMD must divide.
_LIMITS: Mapping[str, Mapping[str, str]] = {
    "MVAU": {"PE": "MH", "SIMD": "MW"}, "VVAU": {"PE": "Channels", "SIMD": "Kernel"},
    "Thresholding": {"PE": "NumChannels"}, "Requant": {"PE": "NumChannels"}, "Pool": {"PE": "Channels"},
    "GlobalAccPool": {"PE": "NumChannels"}, "LabelSelect": {"PE": "Labels"}, "DuplicateStreams": {"PE": "NumChannels"},
    "ConvolutionInputGenerator": {"SIMD": "IFMChannels"}, "FMPadding": {"SIMD": "NumChannels"}, "Crop": {"SIMD": "NumChannels"},
    "UpsampleNearestNeighbour": {"SIMD": "NumChannels"},
}
# What FINN writes of a node into its folding files.
FOLDING = ("PE", "SIMD", "parallel_window", "ram_style", "resType", "mem_mode", "runtime_writeable_weights",
           "depth_trigger_uram", "depth_trigger_bram", "ram_style_thresholds", "impl_style")
# What its own files may hold beside that; anything else, such as the size of a matrix, is no folding.
_BESIDE = ("EmbFold", "SeqFold", "ram_style_mask", "mac_resource", "depth", "inFIFODepths", "outFIFODepths")

# Nodes that a folding file may name although the graph has none: they depend on its ends, or FINN inserts them later.
_OPTIONAL = ("Thresholding", "LabelSelect", "Reshape", "Squeeze", "Unsqueeze", "ElementwiseMul", "ElementwiseAdd",
             "ChannelwiseOp", "DuplicateStreams", "ReplicateStream", "StreamingFIFO", "StreamingDataWidthConverter",
             "IODMA", "TLastMarker")
# QONNX's types of attributes; JSON has no others.
_TYPES: Mapping[str, tuple[type, ...]] = {"i": (int,), "f": (float, int), "s": (str,), "ints": (list,), "strings": (list,),
                                          "floats": (list,)}


def optional(name: str) -> bool:
    """Whether a folding file may name a node that is not there."""
    kind, _, index = name.rpartition("_")
    return (kind if index.isdigit() else name).removesuffix("_hls").removesuffix("_rtl") in _OPTIONAL


def misfit(entries: Mapping[str, Mapping[str, Any]], nodes: Mapping[str, Mapping[str, Any]]) -> str | None:
    """One line about the first entry of a folding file that fits no node; None if all do.

    ``nodes`` : by name, QONNX's definitions of the attributes: type, required, default and, perhaps, allowed values.
    """
    for name, entry in entries.items():
        if name == "Defaults":
            wrong = _default(entry)
            if wrong is not None:
                return wrong
            continue
        known = nodes.get(name)
        if known is None:
            if optional(name):
                continue
            return f"folding file: node '{name}' is not in FINN's graph; {_remedy(name, nodes)}"
        for key, value in entry.items():
            if key not in known or key not in (*FOLDING, *_BESIDE):
                return (f"folding file: {name}: '{key}' is no attribute of its folding; it takes "
                        f"{', '.join(own for own in FOLDING if own in known)}")
            kind, _, _, *allowed = known[key]
            if isinstance(value, bool) or not isinstance(value, _TYPES.get(kind, (object,))):
                return f"folding file: {name}: {key} is {value!r}; give {_TYPES[kind][0].__name__}"
            if allowed and allowed[0] and value not in allowed[0]:
                return f"folding file: {name}: {key} is {value!r}; give one of {', '.join(map(str, sorted(allowed[0])))}"
    return None


def _default(entry: Mapping[str, Any]) -> str | None:
    for key, value in entry.items():
        if not isinstance(value, list) or len(value) % 2 or not all(isinstance(part, list | str) for part in value[1::2]):
            return f"folding file: Defaults: {key} is {value!r}; give a value and operators, such as [\"auto\", [\"MVAU_hls\"]]"
    return None


def _remedy(name: str, nodes: Collection[str]) -> str:
    """What to write instead: the node's other variant, or the list."""
    for own, other in (("_hls_", "_rtl_"), ("_rtl_", "_hls_")):
        found = name.replace(own, other)
        if own in name and found in nodes:
            return f"it has {found}: rename the entry, or choose the variant by 'styles' in --settings"
    return f"its nodes: {', '.join(nodes)}"


def illegal(name: str, op_type: str, attributes: Mapping[str, Any]) -> str | None:
    """One line about a PE or SIMD that does not divide its dimension; None for a node that is fine."""
    kind = op_type.removesuffix("_hls").removesuffix("_rtl")
    for key, dimension in _LIMITS.get(kind, {}).items():
        value, given = attributes.get(key), attributes.get(dimension)
        if value is None or given is None:
            continue
        size = int(given) if isinstance(given, int) else prod(int(part) for part in given)
        if value < 1 or size % value:
            legal = ", ".join(str(number) for number in range(1, size + 1) if size % number == 0)
            return f"{name}: {key} {value} does not divide {dimension} {size}; legal values: {legal}"
    return None


def check_entries(model: Any, entries: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The first entry of a folding file that is a `misfit` for ``model``'s nodes."""
    from qonnx.custom_op.registry import getCustomOp

    return misfit(entries, {node.name: getCustomOp(node).get_nodeattr_types() for node in model.graph.node})


def check(model: Any) -> str | None:
    """The first of ``model``'s nodes that is `illegal`."""
    from qonnx.custom_op.registry import getCustomOp

    for node in model.graph.node:
        own = getCustomOp(node)
        known = own.get_nodeattr_types()
        keys = {key for limit in _LIMITS.values() for pair in limit.items() for key in pair}
        line = illegal(node.name, node.op_type, {key: own.get_nodeattr(key) for key in keys if key in known})
        if line is not None:
            return line
    return None
