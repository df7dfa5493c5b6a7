"""Cross-layer equalisation: the ranges of channels made alike, so that one scale per tensor fits all of them.

Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction (ICCV 2019), eq. 11. A ReLU lets a positive
factor pass: what a layer's output channel is divided by, the next layer's weights for it are multiplied with. With a
normalisation behind it, a layer's own rows can be scaled freely besides: the normalisation divides by the same factor.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.bits import FLOAT
from models.layer import Layer
from quant_training.errors import TrainingError
from quant_training.pruning.wiring import wiring_of

if TYPE_CHECKING:
    from models import Network

# Standard deviations of a normalised sum that its range is taken to reach.
_SPREAD = 3.0
_LIMIT = 100.0


@torch.no_grad()
def equalise(model: Network, rounds: int = 4) -> None:
    """Even out the channels of a FLOAT network in place; what it computes stays the same but for float32 rounding.

    Parameters
    ----------
    rounds : times that all channels are gone through, since each depends on its neighbours.

    Raises
    ------
    TrainingError : a layer is quantised already.
    """
    if any(name != FLOAT for name in (*model.bits.weights, *model.bits.activations)):
        raise TrainingError("equalise: the network is quantised already; equalise its FLOAT version, then quantise that")
    wiring = wiring_of(model.spec)
    makers: dict[int, list[tuple[Layer, int]]] = defaultdict(list)
    takers: dict[int, list[tuple[Layer, int]]] = defaultdict(list)
    for layer, inputs, outputs in zip(model.layers, wiring.inputs, wiring.outputs, strict=True):
        for row, channel in enumerate(outputs):
            makers[channel].append((layer, row))
        for column, channel in enumerate(inputs):
            takers[channel].append((layer, column))
        if not inputs:  # depthwise: each channel has its own kernel
            for row, channel in enumerate(outputs):
                takers[channel].append((layer, row))
    for _ in range(rounds):
        for channel in sorted(makers.keys() - wiring.fixed):
            if takers[channel]:
                _equalise(makers[channel], takers[channel])
    for layer in model.layers:
        _level_rows(layer)


def _equalise(makers: list[tuple[Layer, int]], takers: list[tuple[Layer, int]]) -> None:
    made = max(_made(layer, row) for layer, row in makers)
    taken = max(float(_column(layer, column).abs().max()) for layer, column in takers)
    if made < 1e-8 or taken < 1e-8:
        return
    factor = min(max((made / taken) ** 0.5, 1 / _LIMIT), _LIMIT)
    for layer, row in makers:
        for values in _offsets(layer):
            values[row] /= factor
        if layer.norm is None:
            layer.linear.weight[row] /= factor
    for layer, column in takers:
        _column(layer, column).mul_(factor)


def _made(layer: Layer, row: int) -> float:
    """Range of a channel: of its values behind a normalisation, of its weights without."""
    if layer.norm is not None:
        return float(_SPREAD * layer.norm.weight[row].abs() + layer.norm.bias[row].abs())
    return float(layer.linear.weight[row].abs().max())


def _offsets(layer: Layer) -> list[Tensor]:
    """Per-channel parameters behind the product that a factor of the output goes into."""
    if layer.norm is not None:
        return [layer.norm.weight, layer.norm.bias]
    return [] if layer.bias is None else [layer.bias.value]


def _column(layer: Layer, column: int) -> Tensor:
    weight: Tensor = layer.linear.weight
    return weight[column] if weight.dim() == 4 and layer.shape.groups == layer.shape.inputs > 1 else weight[:, column]


def _level_rows(layer: Layer) -> None:
    """Bring all rows in front of a normalisation to the range of the widest one."""
    norm = layer.norm
    if norm is None or norm.running_mean is None or norm.running_var is None:
        return
    weight: Tensor = layer.linear.weight
    sizes = weight.flatten(1).abs().amax(dim=1)
    factor = (sizes.max() / sizes.clamp_min(1e-8)).clamp(1, _LIMIT)
    weight.mul_(factor.reshape(-1, *[1] * (weight.dim() - 1)))
    if layer.bias is not None:
        layer.bias.value.mul_(factor)
    norm.running_mean.mul_(factor)
    norm.running_var.copy_((norm.running_var + norm.eps) * factor.square() - norm.eps)
