"""Layers of low rank: one layer becomes two to four smaller ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant_training.lowrank.factors import Factor, factors_of
    from quant_training.lowrank.network import LowRankConfig, factorise

__all__ = ["Factor", "LowRankConfig", "factorise", "factors_of"]

_LAZY = {"Factor": "factors", "factors_of": "factors", "LowRankConfig": "network", "factorise": "network"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'quant_training.lowrank' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"quant_training.lowrank.{_LAZY[name]}"), name)
