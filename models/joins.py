"""Where branches of a network meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.bits import FLOAT, BitConfig
from models.layer import Layer, Site, activation
from models.plan import Step
from models.units import Residual

# Roundings of the sum of two quantised tensors: two products with the scale, and the sum.
_SUM = 3


class Join(nn.Module):
    """Sum of two branches: both quantised alike, so that the sum is an integer, then the activation.

    Parameters
    ----------
    branch : type of both branches; of a UINTn the signed INTn.
    sum_type, scale : of the activation after the sum.
    """

    def __init__(self, branch: str, sum_type: str, scale: str) -> None:
        super().__init__()
        self.branch_type = branch.removeprefix("U") if branch not in ("UINT1", "BIPOLAR") else "INT2"
        self.branch = nn.Identity() if branch == FLOAT else activation(self.branch_type, scale)
        self.sum_type, self.scale, self.activation = sum_type, scale, activation(sum_type, scale)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Two feature maps ``[N, C, H, W]`` to one."""
        # Plain tensors: Brevitas would otherwise check at every sum that both scales are equal, which they are by construction.
        joined: Tensor = self.activation(plain(self.branch(left)) + plain(self.branch(right)))
        return joined

    def sites(self, ends: Sequence[Layer | None], roundings: Sequence[int]) -> list[Site]:
        """Its quantisers in the order of their calls; ``ends`` are the layers in front of it."""
        found = []
        if self.branch_type != FLOAT:
            pairs = zip(ends, roundings, strict=True)
            found = [Site(self.branch, self.branch_type, self.scale, end, more) for end, more in pairs]
        return found if self.sum_type == FLOAT else [*found, Site(self.activation, self.sum_type, self.scale, None, _SUM)]


class Concatenation(nn.Module):
    """Branches one after the other: one activation, and so one scale, for all of them."""

    def __init__(self, dtype: str, scale: str) -> None:
        super().__init__()
        self.dtype, self.scale, self.activation = dtype, scale, activation(dtype, scale)

    def forward(self, *branches: Tensor) -> Tensor:
        """Feature maps ``[N, C_i, H, W]`` to ``[N, sum of C_i, H, W]``."""
        return torch.cat([plain(self.activation(branch)) for branch in branches], dim=1)

    def sites(self, ends: Sequence[Layer | None], roundings: Sequence[int]) -> list[Site]:
        """Its quantiser, once a branch."""
        if self.dtype == FLOAT:
            return []
        return [Site(self.activation, self.dtype, self.scale, end, more) for end, more in zip(ends, roundings, strict=True)]


def join_of(step: Step, bits: BitConfig) -> Join | Concatenation:
    """The join of a step with branches.

    Both branches of a sum take the activation type of the layer before the join (of the shortcut's, if it has one), the
    sum that of the layer beside the shortcut; a concatenation takes that of the last layer that ends a branch.
    """
    ends = [end for end in step.ends if end is not None]
    if isinstance(step.unit, Residual):
        return Join(bits.activations[ends[-1]], bits.activations[ends[0]], bits.activation_scale[ends[0]])
    return Concatenation(bits.activations[ends[-1]], bits.activation_scale[ends[-1]])


def plain(x: Any) -> Tensor:
    """The values of a Brevitas tensor."""
    value: Tensor = getattr(x, "value", x)
    return value
