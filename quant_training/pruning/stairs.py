"""Channels for a cost with steps: folded hardware only becomes smaller where a count suits its parallelism."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

# Channels that go together, and what they are worth.
Piece = tuple[tuple[int, ...], float]
Taken = Mapping[int, int]


@dataclass(frozen=True)
class _Move:
    """Remove ``count`` pieces of ``group`` instead of fewer: the score lost for what it frees."""

    group: int
    count: int
    price: float


def descend(pieces: Sequence[Sequence[Piece]], first: Sequence[int], cost: Callable[[set[int]], float], limit: float,
            ) -> set[int] | None:
    """Channels to remove so that ``cost`` of what is removed is at most ``limit``; None if no way down is found.

    The cost of each group alone, as a function of how many of its pieces go, is reduced to its lower convex hull, and the
    steps of all hulls are taken by score lost for what they free. Then each group gets back what the limit leaves room for.

    Parameters
    ----------
    pieces : of each group, in the order in which they go.
    first : pieces of each group that go in any case.
    """
    losses = [list(accumulate((loss for _, loss in group), initial=0.0)) for group in pieces]

    def left(taken: Taken) -> float:
        return cost({channel for group, count in taken.items() for channels, _ in pieces[group][:count] for channel in channels})

    taken: dict[int, int] = dict(enumerate(first))
    useful: dict[int, list[int]] = {}
    while left(taken) > limit:
        moves: list[_Move] = []
        for group, each in enumerate(losses):
            curve = [left({**taken, group: count}) for count in range(taken[group], len(each))]
            counts = [taken[group] + place for place, value in enumerate(curve) if value < min(curve[:place], default=value + 1)]
            useful[group] = sorted({*useful.get(group, []), *counts})
            moves += _hull(group, counts, each, [curve[count - taken[group]] for count in counts])
        if not moves:
            return None
        for move in sorted(moves, key=lambda move: move.price):
            taken[move.group] = move.count
            if left(taken) <= limit:
                break
    for group in sorted(taken, key=lambda group: -losses[group][taken[group]]):
        for count in useful.get(group, []):
            if first[group] <= count < taken[group] and left({**taken, group: count}) <= limit:
                taken[group] = count
                break
    return {channel for group, count in taken.items() for channels, _ in pieces[group][:count] for channel in channels}


def _hull(group: int, counts: Sequence[int], losses: Sequence[float], values: Sequence[float]) -> list[_Move]:
    """Steps along the lower convex hull of value over loss; prices ascend."""
    moves, place = [], 0
    while place + 1 < len(counts):
        prices = [(losses[counts[end]] - losses[counts[place]]) / (values[place] - values[end])
                  for end in range(place + 1, len(counts))]
        best = min(range(len(prices)), key=lambda index: (prices[index], -index))
        place += best + 1
        moves.append(_Move(group, counts[place], prices[best]))
    return moves
