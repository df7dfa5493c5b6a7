"""Weights with levels that are not evenly spaced: powers of two, or a codebook that is learned with the layer.

All levels are integers on a grid of at most 8 bits, so that the layer exports as one Quant node of that grid, exactly; the
hardware stores codes and makes the levels of them again. Codebooks by k-means: Han et al., Deep Compression (ICLR 2016);
powers of two: Zhou et al., Incremental Network Quantization (ICLR 2017).
"""

from __future__ import annotations

from typing import Any

import torch
from brevitas.core.function_wrapper import Identity
from brevitas.function.ops_ste import round_ste
from brevitas.inject import ExtendedInjector, value
from brevitas.inject.enum import ScalingPerOutputType
from brevitas.proxy import WeightQuantProxyFromInjector
from brevitas.quant.solver import WeightQuantSolver
from torch import Tensor, nn

from models.bits import type_bits
from models.levels import GRID, weight_integers

_ROUNDS = 30
# Weights that are enough to find levels.
_ENOUGH = 1 << 16


class CodebookQuant(nn.Module):
    """Each weight to the nearest level times a scale; straight through for the weights, exact gradients for the levels.

    Parameters
    ----------
    codebook : POWn or CODEn.
    code_scale : of ``SCALES``; ``constant`` makes the largest level stand for 1.0 (on the next power of two for CODEn).
    code_shape : of the scale, ``()`` or one per output channel.
    """

    def __init__(self, codebook: str, code_scale: str, code_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.codebook, self.code_scale = codebook, code_scale
        self.powers = codebook.startswith("POW")
        powers = torch.tensor(weight_integers(codebook), dtype=torch.float32)
        levels = powers if self.powers else torch.linspace(-1, 1, 1 << type_bits(codebook)) * GRID
        self.top = float(levels.max()) if self.powers else float(GRID)
        self.bit_width = int(self.top).bit_length() + 1
        # Scale of the largest level, as a logarithm. Those of codebooks stay, their levels move.
        self.reach = nn.Parameter(torch.zeros(code_shape), requires_grad=self.powers and code_scale != "constant")
        self.levels = nn.Parameter(levels / self.top, requires_grad=not self.powers)
        self.input_view_impl = Identity()

    @property
    def scale(self) -> Tensor:
        """What the integer 1 stands for."""
        reach = round_ste(self.reach) if self.code_scale == "power_of_two" else self.reach
        whole = self.top + 1 if self.code_scale == "power_of_two" and not self.powers else self.top
        if self.code_scale == "constant" and not self.powers:
            whole = self.top + 1
        scale: Tensor = torch.exp2(reach) / whole
        return scale

    def integers(self) -> Tensor:
        """The levels, float ``[K]``, ascending; equal ones are possible."""
        levels: Tensor = round_ste(self.levels * self.top).clamp(-self.top, self.top)
        return levels.sort().values

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Quantised weights, scale, zero point and the bits of the grid."""
        scale, levels = self.scale, self.integers()
        known = levels.detach()
        wanted = (x / scale).clamp(float(known[0]), float(known[-1]))
        picked = levels[nearest(wanted.detach(), known)]
        passed = picked + (wanted - wanted.detach())  # in this order the value is exactly that of ``picked``
        return passed * scale, scale, torch.zeros((), device=x.device), torch.tensor(float(self.bit_width), device=x.device)

    @torch.no_grad()
    def fit(self, weight: Tensor) -> None:
        """Scale and levels with the least squared error for ``weight [out, ...]``, by alternating between the two."""
        rows = weight.detach().flatten(1)
        if self.code_scale == "constant":
            reach = torch.zeros_like(self.reach)
        else:
            magnitude = rows.abs().amax(dim=1) if self.reach.numel() > 1 else rows.abs().amax()
            reach = torch.log2(magnitude.clamp_min(1e-6)).reshape(self.reach.shape)
        if self.powers:
            self.reach.copy_(self._best_reach(weight, reach) if self.code_scale != "constant" else reach)
            return
        self.reach.copy_(torch.ceil(reach) if self.code_scale == "power_of_two" else reach)
        values = (weight.detach() / self.scale / self.top).flatten()
        values = values[:: max(1, values.numel() // _ENOUGH)]
        self.levels.copy_(k_means(values, self.levels.numel()).clamp(-1, 1))

    @torch.no_grad()
    def pin_zero(self) -> None:
        """Move the level next to 0 there; powers of two have it."""
        if not self.powers:
            self.levels[self.levels.abs().argmin()] = 0.0

    def _best_reach(self, weight: Tensor, reach: Tensor) -> Tensor:
        best, least = reach, torch.full_like(reach, torch.inf)
        for shift in torch.linspace(-3, 1, 33).tolist():
            self.reach.copy_(reach + shift)
            error = (self(weight)[0] - weight).square().flatten(1).sum(dim=1)
            error = error.reshape(reach.shape) if reach.numel() > 1 else error.sum()
            best, least = torch.where(error < least, self.reach, best), torch.minimum(error, least)
        return best


def _shape(scaling_per_output_type: Any, scaling_per_output_channel_shape: Any) -> Any:
    return scaling_per_output_channel_shape if scaling_per_output_type == ScalingPerOutputType.CHANNEL else ()


class _Codebook(WeightQuantSolver):
    proxy_class = WeightQuantProxyFromInjector
    tensor_quant = CodebookQuant
    signed = True
    narrow_range = True

    code_shape = value(_shape)


def codebook_quantiser(name: str, scale: str, per_channel: bool) -> Any:
    """Quantiser class for weights of a codebook type."""
    kind = ScalingPerOutputType.CHANNEL if per_channel and scale != "constant" else ScalingPerOutputType.TENSOR
    bases: tuple[type[ExtendedInjector], ...] = (_Codebook,)
    return type(f"{name.title()}Weight", bases, {
        "codebook": name, "code_scale": scale, "scaling_per_output_type": kind, "bit_width": 8,
    })


def nearest(x: Tensor, levels: Tensor) -> Tensor:
    """Index of the level next to each element of ``x``; ``levels`` ascend."""
    return torch.bucketize(x, (levels[1:] + levels[:-1]) / 2)


def k_means(values: Tensor, count: int) -> Tensor:
    """``count`` ascending centres with the least squared distance to ``values [N]``, from their quantiles on (Lloyd, 1982)."""
    ordered = values.double().sort().values
    centres = torch.quantile(ordered, (torch.arange(count, dtype=torch.float64) + 0.5) / count)
    for _ in range(_ROUNDS):
        index = nearest(ordered, centres)
        sizes = torch.bincount(index, minlength=count)
        sums = torch.zeros(count, dtype=torch.float64).index_add_(0, index, ordered)
        moved = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres).sort().values
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres.to(values.dtype)
