"""What a node will cost before anything is synthesised: cycles exactly, LUTs by a linear formula.

A node's LUTs are the sum of its features times coefficients. A feature is a count that hardware is proportional to, and its
unit is chosen so that the coefficient is near 1 LUT. Source of all figures: ``model``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hw_flow.cost.coefficients import FITTED, PRIOR
from hw_flow.cost.features import features
from hw_flow.errors import FlowError
from hw_flow.folding import Folding, node_cycles
from hw_flow.ir import Graph

SOURCE = "model"

# Fitted to single instances of every kernel under Yosys; benchmarks/lut_model.py has the samples and the error.
DEFAULT_COEFFICIENTS: Mapping[str, float] = FITTED

# Weight of the prior in a calibration: a coefficient that is 100 % off costs as much as one node that is 50 % off.
_PULL = 0.5


@dataclass(frozen=True)
class Estimate:
    """Figures of every node of a graph.

    Attributes
    ----------
    cycles : interval in cycles a frame, by node.
    luts : LUTs of a 6-input architecture, by node; FIFOs and width converters are not in it.
    source : ``model``.
    """

    cycles: Mapping[str, int]
    luts: Mapping[str, int]
    source: str = SOURCE


@dataclass(frozen=True)
class Calibration:
    """Coefficients that fit measured nodes best, and how well.

    Attributes
    ----------
    coefficients : LUTs per unit of each feature, none negative.
    error : mean of |estimate - measured| / measured over the nodes it was made from.
    samples : how many those were.
    """

    coefficients: Mapping[str, float]
    error: float
    samples: int


def estimate(graph: Graph, folding: Folding, coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> Estimate:
    """Cycles and LUTs of every node."""
    return Estimate(
        cycles={node.name: node_cycles(node, folding[node.name], graph) for node in graph},
        luts={node.name: luts(features(node, folding[node.name], graph), coefficients) for node in graph},
    )


def luts(counts: Mapping[str, float], coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> int:
    """LUTs of a node with these features."""
    return round(weighed(counts, coefficients))


def weighed(counts: Mapping[str, float], coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> float:
    """`luts` before they are rounded."""
    return sum(coefficients.get(name, 0.0) * count for name, count in counts.items())


def samples(graph: Graph, folding: Folding, measured: Mapping[str, float]) -> list[tuple[dict[str, float], float]]:
    """Pairs for `calibrate` from the LUTs per node that synthesis found; other names (FIFOs, glue) are passed over."""
    return [(features(node, folding[node.name], graph), measured[node.name]) for node in graph if node.name in measured]


def calibrate(pairs: Iterable[tuple[Mapping[str, float], float]], held: Mapping[str, float] | None = None) -> Calibration:
    """Coefficients from pairs of (`features`, measured LUTs), see `samples`; those that are ``held`` stay as they are.

    Least squares of the relative error with no negative coefficient. What the structure suggests pulls weakly, so that few
    samples do not drive a feature to zero; a feature that no sample has keeps it.

    Raises
    ------
    FlowError : no samples.
    """
    from scipy.optimize import nnls

    known = [(counts, float(measured)) for counts, measured in pairs if measured > 0]
    if not known:
        raise FlowError("cost calibration needs at least one synthesised node with LUTs")
    held = held or {}
    names = sorted({name for counts, _ in known for name, count in counts.items() if count and name not in held})
    matrix = np.array([[counts.get(name, 0.0) / measured for name in names] for counts, measured in known])
    left = [1 - weighed(counts, held) / measured for counts, measured in known]
    pull = np.diag([_PULL / PRIOR[name] for name in names])
    solution, _ = nnls(np.vstack([matrix, pull]), np.concatenate([left, np.full(len(names), _PULL)]))
    fitted = {**PRIOR, **held, **{name: float(value) for name, value in zip(names, solution, strict=True)}}
    error = float(np.mean([abs(luts(counts, fitted) - measured) / measured for counts, measured in known]))
    return Calibration(fitted, error, len(known))
