"""What the hardware of a whole network costs, of which only shape and types are known: a budget for pruning and low rank.

As the hardware loss has it (`hw_flow.cost.training`): the matrix units of the layers, everything made of LUTs, without windows,
pools and the converters between them. Nothing is measured; source ``model``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal

from hw_flow.cost.layer import LayerShape, intervals_alone, least_luts
from hw_flow.errors import FlowError

if TYPE_CHECKING:
    from models import BitConfig, Spec

Kind = Literal["luts", "cycles"]


@dataclass(frozen=True)
class ShapeCost:
    """A function of shape and types.

    Attributes
    ----------
    kind : ``luts`` of all layers, each at the cheapest PE and SIMD that take at most ``at`` cycles a frame, or at the fastest;
        or ``cycles`` a frame: the shortest interval at which all layers together fit into ``at`` LUTs, infinite if there is none.
    at : cycles, or LUTs.
    """

    kind: Kind
    at: float

    def __post_init__(self) -> None:
        check_at(self.kind, self.at)

    def __call__(self, spec: Spec, bits: BitConfig) -> float:
        """LUTs, or cycles.

        Raises
        ------
        FlowError, ModelError : a tensor is FLOAT.
        """
        from quant_training.size import layer_sizes

        layers = [LayerShape.of(size) for size in layer_sizes(spec, bits)]
        if self.kind == "luts":
            return sum(least_luts(layer, int(self.at)) for layer in layers)
        found = shortest([intervals_alone(layer) for layer in layers],
                         lambda cycles: sum(least_luts(layer, cycles) for layer in layers) <= self.at)
        return inf if found is None else found


def shortest(intervals: Sequence[Sequence[int]], fits: Callable[[int], bool]) -> int | None:
    """The least cycles a frame that ``fits`` and that every layer can take; None if no layer's slowest is slow enough.

    Parameters
    ----------
    intervals : of each layer, cycles from which on it becomes cheaper, ascending; the first is the least that it can take.
    fits : of cycles; once true, true for more.
    """
    fastest = max(each[0] for each in intervals)
    steps = sorted({cycles for each in intervals for cycles in each if cycles >= fastest})
    place = bisect_left(steps, True, key=fits)
    return steps[place] if place < len(steps) else None


def check_at(kind: Kind, at: float) -> None:
    """Whether a cost can be taken at ``at`` cycles, or LUTs.

    Raises
    ------
    FlowError : it cannot.
    """
    what = {"luts": "cycles that a frame may take", "cycles": "LUTs that there are"}[kind]
    if not 1 <= at < inf:
        raise FlowError(f"hardware cost: {at:g} {what}; give at least 1")
