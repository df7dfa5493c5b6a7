"""Checkpoints: round trip, warm starts across bit configurations, damaged files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import models
from models import BitConfig, ModelError
from models.mlp import MLP


def trained(model: MLP) -> MLP:
    """Let normalisation see data, so that its state is not the initial one."""
    model.train()
    for seed in range(5):
        model(torch.rand(64, model.spec.inputs, generator=torch.Generator().manual_seed(seed)))
    return model.eval()


def test_round_trip_is_exact(tmp_path: Path) -> None:
    bits = BitConfig(("BIPOLAR", "TERNARY", "INT4"), ("UINT2", "INT4"), per_channel=(True, False, True))
    model = trained(models.build({"preset": "digits", "bias": True, "dropout": 0.1}, bits, seed=1))
    models.save(model, tmp_path)
    again = models.load(tmp_path)
    x = torch.rand(100, 64)
    assert torch.equal(model(x), again(x))
    assert (again.spec, again.bits) == (model.spec, bits)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.json", "weights.safetensors"]


def test_warm_start_takes_floats_and_sets_scales_afresh(tmp_path: Path) -> None:
    source = trained(models.build("digits", "w4a4", seed=1))
    models.save(source, tmp_path)
    model = models.build("digits", BitConfig(("INT4", "BIPOLAR", "INT2"), ("UINT4", "UINT2")), seed=2)
    assert models.load_weights(model, tmp_path) == []
    for ours, theirs in zip(model.layers, source.layers, strict=True):
        assert torch.equal(ours.linear.weight, theirs.linear.weight)
    assert torch.equal(model.layers[0].linear.quant_weight().value, source.layers[0].linear.quant_weight().value)
    assert model.layers[1].linear.quant_weight().value.unique().numel() == 2


def test_warm_start_from_another_shape(tmp_path: Path) -> None:
    models.save(models.build("digits", "w4a4", seed=1), tmp_path)
    model = models.build({"preset": "digits", "hidden": [32, 16]}, "w4a4", seed=2)
    skipped = models.load_weights(model, tmp_path, strict=False)
    assert "layers.0.linear.weight" not in skipped
    assert "layers.1.linear.weight" in skipped
    with pytest.raises(ModelError) as error:
        models.load_weights(model, tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'weights.safetensors'}: tensor 'layers.1.linear.weight' has shape [32, 32], not [16, 32]; "
        "use a checkpoint of the same shape, or strict=False"
    )


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    def message() -> str:
        with pytest.raises(ModelError) as error:
            models.load(tmp_path)
        return str(error.value)

    assert message() == f"{tmp_path / 'model.json'}: no such file; give the folder that training wrote"
    models.save(models.build("digits", "w4a4", seed=1), tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    assert message().startswith(f"{weights}: not a safetensors file (")
    weights.unlink()
    assert message() == f"{weights}: no such file; give the folder that training wrote"
    description = json.loads((tmp_path / "model.json").read_text())
    del description["bits"]
    (tmp_path / "model.json").write_text(json.dumps(description))
    assert message() == f"{tmp_path / 'model.json'}: not a network description (KeyError: 'bits'); train or copy it again"
