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


class Bias(nn.Module):
    """Adds a vector; on its own, so that the linear layer exports as one MatMul."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C]`` to ``[N, C]``."""
        return x + self.value


class OutputNorm(nn.Module):
    """Normalises all outputs together, with one mean, variance, scale and offset.

    Keeps the order of the logits (up to the sign of the scale), which per-channel normalisation would
    not, and tames the large sums of low-bit layers for the loss.
    """

    def __init__(self, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.scale = nn.Parameter(torch.ones(()))
        self.offset = nn.Parameter(torch.zeros(()))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(()))
        self.register_buffer("running_var", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C]`` to ``[N, C]``."""
        if self.training:
            wide = x.float()  # the statistics stay float32 under mixed precision
            mean, var = wide.mean(), wide.var(unbiased=False)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var, self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        gain = self.scale * torch.rsqrt(var + self.eps)
        return x * gain + (self.offset - mean * gain)


class Centre(nn.Module):
    """Moves [0, 1] to [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C]`` to ``[N, C]``."""
        return 2.0 * x - 1.0


class Layer(nn.Module):
    """Linear, then bias, BatchNormalization, quantised activation and dropout, each if asked for."""

    def __init__(self, spec: MLPSpec, bits: BitConfig, index: int) -> None:
        super().__init__()
        inputs, outputs = spec.widths[index : index + 2]
        last = index == bits.layers - 1
        self.weight_type, self.weight_scale = bits.weights[index], bits.weight_scale[index]
        self.per_channel = bits.per_channel[index] and self.weight_scale != "constant"
        self.linear = qnn.QuantLinear(
            inputs,
            outputs,
            bias=False,
            weight_quant=quantisers.weight_quantiser(self.weight_type, self.weight_scale, self.per_channel),
        )
        self.bias = Bias(outputs) if spec.bias else None
        self.norm = nn.BatchNorm1d(outputs) if spec.batch_norm and not last else None
        self.activation_type = None if last else bits.activations[index]
        self.activation_scale = "constant" if last else bits.activation_scale[index]
        self.activation = None if self.activation_type is None else _activation(self.activation_type, self.activation_scale)
        self.dropout = nn.Dropout(spec.dropout) if spec.dropout and not last else None
        # Normalised layers do not care about the size of their weights: [-1, 1] suits every type, and one
        # learning rate then suits all. Without normalisation the variance has to be kept.
        if spec.batch_norm and (not last or spec.output_norm):
            nn.init.uniform_(self.linear.weight, -1.0, 1.0)
        else:
            nn.init.kaiming_uniform_(self.linear.weight, nonlinearity="relu")
        self.reset_weight_scale()

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        for module in (self.linear, self.bias, self.norm, self.activation, self.dropout):
            if module is not None:
                x = module(x)
        return x

    def reset_weight_scale(self) -> None:
        """Set a learned weight scale to the best one for the present weights."""
        if self.weight_scale == "constant":
            return
        scale = quantisers.best_weight_scale(self.linear.weight, self.weight_type, self.per_channel)
        narrow = quantisers.weight_narrow(self.weight_type)
        quantisers.set_scale(self.linear.weight_quant.tensor_quant, scale, self.weight_type, self.weight_scale, narrow)

    def calibrate(self, std: float) -> None:
        """Set a learned activation scale for pre-activations of standard deviation ``std``."""
        name = self.activation_type
        if name is None or name == "BIPOLAR" or self.activation_scale == "constant":
            return
        narrow = name == "TERNARY"
        divisor = quantisers.int_scaling(name, self.activation_scale, narrow)
        scale = torch.tensor(quantisers.gaussian_threshold(name, self.activation_scale, max(std, 1e-6)) / divisor)
        assert self.activation is not None
        quantiser = self.activation.act_quant.fused_activation_quant_proxy.tensor_quant
        quantisers.set_scale(quantiser, scale, name, self.activation_scale, narrow)


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
        layers = nn.ModuleList(Layer(self.spec, self.bits, index) for index in range(self.spec.layers))
        self.layers = cast("Sequence[Layer]", layers)  # a ModuleList does not say of what
        self.output_norm = OutputNorm() if output_norm else None

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

    def clip_weights(self) -> None:
        """Clamp the weights of BIPOLAR and constant-scale layers to [-1, 1], after an optimiser step.

        Beyond it a binary weight would need ever more steps to change its sign.
        """
        with torch.no_grad():
            for layer in self.layers:
                if layer.weight_type == "BIPOLAR" or layer.weight_scale == "constant":
                    layer.linear.weight.clamp_(-1.0, 1.0)

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


def _activation(name: str, scale: str) -> qnn.QuantReLU | qnn.QuantIdentity:
    quantiser = quantisers.activation_quantiser(name, scale)
    return (qnn.QuantReLU if name.startswith("UINT") else qnn.QuantIdentity)(act_quant=quantiser)
