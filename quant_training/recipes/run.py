"""Run a recipe in a folder: what is done is kept, what was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
from models.checkpoint import write_text
from quant_training.dataset import Dataset
from quant_training.errors import TrainingError
from quant_training.metrics import evaluate
from quant_training.recipes.config import Recipe, Stage
from quant_training.recipes.plugins import Plugins
from quant_training.recipes.stages import Work, perform
from quant_training.size import footprint

if TYPE_CHECKING:
    from models import Network

SUMMARY = "recipe.json"
# What every row has, and the table shows.
_ROW = {"stage", "test_accuracy", "weight_bits", "macs", "bit_operations", "sparsity", "seconds"}
_DONE, _KEY, _TRAINING = "stage.json", "stage.key", "training"


@dataclass(frozen=True, eq=False)
class RecipeResult:
    """What a recipe gave.

    Attributes
    ----------
    model : network of the last stage, in evaluation mode.
    directory : its folder, as `models.load` and the export read it.
    rows : one mapping a stage: stage, kind, bits, test_accuracy, val_accuracy, parameters, weight_bits, macs, bit_operations,
        sparsity, seconds; accuracies from 0 to 1; and what a kind of stage adds, with a ``note``.
    """

    model: Network
    directory: Path
    rows: list[dict[str, Any]]


def run_recipe(recipe: Recipe, output: Path, *, progress: bool = False, plugins: Plugins | None = None) -> RecipeResult:
    """Carry out all stages that ``output`` does not hold yet; a changed stage is done anew, with all that follow.

    ``plugins`` are those that ``recipe`` was read with.

    Raises
    ------
    TrainingError : the data, a technique or a training fails; the stage is named, and what was done before it stays.
    """
    data = recipe.data.load()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{output}: cannot be made ({error.strerror}); give another folder as output") from error
    digest = hashlib.sha256(_settings(recipe).encode())
    digest.update(data.train.integers.tobytes())
    digest.update(data.train.labels.tobytes())
    rows: list[dict[str, Any]] = []
    folders: dict[str, Path] = {}
    model: Network | None = None
    masked = False
    folder = output
    for number, stage in enumerate(recipe.stages, start=1):
        digest.update(json.dumps(stage.to_dict(), sort_keys=True, default=str).encode())
        folder = output / f"{number:02d}-{stage.name}"
        done = _done(folder, digest.hexdigest())
        if done is None:
            teachers = {stage.teacher: models.load(folders[stage.teacher])} if stage.teacher is not None else {}
            work = Work(recipe, stage, data, folder / _TRAINING, model, masked, teachers, progress, plugins or Plugins())
            done = _perform(work, folder, digest.hexdigest())
        model, masked = models.load(folder), bool(done["masked"])
        folders[stage.name] = folder
        rows.append(done["row"])
    assert model is not None  # a recipe has a stage
    write_text(output / SUMMARY, json.dumps({"version": 1, "recipe": recipe.name, "data": data.name, "stages": rows}, indent=2))
    return RecipeResult(model, folder, rows)


def _settings(recipe: Recipe) -> str:
    values = {"data": recipe.data.model_dump(mode="json"), "model": recipe.model, "training": dict(recipe.training),
              "robustness": recipe.robustness}
    return json.dumps(values, sort_keys=True, default=lambda value: value.to_dict())


def _done(folder: Path, key: str) -> Mapping[str, Any] | None:
    """What a complete stage noted; None if it has to be done. A stage of other settings is removed."""
    marker = folder / _KEY
    if folder.exists() and (not marker.exists() or marker.read_text() != key):
        if any(folder.iterdir()) and not marker.exists():
            raise TrainingError(f"{folder}: is not a stage of a recipe; give an empty folder as output")
        shutil.rmtree(folder)
    try:
        done: Mapping[str, Any] = json.loads((folder / _DONE).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise TrainingError(f"{folder / _DONE}: damaged ({error}); remove the folder to do the stage again") from error
    if not (isinstance(done, dict) and isinstance(done.get("masked"), bool) and isinstance(done.get("row"), dict)
            and done["row"].keys() >= _ROW):
        raise TrainingError(f"{folder / _DONE}: damaged (figures are missing); remove the folder to do the stage again")
    return done


def _perform(work: Work, folder: Path, key: str) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _KEY, key)
    start = time.perf_counter()
    try:
        outcome = perform(work)
    except (TrainingError, models.ModelError) as error:
        raise TrainingError(f"stage '{work.stage.name}': {error}") from error
    seconds = time.perf_counter() - start
    model = outcome.model
    models.save(model, folder)
    _note_data(folder, work.recipe, work.data)
    row = _row(model, work.data, work.stage) | {"seconds": round(seconds, 1), **outcome.figures}
    if work.recipe.robustness:
        from quant_training.robustness import RobustnessConfig, robustness

        row["robustness"] = robustness(model, work.data, RobustnessConfig(samples=500)).to_dict()
    done = {"version": 1, "masked": outcome.masked, "row": row}
    write_text(folder / _DONE, json.dumps(done, indent=2))  # written last: the stage is complete
    shutil.rmtree(folder / _TRAINING, ignore_errors=True)
    return done


def _row(model: Network, data: Dataset, stage: Stage) -> dict[str, Any]:
    accuracies = {"test_accuracy": evaluate(model, data.test)}
    if len(data.val):
        accuracies["val_accuracy"] = evaluate(model, data.val)
    return {"stage": stage.name, "kind": stage.kind, "bits": str(model.bits), **accuracies, **footprint(model).to_dict()}


def _note_data(folder: Path, recipe: Recipe, data: Dataset) -> None:
    """Leave the settings that a training leaves, so that the folder can be exported as one."""
    from quant_training.folder import data_settings

    settings = {"version": 1, "train": {"data": recipe.data.model_dump(mode="json")}, "data": data_settings(data)}
    write_text(folder / "config.json", json.dumps(settings, indent=2))
