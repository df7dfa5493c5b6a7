"""Chains of techniques from a YAML file, with a checkpoint after each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant_training.recipes.config import Recipe, Stage
    from quant_training.recipes.plugins import Kind, Outcome, Plugins
    from quant_training.recipes.rows import table
    from quant_training.recipes.run import RecipeResult, run_recipe

__all__ = ["Kind", "Outcome", "Plugins", "Recipe", "RecipeResult", "Stage", "run_recipe", "table"]

_LAZY = {
    "Kind": "plugins", "Outcome": "plugins", "Plugins": "plugins", "Recipe": "config", "Stage": "config", "RecipeResult": "run",
    "run_recipe": "run", "table": "rows",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'quant_training.recipes' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"quant_training.recipes.{_LAZY[name]}"), name)
