"""Non-dominated fronts and hypervolume, exact."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def oriented(values: Sequence[float], directions: Sequence[str]) -> tuple[float, ...]:
    """Objective values turned so that less is better everywhere."""
    return tuple(-value if way == "maximize" else value for value, way in zip(values, directions, strict=True))


def dominates(a: Sequence[float], b: Sequence[float], directions: Sequence[str]) -> bool:
    """Whether ``a`` is nowhere worse than ``b`` and somewhere better."""
    left, right = oriented(a, directions), oriented(b, directions)
    return left != right and all(x <= y for x, y in zip(left, right, strict=True))


def front(values: Sequence[Sequence[float]], directions: Sequence[str]) -> list[int]:
    """Indices of the non-dominated rows, sorted by the last objective; of equal rows the first one is kept."""
    seen: set[tuple[float, ...]] = set()
    kept = []
    for index, row in enumerate(values):
        key = oriented(row, directions)
        if key not in seen and not any(dominates(other, row, directions) for other in values):
            seen.add(key)
            kept.append(index)
    return sorted(kept, key=lambda index: oriented(values[index], directions)[::-1])


def hypervolume(values: Sequence[Sequence[float]], reference: Sequence[float], directions: Sequence[str]) -> float:
    """Volume that the rows dominate, bounded by ``reference``, in the product of the objectives' units.

    Rows that are worse than the reference in some objective add nothing.
    """
    bound = oriented(reference, directions)
    rows = [oriented(row, directions) for row in values]
    return _volume([row for row in rows if all(x < y for x, y in zip(row, bound, strict=True))], bound)


def _volume(rows: list[tuple[float, ...]], bound: tuple[float, ...]) -> float:
    """Sweep the last axis; between two cuts the cross-section is the volume of the rows below, one dimension less."""
    if not rows:
        return 0.0
    if len(bound) == 1:
        return bound[0] - min(row[0] for row in rows)
    cuts = [*sorted({row[-1] for row in rows}), bound[-1]]
    return sum(
        (high - low) * _volume([row[:-1] for row in rows if row[-1] <= low], bound[:-1])
        for low, high in pairwise(cuts)
    )
