"""Points of the search space: one type per layer's weights and activations, and their names in the study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hw_flow.codesign.problem import Problem, grade
from models.bits import type_bits


@dataclass(frozen=True)
class Dimension:
    """One choice: candidates from coarse to fine, of which the study holds the index (an ordinal)."""

    name: str
    candidates: tuple[str, ...]

    @classmethod
    def of(cls, name: str, candidates: tuple[str, ...]) -> Dimension:
        """Sort and dedupe the candidates."""
        return cls(name, tuple(sorted(dict.fromkeys(candidates), key=grade)))


@dataclass(frozen=True)
class Point:
    """The resolved types of a network with L layers.

    Attributes
    ----------
    input : type of the quantised input.
    weights : L types.
    activations : L - 1 types, of the outputs of all layers but the last.
    """

    input: str
    weights: tuple[str, ...]
    activations: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data, as sent to workers."""
        return {"input": self.input, "weights": list(self.weights), "activations": list(self.activations)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Point:
        """Inverse of `to_json`."""
        return cls(data["input"], tuple(data["weights"]), tuple(data["activations"]))

    @property
    def label(self) -> str:
        """Short text, for example ``I4 | B T 4 8 | u2 u2 u4``."""
        return f"{short(self.input)} | {' '.join(map(short, self.weights))} | {' '.join(map(short, self.activations))}"

    @property
    def uniform(self) -> bool:
        """Whether all layers have one weight type and all activations one type."""
        return len(set(self.weights)) == 1 and len(set(self.activations)) == 1


def short(dtype: str) -> str:
    """B for BIPOLAR, T for TERNARY, i4 and u4 for INT4 and UINT4, p4 and c4 for POW4 and CODE4."""
    return dtype[0] if dtype in ("BIPOLAR", "TERNARY") else f"{dtype[0].lower()}{type_bits(dtype)}"


def dimensions(problem: Problem) -> tuple[Dimension, ...]:
    """All choices of a problem, in the order input, then weights and activations layer by layer."""
    found = [Dimension.of("input", problem.input)]
    for index in range(problem.depth):
        layer = problem.layers.get(index)
        found.append(Dimension.of(f"{index}.weights", (layer and layer.weights) or problem.weights))
        if index < problem.depth - 1:
            found.append(Dimension.of(f"{index}.activations", (layer and layer.activations) or problem.activations))
    return tuple(found)


def resolve(space: tuple[Dimension, ...], params: Mapping[str, int]) -> Point:
    """The point that a study's parameters (candidate indices) mean."""
    chosen = {dimension.name: dimension.candidates[params[dimension.name]] for dimension in space}
    pick = {kind: tuple(value for name, value in chosen.items() if name.endswith(kind)) for kind in (".weights", ".activations")}
    return Point(chosen["input"], pick[".weights"], pick[".activations"])


def encode(space: tuple[Dimension, ...], point: Point) -> dict[str, int]:
    """The study's parameters of ``point``; ValueError if a type is no candidate."""
    rest = {".weights": iter(point.weights), ".activations": iter(point.activations)}
    params = {}
    for dimension in space:
        dtype = point.input if dimension.name == "input" else next(rest[dimension.name[dimension.name.index("."):]])
        params[dimension.name] = dimension.candidates.index(dtype)
    return params


def digest(problem: Problem, point: Point, version: str) -> str:
    """Content hash of an evaluation: the resolved point and all that its result depends on.

    Trials, workers, objectives and candidates are left out: they decide which points are measured, not what
    a measurement gives.
    """
    fixed = problem.model_dump(mode="json", include={"dataset", "model", "training", "hardware", "simulation"})
    text = json.dumps([version, problem.search.seed, fixed, point.to_json()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def uniform_points(problem: Problem) -> dict[str, Point]:
    """Every uniform configuration that the candidates allow, by weight type, coarse to fine.

    Activations get the candidate of the same width as the weights (unsigned before signed), else the nearest
    wider one, else the widest. The input gets its widest candidate.
    """
    space = dimensions(problem)
    weights = [set(d.candidates) for d in space if d.name.endswith(".weights")]
    activations = [set(d.candidates) for d in space if d.name.endswith(".activations")]
    common_activations = sorted(set.intersection(*activations), key=lambda d: (type_bits(d), d[0] != "U"))
    found = {}
    if common_activations:
        for dtype in sorted(set.intersection(*weights), key=grade):
            wider = [a for a in common_activations if type_bits(a) >= type_bits(dtype)]
            activation = wider[0] if wider else common_activations[-1]
            found[dtype] = Point(space[0].candidates[-1], (dtype,) * problem.depth, (activation,) * (problem.depth - 1))
    return found


def neighbours(space: tuple[Dimension, ...], params: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """All parameter sets one step away in one dimension, coarser ones first."""
    for step in (-1, 1):
        for dimension in space:
            index = params[dimension.name] + step
            if 0 <= index < len(dimension.candidates):
                yield {**params, dimension.name: index}
