"""Convolutional networks: shapes, presets, checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import models
from models import BitConfig, ConvSpec, ModelError, build
from models.convnet import ConvNet


def small(**changes: Any) -> ConvSpec:
    block = {"residual": [{"conv": 6, "stride": 2, "padding": 1}]}
    units = [{"conv": 4, "padding": 1}, {"max_pool": 2}, block, {"global_pool": True}, {"dense": 5}, {"dense": 3}]
    return ConvSpec.from_dict({"input_shape": [2, 8, 8], "units": units, **changes})


@pytest.mark.parametrize(("name", "layers", "inputs", "classes"), [
    ("cnv", 9, 3072, 10), ("lenet5", 5, 784, 10), ("mnist_cnn", 4, 784, 10), ("vgg10", 10, 2048, 24), ("resnet8", 10, 3072, 10),
    ("resnet18", 21, 3072, 10), ("resnet10", 13, 3072, 10), ("shufflenet", 50, 3072, 10), ("shufflenet_v2", 54, 3072, 10),
    ("squeezenet", 21, 3072, 10), ("unet", 13, 3072, 2),
    ("mobilenet_v1", 28, 150528, 1000), ("ds_cnn", 10, 490, 12), ("digits_cnn", 3, 64, 10),
])
def test_presets_have_their_published_shape(name: str, layers: int, inputs: int, classes: int) -> None:
    spec = models.spec_of(name)
    assert (spec.layers, spec.inputs, spec.classes) == (layers, inputs, classes)
    assert models.spec_of(spec.to_dict()) == spec


def test_layers_follow_the_bit_configuration() -> None:
    net = build(small(), "w2a2", seed=0)
    assert isinstance(net, ConvNet)
    shapes = [(4, 2, 3, 3), (6, 4, 3, 3), (6, 4, 1, 1), (5, 6), (3, 5)]
    assert [tuple(layer.linear.weight.shape) for layer in net.layers] == shapes
    assert [layer.activation_type for layer in net.layers] == ["UINT2", None, None, "UINT2", None]
    assert [site.dtype for site in net.sites()] == ["UINT8", "UINT2", "INT2", "INT2", "UINT2", "UINT2"]


def test_flat_samples_and_feature_maps_are_the_same() -> None:
    net = build(small(bias=True), BitConfig.uniform("INT4", "UINT4", 5, per_channel=(True,)), seed=1).eval()
    x = torch.rand(4, 2, 8, 8)
    with torch.no_grad():
        assert torch.equal(net(x), net(x.flatten(1)))
        assert net(x).shape == (4, 3)


@pytest.mark.parametrize("bits", ["w1a1", "ternary", "w4a4"])
def test_gradients_reach_every_weight(bits: str) -> None:
    net = build(small(), bits, seed=2)
    net(torch.rand(8, 2, 8, 8)).square().sum().backward()
    for layer in net.layers:
        assert layer.linear.weight.grad is not None
        assert layer.linear.weight.grad.abs().sum() > 0


def test_checkpoints_and_weights_travel(tmp_path: Path) -> None:
    net = build(small(), "w4a4", seed=3).eval()
    models.save(net, tmp_path)
    x = torch.rand(3, 2, 8, 8)
    with torch.no_grad():
        assert torch.equal(models.load(tmp_path)(x), net(x))
    assert models.load_weights(build(small(), "w2a2", seed=4), tmp_path) == []


def test_calibration_without_normalisation() -> None:
    net = build(small(batch_norm=False), "w4a4", seed=5)
    before = [value.clone() for name, value in net.state_dict().items() if "activation" in name]
    net.calibrate(torch.rand(32, 2, 8, 8))
    after = [value for name, value in net.state_dict().items() if "activation" in name]
    assert any(not torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(("change", "message"), [
    ({"units": [{"dense": 3}, {"max_pool": 1}]},
     "units: the last one must be dense, with one output a class, or a convolution, for an output map"),
    ({"units": [{"conv": 4, "kernel": 9}, {"dense": 3}]},
     "conv 4: a window of 9 x 9 does not fit into 8 x 8; pad, or pool less before"),
    ({"units": [{"conv": 4, "groups": 3}, {"dense": 3}]}, "conv 4: 3 groups do not divide 2 inputs and 4 outputs"),
    ({"units": [{"conv": 0}, {"dense": 3}]}, "conv is 0; give an integer of at least 1"),
    ({"units": [{"convolution": 4}]},
     "unit {'convolution': 4}: name exactly one of "
     "conv, max_pool, avg_pool, global_pool, upsample, shuffle, dense, residual, concat"),
    ({"units": [{"residual": [{"conv": 4}]}, {"dense": 3}]},
     "residual: its units take 2 x 8 x 8 to 4 x 6 x 6, which no 1 x 1 shortcut does; pad them"),
    ({"input_shape": [8, 8]}, "input_shape is [8, 8]; give channels, rows and columns"),
    ({"width": 3}, "model: unknown key 'width'; legal keys are input_shape, units, batch_norm, bias, dropout, output_norm"),
])
def test_bad_shapes_are_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        small(**change)
    assert str(caught.value) == message


def test_width_multiplies_hidden_channels_of_any_preset() -> None:
    narrow = models.spec_of({"preset": "resnet18", "width": 0.25, "classes": 100})
    assert [unit.conv if hasattr(unit, "conv") else unit.dense for unit, _ in narrow.weighted][::5] == [16, 32, 64, 128, 100]
    assert models.spec_of({"preset": "sfc", "width": 0.5, "classes": 3}).widths == (784, 128, 128, 128, 3)
    assert models.spec_of({"preset": "unet", "width": 0.5, "classes": 3}).classes == 3
    # Grouped convolutions keep whole groups.
    groups = {unit.conv % unit.groups for unit, _ in models.spec_of({"preset": "shufflenet", "width": 0.4}).weighted
              if getattr(unit, "groups", 0) > 1}
    assert groups == {0}
    with pytest.raises(ModelError) as caught:
        models.spec_of({"preset": "sfc", "width": 0})
    assert str(caught.value) == "width is 0; give a positive factor for all channels"


@pytest.mark.parametrize(("units", "message"), [
    ([{"concat": [[{"conv": 4}]]}], "concat: give at least two branches, each a list of units"),
    ([{"concat": [[], [{"max_pool": 2}]]}],
     "concat: no branch ends with a convolution, whose activation type the result takes; end one so"),
    ([{"concat": [[], [{"dense": 2}, {"conv": 2}]]}],
     "concat: a branch holds a dense layer; only feature maps can be put together"),
    ([{"concat": [[], [{"conv": 4}]]}], "concat: its branches give 2 x 8 x 8 and 4 x 6 x 6; rows and columns must be equal"),
    ([{"concat": [[], [{"conv": 1}], []], "split": True}], "concat: 3 branches do not split 2 channels evenly"),
    ([{"shuffle": 3}], "shuffle: 3 groups do not divide 2 channels"),
    ([{"residual": [{"conv": 4}, {"shuffle": 2}]}],
     "residual: the last unit must be a convolution; put the shuffle behind the residual"),
])
def test_bad_branches_are_one_line(units: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        small(units=[*units, {"dense": 3}])
    assert str(caught.value) == message


def test_shuffle_interleaves_groups() -> None:
    net = build(small(units=[{"conv": 6, "kernel": 1}, {"shuffle": 2}, {"dense": 3}]), "w4a4", seed=0)
    x = torch.arange(6.0).reshape(1, 6, 1, 1).expand(1, 6, 8, 8)
    assert net._step(net.plan[1], x)[0, :, 0, 0].tolist() == [0, 3, 1, 4, 2, 5]


def test_float_networks_are_plain() -> None:
    net = build(small(units=[{"conv": 4}, {"residual": [{"conv": 4, "padding": 1}]}, {"dense": 3}]), "float", seed=0).eval()
    assert [site.dtype for site in net.sites()] == ["UINT8"]
    first = net.layers[0]
    x = torch.rand(2, 2, 8, 8)
    with torch.no_grad():
        expected = torch.relu(first.norm(torch.nn.functional.conv2d(x, first.linear.weight)))
        assert torch.equal(first(x), expected)
