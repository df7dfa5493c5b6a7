"""Wider and narrower versions of a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import lcm

from models.convnet import ConvSpec
from models.errors import ModelError
from models.mlp import MLPSpec
from models.units import Concat, Conv, Dense, Residual, Unit


def widened(spec: MLPSpec | ConvSpec, width: float) -> MLPSpec | ConvSpec:
    """``spec`` with all hidden channels and features times ``width``, rounded to whole groups, at least one each."""
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width < float("inf"):
        raise ModelError(f"width is {width!r}; give a positive factor for all channels")
    if isinstance(spec, MLPSpec):
        return replace(spec, hidden=tuple(_times(size, width, 1) for size in spec.hidden))
    step = lcm(1, *(unit.groups for unit in _convolutions(spec.units) if unit.groups))
    return replace(spec, units=(*(_wider(unit, width, step) for unit in spec.units[:-1]), spec.units[-1]))


def reclassed(spec: MLPSpec | ConvSpec, classes: int) -> MLPSpec | ConvSpec:
    """``spec`` with another number of outputs."""
    if isinstance(spec, MLPSpec):
        return replace(spec, classes=classes)
    last = spec.units[-1]
    units = spec.units[:-1]
    return replace(spec, units=(*units, replace(last, conv=classes) if isinstance(last, Conv) else Dense(classes)))


def _wider(unit: Unit, width: float, step: int) -> Unit:
    match unit:
        case Conv():
            return replace(unit, conv=_times(unit.conv, width, step))
        case Dense():
            return Dense(_times(unit.dense, width, 1))
        case Residual():
            inner = [_wider(part, width, step) for part in unit.residual]
            return Residual(tuple(inner))  # type: ignore[arg-type]  # a wider unit is of the same kind
        case Concat():
            return replace(unit, concat=tuple(tuple(_wider(part, width, step) for part in branch) for branch in unit.concat))
    return unit


def _times(size: int, width: float, step: int) -> int:
    return max(1, round(size * width / step)) * step


def _convolutions(units: Sequence[Unit]) -> Iterator[Conv]:
    for unit in units:
        if isinstance(unit, Conv):
            yield unit
        for branch in unit.concat if isinstance(unit, Concat) else [unit.residual] if isinstance(unit, Residual) else []:
            yield from _convolutions(branch)
