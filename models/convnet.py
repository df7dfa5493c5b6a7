"""Convolutional networks from a list of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import prod
from typing import Any, cast

from torch import Tensor, nn

from models.bits import BitConfig
from models.errors import ModelError
from models.layer import Extras, Layer, OutputNorm, Shape, Site, activation
from models.network import QuantNetwork
from models.units import Conv, Dense, GlobalPool, MaxPool, Residual, Size, Unit, unit_of, weighted

# Roundings of the sum of two quantised tensors: two products with the scale, and the sum.
_SUM = 3


@dataclass(frozen=True)
class ConvSpec:
    """Shape of a convolutional network.

    Attributes
    ----------
    input_shape : (channels, rows, columns); a sequence has one row.
    units : see `models.units`; the last one is a Dense with one output a class.
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
        if not self.units or not isinstance(self.units[-1], Dense):
            raise ModelError("units: the last one must be dense, with one output a class")
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
        """Outputs."""
        return cast("Dense", self.units[-1]).dense

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


class Join(nn.Module):
    """Sum of two branches: both quantised alike, so that the sum is an integer, then the activation.

    Parameters
    ----------
    branch : type of both branches; of a UINTn the signed INTn.
    sum_type, scale : of the activation after the sum.
    """

    def __init__(self, branch: str, sum_type: str, scale: str) -> None:
        super().__init__()
        self.branch_type = branch.removeprefix("U") if branch not in ("UINT1", "BIPOLAR") else "INT2"
        self.branch = activation(self.branch_type, scale)
        self.sum_type, self.activation = sum_type, activation(sum_type, scale)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Two feature maps ``[N, C, H, W]`` to one."""
        # Plain tensors: Brevitas would otherwise check at every sum that both scales are equal, which they are by construction.
        joined: Tensor = self.activation(_plain(self.branch(left)) + _plain(self.branch(right)))
        return joined


class ConvNet(QuantNetwork):
    """A quantised convolutional network; ``[N, C, H, W]`` in [0, 1], or flat ``[N, C*H*W]``, to logits ``[N, classes]``."""

    def __init__(self, spec: ConvSpec, bits: BitConfig | str | Mapping[str, Any]) -> None:
        super().__init__(BitConfig.parse(bits, spec.layers))
        self.spec = spec
        self.joined = _before_joins(spec)
        layers = nn.ModuleList(self._layer(index, unit, size) for index, (unit, size) in enumerate(spec.weighted))
        self.layers = cast("Sequence[Layer]", layers)  # a ModuleList does not say of what
        self.joins = nn.ModuleList(self._joins())
        self.output_norm = OutputNorm() if spec.output_norm else None

    def _layer(self, index: int, unit: Conv | Dense, size: Size) -> Layer:
        spec, last = self.spec, index == self.spec.layers - 1
        norm = spec.batch_norm and not last
        dropout = spec.dropout if isinstance(unit, Dense) and not last else 0.0
        extras = Extras(spec.bias, norm, dropout, norm or (spec.batch_norm and spec.output_norm))
        if isinstance(unit, Dense):
            shape = Shape(prod(size), unit.dense)
        else:
            shape = Shape(size[0], unit.conv, unit.kernel, unit.stride, unit.padding, unit.groups or size[0])
        return Layer(shape, self.bits, index, extras, activate=not last and index not in self.joined)

    def _joins(self) -> list[Join]:
        joins, index, size = [], 0, self.spec.input_shape
        for unit in self.spec.units:
            if isinstance(unit, Residual):
                end = index + len(unit.residual) - 1
                projected = unit.projection(size) is not None
                branch = self.bits.activations[end + projected]
                joins.append(Join(branch, self.bits.activations[end], self.bits.activation_scale[end]))
                index = end + 1 + projected
            elif isinstance(unit, Conv | Dense):
                index += 1
            size = unit.after(size)
        return joins

    def classify(self, x: Tensor) -> Tensor:
        """Logits ``[N, classes]`` of a quantised input."""
        if x.dim() == 2:
            x = x.reshape(len(x), *self.spec.input_shape)
        layers, joins = iter(self.layers), iter(self.joins)
        for unit in self.spec.units:
            match unit:
                case Residual():
                    left = x
                    for _ in unit.residual:
                        left = next(layers)(left)
                    right = next(layers)(x) if unit.projection(_size(x)) else x
                    x = next(joins)(left, right)
                case MaxPool():
                    x = nn.functional.max_pool2d(_plain(x), unit.max_pool)
                case GlobalPool():
                    x = nn.functional.adaptive_avg_pool2d(_plain(x), 1)
                case Dense():
                    x = next(layers)(_plain(x).flatten(1) if x.dim() > 2 else x)
                case _:
                    x = next(layers)(x)
        return x if self.output_norm is None else self.output_norm(x)

    def sites(self) -> list[Site]:
        """All activation quantisers in the order of their calls."""
        found = [Site(self.quant_input, self.bits.input)]
        layers, joins = iter(self.layers), iter(self.joins)
        pooled, size = 0, self.spec.input_shape

        def take(layer: Layer) -> Layer:
            found.extend(layer.sites(pooled))
            return layer

        for unit in self.spec.units:
            if isinstance(unit, Residual):
                left = [take(next(layers)) for _ in unit.residual][-1]
                right = take(next(layers)) if unit.projection(size) is not None else None
                join = cast("Join", next(joins))
                found += [Site(join.branch, join.branch_type, left), Site(join.branch, join.branch_type, right)]
                found.append(Site(join.activation, join.sum_type, None, _SUM))
            elif isinstance(unit, Conv | Dense):
                take(next(layers))
            pooled = prod(size[1:]) if isinstance(unit, GlobalPool) else 0
            size = unit.after(size)
        return found


def _before_joins(spec: ConvSpec) -> set[int]:
    """Layers whose activation is that of a join: the last of each residual unit, and that of its shortcut."""
    found, index, size = set(), 0, spec.input_shape
    for unit in spec.units:
        if isinstance(unit, Residual):
            index += len(unit.residual)
            found.add(index - 1)
            if unit.projection(size) is not None:
                found.add(index)
                index += 1
        elif isinstance(unit, Conv | Dense):
            index += 1
        size = unit.after(size)
    return found


def _plain(x: Any) -> Tensor:
    """The values of a Brevitas tensor."""
    value: Tensor = getattr(x, "value", x)
    return value


def _size(x: Tensor) -> Size:
    channels, high, wide = _plain(x).shape[1:]
    return channels, high, wide
