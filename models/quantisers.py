"""Brevitas quantisers for the types of a BitConfig.

All are symmetric, without zero point, round half to even, and export to one Quant or BipolarQuant
node. Scales are parameters that are set from the weights or from a known distribution, not from
statistics of the first batches, so that the result depends on nothing but seed and data. Float
scales are learned as their logarithm: a step changes them by a ratio, whatever their size.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import (
    BitWidthImplType,
    FloatToIntImplType,
    QuantType,
    RestrictValueType,
    ScalingImplType,
    ScalingPerOutputType,
)
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import Tensor

from models.bits import type_bits
from models.levels import weight_integers

# Step of the uniform quantiser with the least squared error on a unit Gaussian, by bits (Max, 1960;
# recomputed numerically). An n-bit quantiser after a ReLU sees the positive half: n + 1 bits.
_GAUSSIAN_STEP = {1: 1.596, 2: 0.996, 3: 0.586, 4: 0.335, 5: 0.188, 6: 0.104, 7: 0.0569, 8: 0.0308, 9: 0.0166}
# Weights that are enough to find the best scale of a tensor.
_ENOUGH = 1 << 16
_RESTRICT = {
    "float": RestrictValueType.LOG_FP,
    "power_of_two": RestrictValueType.POWER_OF_TWO,
    "constant": RestrictValueType.FP,
}


class _Common(ExtendedInjector):
    bit_width_impl_type = BitWidthImplType.CONST
    zero_point_impl = ZeroZeroPoint
    float_to_int_impl_type = FloatToIntImplType.ROUND
    scaling_min_val = 1e-8


class _Weight(_Common, WeightQuantSolver):
    pass


class _Activation(_Common, ActQuantSolver):
    pass


def signed(name: str) -> bool:
    """Whether the type has negative values."""
    return not name.startswith("UINT")


def weight_narrow(name: str) -> bool:
    """Whether a weight type is symmetric; INT2 is not, or it would be TERNARY."""
    return name != "INT2"


def weight_levels(name: str) -> tuple[int, int]:
    """Smallest and largest integer of a weight type."""
    levels = weight_integers(name)
    return levels[0], levels[-1]


def weight_quantiser(name: str, scale: str, per_channel: bool) -> Any:
    """Quantiser class for the weights of a linear layer ``[out, in]``."""
    attributes: dict[str, Any] = {
        "quant_type": QuantType.BINARY if name == "BIPOLAR" else QuantType.INT,
        "bit_width": type_bits(name),
        "signed": True,
        "narrow_range": weight_narrow(name),
        "restrict_scaling_type": _RESTRICT[scale],
        "scaling_impl_type": ScalingImplType.CONST if scale == "constant" else ScalingImplType.PARAMETER,
        "scaling_per_output_type": ScalingPerOutputType.TENSOR,
        "scaling_const": 1.0,
    }
    if per_channel and scale != "constant":
        attributes["scaling_per_output_type"] = ScalingPerOutputType.CHANNEL
    return type(f"{name.title()}Weight", (_Weight,), attributes)


def activation_quantiser(name: str, scale: str) -> Any:
    """Quantiser class for activations; a learned scale starts as the best one for unit Gaussian input."""
    constant = scale == "constant" or name == "BIPOLAR"
    top = 1.0 if constant else gaussian_threshold(name, scale)
    return _activation(name, "constant" if constant else scale, top)


def input_quantiser(name: str, scale: str) -> Any:
    """Constant quantiser class of the network input: [0, 1] for UINTn, [-1, 1] for the others."""
    top = 1.0
    if name.startswith("UINT") and scale == "power_of_two":
        levels = 2 ** type_bits(name)
        top = (levels - 1) / levels
    return _activation(name, "constant", top)


def _activation(name: str, scale: str, top: float) -> Any:
    return type(
        f"{name.title()}Activation",
        (_Activation,),
        {
            "quant_type": QuantType.BINARY if name == "BIPOLAR" else QuantType.INT,
            "bit_width": type_bits(name),
            "signed": signed(name),
            "narrow_range": name == "TERNARY",
            "restrict_scaling_type": _RESTRICT[scale],
            "scaling_impl_type": ScalingImplType.CONST if scale == "constant" else ScalingImplType.PARAMETER,
            "scaling_per_output_type": ScalingPerOutputType.TENSOR,
            "min_val": -top if signed(name) else 0.0,
            "max_val": top,
        },
    )


def gaussian_threshold(name: str, scale: str, std: float = 1.0) -> float:
    """Value that the integer ``int_scaling`` stands for, so that the step suits a Gaussian of ``std``."""
    bits = type_bits(name)
    step = _GAUSSIAN_STEP[bits if signed(name) else bits + 1] * std
    return step * int_scaling(name, scale, narrow=name == "TERNARY")


def int_scaling(name: str, scale: str, narrow: bool) -> int:
    """Brevitas' divisor: the scale factor is threshold / int_scaling."""
    levels = 1 << (type_bits(name) - signed(name))
    if scale == "power_of_two":
        return levels
    return levels - narrow if signed(name) else levels - 1


def best_weight_scale(weight: Tensor, name: str, per_channel: bool) -> Tensor:
    """Scale with the least squared error: a scalar, or ``[out, 1]``.

    For BIPOLAR that is the mean magnitude; otherwise the best of 60 fractions of the largest magnitude.
    """
    w = weight.detach()
    rows = w if per_channel else w.reshape(1, -1)[:, :: max(1, w.numel() // _ENOUGH)]
    if name == "BIPOLAR":
        best = rows.abs().mean(dim=1, keepdim=True)
    else:
        low, high = weight_levels(name)
        top = rows.abs().amax(dim=1, keepdim=True) / max(high, -low)
        best, least = top, torch.full_like(top, math.inf)
        # A type with few levels on one side, INT2, is best with a step above max/levels.
        for fraction in torch.linspace(0.05, 2.0, 60).tolist():
            step = (top * fraction).clamp_min(1e-8)
            error = (torch.round(rows / step).clamp(low, high) * step - rows).square().sum(dim=1, keepdim=True)
            best, least = torch.where(error < least, step, best), torch.minimum(error, least)
    best = best.clamp_min(1e-6)
    return best if per_channel else best.reshape(())


def set_scale(quantiser: Any, scale: Tensor, name: str, kind: str, narrow: bool) -> None:
    """Write a learned scale factor into a Brevitas tensor quantiser (``proxy.tensor_quant``)."""
    parameter = quantiser.scaling_impl.value
    divisor = 1 if name == "BIPOLAR" else int_scaling(name, kind, narrow)
    with torch.no_grad():
        parameter.copy_(torch.log2(scale * divisor).reshape(parameter.shape))
