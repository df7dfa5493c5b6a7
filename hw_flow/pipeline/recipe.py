"""A recipe of compression with hardware in it, from the YAML file to the QONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models import Network


@dataclass(frozen=True, eq=False)
class RecipeRun:
    """What a recipe gave.

    Attributes
    ----------
    network : of the last stage, in evaluation mode.
    directory : folder of the last stage.
    rows : plain values of each stage, see `quant_training.recipes.RecipeResult`.
    model : the QONNX file; None if the network has float tensors.
    """

    network: Network
    directory: Path
    rows: list[dict[str, Any]]
    model: Path | None


def run(recipe: Path | Mapping[str, Any], output: Path, *, progress: bool = False) -> RecipeRun:
    """Carry out what ``output`` does not hold yet, and export the last network.

    Raises
    ------
    TrainingError : a fault of the recipe, or a stage that fails.
    """
    from hw_flow.codesign.stages import plugins
    from hw_flow.export import export_checkpoint
    from quant_training.recipes import Recipe, run_recipe

    added = plugins()
    read = Recipe.from_dict(recipe, added) if isinstance(recipe, Mapping) else Recipe.from_yaml(recipe, added)
    result = run_recipe(read, output, progress=progress, plugins=added)
    onnx = None
    if result.model.bits.quantised:
        onnx = result.directory / "model.onnx"
        export_checkpoint(result.directory, onnx)
    return RecipeRun(result.model, result.directory, result.rows, onnx)
