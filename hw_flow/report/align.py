"""Which layers of different tools correspond: one key for ours, FINN's and hls4ml's name of the same layer.

Matched by name, so right only for projects of one network: FINN and we number nodes of a kind in the order of the graph
(``MVAU_hls_0``, ``MVAU_rtl_0`` and ``MatrixVectorActivation_0`` are ``MVAU_0``). hls4ml's HLS functions carry the index of
the layer's configuration; its matrix layers are counted in that order. What is no layer is summed by kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hw_flow.folding.finn import our_name
from hw_flow.report.schema import KIND_LABELS
from hw_flow.synth.parsers import ToolReport

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
    rf"{_CALL}(?P<op>[a-z][a-z0-9_]*?)_(?:u?(?:ap|ac)_|array|stream|nnet)\w*?config(?P<index>\d+)")
_CALLED = re.compile(rf"{_CALL}(?P<function>.+?){_NUMBER}")
_MATRIX, _DEPTHWISE = ("dense", "conv_1d", "conv_2d", "pointwise"), ("depthwise",)


def keys(report: ToolReport) -> dict[str, str]:
    """The key of every layer of ``report``, by the name it has there; several names with one key are to be summed."""
    numbered = _numbered(report)
    found = {name: numbered.get(name) or _key(name, report.kinds) for name in report.layers}
    return found if report.stage != "hls" else {name: _function(key) for name, key in found.items()}


def _function(name: str) -> str:
    match = _CALLED.fullmatch(name)
    return match["function"] if match is not None else name


def _key(name: str, kinds: Mapping[str, str]) -> str:
    if kinds.get(name) in KIND_LABELS:
        return KIND_LABELS[kinds[name]]
    for begin, group in _BETWEEN.items():
        if re.match(rf"{begin}(_[A-Z]\w*?)?(_hls|_rtl|_Batch)*_\d+", name):
            return group
    return our_name(name)


def _numbered(report: ToolReport) -> dict[str, str]:
    """hls4ml's layers in the order of their configurations, matrices counted as `MVAU`, depthwise ones as `VVAU`."""
    matches = {name: match for name in report.layers if (match := _HLS4ML.match(name))}
    found: dict[str, str] = {}
    counts = {"MVAU": 0, "VVAU": 0}
    for name in sorted(matches, key=lambda name: int(matches[name]["index"])):
        op = matches[name]["op"]
        kind = "MVAU" if op.startswith(_MATRIX) else "VVAU" if op.startswith(_DEPTHWISE) else None
        if kind is None:
            found[name] = f"{op}_config{matches[name]['index']}"
        else:
            found[name] = f"{kind}_{counts[kind]}"
            counts[kind] += 1
    return found
