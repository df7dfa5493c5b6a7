"""Weights whose sums never leave an accumulator of given width: A2Q and A2Q+ of Brevitas.

The l1 norm of each output's weights is held below what the accumulator takes for any input of the type in front of the
layer. Colbert et al., arXiv 2308.13504 (A2Q) and 2401.10432 (A2Q+, for unsigned inputs: weights of zero mean).
"""

from __future__ import annotations

from math import log2
from typing import Any

import torch
from brevitas.core.quant.int import DecoupledRescalingIntQuantWithInput
from brevitas.core.restrict_val import LogFloatRestrictValue, PowerOfTwoRestrictValue
from brevitas.inject.enum import ScalingPerOutputType
from brevitas.proxy.parameter_quant import DecoupledWeightQuantProxyFromInjector
from brevitas.quant.base import AccumulatorAwareWeightQuant, AccumulatorAwareZeroCenterWeightQuant
from torch import Tensor

from models.bits import type_bits


class HeldIntQuant(DecoupledRescalingIntQuantWithInput):
    """Brevitas' quantiser for a layer whose input always has the same type; a subclass says which.

    Attributes
    ----------
    input_bits, input_signed : bits of the input in the sense of the bound, a fraction where a pool sums up; and its sign.
    """

    input_bits: float
    input_signed: bool

    def forward(self, x: Tensor) -> Any:
        """Quantised weights with their scale, zero point and bits, and those before the clipping."""
        return super().forward(x, torch.tensor(self.input_bits, device=x.device), self.input_signed)

    @torch.no_grad()
    def fit(self, weight: Tensor, scale: Tensor) -> None:
        """Start from ``weight [out, ...]`` quantised with ``scale``, as far as the bound allows.

        Where it does not allow all, only the largest weights of an output stay, half as many as the bound has units: shrunk
        together, all would round to zero, and nothing could be learned from there. ``weight`` changes in place.
        """
        norm = self.pre_scaling_impl
        limit = float(norm.calc_max_l1_norm(torch.tensor(self.input_bits, device=weight.device), self.input_signed))
        rows = weight.flatten(1)
        crowded = (rows / scale.reshape(-1, 1)).abs().sum(dim=1) > limit
        kept = min(max(1, int(limit / 2)), rows.shape[1])
        least = rows.abs().topk(kept, dim=1).values[:, -1:]
        weight.mul_(((rows.abs() >= least) | ~crowded[:, None]).reshape(weight.shape))
        self.scaling_impl.value.copy_(torch.log2(scale).reshape(self.scaling_impl.value.shape))
        centred = weight + norm.pre_zero_point.get_zero_center(weight) if hasattr(norm, "pre_zero_point") else weight
        sums = centred.flatten(1).abs().sum(dim=1).clamp_min(1e-6)
        norm.value.copy_(torch.log2(sums).reshape(norm.value.shape))


def accumulator_quantiser(weight: tuple[str, str, bool], bits: int, given: tuple[str, int]) -> Any:
    """Quantiser class for weights of an INT type whose sums fit ``bits``.

    Parameters
    ----------
    weight : type, kind of scale, and whether each output has its own.
    given : type of the layer's input elements, and how many of them a pool has added up into one.
    """
    (name, scale, per_channel), (dtype, summed) = weight, given
    unsigned = dtype.startswith("UINT")
    base = AccumulatorAwareZeroCenterWeightQuant if unsigned else AccumulatorAwareWeightQuant
    # |x| <= 1 is one bit in the bound's formula, where a signed type reaches 2**(bits - 1).
    width = 1 if dtype in ("BIPOLAR", "TERNARY") else type_bits(dtype)
    quantiser = type("HeldTo", (HeldIntQuant,), {"input_bits": width + log2(summed), "input_signed": not unsigned})
    return type(f"Held{name.title()}Weight", (base,), {
        "proxy_class": DecoupledWeightQuantProxyFromInjector, "tensor_quant": quantiser,
        "bit_width": type_bits(name), "narrow_range": name != "INT2", "accumulator_bit_width": bits,
        "restrict_scaling_impl": PowerOfTwoRestrictValue if scale == "power_of_two" else LogFloatRestrictValue,
        "scaling_per_output_type": ScalingPerOutputType.CHANNEL if per_channel else ScalingPerOutputType.TENSOR,
    })
