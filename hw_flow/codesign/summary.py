"""What a search found: front.json."""

from __future__ import annotations

from typing import Any

from hw_flow.codesign.pareto import dominates, front, hypervolume
from hw_flow.codesign.points import Point, uniform_points
from hw_flow.codesign.problem import Problem
from hw_flow.codesign.results import Store
from hw_flow.codesign.seeds import best_uniform
from hw_flow.codesign.study import Study, accuracy_and_luts

SCHEMA = 1


def summarise(problem: Problem, study: Study, store: Store, *, complete: bool, reused: int) -> dict[str, Any]:
    """All measured trials, the front, the uniform configurations and what dominates them.

    Returns
    -------
    ``front`` and ``trials`` are lists of rows (``point``, ``label``, ``origin``, ``metrics``, one plain number per
    objective); ``uniform`` adds ``dominated_by`` (label of the front point that has at least its objectives);
    ``best_uniform`` is the most accurate one; ``hypervolume`` is a fraction of the box between ``reference``
    (accuracy 0 and the worst measured costs) and accuracy 1 at no cost.
    """
    origins = study.origins()
    rows = {p: _row(problem, p, result, origins.get(p, "")) for p, result in study.measured.items() if result is not None}
    points = list(rows)
    values = [[rows[p][name] for name in problem.objectives] for p in points]
    kept = [points[index] for index in front(values, problem.directions)]
    uniform = []
    for dtype, point in uniform_points(problem).items():
        if point in rows:
            own = _values(problem, rows[point])
            beaten = [rows[p]["label"] for p in kept if dominates(_values(problem, rows[p]), own, problem.directions)]
            uniform.append({"weights": dtype, **rows[point], "dominated_by": beaten})
    best = best_uniform(problem, {p: accuracy_and_luts(result) for p, result in study.measured.items()})
    worst = {name: max((row[name] for row in rows.values()), default=0.0) for name in problem.objectives}
    reference = [0.0 if name == "accuracy" else worst[name] for name in problem.objectives]
    box = 1.0
    for name, value in zip(problem.objectives, reference, strict=True):
        box *= 1.0 if name == "accuracy" else value
    volume = hypervolume([_values(problem, rows[p]) for p in kept], reference, problem.directions)
    finished = store.count("finished")
    return {
        "schema": SCHEMA,
        "name": problem.name,
        "complete": complete,
        "objectives": dict(zip(problem.objectives, problem.directions, strict=True)),
        "front": [rows[p] for p in kept],
        "uniform": uniform,
        "best_uniform": next((row for row in uniform if row["weights"] == best), None),
        "hypervolume": round(volume / box, 6) if box else 0.0,
        "reference": dict(zip(problem.objectives, reference, strict=True)),
        "counts": {
            "requested": problem.search.trials,
            "measured": len(rows),
            "failed": sum(result is None for result in study.measured.values()),
            "evaluations_finished": sum(finished.values()),
            "evaluated_more_than_once": sum(count > 1 for count in finished.values()),
            "found_in_files": reused,
        },
        "trials": list(rows.values()),
    }


def _row(problem: Problem, point: Point, result: dict[str, Any], origin: str) -> dict[str, Any]:
    return {
        "key": result["key"],
        "label": point.label,
        "origin": origin,
        **{name: result["metrics"][name]["value"] for name in problem.objectives},
        "point": point.to_json(),
        "metrics": result["metrics"],
        "cpu_seconds": result.get("cpu_seconds"),
    }


def _values(problem: Problem, row: dict[str, Any]) -> list[float]:
    return [float(row[name]) for name in problem.objectives]
