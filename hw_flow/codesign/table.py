"""Terminal tables of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN = {
    "accuracy": "validation", "test_accuracy": "test", "luts": "LUT", "ff": "FF", "bram18": "BRAM18", "dsp": "DSP",
    "latency_cycles": "latency", "interval_cycles": "interval",
}


def tables(summary: dict[str, Any]) -> list[Table]:
    """The front, then the uniform configurations; every column's title carries the source of its figures."""
    return [
        _table("Measured front", summary["front"], "proposed by", lambda row: row["origin"]),
        _table("Uniform configurations", summary["uniform"], "dominated by", _beaten),
    ]


def verdict(summary: dict[str, Any]) -> str:
    """What the front saves against the best uniform configuration, or where it saves most if not there."""
    best = summary["best_uniform"]
    if best is None:
        return "no uniform configuration was measured"
    found = _saving(summary, best)
    if found is not None:
        return f"best uniform {found[1]}"
    others = [saving for row in summary["uniform"] if (saving := _saving(summary, row)) is not None]
    return f"best uniform {_named(best)} is not dominated" + (f"; uniform {min(others)[1]}" if others else "")


def _named(row: dict[str, Any]) -> str:
    return f"{row['weights']} ({row['accuracy']:.2%}, {row['metrics']['luts']['value']:,.0f} LUT)"


def _saving(summary: dict[str, Any], uniform: dict[str, Any]) -> tuple[float, str] | None:
    """The smallest share of a uniform configuration's LUTs that a dominating point needs, and a sentence."""
    better = [row for row in summary["front"] if row["label"] in uniform["dominated_by"]]
    if not better:
        return None
    row = min(better, key=lambda item: item["metrics"]["luts"]["value"])
    share = row["metrics"]["luts"]["value"] / uniform["metrics"]["luts"]["value"]
    return share, f"{_named(uniform)} is dominated by {row['label']}: {row['accuracy']:.2%} with {share:.0%} of its LUTs"


def _beaten(row: dict[str, Any]) -> str:
    better = row["dominated_by"]
    return f"{better[0]} and {len(better) - 1} more" if len(better) > 1 else "".join(better)


def _table(title: str, rows: list[dict[str, Any]], last: str, of: Any) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("input | weights | activations", no_wrap=True)
    names = [name for name in _SHOWN if rows and name in rows[0]["metrics"]]
    for name in names:
        table.add_column(f"{_SHOWN[name]}\n[dim]{rows[0]['metrics'][name]['source']}[/dim]", justify="right")
    table.add_column(last)
    for row in rows:
        cells = [_cell(name, row["metrics"][name]["value"]) for name in names]
        table.add_row(row["label"], *cells, of(row))
    return table


def _cell(name: str, value: float) -> str:
    return f"{value:.2%}" if name.endswith("accuracy") else f"{value:,.0f}"
