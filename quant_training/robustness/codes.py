"""Codes of codebook weights, as the weight memories of the rtl back end hold them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.bits import type_bits


def code_table(integers: Tensor, name: str) -> Tensor:
    """Level of each code, int64 ``[2**bits]``, of a layer with the weights ``integers``.

    A code of POWn is a sign and an exponent, and all ones in the exponent mean 0. A code of CODEn is the number of the level
    among those that the layer uses, in ascending order; codes beyond the last read as the last.
    """
    if name.startswith("POW"):
        exponents = torch.arange(1 << (type_bits(name) - 1))
        sizes = torch.where(exponents == len(exponents) - 1, 0, 1 << exponents)
        return torch.cat([sizes, -sizes])
    levels = torch.from_numpy(np.unique(integers.numpy()))
    spare = (1 << max(1, (len(levels) - 1).bit_length())) - len(levels)
    return torch.cat([levels, levels[-1:].expand(spare)])


def codes(integers: Tensor, table: Tensor) -> Tensor:
    """The lowest code of each of ``integers``, in their shape."""
    ordered, places = table.sort(stable=True)
    return places[torch.searchsorted(ordered, integers.contiguous())]
