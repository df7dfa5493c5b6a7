"""Exported networks compile, and the integer graph equals QONNX on every frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import models
from hw_flow.export import export
from hw_flow.frontend import compare, compile_qonnx
from models import BitConfig

CASES = {
    "binary": BitConfig.short("w1a1", 3),
    "mixed": BitConfig(("BIPOLAR", "TERNARY", "INT4"), ("UINT2", "INT3"), per_channel=(True, True, False)),
    "narrow": BitConfig.uniform("TERNARY", "TERNARY", 3, input="TERNARY"),
    "powers": BitConfig.uniform(
        "INT4", "UINT4", 3, weight_scale="power_of_two", activation_scale="power_of_two", input_scale="power_of_two"),
    "one bit": BitConfig.uniform("INT2", "UINT1", 3),
    "wide": BitConfig(("INT8", "INT5", "INT6"), ("UINT8", "INT8"), per_channel=True),  # type: ignore[arg-type]  # a flag for all layers
}


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_exported_networks_compile(case: str, batch_norm: bool, tmp_path: Path) -> None:
    spec = {"inputs": 20, "hidden": [12, 8], "classes": 4, "batch_norm": batch_norm, "bias": True}
    model = models.build(spec, CASES[case], seed=5)
    generator = torch.Generator().manual_seed(5)
    x = torch.rand(300, 20, generator=generator)
    model.calibrate(x)
    model.train()
    model(x)
    with torch.no_grad():
        for layer in model.layers:
            if layer.norm is not None:  # gains of both signs
                layer.norm.weight.copy_(torch.randn(layer.norm.weight.shape, generator=generator))
    pixels = np.random.default_rng(5).integers(0, 256, (200, 20))
    result = export(model, (pixels / 255).astype(np.float32), tmp_path / "net.onnx")
    for program, frames in (
        (compile_qonnx(result.model), np.load(result.sample_input)),
        (compile_qonnx(result.model, input_type="UINT8", input_scale=1 / 255), pixels),
    ):
        found = compare(program, frames)
        assert found.bit_exact, found.detail
        assert found.samples == 200
