"""Numerical profile: which part of every fixed-point type the values of a run use."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from hw_flow.backends.hls4ml.netlist import Layer, Netlist
from hw_flow.ir.tensor import FloatArray
from hw_flow.storage import write_bytes, write_text

PROFILE = Path("csim") / "profile.json"
TRACES = Path("csim") / "traces.npz"
# Values that traces keep, of all layers together.
_KEPT = 1 << 22
_TYPE = re.compile(r"(u?)(?:fixed|int)<(\d+)(?:,(-?\d+))?")
_COLOURS = {"weights": "#d08a2e", "scale": "#d08a2e", "outputs": "#3b6ea5"}


class Row(BaseModel):
    """One tensor of one layer.

    Attributes
    ----------
    layer, what : name, and ``weights``, ``scale`` or ``outputs``.
    type : fixed-point type.
    magnitudes : smallest, lower quartile, median, upper quartile and largest of what is not 0; empty if all is 0.
    zeros : share of zeros.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: str
    what: str
    type: str
    magnitudes: tuple[float, ...]
    zeros: float

    @property
    def bits(self) -> tuple[int, int]:
        """Exponents of the last and of the first bit that counts (the sign left out)."""
        match = _TYPE.match(self.type)
        assert match is not None
        width = int(match[2])
        integer = int(match[3]) if match[3] is not None else width
        return integer - width, integer - (not match[1])


class Profile(BaseModel):
    """All rows, and what they were measured on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    frames: int
    source: str
    rows: list[Row]

    @staticmethod
    def load(directory: Path) -> Profile | None:
        """The profile of the last simulation in a build directory, or None."""
        try:
            return Profile.model_validate_json((directory / PROFILE).read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            return None


def record(directory: Path, key: str, source: str, netlist: Netlist, found: Mapping[str, FloatArray]) -> Profile:
    """Write the profile and the traces of a run whose layers are ``found`` (see `runner.run`)."""
    frames = len(found["output"])
    rows = [row for layer in netlist.layers for row in _rows(layer, found.get(f"layer/{layer.name}"))]
    profile = Profile(key=key, frames=frames, source=source, rows=rows)
    write_text(directory / PROFILE, profile.model_dump_json(indent=1) + "\n")
    kept = max(1, min(frames, _KEPT // max(1, sum(values[0].size for values in found.values()))))
    traces: dict[str, Any] = {name.removeprefix("layer/"): values[:kept].astype(np.float32) for name, values in found.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **traces)
    write_bytes(directory / TRACES, buffer.getvalue())
    return profile


def _rows(layer: Layer, seen: FloatArray | None) -> list[Row]:
    rows = []
    for name, array in layer.arrays.items():
        if name in ("weight_data", "depthwise_data", "scale_data"):
            kind = layer.types["scale" if name == "scale_data" else "weight"]
            rows.append(_row(layer.name, "scale" if name == "scale_data" else "weights", kind, array))
    if seen is not None:
        rows.append(_row(layer.name, "outputs", layer.types["result"], seen))
    return rows


def _row(layer: str, what: str, kind: str, values: FloatArray) -> Row:
    size = np.abs(values[values != 0])
    ends = tuple(float(value) for value in np.quantile(size, (0, 0.25, 0.5, 0.75, 1))) if size.size else ()
    return Row(layer=layer, what=what, type=kind, magnitudes=ends, zeros=round(float((values == 0).mean()), 4))


def draw(profile: Profile, title: str, path: Path) -> Path:
    """Write a PNG: for every tensor the bits of its type in grey, and the magnitudes that occurred as a box on top.

    A box far from the left end of its grey bar leaves fraction bits unused, one far from the right end integer bits.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.4 + 0.34 * len(profile.rows)), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, row in enumerate(profile.rows):
        low, high = row.bits
        axes.barh(place, high - low, left=low, height=0.8, color="#e3e3e3")
        if row.magnitudes:
            least, lower, middle, upper, most = (float(np.log2(value)) for value in row.magnitudes)
            axes.plot([least, most], [place, place], color=_COLOURS[row.what], linewidth=1)
            axes.barh(place, max(upper - lower, 0.06), left=lower, height=0.5, color=_COLOURS[row.what])
            axes.plot([middle, middle], [place - 0.25, place + 0.25], color="#222222", linewidth=1.2)
        axes.text(1.01, place, f"{row.type.split(',TRN')[0].split(',RND')[0].rstrip('>')}>  {row.zeros:.0%} zero", fontsize=7,
                  va="center", transform=axes.get_yaxis_transform())
    axes.margins(x=0.03)
    axes.set_yticks(range(len(profile.rows)), [f"{row.layer} {row.what}" for row in profile.rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("power of two: grey the bits of the type, coloured the magnitudes that occur (box: quartiles)", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"{title}: {profile.frames} frames ({profile.source})", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_bytes(path, buffer.getvalue())
    return path
