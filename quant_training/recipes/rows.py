"""The table at the end of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Accuracy and size stage by stage; in brackets against the first one. Sizes are counted, not measured on hardware."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False)
    for name, right in (("stage", False), ("accuracy", True), ("against first", True), ("weight bits", True), ("smaller", True),
                        ("MACs", True), ("bit operations", True), ("fewer", True), ("zeros", True), ("seconds", True)):
        made.add_column(name, justify="right" if right else "left", no_wrap=True)
    first = rows[0]
    for row in rows:
        made.add_row(
            row["stage"], f"{100 * row['test_accuracy']:.2f} %", f"{100 * (row['test_accuracy'] - first['test_accuracy']):+.2f}",
            short(row["weight_bits"]), f"{first['weight_bits'] / row['weight_bits']:.1f} x", short(row["macs"]),
            short(row["bit_operations"]), f"{first['bit_operations'] / row['bit_operations']:.1f} x",
            f"{100 * row['sparsity']:.0f} %", f"{row['seconds']:.0f}",
        )
    return made


def short(number: float) -> str:
    """``12.3 M`` and the like."""
    for size, unit in _UNITS:
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"
