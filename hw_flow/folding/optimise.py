"""Exact minimum of a sum of costs of nodes and of pairs of neighbours.

Eliminating one node after another (dynamic programming: a chain, a tree and series-parallel branches need small tables only)
answers what no budget limits. Budgets, and graphs whose tables would be too big, go to the HiGHS solver as a mixed-integer
program; its relaxation is that of the local polytope, so few branches are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from hw_flow.errors import FlowError

Costs = NDArray[np.float64]

# Entries of a table beyond which the solver takes over.
_TABLE = 20_000_000
_MILP_SECONDS = 120.0
_OUT_OF_TIME = 1  # status of scipy's `milp`


@dataclass(frozen=True, eq=False)
class Problem:
    """Choices with costs of one or more kinds (LUTs, block RAMs, ...).

    Attributes
    ----------
    nodes : per node the costs ``[options, kinds]``.
    pairs : by (first, second) node the costs ``[options, options, kinds]``; infinite in kind 0 for a pair that does not fit.
    """

    nodes: Sequence[Costs]
    pairs: Mapping[tuple[int, int], Costs]


def cheapest(problem: Problem, weights: Sequence[float]) -> list[int] | None:
    """Option of each node at the least weighted cost; None if no choice fits together."""
    order = np.asarray(weights)
    unary = [costs @ order for costs in problem.nodes]
    # A forbidden pair stays forbidden whatever LUTs count.
    pairs = {edge: np.where(np.isinf(costs[..., 0]), np.inf, np.where(np.isinf(costs), 0, costs) @ order)
             for edge, costs in problem.pairs.items()}
    found = _eliminate(unary, pairs)
    return found if found is not None else within(problem, weights, [np.inf] * len(order))


def within(problem: Problem, weights: Sequence[float], limits: Sequence[float]) -> list[int] | None:
    """Option of each node at the least weighted cost among those with no kind of cost above ``limits``; None if there is none.

    After two minutes the solver gives the best it has.

    Raises
    ------
    FlowError : it has none by then.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array

    sizes = [len(costs) for costs in problem.nodes]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    columns = [np.concatenate(list(problem.nodes))]
    rows, cols, values, right = [], [], [], []
    count, constraints = int(starts[-1]), 0

    def put(row: int, where: NDArray[np.int64], value: float) -> None:
        rows.append(np.full(len(where), row))
        cols.append(where)
        values.append(np.full(len(where), value))

    for node, size in enumerate(sizes):
        put(constraints, starts[node] + np.arange(size), 1.0)
        right.append(1.0)
        constraints += 1
    for (first, second), costs in problem.pairs.items():
        # Options that look alike from the other side share their variables.
        one, left = np.unique(costs.reshape(len(costs), -1), axis=0, return_inverse=True)
        swapped = costs.transpose(1, 0, 2)
        _, other = np.unique(swapped.reshape(len(swapped), -1), axis=0, return_inverse=True)
        left, other = left.ravel(), other.ravel()
        picks = np.array([np.flatnonzero(left == k)[0] for k in range(len(one))])
        others = np.array([np.flatnonzero(other == k)[0] for k in range(other.max() + 1)])
        table = costs[np.ix_(picks, others)]
        a, b = np.nonzero(np.isfinite(table[..., 0]))
        columns.append(table[a, b])
        for classes, members, node in ((a, left, first), (b, other, second)):
            for k in range(members.max() + 1):
                put(constraints, count + np.flatnonzero(classes == k), 1.0)
                put(constraints, starts[node] + np.flatnonzero(members == k), -1.0)
                right.append(0.0)
                constraints += 1
        count += len(a)
    matrix = coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape=(constraints, count)).tocsr()
    costs = np.concatenate(columns)
    # Options of a node that are infinite fit nothing.
    legal = np.isfinite(costs).all(axis=1)
    costs[~legal] = 0
    rules = [LinearConstraint(matrix, right, right)]
    limited = [kind for kind, limit in enumerate(limits) if np.isfinite(limit)]
    if limited:
        rules.append(LinearConstraint(costs[:, limited].T, -np.inf, np.asarray(limits)[limited]))
    integral = np.zeros(count)
    integral[:starts[-1]] = 1
    result = milp(costs @ np.asarray(weights), integrality=integral, bounds=Bounds(0, legal.astype(float)), constraints=rules,
                  options={"time_limit": _MILP_SECONDS, "mip_rel_gap": 0.0})
    if result.x is None:
        if result.status == _OUT_OF_TIME:
            raise FlowError(f"no folding within the limits was found or ruled out in {_MILP_SECONDS:g} s; give wider limits or a "
                            "folding file")
        return None
    return [int(np.argmax(result.x[starts[node]:starts[node] + size])) for node, size in enumerate(sizes)]


def _eliminate(unary: Sequence[Costs], pairs: Mapping[tuple[int, int], Costs]) -> list[int] | None:
    """Picks by variable elimination; None where a table would be too big or no choice fits."""
    factors: list[tuple[tuple[int, ...], Costs]] = [((node,), costs) for node, costs in enumerate(unary)]
    factors += list(pairs.items())
    left = set(range(len(unary)))
    steps: list[tuple[int, tuple[int, ...], Costs]] = []
    while left:
        near = {node: {other for scope, _ in factors if node in scope for other in scope} - {node} for node in left}
        node = min(left, key=lambda candidate: prod(len(unary[other]) for other in near[candidate]))
        scope = (*sorted(near[node]), node)
        if prod(len(unary[other]) for other in scope) > _TABLE:
            return None
        table = np.zeros([len(unary[other]) for other in scope])
        for own, costs in [factor for factor in factors if node in factor[0]]:
            table += _spread(own, costs, scope)
        factors = [factor for factor in factors if node not in factor[0]]
        if len(scope) > 1:
            factors.append((scope[:-1], table.min(axis=-1)))
        elif not np.isfinite(table.min()):
            return None
        steps.append((node, scope[:-1], table.argmin(axis=-1)))
        left.remove(node)
    picks = [0] * len(unary)
    for node, scope, best in reversed(steps):
        picks[node] = int(best[tuple(picks[other] for other in scope)])
    return picks


def _spread(own: tuple[int, ...], costs: Costs, scope: tuple[int, ...]) -> Costs:
    """``costs`` over the nodes ``own`` with an axis for each node of ``scope``."""
    order = sorted(range(len(own)), key=lambda axis: scope.index(own[axis]))
    shape = [1] * len(scope)
    for axis in order:
        shape[scope.index(own[axis])] = costs.shape[axis]
    return costs.transpose(order).reshape(shape)
