"""A comparison as one picture: a panel of bars for each metric of the totals, and one for the layers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.report.align import GROUPS
from hw_flow.report.compare_schema import Comparison, LayerRow, LayerTable, Row
from hw_flow.report.compare_text import heading, value
from hw_flow.storage import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What the panels show, if any design has it; at most so many.
_PANELS = ("luts", "lc", "alm", "gates", "area", "ff", "bram18", "ebr", "m20k", "dsp", "interval_cycles", "latency_cycles",
           "fmax_mhz", "power_w")
_MOST_PANELS, _MOST_LAYERS = 6, 24
_COLOURS = ("#3b6ea5", "#d08a2e", "#5a9a68", "#a5475b", "#7a62a3", "#8a7a55", "#4aa0a8", "#9a9a9a")


def draw(comparison: Comparison, path: Path) -> Path:
    """Write a PNG. A bar is one design at one stage; its label names the source, so that no two kinds of figure look alike."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    wanted = [name for name in _PANELS if any(row.metric == name and _bars_of(row) for row in comparison.totals)][:_MOST_PANELS]
    table = next(iter(comparison.layers), None)
    bars = [sum(_bars_of(row) for row in comparison.totals if row.metric == name) for name in wanted]
    columns = min(3, len(wanted)) or 1
    lines = -(-len(wanted) // columns)
    heights = [0.9 + 0.3 * max([1, *bars[line * columns:(line + 1) * columns]]) for line in range(lines)]
    if table is not None:
        heights.append(1.2 + 0.13 * len(_shown(table)) * (len(table.columns) + 0.8))
    canvas = Canvas(figsize=(5.2 * columns, sum(heights) + 0.6), dpi=110, layout="constrained")
    FigureCanvasAgg(canvas)
    grid = canvas.add_gridspec(len(heights) or 1, columns, height_ratios=heights or [1])
    for index, name in enumerate(wanted):
        _total(canvas.add_subplot(grid[index // columns, index % columns]), comparison, name)
    if table is not None:
        _layers(canvas.add_subplot(grid[len(heights) - 1, :]), comparison, table)
    canvas.suptitle(" and ".join(dict.fromkeys(subject.name for subject in comparison.subjects))[:120], fontsize=11)
    silent = [subject.name for index, subject in enumerate(comparison.subjects)
              if all(row.cells[index] is None for row in comparison.totals if row.metric in wanted)]
    if silent:
        canvas.supxlabel(f"none of these figures from {', '.join(silent)}"[:160], fontsize=8)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png")
    write_bytes(path, buffer.getvalue())
    return path


def _bars_of(row: Row) -> int:
    return sum(cell is not None for cell in row.cells) if any(cell is not None and cell.value for cell in row.cells) else 0


def _total(axes: Axes, comparison: Comparison, metric: str) -> None:
    labels, values, colours, texts = [], [], [], []
    for row in (row for row in comparison.totals if row.metric == metric):
        for index, cell in enumerate(row.cells):
            if cell is not None:
                labels.append(f"{_short(comparison.subjects[index].name)}\n{row.stage}, {cell.source}")
                values.append(float(cell.value))
                colours.append(_COLOURS[index % len(_COLOURS)])
                texts.append(value(cell) + (f"  {cell.percent:.3g} %" if cell.percent is not None else ""))
    places = range(len(values))
    drawn = axes.barh(list(places), values, color=colours)
    axes.bar_label(drawn, texts, padding=3, fontsize=7)
    axes.set_yticks(list(places), labels, fontsize=6)
    share = f", share of {comparison.device}" if _shares(comparison, metric) else ""
    axes.set_title(heading(metric, comparison) + share, fontsize=9)
    _plain(axes, values)


def _shown(table: LayerTable) -> list[LayerRow]:
    """The largest layers, in the order of the network. What stands between layers would dwarf them; it is in the tables."""
    def largest(row: LayerRow) -> float:
        return max((float(cell.value) for cell in row.cells if cell is not None), default=0.0)

    layers = [row for row in table.rows if row.name not in GROUPS]
    kept = {id(row) for row in sorted(layers, key=largest, reverse=True)[:_MOST_LAYERS]}
    return [row for row in layers if id(row) in kept]


def _layers(axes: Axes, comparison: Comparison, table: LayerTable) -> None:
    rows = _shown(table)
    count = len(table.columns)
    for place, column in enumerate(table.columns):
        offsets = [index * (count + 0.8) + place for index in range(len(rows))]
        values = [float(cell.value) if (cell := row.cells[place]) is not None else 0.0 for row in rows]
        # The shade tells the stage, the colour the design.
        own = [at for at, other in enumerate(table.columns) if other.subject == column.subject]
        strength = 0.4 + 0.6 * (own.index(place) + 1) / len(own)
        drawn = axes.barh(offsets, values, height=0.9, color=_COLOURS[column.subject % len(_COLOURS)], alpha=strength,
                          label=f"{_short(comparison.subjects[column.subject].name)}, {column.stage} ({column.source})")
        # Where there is no bar: 0 is a figure, a dash a layer without one.
        texts = [value(cell) if (cell := row.cells[place]) is not None else "-" if row.names[place] is not None else ""
                 for row in rows]
        axes.bar_label(drawn, texts, padding=2, fontsize=6)
    middles = [index * (count + 0.8) + (count - 1) / 2 for index in range(len(rows))]
    axes.set_yticks(middles, [f"{_short(row.name)}{' ~' if 'order' in row.evidence else ''}" for row in rows], fontsize=7)
    axes.set_ylim(-1, len(rows) * (count + 0.8))
    axes.legend(fontsize=7, loc="lower right", frameon=False)
    every = sum(row.name not in GROUPS for row in table.rows)
    which = f", the {len(rows)} largest of {every}" if every > len(rows) else ""
    guessed = "; ~: set beside each other by kind and order alone" if any("order" in row.evidence for row in rows) else ""
    axes.set_title(f"{heading(table.metric, comparison)} by layer{which}{guessed}", fontsize=9)
    _plain(axes, [float(cell.value) for row in rows for cell in row.cells if cell is not None])


def _plain(axes: Axes, values: list[float]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.invert_yaxis()
    axes.margins(x=0.3)
    if not any(values):
        axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:,.0f}" if max(values, default=0) >= 10 else "{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="x", labelsize=7)


def _shares(comparison: Comparison, metric: str) -> bool:
    rows = (row for row in comparison.totals if row.metric == metric)
    return any(cell is not None and cell.percent is not None for row in rows for cell in row.cells)


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:13]}...{name[-12:]}"
