"""Convolutional networks from a list of units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import prod
from typing import Any, cast

from torch import Tensor, nn

from models.bits import FLOAT, BitConfig
from models.errors import ModelError
from models.joins import Concatenation, Join, join_of, plain
from models.layer import Extras, Layer, OutputNorm, Shape, Site
from models.network import QuantNetwork
from models.plan import Step, joins, plan, sources
from models.units import (
    AvgPool,
    Concat,
    Conv,
    Dense,
    GlobalPool,
    MaxPool,
    Residual,
    Shuffle,
    Size,
    Unit,
    Upsample,
    unit_of,
    weighted,
)


@dataclass(frozen=True)
class ConvSpec:
    """Shape of a convolutional network.

    Attributes
    ----------
    input_shape : (channels, rows, columns); a sequence has one row.
    units : see `models.units`; the last one is a Dense with one output a class, or a Conv for an output map.
    batch_norm, bias, dropout, output_norm : as for `models.MLPSpec`; dropout follows dense layers.
    """

    input_shape: Size
    units: tuple[Unit, ...]
    batch_norm: bool = True
    bias: bool = False
    dropout: float = 0.0
    output_norm: bool = True

    def __post_init__(self) -> None:
        shape = tuple(self.input_shape)
        if len(shape) != 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in shape):
            raise ModelError(f"input_shape is {list(shape)}; give channels, rows and columns")
        object.__setattr__(self, "input_shape", shape)  # frozen; lists become tuples
        object.__setattr__(self, "units", tuple(unit_of(unit) for unit in self.units))
        if not self.units or not isinstance(self.units[-1], Dense | Conv):
            raise ModelError("units: the last one must be dense, with one output a class, or a convolution, for an output map")
        if not 0 <= self.dropout < 1:
            raise ModelError(f"dropout is {self.dropout}; give a probability in [0, 1)")
        tuple(self.weighted)  # sizes fit together, or ModelError

    @property
    def weighted(self) -> tuple[tuple[Conv | Dense, Size], ...]:
        """Units with weights and the size of their inputs, in the order of a BitConfig."""
        return tuple(weighted(self.units, self.input_shape))

    @property
    def layers(self) -> int:
        """Number of layers with weights."""
        return len(self.weighted)

    @property
    def inputs(self) -> int:
        """Elements of one sample."""
        return prod(self.input_shape)

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of one sample in an exported file: channels first."""
        return self.input_shape

    @property
    def classes(self) -> int:
        """Outputs, of each position if the output is a map."""
        last = self.units[-1]
        return last.dense if isinstance(last, Dense) else cast("Conv", last).conv

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML."""
        return {**asdict(self), "input_shape": list(self.input_shape), "units": [asdict(unit) for unit in self.units]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ConvSpec:
        """The inverse of ``to_dict``."""
        known = [field.name for field in fields(cls)]
        for key in data:
            if key not in known:
                raise ModelError(f"model: unknown key '{key}'; legal keys are {', '.join(known)}")
        for key in ("input_shape", "units"):
            if not isinstance(data.get(key), Sequence) or isinstance(data[key], str):
                raise ModelError(f"model: {key} is {data.get(key)!r}; give a list")
        return cls(**data)


class ConvNet(QuantNetwork):
    """A quantised convolutional network; ``[N, C, H, W]`` in [0, 1], or flat ``[N, C*H*W]``, to logits ``[N, classes]``.

    With a convolution as last unit the output is a map, ``[N, classes, H, W]``.
    """

    def __init__(self, spec: ConvSpec, bits: BitConfig | str | Mapping[str, Any]) -> None:
        super().__init__(BitConfig.parse(bits, spec.layers))
        self.spec = spec
        self.plan = plan(spec.units, spec.input_shape)
        self.sources = sources(self.plan)
        meetings = list(joins(self.plan))
        deferred = {end for step in meetings for end in step.ends}
        layers = nn.ModuleList(
            self._layer(index, unit, size, index not in deferred) for index, (unit, size) in enumerate(spec.weighted)
        )
        self.layers = cast("Sequence[Layer]", layers)  # a ModuleList does not say of what
        self.joins = nn.ModuleList(join_of(step, self.bits) for step in meetings)
        self.output_norm = OutputNorm() if spec.output_norm else None

    def _layer(self, index: int, unit: Conv | Dense, size: Size, activate: bool) -> Layer:
        spec, last = self.spec, index == self.spec.layers - 1
        norm = spec.batch_norm and not last
        dropout = spec.dropout if isinstance(unit, Dense) and not last else 0.0
        source = self.sources[index]
        given = self.bits.input if source.layer is None else self.bits.activations[source.layer]
        normalised = norm or (spec.batch_norm and spec.output_norm)
        extras = Extras(spec.bias, norm, dropout, normalised, given, source.summed)
        if isinstance(unit, Dense):
            shape = Shape(prod(size), unit.dense)
        else:
            shape = Shape(size[0], unit.conv, unit.kernel, unit.stride, unit.padding, unit.groups or size[0])
        return Layer(shape, self.bits, index, extras, activate=activate and not last)

    def classify(self, x: Tensor) -> Tensor:
        """Logits of a quantised input."""
        if x.dim() == 2:
            x = x.reshape(len(x), *self.spec.input_shape)
        x = self._run(self.plan, x)
        return x if self.output_norm is None else self.output_norm(x)

    def _run(self, steps: Sequence[Step], x: Tensor) -> Tensor:
        for step in steps:
            x = self._step(step, x)
        return x

    def _step(self, step: Step, x: Tensor) -> Tensor:
        match step.unit:
            case Residual() | Concat() as unit:
                parts = plain(x).chunk(len(step.branches), dim=1) if isinstance(unit, Concat) and unit.split else None
                sources = parts or [x] * len(step.branches)
                ends = [self._run(branch, part) for branch, part in zip(step.branches, sources, strict=True)]
                joined: Tensor = self.joins[_number(step.join)](*ends)
                return joined
            case MaxPool(window):
                return nn.functional.max_pool2d(plain(x), window)
            case AvgPool(window, stride, padding):
                return nn.functional.avg_pool2d(plain(x), window, stride, padding)
            case GlobalPool():
                return nn.functional.adaptive_avg_pool2d(plain(x), 1)
            case Upsample(factors):
                return nn.functional.interpolate(plain(x), scale_factor=[float(n) for n in factors], mode="nearest")
            case Shuffle(groups):
                value, (channels, high, wide) = plain(x), step.size
                return value.reshape(-1, groups, channels // groups, high, wide).transpose(1, 2).reshape(-1, channels, high, wide)
            case Dense():
                x = plain(x).flatten(1) if x.dim() > 2 else x
        result: Tensor = self.layers[_number(step.layer)](x)
        return result

    def typed_activations(self) -> dict[int, list[nn.Module]]:
        """As for all networks; a sum and its branches share a type unless the shortcut has a layer."""
        found = super().typed_activations()
        for step in joins(self.plan):
            ends = [end for end in step.ends if end is not None]
            join = cast("Join | Concatenation", self.joins[_number(step.join)])
            pairs = [(ends[0] if isinstance(join, Join) else ends[-1], join.activation)]
            pairs += [(ends[-1], join.branch)] if isinstance(join, Join) else []
            for index, module in pairs:
                if self.bits.activations[index] != FLOAT:
                    found.setdefault(index, []).append(module)
        return found

    def sites(self) -> list[Site]:
        """All activation quantisers in the order of their calls."""
        return [self.input_site, *self._sites(self.plan, 0)]

    def _sites(self, steps: Sequence[Step], averaged: int) -> Iterator[Site]:
        for step in steps:
            if step.layer is not None:
                yield from self.layers[step.layer].sites(averaged)
            for branch in step.branches:
                yield from self._sites(branch, averaged)
            if step.join is not None:
                join = cast("Join | Concatenation", self.joins[step.join])
                roundings = [branch[-1].roundings if branch else averaged for branch in step.branches]
                yield from join.sites([None if end is None else self.layers[end] for end in step.ends], roundings)
            averaged = step.roundings


def _number(value: int | None) -> int:
    assert value is not None  # by the construction of a plan
    return value
