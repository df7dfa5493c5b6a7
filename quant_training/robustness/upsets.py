"""Bits that flip in weight memories and in the tensors between layers: of two's complement, or of a codebook's codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from models.bits import CODEBOOK_TYPES, type_bits
from models.joins import plain
from quant_training.errors import TrainingError
from quant_training.robustness.codes import code_table, codes

if TYPE_CHECKING:
    from models import Network


@contextmanager
def flipped_weights(model: Network, rate: float, *, seed: int = 0) -> Iterator[int]:
    """``model`` with each weight bit flipped with probability ``rate``; yields how many were, and undoes it.

    Raises
    ------
    TrainingError : FLOAT weights.
    """
    generator = torch.Generator().manual_seed(seed)
    kept: list[tuple[Any, Tensor]] = []
    count = 0
    try:
        for index, (layer, name) in enumerate(zip(model.layers, model.bits.weights, strict=True)):
            _check(f"weights[{index}]", name)
            linear = layer.linear
            with torch.no_grad():
                quantised = linear.quant_weight()
                values, flips = _upset(quantised.value, quantised.scale, name, rate, generator)
                kept.append((linear, linear.weight.detach().clone()))
                linear.weight.copy_(values)
            # The memory holds what no quantiser would give: -8 in a narrow INT4, for one.
            linear.weight_quant.disable_quant = True
            count += flips
        yield count
    finally:
        for linear, weight in kept:
            linear.weight_quant.disable_quant = False
            with torch.no_grad():
                linear.weight.copy_(weight)


@contextmanager
def flipped_activations(model: Network, rate: float, *, seed: int = 0) -> Iterator[None]:
    """``model`` with each bit of its quantised input and activations flipped with probability ``rate``, anew at each call."""
    generator = torch.Generator().manual_seed(seed)
    modules: dict[Any, str] = {}
    for site in model.sites():
        _check("an activation", site.dtype)
        modules[site.module] = site.dtype

    def upset(name: str) -> Callable[..., Tensor]:
        def hook(module: Any, _inputs: Any, output: Any) -> Tensor:
            return _upset(plain(output), module.act_quant.scale(), name, rate, generator)[0]
        return hook

    handles = [module.register_forward_hook(upset(name)) for module, name in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _check(what: str, name: str) -> None:
    if name == "FLOAT":
        raise TrainingError(f"robustness: {what} is FLOAT; bits are flipped in quantised networks only")


def _upset(values: Tensor, scale: Tensor, name: str, rate: float, generator: torch.Generator) -> tuple[Tensor, int]:
    """Values with flipped bits, and how many were flipped."""
    integers = torch.round(values / scale).to(torch.int64)
    table = code_table(integers.cpu(), name).to(values.device) if name in CODEBOOK_TYPES else None
    bits = type_bits(name) if table is None else (len(table) - 1).bit_length()
    flips = torch.rand((bits, *values.shape), generator=generator).to(values.device) < rate
    count = int(flips.sum())
    if name == "BIPOLAR":
        return torch.where(flips[0], -values, values), count
    mask = sum((flips[bit].to(torch.int64) << bit for bit in range(bits)), torch.zeros_like(integers))
    if table is not None:
        return table[codes(integers, table) ^ mask].to(values.dtype) * scale, count
    changed = (integers ^ mask) & ((1 << bits) - 1)
    if not name.startswith("UINT"):
        changed = torch.where(changed >= 1 << (bits - 1), changed - (1 << bits), changed)
    return changed.to(values.dtype) * scale, count
