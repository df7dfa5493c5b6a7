"""What pruning and low rank leave is exported bit for bit, and channels that are gone make the file smaller."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import models
from hw_flow.export import export
from hw_flow.frontend import compare, compile_qonnx
from models import Network
from quant_training import Dataset, load_dataset
from quant_training.lowrank import LowRankConfig, factorise
from quant_training.pruning import PruneConfig, prune
from quant_training.size import footprint


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def _network(digits: Dataset) -> Network:
    model = models.build("digits_cnn", "w4a4", seed=0)
    model.train()
    model(torch.from_numpy(digits.train.x[:500]))
    return model.eval()


@pytest.mark.parametrize("way", ["channels", "elements", "n_m", "low_rank"])
def test_compressed_networks_are_exact(way: str, digits: Dataset, tmp_path: Path) -> None:
    model = _network(digits)
    whole = export(model, digits, tmp_path / "whole.onnx").model.stat().st_size
    if way == "low_rank":
        model = factorise(model, digits, LowRankConfig(keep=0.7, method="tucker", budget="parameters"))
    else:
        config = PruneConfig(pattern="n_m") if way == "n_m" else PruneConfig(pattern=way, keep=0.4)
        model = prune(model, digits, config).model
    result = export(model, digits, tmp_path / "model.onnx")
    found = compare(compile_qonnx(result.model), digits.test.x[:40].reshape(-1, *model.spec.frame))
    assert found.bit_exact
    if way == "channels":
        assert result.model.stat().st_size < 0.7 * whole
    elif way != "low_rank":
        assert footprint(model).sparsity >= 0.48  # the first layer has one input channel, which stays
