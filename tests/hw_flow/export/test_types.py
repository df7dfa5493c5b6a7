"""Every type and kind of scale goes through the export, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import models
from hw_flow.export import export
from models import ACTIVATION_TYPES, SCALES, WEIGHT_TYPES, BitConfig
from quant_training import load_dataset


def network(bits: BitConfig, *, batch_norm: bool, seed: int) -> models.MLP:
    """24 inputs, 12 neurons a hidden layer, 4 classes; normalisation has seen data, and its gains have both signs."""
    spec = {"inputs": 24, "hidden": [12] * (bits.layers - 1), "classes": 4, "batch_norm": batch_norm, "bias": not batch_norm}
    model = models.build(spec, bits, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(300, 24, generator=generator)
    if not batch_norm:
        model.calibrate(x)
    model.train()
    model(x)
    with torch.no_grad():
        for layer in model.layers:
            if layer.norm is not None:
                layer.norm.weight.copy_(torch.randn(layer.norm.weight.shape, generator=generator))
                layer.norm.bias.copy_(torch.randn(layer.norm.bias.shape, generator=generator))
    return model.eval()


def samples(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((200, 24), dtype=np.float32)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("scale", SCALES)
def test_all_types_in_one_network(scale: str, batch_norm: bool, tmp_path: Path) -> None:
    weights = (*WEIGHT_TYPES, *WEIGHT_TYPES)
    per_channel = tuple(layer >= len(WEIGHT_TYPES) for layer in range(len(weights)))
    bits = BitConfig(
        weights, ACTIVATION_TYPES, per_channel=per_channel, weight_scale=(scale,), activation_scale=(scale,)
    )
    result = export(network(bits, batch_norm=batch_norm, seed=7), samples(7), tmp_path / "net.onnx")
    assert result.quantised_tensors == 2 * len(weights)
    assert result.ties <= result.elements // 100


@pytest.mark.slow
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("weight", WEIGHT_TYPES)
def test_weight_types(weight: str, scale: str, tmp_path: Path) -> None:
    per_channel = WEIGHT_TYPES.index(weight) % 2 == 0
    bits = BitConfig.uniform(weight, "UINT3", 3, weight_scale=(scale,), per_channel=(per_channel,))
    result = export(network(bits, batch_norm=True, seed=1), samples(1), tmp_path / "net.onnx")
    assert result.quantised_tensors == 6
    assert result.ties <= result.elements // 1000


@pytest.mark.slow
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("activation", ACTIVATION_TYPES)
def test_activation_types(activation: str, scale: str, batch_norm: bool, tmp_path: Path) -> None:
    bits = BitConfig.uniform("TERNARY", activation, 3, activation_scale=(scale,))
    export(network(bits, batch_norm=batch_norm, seed=2), samples(2), tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("name", "scale"), [(name, ("float", "power_of_two")[i % 2]) for i, name in enumerate(ACTIVATION_TYPES)]
)
def test_input_types(name: str, scale: str, tmp_path: Path) -> None:
    bits = BitConfig.uniform("INT3", "UINT2", 3, input=name, input_scale=scale)
    export(network(bits, batch_norm=True, seed=3), samples(3), tmp_path / "net.onnx")


def test_powers_of_two_leave_no_ties(tmp_path: Path) -> None:
    # Without normalisation every float32 sum is exact.
    bits = BitConfig.uniform(
        "INT4", "UINT4", 3, weight_scale=("power_of_two",), activation_scale=("power_of_two",), input_scale="power_of_two"
    )
    model = models.build({"inputs": 24, "hidden": [12, 10], "classes": 4, "batch_norm": False}, bits, seed=4).eval()
    model.calibrate(torch.from_numpy(samples(5)))
    assert export(model, samples(4), tmp_path / "net.onnx").ties == 0


def test_one_unsigned_bit_stays_unsigned(tmp_path: Path) -> None:
    bits = BitConfig(("BIPOLAR", "INT2", "INT2"), ("UINT1", "BIPOLAR"), input="UINT1")
    export(network(bits, batch_norm=True, seed=6), samples(6), tmp_path / "net.onnx")
    graph = onnx.load(tmp_path / "net.onnx").graph
    constants = {tensor.name for tensor in graph.initializer}
    moving = [node for node in graph.node if node.op_type in ("Quant", "BipolarQuant") and node.input[0] not in constants]
    assert [node.op_type for node in moving] == ["Quant", "Quant", "BipolarQuant"]
    signs = [{a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}["signed"] for node in moving[:2]]
    assert signs == [0, 0]


def test_names_metadata_and_files(tmp_path: Path) -> None:
    data = load_dataset("digits")
    model = models.build({"preset": "digits", "hidden": [8]}, "w2a2", seed=0)
    result = export(model, data, tmp_path / "digits.onnx")
    proto = onnx.load(result.model)
    assert [node.name for node in proto.graph.node if node.op_type == "MatMul"] == ["MatMul_0", "MatMul_1"]
    assert [value.name for value in (*proto.graph.input, *proto.graph.output)] == ["global_in", "global_out"]
    notes = {entry.key: entry.value for entry in proto.metadata_props}
    assert (notes["bitwright.data"], notes["bitwright.input_type"], notes["bitwright.input_scale"]) == ("digits", "UINT5", "1/16")
    assert BitConfig.from_json(notes["bitwright.bits"]) == model.bits
    assert np.array_equal(np.load(result.sample_input), data.test.take(100).x)
    with torch.no_grad():
        assert np.array_equal(np.load(result.expected_output), model(torch.from_numpy(data.test.take(100).x)).numpy())
    # The same network gives the same file.
    first = result.model.read_bytes()
    assert export(model, data, tmp_path / "digits.onnx").model.read_bytes() == first
