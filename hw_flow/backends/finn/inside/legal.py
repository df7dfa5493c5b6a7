"""Foldings that a node cannot have. FINN's own assertions name no node, and come late or never."""

from __future__ import annotations

from collections.abc import Mapping
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
