"""Which layers of a network may become factors, and what they would become at an energy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.convnet import ConvSpec
from models.plan import Step, plan
from models.units import Conv, Dense, Residual
from quant_training.lowrank.factors import Factor, Method, Weights, factors_of, outlined, spectra

if TYPE_CHECKING:
    from models import Network, Spec

Factors = dict[int, list[Factor]]


@dataclass(frozen=True, eq=False)
class Layers:
    """Layers that may become factors.

    Attributes
    ----------
    method : of convolutions.
    weights : by layer.
    values : singular values that ranks are read from, by layer.
    """

    method: Method
    weights: dict[int, Weights]
    values: dict[int, list[NDArray[np.floating[Any]]]]

    @classmethod
    def of(cls, model: Network, method: Method, wanted: Collection[int] | None) -> Layers:
        """Of all that can become several, those that are wanted."""
        possible = _candidates(model.spec)
        chosen = possible if wanted is None else possible & set(wanted)
        weights = {index: model.layers[index].linear.weight.detach().double().numpy() for index in sorted(chosen)}
        return cls(method, weights, {index: spectra(each, method) for index, each in weights.items()})

    def outlined(self, energy: float) -> Factors:
        """Factors of all layers that become smaller, without their numbers."""
        found = {index: outlined(each.shape, self.method, self.values[index], energy) for index, each in self.weights.items()}
        return {index: parts for index, parts in found.items()
                if sum(part.weights.size for part in parts) < self.weights[index].size}

    def factors(self, energy: float, *, progress: bool) -> Factors:
        """The same with their numbers."""
        from rich.console import Console
        from rich.progress import track

        bar = track(self.outlined(energy), "low rank, layers", console=Console(stderr=True), transient=True, disable=not progress)
        return {index: factors_of(self.weights[index], self.method, energy) for index in bar}


def _candidates(spec: Spec) -> set[int]:
    """Layers that can become several: dense ones and convolutions over all channels that stand in the list of units."""
    if not isinstance(spec, ConvSpec):
        return set(range(spec.layers))
    found: set[int] = set()

    def walk(steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step.unit, Dense) or (isinstance(step.unit, Conv) and (step.unit.groups or step.size[0]) == 1):
                found.add(step.layer if step.layer is not None else -1)
            # The convolution of a shortcut is 1 x 1 and follows from the sizes.
            for branch in step.branches[:1] if isinstance(step.unit, Residual) else step.branches:
                walk(branch)

    walk(plan(spec.units, spec.input_shape))
    return found
