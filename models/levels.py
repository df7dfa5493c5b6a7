"""The integers that weights of a type are, without torch."""

from __future__ import annotations

from models.bits import FLOAT, type_bits
from models.errors import ModelError

# Largest level of CODEn.
GRID = 127


def weight_integers(name: str) -> tuple[int, ...]:
    """All integers of a weight type, ascending; of CODEn, whose levels training moves, evenly spread ones.

    Raises
    ------
    ModelError : FLOAT weights are no integers.
    """
    if name == FLOAT:
        raise ModelError("FLOAT weights are no integers; give another type")
    bits = type_bits(name)
    if name == "BIPOLAR":
        return -1, 1
    if name.startswith("POW"):
        sizes = [1 << exponent for exponent in range((1 << (bits - 1)) - 1)]
        return (*(-size for size in reversed(sizes)), 0, *sizes)
    if name.startswith("CODE"):
        steps = (1 << bits) - 1
        return tuple(round(2 * GRID * index / steps) - GRID for index in range(steps + 1))
    top = 1 << (bits - 1)
    return tuple(range(-top if name == "INT2" else 1 - top, top))  # INT2 is not symmetric, or it would be TERNARY


def grid_bits(name: str) -> int:
    """Bits of a weight as the integer that is multiplied; `type_bits` has those that are stored, fewer for POWn and CODEn."""
    if name in (FLOAT, "BIPOLAR"):
        return type_bits(name)
    levels = weight_integers(name)
    return max((-levels[0] - 1).bit_length(), levels[-1].bit_length()) + 1
