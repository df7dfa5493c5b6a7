"""The check of an exported file against Brevitas: what it lets through, and what it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import models
from hw_flow.errors import FlowError
from hw_flow.export.check import check
from hw_flow.export.write import _qonnx
from models import BitConfig

FAULT = "this is a fault of the exporter, use the tested versions in constraints.txt"
WHERE = Path("net.onnx")


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).random((40, 12), dtype=np.float32)


@pytest.fixture(scope="module")
def network(x: np.ndarray) -> models.MLP:
    """12-8-6-3 with normalisation that has seen data."""
    bits = BitConfig(("INT4", "TERNARY", "INT4"), ("UINT4", "INT3"), input="UINT4")
    model = models.build({"inputs": 12, "hidden": [8, 6], "classes": 3, "bias": True}, bits, seed=2)
    model.train()
    for _ in range(5):
        model(torch.from_numpy(x))
    return model.eval()


@pytest.fixture(scope="module")
def exported(network: models.MLP, x: np.ndarray) -> bytes:
    return _qonnx(network, x, {})


def _tampered(content: bytes, change: Callable[[onnx.GraphProto], None]) -> bytes:
    model = onnx.ModelProto.FromString(content)
    change(model.graph)
    return model.SerializeToString()


def _set(graph: onnx.GraphProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change one initialiser."""
    tensor = next(tensor for tensor in graph.initializer if tensor.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(change(onnx.numpy_helper.to_array(tensor).copy()), name))


def _quantisers(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Activation quantisers, the input's first."""
    constants = {tensor.name for tensor in graph.initializer}
    return [node for node in graph.node if node.op_type == "Quant" and node.input[0] not in constants]


def _weights(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    constants = {tensor.name for tensor in graph.initializer}
    return [node for node in graph.node if node.op_type == "Quant" and node.input[0] in constants]


def test_a_true_export_passes(network: models.MLP, exported: bytes, x: np.ndarray) -> None:
    found = check(network, exported, x, WHERE)
    assert (found.tensors, found.ties) == (6, 0)
    assert found.elements == 12 * 8 + 8 * 6 + 6 * 3 + 40 * (12 + 8 + 6)
    with torch.no_grad():
        assert np.array_equal(found.outputs, network(torch.from_numpy(x)).numpy())


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_one_changed_weight_is_named(network: models.MLP, exported: bytes, x: np.ndarray, layer: int) -> None:
    graph = onnx.ModelProto.FromString(exported).graph
    node = _weights(graph)[layer]
    product = [other for other in graph.node if other.op_type == "MatMul"][layer]

    def flip(values: np.ndarray) -> np.ndarray:
        position = np.unravel_index(np.argmax(np.abs(values)), values.shape)
        values[position] = -values[position]
        return values

    with pytest.raises(FlowError) as error:
        check(network, _tampered(exported, lambda g: _set(g, node.input[0], flip)), x, WHERE)
    size = network.layers[layer].linear.weight.numel()
    assert str(error.value) == (
        f"net.onnx: weights '{product.input[1]}' of {product.name} differ from Brevitas' in 1 of {size} elements; {FAULT}"
    )


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("factor", [2.0, 1.0001])
def test_a_changed_activation_scale_is_named(
    network: models.MLP, exported: bytes, x: np.ndarray, index: int, factor: float
) -> None:
    node = _quantisers(onnx.ModelProto.FromString(exported).graph)[index]
    with pytest.raises(FlowError) as error:
        check(network, _tampered(exported, lambda g: _set(g, node.input[1], lambda v: (v * factor).astype(v.dtype))), x, WHERE)
    text = str(error.value)
    assert text.startswith(f"net.onnx: quantised tensor '{node.output[0]}' differs from Brevitas' in ")
    assert text.endswith(f"; {FAULT}")
    assert "first at frame 0, channel " in text


def test_a_changed_normalisation_is_found_at_the_next_quantiser(network: models.MLP, exported: bytes, x: np.ndarray) -> None:
    graph = onnx.ModelProto.FromString(exported).graph
    norm = next(node for node in graph.node if node.op_type == "BatchNormalization")
    node = _quantisers(graph)[1]
    with pytest.raises(FlowError) as error:
        check(network, _tampered(exported, lambda g: _set(g, norm.input[2], lambda v: v + np.float32(0.5))), x, WHERE)
    assert str(error.value).startswith(f"net.onnx: quantised tensor '{node.output[0]}' differs from Brevitas' in ")


def test_a_changed_output_is_found(network: models.MLP, exported: bytes, x: np.ndarray) -> None:
    graph = onnx.ModelProto.FromString(exported).graph
    last = next(node for node in graph.node if graph.output[0].name in node.output)
    constant = next(name for name in last.input if any(tensor.name == name for tensor in graph.initializer))
    with pytest.raises(FlowError) as error:
        check(network, _tampered(exported, lambda g: _set(g, constant, lambda v: v + np.float32(0.25))), x, WHERE)
    assert str(error.value) == f"net.onnx: output '{graph.output[0].name}' differs from Brevitas' by up to 0.25; {FAULT}"


def test_another_network_is_refused(network: models.MLP, x: np.ndarray) -> None:
    other = _qonnx(models.build({"inputs": 12, "hidden": [8], "classes": 3}, "w4a4", seed=0).eval(), x, {})
    with pytest.raises(FlowError) as error:
        check(network, other, x, WHERE)
    assert str(error.value) == (
        f"net.onnx: the export has 2 matrix products and 2 activation quantisers, the network 3 and 3; {FAULT}"
    )
