"""What a user may say about an hls4ml project: a YAML file for ``--settings``, checked before anything runs."""

from __future__ import annotations

import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hw_flow.backends.directory import read_input
from hw_flow.backends.hls4ml.netlist import Abilities, Layer, Netlist
from hw_flow.errors import FlowError

Tool = Literal["Vitis", "Vivado", "Quartus", "Catapult", "oneAPI", "Libero"]
Strategy = Literal["latency", "resource", "resource_unrolled", "distributed_arithmetic"]

# Their generated C++ compiles with g++ and the headers that hls4ml brings along; the others need the vendor's compiler.
COMPILES_HERE: tuple[Tool, ...] = ("Vitis", "Vivado", "Quartus", "Catapult")
_ALL, _FEW = Abilities(), Abilities(tables=False, moves=False, depthwise=False)
_ABILITIES: dict[Tool, Abilities] = {
    "Vitis": _ALL, "Vivado": _ALL, "Catapult": replace(_FEW, depthwise=True), "oneAPI": replace(_FEW, depthwise=True),
    "Quartus": _FEW, "Libero": _FEW,
}
# hls4ml writes the name into a script unread; these tools want one of AMD's, with package and speed grade.
_NAME, _PART = re.compile(r"[A-Za-z0-9_.-]+"), re.compile(r"x[acq][a-z0-9]+-[a-z0-9-]+", re.IGNORECASE)
# Strategies by tool; the others ignore the setting or have one way only.
_STRATEGIES: dict[Tool, tuple[Strategy, ...]] = {
    "Vitis": ("latency", "resource", "resource_unrolled", "distributed_arithmetic"),
    "Vivado": ("latency", "resource", "resource_unrolled", "distributed_arithmetic"),
    "Catapult": ("latency", "resource"), "Libero": ("latency", "resource"), "Quartus": ("resource",), "oneAPI": ("resource",),
}


# Reuse factors are 32 bits wide in hls4ml's C++.
_MOST = 2**31 - 1


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LayerSettings(_Section):
    """How one layer is built; None takes what holds for all.

    Attributes
    ----------
    strategy : ``latency``, ``resource``, ``resource_unrolled`` or ``distributed_arithmetic``.
    reuse_factor : multiplications that one multiplier does, from 1.
    """

    strategy: Strategy | None = None
    reuse_factor: int | None = Field(default=None, ge=1, le=_MOST)


class HlsSettings(_Section):
    """Settings of an hls4ml project.

    Attributes
    ----------
    tool : hls4ml's back end.
    io_type : all values of a frame at once, or a stream of positions.
    part, clock_ns : device and clock period; None takes hls4ml's default. For Catapult, a name that is none of AMD's is an
        ASIC library.
    strategy, reuse_factor : for every layer; None takes the tool's.
    layers : per node of the graph (``MVAU_0``) or layer, what differs from these.
    python : interpreter that hls4ml is installed for, if it is not this one.
    smarthls : where SmartHLS is on the machine that runs a Libero project; needed where ``shls`` is not on the PATH.
    samples : frames that the build is checked on.
    timeout_s : limit of each step.
    synthesis_timeout_s : limit of the vendor's tool.
    """

    tool: Tool = "Vitis"
    io_type: Literal["io_parallel", "io_stream"] = "io_parallel"
    part: str | None = None
    clock_ns: float | None = Field(default=None, gt=0)
    strategy: Strategy | None = None
    reuse_factor: int = Field(default=1, ge=1, le=_MOST)
    layers: dict[str, LayerSettings] = Field(default_factory=dict)
    python: Path | None = None
    smarthls: Path | None = None
    samples: int = Field(default=16, ge=1, le=1_000_000)
    timeout_s: float = Field(default=1800.0, gt=0)
    synthesis_timeout_s: float = Field(default=24 * 3600.0, gt=0)

    @staticmethod
    def read(path: Path | None) -> HlsSettings:
        """Settings from a YAML file, or the defaults; FlowError names file and key."""
        if path is None:
            return HlsSettings()
        try:
            values = yaml.safe_load(read_input(path, "settings file")) or {}
        except yaml.YAMLError as error:
            raise FlowError(f"{path}: not YAML ({' '.join(str(error).split())}); see docs/hls4ml.md") from error
        if not isinstance(values, dict):
            raise FlowError(f"{path}: holds {type(values).__name__}, not a mapping; see docs/hls4ml.md")
        try:
            return HlsSettings.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise FlowError(f"{path}: {where}: {first['msg']}; see docs/hls4ml.md") from error

    def of(self, layer: Layer) -> tuple[Strategy, int]:
        """Strategy and reuse factor of a layer."""
        own = self.layers.get(layer.name, LayerSettings())
        return own.strategy or self.strategy or _STRATEGIES[self.tool][0], own.reuse_factor or self.reuse_factor


