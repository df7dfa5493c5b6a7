"""PNG of a search: accuracy over cost, all trials, the front, the uniform configurations."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from hw_flow.storage import write_bytes

_AXIS = {"luts": "LUTs (xc7)", "latency_cycles": "latency (cycles)", "interval_cycles": "interval (cycles)"}


def plot(summary: dict[str, Any], path: Path) -> None:
    """Draw ``front.json``'s content; with three objectives the first cost is the abscissa."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    cost = next(name for name in summary["objectives"] if name != "accuracy")

    def xy(rows: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
        return [row[cost] for row in rows], [100 * row["accuracy"] for row in rows]

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.scatter(*xy(summary["trials"]), s=16, color="0.72", label=f"all {len(summary['trials'])} trials", zorder=2)
    steps = sorted(summary["front"], key=lambda row: row[cost])
    if len(summary["objectives"]) == 2:
        axes.step(*xy(steps), where="post", color="tab:blue", linewidth=1, zorder=3)
    axes.scatter(*xy(steps), s=34, color="tab:blue", label="front", zorder=4)
    axes.scatter(*xy(summary["uniform"]), s=48, marker="s", facecolor="none", edgecolor="tab:red", label="uniform", zorder=5)
    for row in summary["uniform"]:
        axes.annotate(
            row["weights"], (row[cost], 100 * row["accuracy"]), xytext=(5, -11), textcoords="offset points", fontsize=8,
            color="tab:red",
        )
    axes.set_xscale("log")
    for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel(_AXIS[cost])
    axes.set_ylabel("validation accuracy (%)")
    axes.set_title(f"{summary['name']}: measured front (hypervolume {summary['hypervolume']:.3f})", fontsize=11)
    axes.grid(which="both", linewidth=0.3)
    axes.legend(loc="lower right", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=140, format="png")
    write_bytes(path, buffer.getvalue())
