"""The layers of an hls4ml project as its ``firmware/parameters.h`` lists them: names, shapes and order of the network.

An HLS compiler's report knows a layer by the number of its configuration alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from math import prod
from pathlib import Path

from hw_flow.errors import FlowError
from hw_flow.report.align import config_of, hls4ml_kind
from hw_flow.synth.parsers import Part, ToolReport
from hw_flow.synth.parsers.text import read

_COMMENT = re.compile(r"//\s*(?P<name>[\w.-]{1,200})\s*")
_BEGIN = re.compile(r"struct config(?P<index>\d{1,9}) : nnet::(?P<kind>\w+)_config\s*{")
_CONSTANT = re.compile(r"\s*static const unsigned (?P<key>\w+) = (?P<value>\d{1,9});")
# What the inputs and outputs of a layer's weights are.
_SHAPES = {
    "dense": (("n_in",), ("n_out",)), "depthwise": (("filt_height", "filt_width"), ("n_filt",)),
    "conv": (("filt_height", "filt_width", "n_chan"), ("n_filt",)),
    "pointwise": (("filt_height", "filt_width", "n_chan"), ("n_filt",)),
}


def layers(file: Path, depthwise: Collection[int] = ()) -> dict[int, Part]:
    """Every layer by the number of its configuration, in the order of the network; FlowError if the file cannot be read.

    Parameters
    ----------
    depthwise : numbers of those that a depthwise function is made for; their configurations are those of other convolutions.
    """
    found = {}
    for index, written, name, values in _structs(read(file).text):
        kind = f"depthwise_{written}" if index in depthwise else written
        found[index] = Part(kind=hls4ml_kind(kind), matrix=_matrix(kind, values), names=(name,) if name else ())
    return found


def with_layers(report: ToolReport, file: Path, top: Path) -> ToolReport:
    """``report``, found in ``file`` below ``top``, with what the project's parameters say of its layers."""
    indices = {name: index for name in report.layers if (index := config_of(name)) is not None}
    if report.stage != "hls" or not indices:
        return report
    for folder in file.parents:
        parameters = folder / "firmware" / "parameters.h"
        if parameters.is_file():
            try:
                known = layers(parameters, {index for name, index in indices.items() if "depthwise" in name})
            except FlowError:
                return report
            ranks = {index: rank for rank, index in enumerate(known)}
            placed = sorted((name for name, index in indices.items() if index in ranks), key=lambda name: ranks[indices[name]])
            return replace(report, order=tuple(placed), parts={name: known[indices[name]] for name in placed})
        if folder == top:
            break
    return report


def _structs(text: str) -> Iterator[tuple[int, str, str, dict[str, int]]]:
    """Number, kind, name and constants of every configuration."""
    name, found = "", None
    values: dict[str, int] = {}
    for line in text.splitlines():
        begin, comment, constant = _BEGIN.match(line), _COMMENT.fullmatch(line), _CONSTANT.match(line)
        if comment is not None:
            name = comment["name"]
        elif begin is not None:
            found, values = begin, {}
        elif constant is not None and found is not None:
            values[constant["key"]] = int(constant["value"])
        elif line.startswith("};") and found is not None:
            yield int(found["index"]), found["kind"], name, values
            name, found = "", None


def _matrix(kind: str, values: dict[str, int]) -> tuple[int, int] | None:
    shape = next((shape for begin, shape in _SHAPES.items() if kind.startswith(begin)), None)
    if shape is None:
        return None
    inputs, outputs = shape
    rows = [values[key] for key in inputs if key in values]
    columns = [values[key] for key in outputs if key in values]
    return (prod(rows), prod(columns)) if rows and columns else None
