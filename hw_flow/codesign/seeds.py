"""The points that are measured before any sampler has a say: uniform, sensitivity, greedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hw_flow.codesign.points import Point, dimensions, uniform_points
from hw_flow.codesign.problem import Problem, rung
from models import CODEBOOK_TYPES

# A point and what it measured (accuracy, LUTs), or None where its evaluation failed.
Measured = Mapping[Point, tuple[float, float] | None]


def seeds(problem: Problem, measured: Measured) -> Iterator[tuple[str, Point]]:
    """All seeds that can be named with what has been measured, each with its origin (a unique tag).

    1. ``uniform:T``: every uniform configuration.
    2. ``sensitivity:i``: the best uniform one with layer i alone (its weights and the activation behind it)
       lowered to a configuration two rungs coarser, a codebook to one of its kind if there is one.
    3. ``greedy:k``: the k layers whose lowering cost least accuracy, lowered together.
    """
    uniform = uniform_points(problem)
    for dtype, point in uniform.items():
        yield f"uniform:{dtype}", point
    if any(point not in measured for point in uniform.values()):
        return
    good = {dtype: measured[point] for dtype, point in uniform.items() if measured[point] is not None}
    names = list(good)
    if len(names) < 2:
        return
    best = best_uniform(problem, measured)
    below = _below(names, best) if best is not None else None
    if best is None or below is None:
        return
    fine, coarse = uniform[best], uniform[below]
    single = [lowered(problem, fine, coarse, {index}) for index in range(problem.depth)]
    for index, point in enumerate(single):
        yield f"sensitivity:{index}", point
    if any(point not in measured for point in single):
        return
    order = sorted(range(problem.depth), key=lambda index: _cost(measured[single[index]]))
    for count in range(2, problem.depth):
        yield f"greedy:{count}", lowered(problem, fine, coarse, set(order[:count]))


def _below(names: list[str], best: str) -> str | None:
    """That of ``names``, from coarse to fine, which lies two rungs below ``best``, or as far as there are rungs."""
    rungs = sorted({rung(name) for name in names})
    high = rungs.index(rung(best))
    if high == 0:
        return None
    found = [name for name in names if rung(name) == rungs[max(0, high - 2)]]
    kind, plain = best.rstrip("0123456789"), [name for name in found if name not in CODEBOOK_TYPES]
    return next((name for name in found if name.rstrip("0123456789") == kind), (plain or found)[0])


def best_uniform(problem: Problem, measured: Measured) -> str | None:
    """Weight type of the most accurate measured uniform configuration; the one with fewer LUTs on a draw."""
    found = {dtype: measured.get(point) for dtype, point in uniform_points(problem).items()}
    ranked = sorted((_cost(value), dtype) for dtype, value in found.items() if value is not None)
    return ranked[0][1] if ranked else None


def lowered(problem: Problem, fine: Point, coarse: Point, layers: set[int]) -> Point:
    """``fine`` with some layers' weights, and the activations behind them, taken from ``coarse``.

    A type that is no candidate of its layer stays as it was.
    """
    legal = {dimension.name: dimension.candidates for dimension in dimensions(problem)}

    def pick(kind: str, index: int, old: str, new: str) -> str:
        return new if index in layers and new in legal[f"{index}.{kind}"] else old

    return replace(
        fine,
        weights=tuple(pick("weights", i, *pair) for i, pair in enumerate(zip(fine.weights, coarse.weights, strict=True))),
        activations=tuple(
            pick("activations", i, *pair) for i, pair in enumerate(zip(fine.activations, coarse.activations, strict=True))
        ),
    )


def _cost(value: tuple[float, float] | None) -> tuple[float, float]:
    """Sort key: high accuracy first, then few LUTs; failures last."""
    return (-value[0], value[1]) if value is not None else (float("inf"), float("inf"))
