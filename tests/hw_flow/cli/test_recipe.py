"""``bitwright recipe``: from a file to a QONNX file, and one line for faults."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from hw_flow import api
from hw_flow.cli.entry import run
from hw_flow.codesign.meter import HardwareMeter, Measured
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


@pytest.mark.parametrize(("stages", "message"), [
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
def test_faults_of_cooperate(stages: list[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as error:
        api.recipe({"stages": stages, "training": TRAINING}, tmp_path)
    assert str(error.value) == message
