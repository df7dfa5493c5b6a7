"""Small versions of the zoo's networks: exported, compiled, compared tensor by tensor, and simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import models
from hw_flow.api import build_with, simulate
from hw_flow.backends import BuildOptions
from hw_flow.errors import FlowError
from hw_flow.export import export
from hw_flow.frontend import compare, compile_qonnx
from models.zoo import resnet, shufflenet, shufflenet_v2, squeezenet, unet

SMALL: dict[str, models.Spec] = {
    "resnet10": resnet((1, 1, 1, 1), 2, size=8), "shufflenet": shufflenet(8, 2, (1, 0), size=8),
    "shufflenet_v2": shufflenet_v2(8, (1, 0), 8, size=8), "squeezenet": squeezenet(1, size=8), "unet": unet((4, 6), size=8),
    "anomaly": models.MLPSpec(64, (16, 4, 16), 64),
}
BITS = {"resnet10": "w2a2", "shufflenet": "w4a4", "shufflenet_v2": "ternary", "squeezenet": "w3a3", "unet": "w2a2",
        "anomaly": "w4a4"}


def trained(name: str, seed: int) -> tuple[models.Network, np.ndarray]:
    """A network whose normalisation has seen data, and samples."""
    net = models.build(SMALL[name], BITS[name], seed=seed)
    x = torch.rand(32, *SMALL[name].frame, generator=torch.Generator().manual_seed(seed))
    net.train()
    net(x)
    return net.eval(), x[:8].numpy()


@pytest.mark.parametrize("name", SMALL)
def test_networks_compile_bit_exactly(name: str, tmp_path: Path) -> None:
    net, x = trained(name, seed=5)
    file = tmp_path / "net.onnx"
    result = export(net, x, file)
    assert result.ties <= result.elements // 1000
    comparison = compare(compile_qonnx(file), x)
    assert (comparison.bit_exact, comparison.mismatches) == (True, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_networks_run_in_verilator(name: str, tmp_path: Path) -> None:
    net, x = trained(name, seed=6)
    file = tmp_path / "net.onnx"
    export(net, x, file)
    made = build_with(file, tmp_path / "build", BuildOptions(target_cycles=20_000))
    assert simulate(made, samples=4).fault is None


def test_float_layers_are_refused(tmp_path: Path) -> None:
    net = models.build("digits", models.BitConfig(("INT4", "FLOAT", "INT4"), ("UINT4", "UINT4")), seed=0)
    with pytest.raises(FlowError) as error:
        export(net, np.zeros((1, 64), np.float32), tmp_path / "net.onnx")
    assert str(error.value) == "export: weights[1] is FLOAT, which no hardware is built for; quantise the layer first"
