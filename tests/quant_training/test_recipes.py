"""Recipes: every kind of stage, resuming, and what is said of faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import models
from quant_training import TrainingError
from quant_training.loop import Snapshot
from quant_training.recipes import Recipe, run_recipe, table
from quant_training.recipes import stages as stages_module

ALL: dict[str, Any] = {
    "data": "digits", "model": {"preset": "digits", "hidden": [24]}, "training": {"batch_size": 128, "epochs": 2},
    "stages": [
        {"pretrain": {"epochs": 4}},
        {"distil": {"bits": "w4a4", "temperature": 3}},
        {"prune": {"keep": 0.7, "budget": "macs", "teacher": "pretrain"}},
        {"prune": {"pattern": "elements", "keep": 0.5, "name": "thin"}},
        {"lower": {"bits": "w3a3"}},
        "finetune",
        "calibrate",
        {"low_rank": {"energy": 0.7}},
    ],
}


def test_all_kinds_of_stages(tmp_path: Path) -> None:
    result = run_recipe(Recipe.from_dict(ALL), tmp_path)
    names = [row["stage"] for row in result.rows]
    assert names == ["pretrain", "distil", "prune", "thin", "lower", "finetune", "calibrate", "low_rank"]
    rows = dict(zip(names, result.rows, strict=True))
    assert rows["distil"]["weight_bits"] * 8 == rows["pretrain"]["weight_bits"]
    assert rows["prune"]["macs"] <= 0.7 * rows["distil"]["macs"]
    # Zeros stay zero in what follows.
    assert all(rows[name]["sparsity"] >= 0.5 for name in ("thin", "lower", "finetune", "calibrate"))
    assert rows["lower"]["bit_operations"] < rows["thin"]["bit_operations"]
    assert all(row["test_accuracy"] > 0.3 for row in result.rows)
    assert models.load(result.directory).spec == result.model.spec
    assert json.loads((tmp_path / "recipe.json").read_text())["stages"] == result.rows
    assert table(result.rows).row_count == 8


def test_only_what_is_missing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = {**ALL, "stages": ALL["stages"][:3]}
    whole = run_recipe(Recipe.from_dict(some), tmp_path / "whole")
    # Killed in the middle of the second stage's training.
    written = Snapshot.on_train_epoch_end

    def killed(self: Snapshot, trainer: Any, module: Any) -> None:
        self.seconds = 0
        written(self, trainer, module)
        if "02-distil" in str(self.path):
            raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "on_train_epoch_end", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run_recipe(Recipe.from_dict(some), tmp_path / "parts")
    assert (tmp_path / "parts" / "02-distil" / "training" / "resume.ckpt").exists()
    done: list[str] = []
    perform = stages_module.perform
    monkeypatch.setattr("quant_training.recipes.run.perform", lambda work: (done.append(work.stage.name), perform(work))[1])
    parts = run_recipe(Recipe.from_dict(some), tmp_path / "parts")
    assert done == ["distil", "prune"]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, parts.model.state_dict()[name]), name
    # A changed stage is done again, and what follows; nothing else.
    done.clear()
    changed = {**some, "stages": [*some["stages"][:2], {"prune": {"keep": 0.9}}]}
    run_recipe(Recipe.from_dict(changed), tmp_path / "parts")
    assert done == ["prune"]
    done.clear()
    run_recipe(Recipe.from_dict(changed), tmp_path / "parts")
    assert not done


def test_another_student_and_its_robustness(tmp_path: Path) -> None:
    recipe = Recipe.from_dict({
        **ALL, "robustness": True, "training": {"epochs": 1},
        "stages": ["pretrain", {"distil": {"model": {"preset": "digits", "hidden": [8]}, "bits": "w2a2", "labels": False}}],
    })
    result = run_recipe(recipe, tmp_path)
    assert result.model.spec.to_dict()["hidden"] == [8]
    assert set(result.rows[1]["robustness"]) == {"clean", "attacks", "corruptions", "upsets", "calibration_error", "samples"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stage": []}, "recipe: unknown key 'stage'; legal keys are name, data, model, training, stages, robustness"),
        ({}, "recipe: stages is missing or empty; give a list such as [pretrain: {epochs: 20}, finetune: {}]"),
        ({"stages": ["finetune"]}, "recipe: the first stage is finetune; begin with pretrain"),
        (
            {"stages": ["train"]},
            "recipe: stage 1 is {'train': None}; name exactly one of pretrain, distil, prune, lower, low_rank, finetune, "
            "calibrate",
        ),
        (
            {"stages": ["pretrain", {"lower": {}}]},
            "recipe: stage 2 (lower): bits is missing; give the types of its result, for example w4a4",
        ),
        (
            {"stages": ["pretrain", {"prune": {"keep": 2}}]},
            "recipe: stage 2 (prune): pruning: keep is 2: input should be less than or equal to 1",
        ),
        (
            {"stages": ["pretrain", {"distil": {"bits": "w2a2", "teacher": "bert"}}]},
            "recipe: stage 2 (distil): no earlier stage is named 'bert'; there are pretrain",
        ),
        (
            {"stages": ["pretrain", {"finetune": {"epochs": 0}}]},
            "recipe: stage 2 (finetune): training settings: epochs is 0: input should be greater than or equal to 1",
        ),
        (
            {"stages": ["pretrain", {"finetune": {"name": "../x"}}]},
            "recipe: stage 2 (finetune): the name '../x' is taken or is no file name; give another",
        ),
        (
            {"stages": ["pretrain", {"calibrate": {"epochs": 3}}]},
            "recipe: stage 2 (calibrate): unknown key 'epochs'; legal keys are name, bits, ranges, percentile, equalised",
        ),
        ({"stages": ["pretrain"], "training": 3}, "recipe: training is 3; give a mapping of settings"),
    ],
)
def test_faults_of_recipes(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as error:
        Recipe.from_dict(values)
    assert str(error.value) == message


def test_a_stage_that_fails_is_named(tmp_path: Path) -> None:
    recipe = {**ALL, "stages": [{"pretrain": {"epochs": 1}}, {"prune": {"limit": 3}}]}
    with pytest.raises(TrainingError) as error:
        run_recipe(Recipe.from_dict(recipe), tmp_path)
    assert str(error.value) == (
        "stage 'prune': pruning: parameters can be lowered from 1,776 to 74, not to 3; raise the budget, or lower "
        "least and multiple"
    )
    assert (tmp_path / "01-pretrain" / "stage.json").exists()
    (tmp_path / "01-pretrain" / "stage.json").write_text("{")
    with pytest.raises(TrainingError) as error:
        run_recipe(Recipe.from_dict(recipe), tmp_path)
    assert str(error.value).startswith(f"{tmp_path / '01-pretrain' / 'stage.json'}: damaged (")
    (tmp_path / "other" / "01-pretrain").mkdir(parents=True)
    (tmp_path / "other" / "01-pretrain" / "mine.txt").write_text("keep")
    with pytest.raises(TrainingError) as error:
        run_recipe(Recipe.from_dict(recipe), tmp_path / "other")
    assert str(error.value) == f"{tmp_path / 'other' / '01-pretrain'}: is not a stage of a recipe; give an empty folder as output"


def test_yaml(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("data: {name: digits, seed: 3}\nstages:\n  - pretrain: {bits: w8a8}\n")
    recipe = Recipe.from_yaml(file)
    assert (recipe.name, recipe.data.seed, recipe.stages[0].bits) == ("small", 3, "w8a8")
    file.write_text("- 1")
    with pytest.raises(TrainingError) as error:
        Recipe.from_yaml(file)
    assert str(error.value) == f"{file}: is not a mapping; give data, model and stages"
