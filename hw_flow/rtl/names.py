"""Identifiers for generated modules and instances."""

from __future__ import annotations

import re
from collections.abc import Iterable

_KEYWORDS = frozenset("""
    alias always and assert assign assume automatic before begin bind bit break buf byte case cell chandle checker class
    clocking config const constraint context continue cover cross deassign default defparam design disable dist do edge else
    end enum event expect export extends extern final for force forever fork forkjoin function generate genvar global highz0
    highz1 if iff ifnone import include initial inout input inside instance int integer interface intersect join large let
    liblist library local localparam logic longint macromodule matches medium modport module nand negedge new nor not null
    or output package packed parameter pmos posedge primitive priority program property protected pull0 pull1 pulldown
    pullup pure rand randc real realtime ref reg release repeat restrict return rpmos scalared sequence shortint signed
    small solve specify static string strong struct super supply0 supply1 table tagged task this throughout time
    timeprecision timeunit tran tri type typedef union unique unsigned untyped use uwire var vectored virtual void wait wand
    weak while wildcard wire with within wor xnor xor
""".split())  # noqa: SIM905 - a list literal of 240 quoted words is unreadable
# Files are named after modules, which are named after the network and a node or tensor.
_LONGEST = 64


def identifier(name: str) -> str:
    """``name`` as a SystemVerilog identifier: lower case, ``[a-z0-9_]``, no leading digit, no keyword, 64 at most.

    Examples
    --------
    >>> identifier("MVAU_0"), identifier("2nd/layer.fc"), identifier("logic")
    ('mvau_0', 'n2nd_layer_fc', 'logic_')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "x"
    if plain[0].isdigit():
        plain = "n" + plain
    plain = plain[:_LONGEST].rstrip("_")
    return plain + "_" if plain in _KEYWORDS else plain


class Namer:
    """Hands out identifiers, each only once."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)

    def __call__(self, name: str) -> str:
        """An identifier like ``name`` that nobody else got."""
        base = plain = identifier(name)
        number = 2
        while plain in self._taken:
            plain, number = f"{base}_{number}", number + 1
        self._taken.add(plain)
        return plain
