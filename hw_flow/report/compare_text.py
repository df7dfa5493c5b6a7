"""A comparison as tables: for a terminal, as Markdown, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hw_flow.report.align import GROUPS
from hw_flow.report.compare_schema import Cell, Comparison, LayerTable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_TITLES = {
    "interval_cycles": "interval", "latency_cycles": "latency", "fmax_mhz": "Fmax", "luts": "LUT", "ff": "FF", "bram18": "BRAM18",
    "dsp": "DSP", "uram": "URAM", "srl": "SRL", "lutram": "LUTRAM", "power_w": "power", "dynamic_w": "dynamic power",
    "static_w": "static power", "throughput_fps": "throughput", "wns_ns": "slack", "area": "cell area", "die_area": "die area",
    "ebr": "EBR", "lc": "LC", "alm": "ALM", "alut": "ALUT", "m20k": "M20K", "mlab": "MLAB", "fifo_bits": "FIFOs",
    "macs": "MACs",
}
_MISSING = "-"  # nobody states it, which is not 0
# Units that a title does not say already.
_SHOWN_UNITS = ("cycles", "frames/s", "MHz", "ns", "W", "um2", "bits", "s", "beats")


@dataclass
class Grid:
    """A table of strings: the first ``names`` columns are left-aligned, the others numbers."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    names: int
    legend: list[str] = field(default_factory=list)


def grids(comparison: Comparison) -> list[Grid]:
    """All tables of a comparison. A letter behind a figure leads to its source, in the legend below."""
    letters = _letters(comparison)
    tables = [_totals(comparison, letters), *(_layers(comparison, table, letters) for table in comparison.layers)]
    return [table for table in tables if table.rows]


def show(comparison: Comparison, console: Console) -> None:
    """Print the tables and notes."""
    from rich import table as tables
    from rich.text import Text

    for grid in grids(comparison):
        table = tables.Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), title=grid.title,
                             title_justify="left")
        for index, head in enumerate(grid.heads):
            table.add_column(Text(head), justify="left" if index < grid.names else "right", no_wrap=True)
        for row in grid.rows:
            table.add_row(*(Text(cell) for cell in row))
        _whole(table, console)
        for line in grid.legend:
            console.print(f"  {line}", style="dim", highlight=False, markup=False, soft_wrap=True)
    for line in notes(comparison):
        console.print(f"  {line}", style="dim", highlight=False, markup=False, soft_wrap=True)


def _whole(table: Table, console: Console) -> None:
    """Print ``table`` as wide as it is: a line too long for the terminal is better than a figure cut off."""
    from rich.measure import Measurement

    usual = console.width
    console.width = 100_000
    try:
        console.width = max(usual, Measurement.get(console, console.options, table).maximum)
        console.print(table)
    finally:
        console.width = usual


def markdown(comparison: Comparison) -> str:
    """The tables and notes as Markdown."""
    parts = []
    for grid in grids(comparison):
        rule = ["---"] * grid.names + ["---:"] * (len(grid.heads) - grid.names)
        lines = [_line([head.replace("\n", ", ") for head in grid.heads]), _line(rule), *(_line(row) for row in grid.rows)]
        legend = "".join(f"\n{line}  " for line in grid.legend)
        parts.append(f"## {grid.title}\n\n" + "\n".join(lines) + f"\n{legend}\n")
    told = notes(comparison)
    return "\n".join(parts) + ("\n" + "".join(f"* {line}\n" for line in told) if told else "")


