"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from torch import Tensor, nn

from models.bits import BitConfig
from models.errors import ModelError
from models.layer import Extras, Layer, OutputNorm, Shape, Site
from models.network import QuantNetwork


@dataclass(frozen=True)
class MLPSpec:
    """Shape of a fully connected network; ``inputs - hidden[0] - ... - classes``.

    Attributes
    ----------
    inputs : features of a sample.
    hidden : width of each hidden layer.
    classes : outputs; 1 for a single logit (two classes, positive is class 1).
    batch_norm : BatchNormalization after each hidden linear layer.
    bias : a bias after each linear layer.
    dropout : probability after each hidden activation, in training only.
    output_norm : one learned scale and offset for all outputs (in hardware they stay on the host).
    """

    inputs: int
    hidden: tuple[int, ...]
    classes: int
    batch_norm: bool = True
    bias: bool = False
    dropout: float = 0.0
    output_norm: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))  # frozen; a list becomes a tuple
        for name, value in (("inputs", self.inputs), ("classes", self.classes), *(("hidden", width) for width in self.hidden)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ModelError(f"{name}: {value!r} is not a width; give an integer of at least 1")
        if not 0 <= self.dropout < 1:
            raise ModelError(f"dropout is {self.dropout}; give a probability in [0, 1)")

    @property
    def layers(self) -> int:
        """Number of linear layers."""
        return len(self.hidden) + 1

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of one sample in an exported file."""
        return (self.inputs,)

    @property
    def widths(self) -> tuple[int, ...]:
        """All widths from input to output."""
        return (self.inputs, *self.hidden, self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML."""
        return {**asdict(self), "hidden": list(self.hidden)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MLPSpec:
        """The inverse of ``to_dict``."""
        known = [field.name for field in fields(cls)]
        for key in data:
            if key not in known:
                raise ModelError(f"model: unknown key '{key}'; legal keys are {', '.join(known)}")
        for key in ("inputs", "hidden", "classes"):
            if key not in data:
                raise ModelError(f"model: '{key}' is missing; give inputs, hidden and classes, or the name of a preset")
        if isinstance(data["hidden"], (str, int)):
            raise ModelError(f"model: hidden is {data['hidden']!r}; give a list of widths")
        return cls(**data)


class MLP(QuantNetwork):
    """A quantised fully connected network; ``[N, inputs]`` (or ``[N, ...]``, flattened) to logits ``[N, classes]``.

    Inputs are floats in [0, 1].
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        classes: int,
        bits: BitConfig | str | Mapping[str, Any],
        *,
        bias: bool = False,
        batch_norm: bool = True,
        dropout: float = 0.0,
        output_norm: bool = True,
    ) -> None:
        spec = MLPSpec(inputs, tuple(hidden), classes, batch_norm, bias, dropout, output_norm)
        super().__init__(BitConfig.parse(bits, spec.layers))
        self.spec = spec
        layers = nn.ModuleList(self._layer(index) for index in range(self.spec.layers))
        self.layers = cast("Sequence[Layer]", layers)  # a ModuleList does not say of what
        self.output_norm = OutputNorm() if output_norm else None

    def _layer(self, index: int) -> Layer:
        spec, last = self.spec, index == self.spec.layers - 1
        norm = spec.batch_norm and not last
        given = self.bits.activations[index - 1] if index else self.bits.input
        normalised = norm or (spec.batch_norm and spec.output_norm)
        extras = Extras(spec.bias, norm, 0.0 if last else spec.dropout, normalised, given)
        return Layer(Shape(spec.widths[index], spec.widths[index + 1]), self.bits, index, extras, activate=not last)

    def quantise(self, x: Tensor) -> Tensor:
        """The quantised input ``[N, inputs]``."""
        return super().quantise(x.flatten(1) if x.dim() > 2 else x)

    def classify(self, x: Tensor) -> Tensor:
        """Logits ``[N, classes]`` of a quantised input."""
        for layer in self.layers:
            x = layer(x)
        if self.output_norm is not None:
            x = self.output_norm(x)
        return x

    def sites(self) -> list[Site]:
        """All activation quantisers in the order of their calls."""
        return [self.input_site, *(site for layer in self.layers for site in layer.sites())]
