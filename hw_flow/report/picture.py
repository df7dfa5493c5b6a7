"""One picture of a build: cycles and LUTs of every layer."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.report.schema import KIND_LABELS, Report, Resources
from hw_flow.storage import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CYCLES, _LUTS, _OTHER = "#3b6ea5", "#d08a2e", "#9a9a9a"


def draw(report: Report, path: Path) -> Path:
    """Write a PNG with a bar per layer: cycles a frame on the left, LUTs (or gates) on the right if synthesised."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    resources = next(iter(report.resources.values()), None)
    rows = [(layer.name, float(layer.figures["cycles"].value)) for layer in report.layers]
    others = _others(report, resources) if resources is not None else []
    size = (10 if resources is not None else 6, 1.6 + 0.36 * (len(rows) + len(others)))
    figure = Canvas(figsize=size, dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2 if resources is not None else 1, squeeze=False)[0]
    names = [name for name, _ in rows]
    _bars(panels[0], names, [value for _, value in rows], [_CYCLES] * len(rows))
    panels[0].set_xlabel("cycles a frame (model)")
    interval = report.performance.get("interval_cycles", report.performance["interval_cycles_estimate"])
    panels[0].axvline(float(interval.value), color="#444444", linewidth=1, linestyle="--")
    panels[0].set_title(f"steady interval {interval.value:,g} cycles ({interval.source})", fontsize=9)
    if resources is not None:
        unit = "luts" if "luts" in resources.total else "gates"
        values = [float(resources.layers[name][unit].value) if name in resources.layers else 0.0 for name in names]
        _bars(panels[1], names + [name for name, _ in others], values + [value for _, value in others],
              [_LUTS] * len(names) + [_OTHER] * len(others))
        total = resources.total[unit]
        panels[1].set_xlabel(f"{unit.replace('luts', 'LUTs')} on {resources.target} ({total.source})")
        panels[1].set_title(f"whole top {total.value:,g}", fontsize=9)
    figure.suptitle(report.name, fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_bytes(path, buffer.getvalue())
    return path


def _others(report: Report, resources: Resources) -> list[tuple[str, float]]:
    """LUTs of FIFOs, converters and the like, summed by kind."""
    unit = "luts" if "luts" in resources.total else "gates"
    nodes = {layer.name for layer in report.layers}
    sums: dict[str, float] = {}
    for name, figures in resources.layers.items():
        if name not in nodes:
            label = KIND_LABELS.get(resources.kinds[name], resources.kinds[name])
            sums[label] = sums.get(label, 0.0) + float(figures[unit].value)
    return sorted(sums.items())


def _bars(axes: Axes, names: list[str], values: list[float], colours: list[str]) -> None:
    rows = range(len(names))
    bars = axes.barh(list(rows), values, color=colours)
    axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3, fontsize=8)
    axes.set_yticks(list(rows), names, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.14)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="x", labelsize=8)
