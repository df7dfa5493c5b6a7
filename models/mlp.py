"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from models import quantisers
from models.bits import BitConfig
from models.errors import ModelError
from models.layer import Centre, Extras, Layer, OutputNorm, Shape, Site


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


class MLP(nn.Module):
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
        super().__init__()
        self.spec = MLPSpec(inputs, tuple(hidden), classes, batch_norm, bias, dropout, output_norm)
        self.bits = BitConfig.parse(bits, self.spec.layers)
        self.centre = None if self.bits.input.startswith("UINT") else Centre()
        self.quant_input = qnn.QuantIdentity(act_quant=quantisers.input_quantiser(self.bits.input, self.bits.input_scale))
        layers = nn.ModuleList(self._layer(index) for index in range(self.spec.layers))
        self.layers = cast("Sequence[Layer]", layers)  # a ModuleList does not say of what
        self.output_norm = OutputNorm() if output_norm else None

    def _layer(self, index: int) -> Layer:
        spec, last = self.spec, index == self.spec.layers - 1
        norm = spec.batch_norm and not last
        extras = Extras(spec.bias, norm, 0.0 if last else spec.dropout, norm or (spec.batch_norm and spec.output_norm))
        return Layer(Shape(spec.widths[index], spec.widths[index + 1]), self.bits, index, extras, activate=not last)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        return self.classify(self.quantise(x))

    def quantise(self, x: Tensor) -> Tensor:
        """The quantised input ``[N, inputs]``; it has nothing to learn, so training does it once."""
        if x.dim() > 2:
            x = x.flatten(1)
        quantised: Tensor = self.quant_input(x if self.centre is None else self.centre(x))
        return quantised

    def classify(self, x: Tensor) -> Tensor:
        """Logits ``[N, classes]`` of a quantised input."""
        for layer in self.layers:
            x = layer(x)
        if self.output_norm is not None:
            x = self.output_norm(x)
        return x

    def sites(self) -> list[Site]:
        """All activation quantisers in the order of their calls."""
        active = [layer for layer in self.layers if layer.activation is not None]
        hidden = [Site(cast("nn.Module", layer.activation), layer.activation_type or "", layer) for layer in active]
        return [Site(self.quant_input, self.bits.input), *hidden]

    def clip_weights(self) -> None:
        """Clamp the weights of BIPOLAR and constant-scale layers to [-1, 1], after an optimiser step."""
        for layer in self.layers:
            layer.clip_weights()

    def reset_scales(self) -> None:
        """Set all learned weight scales from the present weights."""
        for layer in self.layers:
            layer.reset_weight_scale()

    def calibrate(self, x: Tensor) -> None:
        """Set learned activation scales from a batch ``[N, inputs]``, for networks without BatchNormalization."""
        training = self.training
        self.eval()
        with torch.no_grad():
            y = self.quantise(x)
            for layer in self.layers:
                y_linear = layer.linear(y)
                for module in (layer.bias, layer.norm):
                    y_linear = y_linear if module is None else module(y_linear)
                layer.calibrate(float(y_linear.std()))
                y = y_linear if layer.activation is None else layer.activation(y_linear)
        self.train(training)