def abilities(settings: HlsSettings) -> Abilities:
    """Which layers hls4ml has for the tool and the way that values travel."""
    whole = settings.io_type == "io_parallel"
    return replace(_ABILITIES[settings.tool], overlap=whole, overlap_lines=whole or settings.tool in ("Vitis", "Vivado"))


def check(settings: HlsSettings, netlist: Netlist) -> None:
    """Raise FlowError for a layer that does not exist, a strategy that the tool lacks, a reuse factor that is illegal.

    hls4ml itself takes the nearest legal reuse factor and another strategy, and prints so among a hundred lines.
    """
    if settings.tool == "Libero" and settings.smarthls is None and shutil.which("shls") is None:
        raise FlowError("hls4ml writes the path of SmartHLS into a Libero project, and shls is not on the PATH; name the folder "
                        "as 'smarthls' in the settings")
    if settings.part is not None and not (_PART if settings.tool in ("Vitis", "Vivado") else _NAME).fullmatch(settings.part):
        example = "xczu7ev-ffvc1156-2-e" if settings.tool in ("Vitis", "Vivado") else "letters, digits, '_', '.' and '-'"
        raise FlowError(f"part: '{settings.part}' is no name of a part for {settings.tool}; give it whole, as {example}")
    known = {layer.name: layer for layer in netlist.layers if layer.matrix is not None}
    for name in settings.layers:
        if name not in known:
            raise FlowError(f"layers.{name}: the network has no such layer; choose from {', '.join(known)}")
    for layer in known.values():
        strategy, reuse = settings.of(layer)
        allowed = _STRATEGIES[settings.tool]
        if strategy not in allowed:
            raise FlowError(f"{layer.name}: hls4ml's {settings.tool} has no strategy '{strategy}'; use {' or '.join(allowed)}")
        if strategy == "distributed_arithmetic" and reuse != 1:
            raise FlowError(f"{layer.name}: reuse factor {reuse} with distributed arithmetic, which multiplies nothing; use 1")
        if strategy == "distributed_arithmetic" and layer.kind.startswith("Depthwise"):
            raise FlowError(f"{layer.name}: hls4ml has no distributed arithmetic for a {layer.kind}; give this layer another "
                            f"strategy: 'layers: {{{layer.name}: {{strategy: latency}}}}'")
        if strategy == "resource_unrolled" and (reuse == 1 or ("Conv" in layer.kind and settings.io_type == "io_parallel")):
            raise FlowError(f"{layer.name}: hls4ml would not unroll it (reuse factor {reuse}, {settings.io_type}); use "
                            "'resource', or a reuse factor above 1, and io_stream for a convolution")
        if strategy.startswith("resource") and not legal(layer, reuse):
            raise FlowError(f"{layer.name}: reuse factor {reuse} is illegal for a matrix of {_sizes(layer)}; "
                            f"legal are {_choices(layer)}")


def is_amd(part: str) -> bool:
    """Whether ``part`` is a name as AMD gives its devices."""
    return _PART.fullmatch(part) is not None


def _sizes(layer: Layer) -> str:
    assert layer.matrix is not None
    return f"{layer.matrix[0]} inputs and {layer.matrix[1]} outputs"


def legal(layer: Layer, reuse: int) -> bool:
    """hls4ml's rule: the multipliers divide the outputs evenly, and the factor divides the products."""
    assert layer.matrix is not None
    inputs, outputs = layer.matrix
    multipliers = math.ceil(inputs * outputs / min(inputs, reuse))
    even = (multipliers % outputs == 0 or reuse >= inputs) and (reuse % inputs == 0 or reuse < inputs)
    return even and inputs * outputs % reuse == 0


def _choices(layer: Layer) -> str:
    assert layer.matrix is not None
    found = [str(factor) for factor in range(1, layer.matrix[0] * layer.matrix[1] + 1) if legal(layer, factor)]
    return ", ".join(found if len(found) <= 24 else [*found[:16], "...", *found[-3:]])
