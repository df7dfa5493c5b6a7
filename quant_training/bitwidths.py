"""Bit widths that are learned with the weights, by Brevitas' bit-width parameters.

The width of each INT weight and of each activation becomes a parameter: rounded in the forward pass, straight through in the
backward pass (Uhlich et al., Mixed Precision DNNs, ICLR 2020). The step is range / (levels - 1), so that a narrower width is a
coarser grid over the same range. Without a cost all widths would stay as wide as they may be: see `hardware_loss`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from models.layer import Layer, tensor_quantiser
from quant_training.errors import TrainingError
from quant_training.hooks import SPEED

if TYPE_CHECKING:
    from models import Network

_LEAST = 2
# A step of a weight in [-1, 1] is a step of so many times that in bits.
_SPEED = 10.0


def learn_bits(model: Network, *, weights: bool = True, activations: bool = True) -> int:
    """Make the widths of ``model`` learnable, in place, from 2 bits up to those that it has now.

    INT3 .. INT8 weights and INTn and UINTn activations from 3 bits on; all others stay as they are. What a network
    learned becomes a `BitConfig` by `rounded`.

    Returns
    -------
    Number of widths that can be learned.

    Raises
    ------
    TrainingError : there is none.
    """
    found = 0
    for layer in model.layers if weights else []:
        if layer.weight_type.startswith("INT") and layer.weight_type != "INT2":
            found += _learn([layer.linear.weight_quant.tensor_quant], layer.linear.weight.device)
    for index, modules in model.typed_activations().items() if activations else []:
        if model.bits.activations[index] not in ("BIPOLAR", "TERNARY"):
            found += _learn([tensor_quantiser(module) for module in modules], next(model.parameters()).device)
    if not found:
        raise TrainingError(f"no layer has a width to learn ({model.bits}); use types of 3 to 8 bits, for example w8a8")
    return found


def _learn(quantisers: Sequence[Any], device: torch.device) -> int:
    """One width for all of ``quantisers``; how many were given one that can be learned, 0 or 1."""
    from brevitas.core.bit_width import BitWidthParameter

    if not all(hasattr(quantiser, "msb_clamp_bit_width_impl") for quantiser in quantisers):
        return 0
    bits = int(quantisers[0].msb_clamp_bit_width_impl())
    if bits <= _LEAST:
        return 0
    width = BitWidthParameter(bits, min_bit_width=_LEAST, bit_width_offset_min_val=_LEAST, bit_width_offset_max_val=bits)
    setattr(width.bit_width_offset, SPEED, _SPEED)
    for quantiser in quantisers:
        quantiser.msb_clamp_bit_width_impl = width.to(device)
    return 1


def width_of(quantiser: Any, otherwise: int) -> Tensor:
    """Present bits of a tensor quantiser, differentiable where they are learned."""
    if isinstance(quantiser, nn.Module) and hasattr(quantiser, "msb_clamp_bit_width_impl"):
        bits: Tensor = quantiser.get_submodule("msb_clamp_bit_width_impl")()
        return bits
    return torch.tensor(float(otherwise))


def rounded(model: Network) -> Network:
    """A network with the learned widths as plain types, which computes exactly what ``model`` does.

    Two bits of weights are TERNARY (-1, 0, 1), as symmetric grids have it.
    """
    import models

    bits = model.bits
    weights = tuple(_weight_type(layer) for layer in model.layers)
    activations = list(bits.activations)
    for index, modules in model.typed_activations().items():
        activations[index] = _renamed(activations[index], int(width_of(tensor_quantiser(modules[0]), 0)))
    plain = models.build(model.spec, replace(bits, weights=weights, activations=tuple(activations)), seed=0)
    state = {name: value for name, value in model.state_dict().items() if not name.endswith("bit_width_offset")}
    plain.load_state_dict(state)
    return plain.train(model.training)


def _weight_type(layer: Layer) -> str:
    if not layer.weight_type.startswith("INT") or layer.weight_type == "INT2":
        return layer.weight_type
    bits = int(width_of(layer.linear.weight_quant.tensor_quant, 0))
    return "TERNARY" if bits == _LEAST else f"INT{bits}"


def _renamed(name: str, bits: int) -> str:
    return f"{name.rstrip('0123456789')}{bits}" if name.startswith(("INT", "UINT")) else name
