"""One weighted layer of a network with all that follows it, and the small modules around layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from models import quantisers
from models.accumulator import HeldIntQuant, accumulator_quantiser
from models.bits import CODEBOOK_TYPES, FLOAT, BitConfig
from models.codebook import CodebookQuant, codebook_quantiser


@dataclass(frozen=True)
class Shape:
    """Sizes of a dense layer or a convolution.

    Attributes
    ----------
    inputs, outputs : features, or channels.
    kernel : (rows, columns) of a convolution, None for a dense layer.
    stride, padding : of a convolution, (rows, columns); padding is zero on both sides.
    groups : of a convolution; ``inputs`` for a depthwise one.
    """

    inputs: int
    outputs: int
    kernel: tuple[int, int] | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1


@dataclass(frozen=True)
class Extras:
    """What follows a weighted layer.

    Attributes
    ----------
    bias, batch_norm : whether they follow.
    dropout : probability, in training only.
    normalised : whether some normalisation follows, so that the size of the weights does not matter.
    given : type of the layer's input elements.
    summed : how many of them a pool has added up into one.
    """

    bias: bool = False
    batch_norm: bool = True
    dropout: float = 0.0
    normalised: bool = True
    given: str = "UINT8"
    summed: int = 1


@dataclass(frozen=True, eq=False)
class Site:
    """One activation quantiser of a network, where it is called.

    Attributes
    ----------
    module : the quantiser, alone or with its ReLU.
    dtype, scale : its type, one of ``ACTIVATION_TYPES``, and kind of scale, one of ``SCALES``.
    layer : the layer whose sums it quantises; None for the input, and after a join.
    roundings : float32 operations between integers and the quantiser beside those of ``layer``.
    """

    module: nn.Module
    dtype: str
    scale: str
    layer: Layer | None = None
    roundings: int = 0


class Bias(nn.Module):
    """Adds a vector over the channels; on its own, so that the linear layer exports as one product."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C]`` or ``[N, C, H, W]``, same shape out."""
        return x + self.value.reshape(-1, *[1] * (x.dim() - 2))


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
    """Dense layer or convolution, then bias, BatchNormalization, quantised activation and dropout, each if asked for.

    Parameters
    ----------
    index : of the layer in ``bits``.
    activate : whether the layer's own activation follows; False for the last layer, and before a join.
    """

    def __init__(self, shape: Shape, bits: BitConfig, index: int, extras: Extras, *, activate: bool) -> None:
        super().__init__()
        self.shape = shape
        self.weight_type, self.weight_scale = bits.weights[index], bits.weight_scale[index]
        self.per_channel = bits.per_channel[index] and self.weight_scale != "constant"
        quantiser = _weight_quantiser(self, bits.accumulator[index], extras)
        self.linear: qnn.QuantLinear | qnn.QuantConv2d
        if shape.kernel is None:
            self.linear = qnn.QuantLinear(shape.inputs, shape.outputs, bias=False, weight_quant=quantiser)
        else:
            self.linear = qnn.QuantConv2d(
                shape.inputs, shape.outputs, shape.kernel, stride=shape.stride, padding=shape.padding, groups=shape.groups,
                bias=False, weight_quant=quantiser,
            )
        self.bias = Bias(shape.outputs) if extras.bias else None
        norm = nn.BatchNorm1d if shape.kernel is None else nn.BatchNorm2d
        self.norm: nn.BatchNorm1d | nn.BatchNorm2d | None = norm(shape.outputs) if extras.batch_norm else None
        self.activation_type = bits.activations[index] if activate else None
        self.activation_scale = bits.activation_scale[index] if activate else "constant"
        self.activation = activation(bits.activations[index], self.activation_scale) if activate else None
        self.dropout = nn.Dropout(extras.dropout) if extras.dropout else None
        # Normalised layers do not care about the size of their weights: [-1, 1] suits every type, and one
        # learning rate then suits all. Without normalisation the variance has to be kept.
        if extras.normalised:
            nn.init.uniform_(self.linear.weight, -1.0, 1.0)
        else:
            nn.init.kaiming_uniform_(self.linear.weight, nonlinearity="relu")
        self.reset_weight_scale()

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in]`` to ``[N, out]``, or feature maps ``[N, C, H, W]``."""
        for module in (self.linear, self.bias, self.norm, self.activation, self.dropout):
            if module is not None:
                x = module(x)
        return x

    def clip_weights(self) -> None:
        """Clamp BIPOLAR and constant-scale weights to [-1, 1]: beyond it a binary weight would need ever more steps to turn."""
        if self.weight_type != FLOAT and (self.weight_type == "BIPOLAR" or self.weight_scale == "constant"):
            with torch.no_grad():
                self.linear.weight.clamp_(-1.0, 1.0)

    def reset_weight_scale(self) -> None:
        """Set a learned weight scale to the best one for the present weights."""
        if self.weight_type == FLOAT:
            return
        quantiser: Any = self.linear.weight_quant.tensor_quant
        if isinstance(quantiser, CodebookQuant):
            quantiser.fit(self.linear.weight)
        if isinstance(quantiser, CodebookQuant) or self.weight_scale == "constant":
            return
        scale = quantisers.best_weight_scale(self.linear.weight.flatten(1), self.weight_type, self.per_channel)
        if isinstance(quantiser, HeldIntQuant):
            quantiser.fit(self.linear.weight, scale)
            return
        narrow = quantisers.weight_narrow(self.weight_type)
        quantisers.set_scale(quantiser, scale, self.weight_type, self.weight_scale, narrow)

    def pin_zero(self) -> None:
        """Make 0 a level of a learned codebook, until its levels learn on."""
        if self.weight_type.startswith("CODE"):
            quantiser: Any = self.linear.weight_quant.tensor_quant
            quantiser.pin_zero()

    def sites(self, roundings: int = 0) -> list[Site]:
        """Its activation quantiser, if it has one; ``roundings`` as for `Site`."""
        if self.activation is None or self.activation_type is None or self.activation_type == FLOAT:
            return []
        return [Site(self.activation, self.activation_type, self.activation_scale, self, roundings)]

    def calibrate(self, std: float) -> None:
        """Set a learned activation scale for pre-activations of standard deviation ``std``."""
        if self.activation is not None and self.activation_type is not None:
            set_activation_scale(self.activation, self.activation_type, self.activation_scale, std)


def _weight_quantiser(layer: Layer, accumulator: int, extras: Extras) -> Any:
    kind, scale, per_channel = layer.weight_type, layer.weight_scale, layer.per_channel
    if kind == FLOAT:
        return None
    if kind in CODEBOOK_TYPES:
        return codebook_quantiser(kind, scale, per_channel)
    if accumulator:
        return accumulator_quantiser((kind, scale, per_channel), accumulator, (extras.given, extras.summed))
    return quantisers.weight_quantiser(kind, scale, per_channel)


def activation(name: str, scale: str) -> nn.Module:
    """ReLU and quantiser for UINTn, ReLU alone for FLOAT, a quantiser for all other types."""
    if name == FLOAT:
        return nn.ReLU()
    quantiser = quantisers.activation_quantiser(name, scale)
    made: nn.Module = (qnn.QuantReLU if name.startswith("UINT") else qnn.QuantIdentity)(act_quant=quantiser)
    return made


def set_activation_scale(module: nn.Module, name: str, kind: str, std: float) -> None:
    """Set the learned scale of an activation for pre-activations of standard deviation ``std``."""
    if name in ("BIPOLAR", FLOAT) or kind == "constant":
        return
    narrow = name == "TERNARY"
    scale = torch.tensor(quantisers.gaussian_threshold(name, kind, max(std, 1e-6)) / quantisers.int_scaling(name, kind, narrow))
    quantisers.set_scale(tensor_quantiser(module), scale, name, kind, narrow)


def tensor_quantiser(module: nn.Module) -> nn.Module:
    """Brevitas' tensor quantiser inside an activation quantiser."""
    proxy: Any = module.get_submodule("act_quant.fused_activation_quant_proxy.tensor_quant")
    found: nn.Module = proxy
    return found
