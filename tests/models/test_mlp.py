"""Networks: presets, the values of every type, learned scales."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import models
from models import ACTIVATION_TYPES, PRESETS, SCALES, WEIGHT_TYPES, BitConfig, ModelError
from models.mlp import MLP
from models.quantisers import signed, weight_levels


def test_import_is_light() -> None:
    code = "import sys, models; assert not {'torch', 'brevitas', 'yaml'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs(name: str) -> None:
    spec, source = PRESETS[name]
    model = models.build({"preset": name, "width": 0.25}, "w2a2", seed=0)
    with torch.no_grad():
        logits = model.eval()(torch.rand(1, spec.inputs))
    assert logits.shape[:2] == (1, spec.classes)
    assert source


def test_the_finn_networks_have_their_shapes() -> None:
    assert [models.spec_of(name).widths for name in ("tfc", "sfc", "lfc")] == [
        (784, 64, 64, 64, 10), (784, 256, 256, 256, 10), (784, 1024, 1024, 1024, 10),
    ]
    assert models.spec_of("jet").widths == (16, 64, 32, 32, 5)


def test_images_are_flattened() -> None:
    model = models.build("digits", "w2a2", seed=0).eval()
    x = torch.rand(3, 64)
    assert torch.equal(model(x), model(x.reshape(3, 1, 8, 8)))


def test_the_seed_decides_the_weights_and_leaves_the_generator_alone() -> None:
    state = torch.get_rng_state()
    first, second, other = (models.build("digits", "w4a4", seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.layers[0].linear.weight, second.layers[0].linear.weight)
    assert not torch.equal(first.layers[0].linear.weight, other.layers[0].linear.weight)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", WEIGHT_TYPES)
def test_weights_are_integers_of_their_type(name: str, per_channel: bool, scale: str) -> None:
    bits = BitConfig.uniform(name, "UINT4", 2, per_channel=(per_channel,), weight_scale=(scale,))
    layer = MLP(32, (16,), 3, bits).eval().layers[0]
    quantised = layer.linear.quant_weight()
    integers = quantised.value / quantised.scale
    assert torch.allclose(integers, integers.round(), atol=1e-3)
    low, high = weight_levels(name)
    found = set(integers.round().int().unique().tolist())
    assert found <= set(range(low, high + 1))
    if name == "BIPOLAR":
        assert found == {-1, 1}
    elif high <= 2:
        assert len(found) >= 3
    assert quantised.scale.numel() == (16 if per_channel and scale != "constant" else 1)
    if scale == "power_of_two":
        assert torch.equal(torch.log2(quantised.scale), torch.log2(quantised.scale).round())


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ACTIVATION_TYPES)
def test_activations_have_all_levels_of_their_type(name: str, scale: str) -> None:
    bits = BitConfig.uniform("INT4", name, 2, activation_scale=(scale,))
    activation = MLP(8, (8,), 3, bits).eval().layers[0].activation
    assert activation is not None
    with torch.no_grad():
        levels = activation(torch.linspace(-6, 6, 20_001)).unique()
    count = {"BIPOLAR": 2, "TERNARY": 3}.get(name) or 2 ** int(name.lstrip("UINT"))
    assert len(levels) == count
    assert (levels.min() < 0) == signed(name)
    if scale == "power_of_two" or name == "BIPOLAR":
        step = levels.diff().min()
        assert float(torch.log2(step)) == round(float(torch.log2(step)))


@pytest.mark.parametrize(("name", "levels"), [("BIPOLAR", 2), ("TERNARY", 3), ("UINT1", 2), ("UINT4", 16), ("INT4", 16)])
def test_input_quantiser_covers_zero_to_one(name: str, levels: int) -> None:
    bits = BitConfig(("INT4", "INT4"), ("UINT4",), input=name)
    x = torch.linspace(0, 1, 4001)[:, None]
    quantised = MLP(1, (4,), 2, bits).eval().quantise(x)
    assert len(quantised.unique()) in (levels, levels - 1 if name == "INT4" else levels)


def test_pixels_pass_an_eight_bit_input_unchanged() -> None:
    bits = BitConfig.short("w4a4", 2)
    pixels = torch.arange(256)[:, None]
    quantised = MLP(1, (4,), 2, bits).eval().quantise((pixels / 255).float())
    assert torch.equal((quantised * 255).round().int(), pixels.int())


def test_clipping_touches_binary_and_constant_layers_only() -> None:
    bits = BitConfig(("BIPOLAR", "INT4", "INT4"), "UINT4", weight_scale=("float", "constant", "float"))
    model = MLP(4, (4, 4), 2, bits)
    with torch.no_grad():
        for layer in model.layers:
            layer.linear.weight.fill_(3.0)
    model.clip_weights()
    assert [float(layer.linear.weight.max().detach()) for layer in model.layers] == [1.0, 1.0, 3.0]


def test_calibration_follows_the_size_of_the_activations() -> None:
    bits = BitConfig.uniform("INT8", "INT8", 2, input="UINT8")
    model = MLP(16, (8,), 3, bits, batch_norm=False, output_norm=False)
    with torch.no_grad():
        model.layers[0].linear.weight.mul_(100.0)
    model.reset_scales()
    model.calibrate(torch.rand(256, 16))
    activation = model.layers[0].activation
    assert activation is not None
    with torch.no_grad():
        top = float(activation(torch.tensor([1e6])))
        std = float(model.layers[0].linear(model.quantise(torch.rand(256, 16))).std())
    assert 2 < top / std < 6


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "resnet",
            "unknown network 'resnet'; presets are tfc, sfc, lfc, jet, kws, nid, digits, anomaly, cnv, lenet5, mnist_cnn,"
            " vgg10, resnet8, resnet10, resnet18, mobilenet_v1, shufflenet, shufflenet_v2, squeezenet, unet, ds_cnn,"
            " digits_cnn, or give inputs, hidden and classes",
        ),
        ({"inputs": 4, "hidden": [4]}, "model: 'classes' is missing; give inputs, hidden and classes, or the name of a preset"),
        (
            {"inputs": 4, "hidden": [4], "classes": 2, "width": 3},
            "model: unknown key 'width'; legal keys are inputs, hidden, classes, batch_norm, bias, dropout, output_norm",
        ),
        ({"inputs": 0, "hidden": [4], "classes": 2}, "inputs: 0 is not a width; give an integer of at least 1"),
        ({"inputs": 4, "hidden": 4, "classes": 2}, "model: hidden is 4; give a list of widths"),
        ({"preset": "digits", "dropout": 1.5}, "dropout is 1.5; give a probability in [0, 1)"),
    ],
)
def test_error_texts(spec: object, message: str) -> None:
    with pytest.raises(ModelError) as error:
        models.build(spec, "w2a2")  # type: ignore[arg-type]  # faults under test
    assert str(error.value) == message
