"""``bitwright recipe``: from a file to a QONNX file, and one line for faults."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import models
from hw_flow import api
from hw_flow.cli.entry import run
from hw_flow.codesign.meter import HardwareMeter, Measured
from hw_flow.cost.shape import ShapeCost
from hw_flow.frontend import compare, compile_qonnx
from models import Network
from models.bits import type_bits
from quant_training import TrainingError, load_dataset
from quant_training.size import layer_sizes

TRAINING = {"epochs": 1, "batch_size": 128, "learning_rate": 0.02}


def test_run_and_show(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(
        "model: {preset: digits, hidden: [8]}\ntraining: {epochs: 1, batch_size: 512}\nstages: [pretrain, lower: {bits: w4a4}]\n"
    )
    out = tmp_path / "out"
    assert run(["recipe", "run", str(file), "-o", str(out), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [stage["stage"] for stage in found["stages"]] == ["pretrain", "lower"]
    assert Path(found["model"]).is_file()
    assert run(["recipe", "show", str(out)]) == 0
    assert "8.0 x" in capfd.readouterr().out
    file.write_text("stages: [pretrain: {epoch: 1}]\n")
    assert run(["recipe", "run", str(file), "-o", str(out)]) == 2
    told = "bitwright: recipe: stage 1 (pretrain): unknown key 'epoch'; legal keys are name, bits, "
    assert capfd.readouterr().err.startswith(told)


def test_learned_bits_are_exported_bit_exact(tmp_path: Path) -> None:
    """From Python, with the cost model's own coefficients; the file computes what the network does."""
    stages = [{"pretrain": {"bits": "w8a8", "epochs": 4}}, {"learn_bits": {"cost": "luts", "at": 64, "weight": 2, "epochs": 6}}]
    result = api.recipe({"model": {"preset": "digits", "hidden": [16]}, "stages": stages, "training": TRAINING}, tmp_path)
    assert result.rows[1]["cost_share"] < 0.8
    assert sum(map(type_bits, (*result.network.bits.weights, *result.network.bits.activations))) < 24
    assert result.model is not None
    data = load_dataset("digits")
    found = compare(compile_qonnx(result.model, input_type="UINT5", input_scale="1/16"), data.test.integers[:60].reshape(60, -1))
    assert found.bit_exact
    logits = result.network(torch.from_numpy(data.test.x[:60])).argmax(1)
    assert (logits.numpy() == data.test.labels[:60]).mean() > 0.6


def test_cooperate_measures_in_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:
    def measured(_meter: HardwareMeter, model: Network, directory: Path) -> Measured:
        directory.mkdir(parents=True, exist_ok=True)
        weights = [float(layer.weights) for layer in layer_sizes(model.spec, model.bits)]
        return Measured(tuple(weights), (8,) * len(weights), 10.0, 8, {"luts": "yosys-0", "interval_cycles": "verilator-0"}, 8)

    monkeypatch.setattr(HardwareMeter, "__call__", measured)
    file = tmp_path / "r.yaml"
    file.write_text(
        "model: {preset: digits, hidden: [24]}\ntraining: {epochs: 1, batch_size: 128}\nstages:\n"
        "  - pretrain: {bits: w4a4, epochs: 3}\n"
        "  - cooperate: {unfold: true, keep: 0.6, drop: 0.5, criterion: magnitude}\n"
    )
    out = tmp_path / "out"
    assert run(["recipe", "run", str(file), "-o", str(out)]) == 0
    shown = capfd.readouterr().out
    assert re.search(r"^cooperate: [\d,]+ of 1,786 LUTs \(yosys-0\), 8 of 8 cycles a frame \(verilator-0\), \d networks built "
                     r"and bit-exact; luts at \d\d %, wanted 60 %$", shown, re.MULTILINE)
    assert (out / "02-cooperate" / "hardware" / "cooperative.json").is_file()
    row = json.loads((out / "recipe.json").read_text())["stages"][1]
    assert row["hardware"]["total_luts"] <= 0.6 * 1786
    assert row["reached"]


