"""Recipes are judged while they are read: networks, types and techniques, as far as training does not decide them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import models
from quant_training import TrainingError
from quant_training.recipes import Recipe

PRESETS = ", ".join(models.PRESETS)
SHORT = "unknown bit configuration 'w9a9'; use w<1-8>a<1-8>, ternary, bipolar, float, int2 .. int8, or list the types"
TWO = {"weights": ["INT4", "INT4"], "activations": ["UINT4"]}
THREE = {"weights": ["INT2"] * 3, "activations": "UINT2"}


@pytest.mark.parametrize(("stage", "message"), [
    ({"distil": {"bits": "w4a4", "model": "bert"}},
     f"(distil): unknown network 'bert'; presets are {PRESETS}, or give inputs, hidden and classes"),
    ({"lower": {"bits": "w9a9"}}, f"(lower): {SHORT}"),
    ({"calibrate": {"bits": "w9a9"}}, f"(calibrate): {SHORT}"),
    ({"lower": {"bits": TWO}}, "(lower): the bit configuration has 2 layers, the network 3; give 3 weight types"),
    ({"lower": {"bits": {"weights": 4, "activations": "UINT4"}}},
     "(lower): weights is 4; give a list of types out of BIPOLAR, TERNARY, INT2, INT3, INT4, INT5, INT6, INT7, INT8, POW3, POW4, "
     "CODE2, CODE3, CODE4, FLOAT"),
    ({"prune": {"keep": 0.5, "layers": [7]}}, "(prune): pruning: there is no layer 7; the network has layers 0 to 2"),
    ({"low_rank": {"energy": 0.5, "layers": [7]}}, "(low_rank): low rank: there is no layer 7; the network has layers 0 to 2"),
    ({"low_rank": {"energy": 0.5, "budget": "macs"}},
     "(low_rank): low rank: a budget is kept by 'keep'; leave out 'budget' and 'at' with 'energy'"),
    ({"prune": {"keep": 0.5, "budget": "luts", "at": 64}},
     "(prune): the budget 'luts' does not exist here; take one of parameters, macs, weight_bits, bit_operations, channels"),
    ({"distil": {"bits": "w2a2", "features": "hint", "layers": [[1, 5]]}},
     "(distil): distillation: the teacher has no layer 5; it has 0 to 2"),
    ({"distil": {"bits": "w2a2", "model": {"preset": "digits", "classes": 4}}},
     "(distil): distillation: the teacher has 10 classes, the student 4; train a teacher for the same data"),
    ({"distil": {"bits": "w2a2", "alpa": 1}},
     "(distil): unknown key 'alpa'; legal keys are name, bits, model, teacher, temperature, alpha, "),
    ({"learn_bits": {}},
     "(learn_bits): learned bits: the network is float, so no layer has a width to learn; give bits, for example w8a8"),
    ({"calibrate": {"ranges": "percentile", "percentile": 99, "equalised": True}},
     "(calibrate): ranges, percentile, equalised set the ranges of new types, and bits is missing; give bits, or leave them out "
     "to estimate batch-norm statistics alone"),
    ({"calibrate": {"bits": "w8a8", "percentile": 99}},
     "(calibrate): calibration: percentile is for the ranges 'percentile', and they are 'mse'; set ranges, or leave percentile "
     "out"),
])
def test_faults_of_a_stage(stage: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as error:
        Recipe.from_dict({"stages": ["pretrain", stage]})
    told = str(error.value)
    assert told == f"recipe: stage 2 {message}" or (message.endswith(", ") and told.startswith(f"recipe: stage 2 {message}"))


@pytest.mark.parametrize(("values", "message"), [
    ({"model": "bert"}, f"recipe: model: unknown network 'bert'; presets are {PRESETS}, or give inputs, hidden and classes"),
    ({"model": 3}, f"recipe: model: model is 3; give the name of a preset ({PRESETS}), inputs, hidden and classes, or "
                   "input_shape and units"),
    ({"stages": [{"pretrain": {"bits": TWO}}]},
     "recipe: stage 1 (pretrain): the bit configuration has 2 layers, the network 3; give 3 weight types"),
    ({"stages": ["pretrain", {"low_rank": {"energy": 0.9}}, {"lower": {"bits": "w9a9"}}]}, f"recipe: stage 3 (lower): {SHORT}"),
    ({"stages": ["pretrain", {"distil": {"model": {"preset": "digits", "hidden": [8]}, "bits": "w2a2"}},
                 {"lower": {"bits": THREE}}]},
     "recipe: stage 3 (lower): the bit configuration has 3 layers, the network 2; give 2 weight types"),
])
def test_faults_of_a_recipe(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as error:
        Recipe.from_dict({"stages": ["pretrain"], **values})
    assert str(error.value) == message


def test_what_training_decides_is_not_judged_before() -> None:
    """Ranks make layers, so their number and lists of types are seen when the stage runs."""
    four = {"weights": ["INT4", "INT3", "INT4", "INT3"], "activations": "UINT4"}
    recipe = Recipe.from_dict({"stages": [
        {"pretrain": {"bits": "w4a4"}}, {"low_rank": {"energy": 0.9}}, {"lower": {"bits": four}},
        {"low_rank": {"energy": 0.9}}, {"prune": {"keep": 0.5, "layers": [4]}}, {"learn_bits": {"bits": "w8a8"}}, "learn_bits"]})
    assert recipe.stages[2].bits == four
    # Networks of earlier recipes stay those of their stages: a number that is not given leaves no trace.
    assert all("at" not in recipe.stages[index].to_dict()["technique"] for index in (1, 4))


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[2] / "benchmarks").glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_of_the_benchmarks_are_read(file: Path) -> None:
    if "stages:" in file.read_text():
        assert Recipe.from_yaml(file).stages
