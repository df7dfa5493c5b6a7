from __future__ import annotations

import itertools
import random

import pytest

from hw_flow.codesign.pareto import dominates, front, hypervolume

WAYS = ("maximize", "minimize")


def test_dominates_needs_one_strict_improvement() -> None:
    assert dominates((0.9, 100), (0.9, 120), WAYS)
    assert dominates((0.95, 100), (0.9, 100), WAYS)
    assert not dominates((0.9, 100), (0.9, 100), WAYS)
    assert not dominates((0.95, 120), (0.9, 100), WAYS)


def test_front_keeps_one_of_equal_rows_and_sorts_by_cost() -> None:
    rows = [(0.9, 100), (0.95, 200), (0.9, 100), (0.9, 150), (0.8, 50), (0.95, 201)]
    assert front(rows, WAYS) == [4, 0, 1]
    assert front([], WAYS) == []


def test_hypervolume_of_known_boxes() -> None:
    assert hypervolume([(1.0, 0.0)], (0.0, 10.0), WAYS) == 10.0
    assert hypervolume([(0.5, 2.0), (1.0, 6.0)], (0.0, 10.0), WAYS) == pytest.approx(0.5 * 8 + 0.5 * 4)
    assert hypervolume([(0.5, 12.0)], (0.0, 10.0), WAYS) == 0.0
    assert hypervolume([], (0.0, 10.0), WAYS) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_front_and_volume_match_brute_force_in_three_dimensions(seed: int) -> None:
    generator = random.Random(seed)
    ways = ("maximize", "minimize", "minimize")
    rows = [tuple(generator.randint(0, 5) for _ in range(3)) for _ in range(25)]
    kept = front(rows, ways)
    assert not any(dominates(a, rows[b], ways) for a in rows for b in kept)
    assert {row for row in rows if not any(dominates(other, row, ways) for other in rows)} == {rows[i] for i in kept}
    # Unit cells of the box between the reference (accuracy 0, costs 6) and the ideal corner.
    cells = sum(
        any(row[0] >= a + 1 and row[1] <= b and row[2] <= c for row in rows)
        for a, b, c in itertools.product(range(6), repeat=3)
    )
    assert hypervolume(rows, (0, 6, 6), ways) == cells