def test_hardware_is_a_budget_of_prunings_and_low_rank(tmp_path: Path) -> None:
    """In the words that `learn_bits` has; the cost model prices each whole network, the one with more layers, too."""
    stages = [{"pretrain": {"bits": "w4a4"}}, {"prune": {"keep": 0.7, "budget": "luts", "at": 16}},
              {"low_rank": {"keep": 0.9, "budget": "cycles", "at": 3000}}]
    model = {"preset": "digits", "hidden": [64]}
    result = api.recipe({"model": model, "stages": stages, "training": TRAINING}, tmp_path)
    networks = [models.load(folder) for folder in sorted(tmp_path.glob("0*"))]
    luts, cycles = ([cost(each.spec, each.bits) for each in networks]
                    for cost in (ShapeCost("luts", 16), ShapeCost("cycles", 3000)))
    assert 0.4 * luts[0] < luts[1] <= 0.7 * luts[0]
    assert 0.5 * cycles[1] < cycles[2] <= 0.9 * cycles[1]
    assert [each.spec.layers for each in networks] == [2, 2, result.network.spec.layers]
    assert result.network.spec.layers > 2
    assert result.model is not None


@pytest.mark.parametrize(("stages", "message"), [
    (["pretrain", {"prune": {"keep": 0.5, "budget": "cost"}}],
     "recipe: stage 2 (prune): the budget 'cost' is a function that only Python can give; take one of parameters, macs, "
     "weight_bits, bit_operations, channels, luts, cycles"),
    (["pretrain", {"low_rank": {"keep": 0.5, "budget": "watts"}}],
     "recipe: stage 2 (low_rank): the budget 'watts' does not exist here; take one of parameters, macs, weight_bits, "
     "bit_operations, channels, luts, cycles"),
    (["pretrain", {"prune": {"keep": 0.5, "budget": "luts"}}],
     "recipe: stage 2 (prune): the budget 'luts' needs a number of cycles a frame; set at"),
    (["pretrain", {"low_rank": {"keep": 0.5, "budget": "cycles"}}],
     "recipe: stage 2 (low_rank): the budget 'cycles' needs a number of LUTs; set at"),
    (["pretrain", {"prune": {"keep": 0.5, "budget": "macs", "at": 64}}],
     "recipe: stage 2 (prune): the budget macs takes no number, and at is 64; leave at out"),
    (["pretrain", {"prune": {"keep": 0.5, "budget": "luts", "at": 64}}],
     "recipe: stage 2 (prune): the budget 'luts' is of hardware, which float tensors have none of; put distil or lower before "
     "it, or give pretrain bits"),
    (["pretrain", {"low_rank": {"keep": 0.5}}, {"prune": {"keep": 0.5, "budget": "luts", "at": 64}}],
     "recipe: stage 3 (prune): the budget 'luts' is of hardware, which float tensors have none of; put distil or lower before "
     "it, or give pretrain bits"),
    (["pretrain", {"prune": {"keep": 0.5, "budget": "luts", "at": 0}}],
     "recipe: stage 2 (prune): pruning: at is 0: input should be greater than or equal to 1"),
    (["pretrain", {"cooperate": {}}],
     "recipe: stage 2 (cooperate): cooperative pruning: the objective luts needs target_cycles or unfold, and nothing else that "
     "folds"),
    (["pretrain", {"cooperate": {"objective": "cycles", "unfold": True}}],
     "recipe: stage 2 (cooperate): cooperative pruning: the objective cycles needs budget_luts, and nothing else that folds"),
    (["pretrain", {"cooperate": {"unfold": True, "keep": 0}}],
     "recipe: stage 2 (cooperate): cooperative pruning: keep is 0: input should be greater than 0"),
    ([{"pretrain": {"epochs": 1}}, {"cooperate": {"unfold": True}}],
     "stage 'cooperate': the network has float tensors, which no hardware can be built of; put distil or lower before it"),
])
def test_faults_of_hardware_in_recipes(stages: list[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as error:
        api.recipe({"stages": stages, "training": TRAINING}, tmp_path)
    assert str(error.value) == message
