"""Alignment of two sequences that keeps their order and gives only pairs that cannot be otherwise.

A best alignment is that of Needleman and Wunsch (J. Mol. Biol. 48, 1970) with gaps that cost nothing. Often several are best; a
pair is evident where it is in every one of them (Vingron and Argos, Protein Engineering 3, 1990, call such regions reliable).
"""

from __future__ import annotations

from collections.abc import Sequence

# Work grows with the product of both lengths.
MOST_PAIRS = 1_000_000


def evident_pairs(scores: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Pairs ``(i, j)`` in every alignment of the greatest score, both ascending.

    Parameters
    ----------
    scores : ``[rows][columns]``, what it is worth to set row i against column j; 0 where they must not be.
    """
    height, width = len(scores), len(scores[0]) if scores else 0
    if not height or not width:
        return []
    before, after = _best(scores, height, width), _best([row[::-1] for row in scores[::-1]], height, width)

    def left(i: int, j: int) -> int:
        """The best that rows from i and columns from j can add."""
        return after[height - i][width - j]

    best = before[height][width]
    found = []
    for i, row in enumerate(scores):
        if any(before[i][j] + left(i + 1, j) == best for j in range(width + 1)):
            continue  # a best alignment leaves this row alone
        partners = [j for j, worth in enumerate(row) if worth > 0 and before[i][j] + worth + left(i + 1, j + 1) == best]
        if len(partners) == 1:
            found.append((i, partners[0]))
    return found


def _best(scores: Sequence[Sequence[int]], height: int, width: int) -> list[list[int]]:
    """``[i][j]``: the greatest score of the first i rows and j columns."""
    table = [[0] * (width + 1)]
    for i in range(height):
        above, row = table[-1], [0]
        for j, worth in enumerate(scores[i]):
            row.append(max(above[j + 1], row[-1], above[j] + worth if worth > 0 else 0))
        table.append(row)
    return table
