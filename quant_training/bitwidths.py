"""Bit widths that are learned with the weights, by Brevitas' bit-width parameters.

The width of each INT weight and of each activation becomes a parameter: rounded in the forward pass, straight through in the
backward pass (Uhlich et al., Mixed Precision DNNs, ICLR 2020). The step is range / (levels - 1), so that a narrower width is a
coarser grid over the same range. Without a cost all widths would stay as wide as they may be: see `hardware_loss`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
_OFFSET = "bit_width_offset"


def learn_bits(model: Network, *, weights: bool = True, activations: bool = True, least: int = _LEAST) -> int:
    """Make the widths of ``model`` learnable, in place, from ``least`` bits, 2 or more, up to those that it has now.

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
            found += _learn([layer.linear.weight_quant.tensor_quant], layer.linear.weight.device, least)
    for index, modules in model.typed_activations().items() if activations else []:
        if model.bits.activations[index] not in ("BIPOLAR", "TERNARY"):
            found += _learn([tensor_quantiser(module) for module in modules], next(model.parameters()).device, least)
    if not found:
        raise TrainingError(f"no layer has a width to learn ({model.bits}); use types of {least + 1} to 8 bits, for example w8a8")
    return found


def _learn(quantisers: Sequence[Any], device: torch.device, least: int) -> int:
    """One width for all of ``quantisers``; how many were given one that can be learned, 0 or 1."""
    from brevitas.core.bit_width import BitWidthParameter

    if not all(hasattr(quantiser, "msb_clamp_bit_width_impl") for quantiser in quantisers):
        return 0
    bits = int(quantisers[0].msb_clamp_bit_width_impl())
    if bits <= least:
        return 0
    width = BitWidthParameter(bits, min_bit_width=least, bit_width_offset_min_val=least, bit_width_offset_max_val=bits)
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


@contextmanager
def widths_kept(model: Network) -> Iterator[None]:
    """Weights and widths may be loaded into ``model`` in here.

    Brevitas makes quantisers anew when a state is loaded into them, without what was learned in place of their widths.
    """
    from brevitas import config

    before = config.REINIT_ON_STATE_DICT_LOAD
    if any(name.endswith(_OFFSET) for name, _ in model.named_parameters()):
        config.REINIT_ON_STATE_DICT_LOAD = False
    try:
        yield
    finally:
        config.REINIT_ON_STATE_DICT_LOAD = before


@contextmanager
def narrowest(model: Network) -> Iterator[None]:
    """All learned widths at their least while in here."""
    offsets = {name: parameter for name, parameter in model.named_parameters() if name.endswith(_OFFSET)}
    kept = {name: parameter.detach().clone() for name, parameter in offsets.items()}
    try:
        for parameter in offsets.values():
            parameter.data.zero_()
        yield
    finally:
        for name, parameter in offsets.items():
            parameter.data.copy_(kept[name])


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
    state = {name: value for name, value in model.state_dict().items() if not name.endswith(_OFFSET)}
    plain.load_state_dict(state)
    return plain.train(model.training)


def _weight_type(layer: Layer) -> str:
    if not layer.weight_type.startswith("INT") or layer.weight_type == "INT2":
        return layer.weight_type
    bits = int(width_of(layer.linear.weight_quant.tensor_quant, 0))
    return "TERNARY" if bits == _LEAST else f"INT{bits}"


def _renamed(name: str, bits: int) -> str:
    return f"{name.rstrip('0123456789')}{bits}" if name.startswith(("INT", "UINT")) else name