def table_csv(comparison: Comparison) -> str:
    """One line a figure, with everything known of it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["subject", "layer", "metric", "stage", "value", "unit", "source", "target", "ratio", "mixed", "percent",
                     "own_name", "evidence"])
    for subject, layer, metric, stage, cell, named, evidence in _cells(comparison):
        ratio = "" if cell.ratio is None else f"{cell.ratio:.6g}"
        percent = "" if cell.percent is None else f"{cell.percent:.6g}"
        writer.writerow([_harmless(subject), _harmless(layer), metric, stage, cell.value, cell.unit, cell.source, cell.target,
                         ratio, int(cell.mixed), percent, _harmless(named), evidence])
    return buffer.getvalue()


def written(comparison: Comparison, ending: str) -> str:
    """The comparison as ``.md``, ``.csv`` or ``.json``."""
    if ending == ".json":
        return comparison.model_dump_json(indent=2) + "\n"
    return markdown(comparison) if ending == ".md" else table_csv(comparison)


def notes(comparison: Comparison) -> list[str]:
    """What a reader must know, those of a subject with its name in front."""
    return [*comparison.notes, *(f"{subject.name}: {note}" for subject in comparison.subjects for note in subject.notes)]


def title(metric: str) -> str:
    """What a table calls a metric."""
    return _TITLES.get(metric, metric.replace("_", " "))


def heading(metric: str, comparison: Comparison) -> str:
    """The title with the unit, where the title does not say it."""
    rows = [row.cells for row in comparison.totals if row.metric == metric]
    rows += [line.cells for table in comparison.layers if table.metric == metric for line in table.rows]
    unit = next((cell.unit for cells in rows for cell in cells if cell is not None), "")
    return f"{title(metric)} [{unit}]" if unit in _SHOWN_UNITS and unit != title(metric) else title(metric)


def value(cell: Cell) -> str:
    """The number with thousands separated, fractions to four digits."""
    return f"{cell.value:,.4g}" if isinstance(cell.value, float) and abs(cell.value) < 1000 else f"{cell.value:,.0f}"


def _cells(comparison: Comparison) -> Iterator[tuple[str, str, str, str, Cell, str, str]]:
    """Subject, layer, metric, stage, figure, and what the subject calls the layer and why it is in this row."""
    names = [subject.name for subject in comparison.subjects]
    for row in comparison.totals:
        for name, cell in zip(names, row.cells, strict=True):
            if cell is not None:
                yield name, "", row.metric, row.stage, cell, "", ""
    for table in comparison.layers:
        for line in table.rows:
            for column, cell, named, why in zip(table.columns, line.cells, line.names, line.evidence, strict=True):
                if cell is not None:
                    yield names[column.subject], line.name, table.metric, column.stage, cell, named or "", why or ""


def _letters(comparison: Comparison) -> dict[tuple[str, str], str]:
    """A letter for each source and target, in the order of their first figures."""
    found = dict.fromkeys((cell.source, cell.target) for _, layer, _, _, cell, _, _ in _cells(comparison) if not layer)
    return {pair: _letter(index) for index, pair in enumerate(found)}


def _letter(index: int) -> str:
    return chr(ord("a") + index % 26) * (1 + index // 26)


def _legend(letters: dict[tuple[str, str], str]) -> list[str]:
    return ["; ".join(f"[{letter}] {source}{f' for {target}' if target else ''}" for (source, target), letter in letters.items())]


def _totals(comparison: Comparison, letters: dict[tuple[str, str], str]) -> Grid:
    heads = ["metric", "stage"]
    several, shares = len(comparison.subjects) > 1, comparison.device is not None
    for index, subject in enumerate(comparison.subjects):
        heads.append(subject.name)
        heads += ["ratio"] * (several and index != comparison.baseline) + [f"% of {comparison.device}"] * shares
    rows = []
    for row in comparison.totals:
        if not any(cell is not None and cell.value for cell in row.cells):
            continue  # no design has any
        cells = [heading(row.metric, comparison), row.stage]
        for index, cell in enumerate(row.cells):
            cells.append(_MISSING if cell is None else f"{value(cell)} [{letters[cell.source, cell.target]}]")
            cells += [_ratio(cell)] * (several and index != comparison.baseline) + [_percent(cell)] * shares
        rows.append(cells)
    return Grid("Totals", heads, rows, 2, _legend(letters))


def _layers(comparison: Comparison, table: LayerTable, letters: dict[tuple[str, str], str]) -> Grid:
    names = [subject.name for subject in comparison.subjects]
    heads, legend = ["layer"], []
    several = len(table.columns) > 1
    for index, column in enumerate(table.columns):
        letter = letters.get((column.source, column.target), "")
        heads.append(f"{names[column.subject]}\n{column.stage}{f' [{letter}]' if letter else ''}")
        heads += ["ratio"] * (several and _has_ratio(table, index))
        if not letter:
            legend.append(f"{names[column.subject]}, {column.stage}: {column.source}")
    rows = []
    for line in table.rows:
        only = line.only(table) if line.name not in GROUPS else None
        mark = " ~" if "order" in line.evidence else f" (only {names[only]})" if only is not None else ""
        cells = [f"{line.name}{mark}"]
        for index, cell in enumerate(line.cells):
            cells.append(_MISSING if cell is None else value(cell))
            cells += [_ratio(cell)] * (several and _has_ratio(table, index))
        rows.append(cells)
    against = table.columns[table.baseline]
    told = f", ratios to {names[against.subject]}, {against.stage}" if several else ""
    return Grid(f"{heading(table.metric, comparison)} by layer{told}", heads, rows, 1, legend)


def _has_ratio(table: LayerTable, column: int) -> bool:
    return any(cell is not None and cell.ratio is not None for line in table.rows for cell in line.cells[column:column + 1])


def _ratio(cell: Cell | None) -> str:
    if cell is None or cell.ratio is None:
        return ""
    shown = f"{cell.ratio:.2f}" if 0.1 <= cell.ratio < 100 else f"{cell.ratio:.3g}"
    return f"x{shown}{'*' if cell.mixed else ''}"


def _percent(cell: Cell | None) -> str:
    return "" if cell is None or cell.percent is None else f"{cell.percent:.3g} %"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _harmless(text: str) -> str:
    """Names come from files of others: one that a spreadsheet would take for a formula is made text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
