"""What a convolutional network does, unit by unit: which layer, join and branches each unit has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import prod

from models.units import AvgPool, Concat, Conv, Dense, GlobalPool, Residual, Size, Unit


@dataclass(frozen=True)
class Step:
    """One unit of a network.

    Attributes
    ----------
    unit, size : the unit and the size of its input.
    layer : number of its layer, for a unit with weights.
    join : number of its join, for a unit with branches.
    branches : steps of its branches; of a residual unit those beside the shortcut, then those of the shortcut.
    """

    unit: Unit
    size: Size
    layer: int | None = None
    join: int | None = None
    branches: tuple[tuple[Step, ...], ...] = ()

    @property
    def ends(self) -> tuple[int | None, ...]:
        """Per branch the layer whose activation is that of the join; None where a branch ends without one."""
        return tuple(branch[-1].layer if branch and isinstance(branch[-1].unit, Conv) else None for branch in self.branches)

    @property
    def roundings(self) -> int:
        """Float32 additions of a unit that averages."""
        if isinstance(self.unit, GlobalPool):
            return prod(self.size[1:])
        return prod(self.unit.avg_pool) if isinstance(self.unit, AvgPool) else 0


@dataclass
class _Numbers:
    layers: Iterator[int] = field(default_factory=count)
    joins: Iterator[int] = field(default_factory=count)


def plan(units: Sequence[Unit], size: Size) -> tuple[Step, ...]:
    """Steps of a network; layers are numbered in the order of a `BitConfig`, joins as they are reached."""
    return _plan(units, size, _Numbers())


def joins(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps with branches, by the number of their join."""
    for step in steps:
        for branch in step.branches:
            yield from joins(branch)
        if step.join is not None:
            yield step


@dataclass(frozen=True)
class Source:
    """What goes into a layer: the layer whose activation type it has (None: the network's input), and the elements that
    pools on the way have ``summed`` up into one."""

    layer: int | None = None
    summed: int = 1


def sources(steps: Sequence[Step]) -> dict[int, Source]:
    """Per layer what goes into it."""
    found: dict[int, Source] = {}
    _follow(steps, Source(), found)
    return found


def _follow(steps: Sequence[Step], source: Source, found: dict[int, Source]) -> None:
    for step in steps:
        if step.layer is not None:
            found[step.layer] = source
            source = Source(step.layer)
        elif step.join is not None:
            for branch in step.branches:
                _follow(branch, source, found)
            ends = [end for end in step.ends if end is not None]
            source = Source(ends[0] if isinstance(step.unit, Residual) else ends[-1])
        elif step.roundings:
            source = Source(source.layer, source.summed * step.roundings)


def _plan(units: Sequence[Unit], size: Size, numbers: _Numbers) -> tuple[Step, ...]:
    steps = []
    for unit in units:
        if isinstance(unit, Residual):
            shortcut = unit.projection(size)
            inner = _plan(unit.residual, size, numbers), _plan([shortcut] if shortcut else [], size, numbers)
            steps.append(Step(unit, size, None, next(numbers.joins), inner))
        elif isinstance(unit, Concat):
            inner_all = tuple(_plan(branch, unit.source(size), numbers) for branch in unit.concat)
            steps.append(Step(unit, size, None, next(numbers.joins), inner_all))
        else:
            steps.append(Step(unit, size, next(numbers.layers) if isinstance(unit, Conv | Dense) else None))
        size = unit.after(size)
    return tuple(steps)
