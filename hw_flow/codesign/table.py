"""Terminal tables of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN = {
    "accuracy": "val.", "test_accuracy": "test", "luts": "LUT", "ff": "FF", "bram18": "BRAM", "dsp": "DSP",
    "latency_cycles": "latency", "interval_cycles": "interv.",
}


def tables(summary: dict[str, Any]) -> list[Table]:
    """The front, then the uniform configurations; their captions carry the source of each column."""
    return [
        _table("Measured front", summary["front"]),
        _table("Uniform configurations", summary["uniform"]),
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


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    names = [name for name in _SHOWN if any(row["metrics"].get(name, {}).get("value") for row in rows)]
    table = Table(title=title, title_justify="left", caption=_sources(rows, names), caption_justify="left", box=SIMPLE,
                  padding=(0, 1, 0, 0), pad_edge=False,
                  show_edge=False)
    table.add_column("input | weights | activations", no_wrap=True)
    for name in names:
        table.add_column(_SHOWN[name], justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row["label"], *(_cell(name, row["metrics"][name]["value"]) for name in names))
    return table


def _sources(rows: list[dict[str, Any]], names: list[str]) -> str:
    """Who measured what: ``validation, test: brevitas-0.13.4; LUT, FF: yosys-0.70``."""
    by: dict[str, list[str]] = {}
    for name in names:
        by.setdefault(rows[0]["metrics"][name]["source"], []).append(_SHOWN[name])
    return "; ".join(f"{', '.join(shown)}: {source}" for source, shown in by.items())


def _cell(name: str, value: float) -> str:
    return f"{value:.2%}" if name.endswith("accuracy") else f"{value:,.0f}"
