"""The user's settings of the FINN back end: what `BuildOptions` has no word for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hw_flow.backends.directory import read_input
from hw_flow.errors import FlowError

_MOST_BYTES = 1 << 20


class FinnSettings(BaseModel):
    """``--settings FILE.yaml`` of the FINN back end.

    Attributes
    ----------
    part : FPGA part that FINN estimates and builds for.
    board : FINN's name of a board, for a bitfile; it sets the part.
    clock_ns : period of the clock, without ``--clock``.
    classify : end in the index of the largest output, as FINN's examples do.
    standalone_thresholds : keep activations out of the matrix units, which FINN's RTL matrix unit needs.
    styles : ``hls`` or ``rtl`` by FINN's node name before specialisation (``MVAU_0``); FINN decides the others.
    mvau_wwidth_max : bits of a weight word that FINN's own folding stays below.
    simulate_rtl : run FINN's own RTL modules in simulation, our kernels for the rest; false takes our kernels everywhere.
    timeout_s : seconds that FINN may take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: str = Field(default="xczu28dr-ffvg1517-2-e", pattern=r"^[A-Za-z0-9-]{4,40}$")
    board: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{2,40}$")
    clock_ns: float = Field(default=10.0, gt=0, le=1e6)
    classify: bool = False
    standalone_thresholds: bool = False
    styles: dict[str, Literal["hls", "rtl"]] = Field(default_factory=dict)
    mvau_wwidth_max: int = Field(default=36, ge=1, le=4096)
    simulate_rtl: bool = False
    timeout_s: float = Field(default=1800.0, gt=0)


def checked_folding(path: Path) -> bytes:
    """Content of FINN's folding file; FlowError unless it is JSON that maps node names to mappings."""
    data = read_input(path, "folding file")
    remedy = "give FINN's folding, such as {\"MVAU_hls_0\": {\"PE\": 4, \"SIMD\": 8}}"
    if len(data) > _MOST_BYTES:
        raise FlowError(f"{path}: {len(data):,} bytes are no folding file; {remedy}")
    try:
        nodes = json.loads(data)
    except ValueError as error:
        raise FlowError(f"{path}: not JSON ({error}); {remedy}") from error
    if not isinstance(nodes, dict):
        raise FlowError(f"{path}: holds a {type(nodes).__name__}; {remedy}")
    for name, entry in nodes.items():
        if not isinstance(entry, dict):
            raise FlowError(f"{path}: {name}: holds a {type(entry).__name__}; {remedy}")
    return data


def read_settings(path: Path | None) -> FinnSettings:
    """The settings in a YAML file; the defaults without one.

    Raises
    ------
    FlowError : the file cannot be read, is no YAML mapping, or a value is wrong.
    """
    if path is None:
        return FinnSettings()
    data = read_input(path, "settings file")
    if len(data) > _MOST_BYTES:
        raise FlowError(f"{path}: {len(data):,} bytes are no settings file; give a YAML mapping")
    try:
        values = yaml.safe_load(data)
    except yaml.YAMLError as error:
        raise FlowError(f"{path}: not YAML ({' '.join(str(error).split())}); give a mapping such as 'classify: true'") from error
    if not isinstance(values, dict | None):
        raise FlowError(f"{path}: holds a {type(values).__name__}; give a mapping such as 'classify: true'")
    try:
        return FinnSettings(**{str(key): value for key, value in (values or {}).items()})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = ", ".join(FinnSettings.model_fields)
        raise FlowError(f"{path}: {key}: {first['msg']}; the finn back end knows {known}") from error
