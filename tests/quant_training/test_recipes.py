"""Recipes: every kind of stage, resuming, and what is said of faults."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import models
from models.bits import type_bits
from quant_training import TrainingError
from quant_training.callbacks import Snapshot
from quant_training.hardware_loss import LutCost, loads
from quant_training.pruning import PruneConfig
from quant_training.recipes import Kind, Outcome, Plugins, Recipe, run_recipe, table
from quant_training.recipes import stages as stages_module
from quant_training.recipes.stages import Work

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


def test_bits_learned_to_a_share_of_the_cost(tmp_path: Path) -> None:
    some: dict[str, Any] = {
        **ALL, "model": {"preset": "digits", "hidden": [24]},
        "stages": [{"pretrain": {"epochs": 4}}, {"lower": {"bits": "w8a8"}},
                   {"learn_bits": {"cost": "luts", "at": 64, "keep": 0.55, "weight": 4.0, "least": 3, "epochs": 10,
                                   "learning_rate": 0.03}}],
    }
    result = run_recipe(Recipe.from_dict(some), tmp_path)
    row, bits = result.rows[2], result.model.bits
    assert row["cost_share"] <= 0.55
    assert row["note"] == f"{bits}; luts at {100 * row['cost_share']:.1f} % of those at the beginning (source model)"
    assert all(3 <= type_bits(name) <= 8 for name in (*bits.weights, *bits.activations))
    cost = LutCost(64)
    full = models.build(result.model.spec, "w8a8", seed=0)
    assert float(cost(loads(result.model)) / cost(loads(full))) == pytest.approx(row["cost_share"])
    assert row["test_accuracy"] > 0.7
    # What no width can reach is said before anything is trained, what training did not reach after it.
    for keep, rest in ((0.05, "with 3 bits everywhere luts are "), (0.45, "luts ended at ")):
        learn = {"cost": "luts", "at": 64, "keep": keep, "least": 3, "weight": 1e-6, "epochs": 1}
        with pytest.raises(TrainingError) as error:
            run_recipe(Recipe.from_dict({**some, "stages": [*some["stages"][:2], {"learn_bits": learn}]}), tmp_path)
        assert str(error.value).startswith(f"stage 'learn_bits': learned bits: {rest}")


def test_plugins_add_stages_and_costs(tmp_path: Path) -> None:
    class Noise(PruneConfig):
        """Some settings."""

    def perform(work: Work) -> Outcome:
        assert work.before is not None
        return Outcome(work.before, work.masked, {"note": f"keep {work.stage.technique.keep:g}"})

    plugins = Plugins({"noise": Kind(Noise, perform)}, {"weights": lambda at: lambda layers: layers[0].weight_bits * at})
    some = {**ALL, "stages": [{"pretrain": {"epochs": 1, "bits": "w4a4"}}, {"noise": {"keep": 0.5}},
                              {"learn_bits": {"cost": "weights", "at": 3, "epochs": 1}}]}
    result = run_recipe(Recipe.from_dict(some, plugins), tmp_path, plugins=plugins)
    assert [row.get("note", "")[:8] for row in result.rows] == ["", "keep 0.5", "UINT8 | "]
    with pytest.raises(TrainingError) as error:
        Recipe.from_dict({**some, "stages": ["pretrain", {"noise": {"keep": 2}}]}, plugins)
    assert str(error.value) == "recipe: stage 2 (noise): pruning: keep is 2: input should be less than or equal to 1"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stage": []}, "recipe: unknown key 'stage'; legal keys are name, data, model, training, stages, robustness"),
        ({}, "recipe: stages is missing or empty; give a list such as [pretrain: {epochs: 20}, finetune: {}]"),
        ({"stages": ["finetune"]}, "recipe: the first stage is finetune; begin with pretrain"),
        (
            {"stages": ["train"]},
            "recipe: stage 1 is {'train': None}; name exactly one of pretrain, distil, prune, lower, low_rank, learn_bits, "
            "finetune, calibrate",
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
        (
            {"stages": ["pretrain", {"learn_bits": {"cost": "luts"}}]},
            "recipe: stage 2 (learn_bits): the hardware cost 'luts' needs a number of cycles a frame; set at",
        ),
        (
            {"stages": ["pretrain", {"learn_bits": {"cost": "watts"}}]},
            "recipe: stage 2 (learn_bits): there is no hardware cost 'watts'; take one of bit_operations, luts, cycles",
        ),
        (
            {"stages": ["pretrain", {"learn_bits": {"weights": False, "activations": False}}]},
            "recipe: stage 2 (learn_bits): learned bits: neither weights nor activations are learned; leave one of them out",
        ),
        (
            {"stages": ["pretrain", {"calibrate": {"percentile": "x"}}]},
            "recipe: stage 2 (calibrate): calibration: percentile is 'x': input should be a valid number, unable to parse string "
            "as a number",
        ),
        ({"stages": ["pretrain"], "robustness": "maybe"}, "recipe: robustness is 'maybe'; give true or false"),
        (
            {"stages": [{"pretrain": {"learning_rate": float("inf")}}]},
            "recipe: stage 1 (pretrain): training settings: learning_rate is inf: input should be a finite number",
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


def test_damaged_notes_and_folders(tmp_path: Path) -> None:
    recipe = Recipe.from_dict({**ALL, "stages": [{"pretrain": {"epochs": 1}}]})
    run_recipe(recipe, tmp_path)
    note = tmp_path / "01-pretrain" / "stage.json"
    for text in ("[]", "{}", '{"row": {}, "masked": false}', '{"row": 3, "masked": false}'):
        note.write_text(text)
        with pytest.raises(TrainingError) as error:
            run_recipe(recipe, tmp_path)
        assert str(error.value) == f"{note}: damaged (figures are missing); remove the folder to do the stage again"
    with pytest.raises(TrainingError) as error:
        run_recipe(recipe, note / "below")
    assert str(error.value) == f"{note / 'below'}: cannot be made (Not a directory); give another folder as output"


def test_a_full_disk_and_a_damaged_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe.from_dict({**ALL, "stages": [{"pretrain": {"epochs": 2}}]})

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "weights.safetensors")

    with monkeypatch.context() as patch:
        patch.setattr("models.checkpoint.write_tensors", full)
        with pytest.raises(OSError, match="No space left"):
            run_recipe(recipe, tmp_path)
    snapshot = tmp_path / "01-pretrain" / "training" / "resume.ckpt"
    for content in (b"", b"junk"):
        snapshot.write_bytes(content)
        with pytest.raises(TrainingError) as error:
            run_recipe(recipe, tmp_path)
        told = re.escape(f"stage 'pretrain': {snapshot}: damaged (") + r"\w+\); remove it to begin this training again"
        assert re.fullmatch(told, str(error.value))
    torch.save({"a": 1}, snapshot)
    with pytest.raises(TrainingError, match=r"damaged \(not a snapshot of a training\)"):
        run_recipe(recipe, tmp_path)
    snapshot.unlink()
    assert run_recipe(recipe, tmp_path).rows[0]["stage"] == "pretrain"


def test_yaml(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("data: {name: digits, seed: 3}\nstages:\n  - pretrain: {bits: w8a8}\n")
    recipe = Recipe.from_yaml(file)
    assert (recipe.name, recipe.data.seed, recipe.stages[0].bits) == ("small", 3, "w8a8")
    file.write_text("- 1")
    with pytest.raises(TrainingError) as error:
        Recipe.from_yaml(file)
    assert str(error.value) == f"{file}: is not a mapping; give data, model and stages"
    file.write_text("stages: " + 3000 * "[" + 3000 * "]")
    with pytest.raises(TrainingError) as error:
        Recipe.from_yaml(file)
    assert str(error.value) == f"{file}: cannot be read as YAML: nested too deeply"
