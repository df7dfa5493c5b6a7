"""What all networks of the zoo have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from models import quantisers
from models.bits import FLOAT, BitConfig
from models.layer import Centre, Layer, OutputNorm, Site


class QuantNetwork(nn.Module, ABC):
    """A quantised input, weighted layers as ``bits`` names them, and logits; inputs are floats in [0, 1].

    Attributes
    ----------
    layers : layers with weights, in the order of ``bits``; set by the subclass.
    output_norm : see `OutputNorm`; set by the subclass.
    """

    layers: Sequence[Layer]
    output_norm: OutputNorm | None

    def __init__(self, bits: BitConfig) -> None:
        super().__init__()
        self.bits = bits
        self.centre = None if bits.input.startswith("UINT") else Centre()
        self.quant_input = qnn.QuantIdentity(act_quant=quantisers.input_quantiser(bits.input, bits.input_scale))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        return self.classify(self.quantise(x))

    def quantise(self, x: Tensor) -> Tensor:
        """The quantised input, in the shape of ``x``; it has nothing to learn, so training does it once."""
        quantised: Tensor = self.quant_input(x if self.centre is None else self.centre(x))
        return quantised

    @abstractmethod
    def classify(self, x: Tensor) -> Tensor:
        """Logits ``[N, classes]`` of a quantised input."""

    @property
    def input_site(self) -> Site:
        """The quantiser of the input, which has nothing to learn."""
        return Site(self.quant_input, self.bits.input, "constant")

    @abstractmethod
    def sites(self) -> list[Site]:
        """All activation quantisers in the order of their calls."""

    def typed_activations(self) -> dict[int, list[nn.Module]]:
        """Per entry of ``bits.activations`` the quantisers that have its type; entries without one are left out."""
        found: dict[int, list[nn.Module]] = {}
        for index, layer in enumerate(self.layers):
            if layer.activation is not None and layer.activation_type != FLOAT:
                found[index] = [layer.activation]
        return found

    def clip_weights(self) -> None:
        """Clamp the weights of BIPOLAR and constant-scale layers to [-1, 1], after an optimiser step."""
        for layer in self.layers:
            layer.clip_weights()

    def reset_scales(self) -> None:
        """Set all learned weight scales from the present weights."""
        for layer in self.layers:
            layer.reset_weight_scale()

    def calibrate(self, x: Tensor) -> None:
        """Set learned activation scales from a batch of inputs, layer by layer, for networks without BatchNormalization."""
        training = self.training
        self.eval()

        def before(layer: Layer) -> Any:
            def calibrate(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
                layer.calibrate(float(getattr(inputs[0], "value", inputs[0]).std()))
            return calibrate

        hooks = [site.module.register_forward_pre_hook(before(layer)) for layer in self.layers for site in layer.sites()]
        with torch.no_grad():
            self(x)
        for hook in hooks:
            hook.remove()
        self.train(training)
