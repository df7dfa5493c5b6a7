"""Prices by which the logic of a matrix is chosen, in one place."""

from __future__ import annotations

# Levels of logic between registers; a level is a LUT and a carry chain of about eight bits.
LEVELS = 2
# Devices have two flip-flops for each LUT, and logic leaves many of them free.
_REGISTER = 0.2
# Above so many weights only the plain way is tried.
SEARCH_LIMIT = 6000
# Bits of the inputs of a row that may become a truth table.
TABLE_BITS = 12


def price(luts: int, registers: int) -> float:
    """What a netlist costs, in LUTs."""
    return luts + _REGISTER * registers
