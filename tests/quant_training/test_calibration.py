"""Quantising a trained network without training, and fewer bits step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import models
from hw_flow.export import export
from hw_flow.frontend import compare, compile_qonnx
from models import BitConfig
from quant_training import Dataset, TrainConfig, TrainingError, evaluate, load_dataset, train
from quant_training.calibration import RANGES, best_scale, calibrate, correct_bias, post_training
from quant_training.equalise import equalise
from quant_training.lowering import halved, lower_bits


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(data: Dataset) -> models.Network:
    return train(models.build("digits_cnn", "float", seed=0), data, TrainConfig(epochs=15, progress=False)).model


def samples(data: Dataset) -> torch.Tensor:
    return torch.from_numpy(data.train.x[:512])


def test_a_float_network_becomes_a_quantised_one(trained: models.Network, data: Dataset, tmp_path: Path) -> None:
    reference = evaluate(trained, data.test)
    accuracy = {ranges: evaluate(post_training(trained, "w8a8", samples(data), ranges=ranges), data.test) for ranges in RANGES}
    assert min(accuracy.values()) > reference - 0.02
    plain = {"correct": False, "reestimate": False}
    low = [evaluate(post_training(trained, "w3a3", samples(data), ranges=ranges, **plain), data.test) for ranges in RANGES]
    assert low[0] > low[-1]
    bits = BitConfig(("INT4", "CODE3", "POW4"), ("UINT4",) * 2, per_channel=(True,), accumulator=(12, 0, 0),
                     activation_scale=("power_of_two",))
    net = post_training(trained, bits, samples(data), equalised=True)
    export(net, data, tmp_path / "net.onnx")
    program = compile_qonnx(tmp_path / "net.onnx", input_type="UINT5", input_scale="1/16")
    assert compare(program, data.test.integers[:50].reshape(50, *program.input_frame)).bit_exact


def test_statistics_and_corrections_mend_low_bits(trained: models.Network, data: Dataset) -> None:
    def accuracy(**options: bool) -> float:
        net = post_training(trained, "w2a2", samples(data), **{"correct": False, "reestimate": False, **options})
        return evaluate(net, data.test)

    plain = accuracy()
    assert accuracy(reestimate=True) > plain
    assert accuracy(correct=True) > plain


def test_corrected_means_are_those_of_the_reference(trained: models.Network, data: Dataset) -> None:
    x = samples(data)
    net = models.build("digits_cnn", "w3a3", seed=0)
    models.load_weights(net, trained)
    calibrate(net, x)
    assert correct_bias(net, trained, x) == [2]
    means: dict[int, list[torch.Tensor]] = {}
    for model in (trained, net):
        hooks = [layer.norm.register_forward_hook(lambda _m, _i, out, i=i: means.setdefault(i, []).append(out.mean((0, 2, 3))))
                 for i, layer in enumerate(model.layers) if layer.norm is not None]
        with torch.no_grad():
            model.eval()(x)
        for hook in hooks:
            hook.remove()
    assert all(torch.allclose(*pair, atol=1e-4) for pair in means.values())


@pytest.mark.parametrize("spec", [
    "digits_cnn", {"preset": "digits", "batch_norm": False, "bias": True},
    {"input_shape": [1, 8, 8], "units": [
        {"conv": 4, "padding": 1}, {"conv": 4, "padding": 1, "groups": 0}, {"max_pool": 2},
        {"concat": [[], [{"conv": 6, "padding": 1}]]}, {"conv": 6}, {"dense": 5}, {"dense": 10}]},
])
def test_equalisation_changes_channels_not_results(spec: str | dict[str, object]) -> None:
    net = models.build(spec, "float", seed=4)
    generator = torch.Generator().manual_seed(4)
    x = torch.rand(64, 64, generator=generator)
    net.train()
    net(x)
    with torch.no_grad():
        for layer in net.layers:
            layer.linear.weight.mul_(torch.exp(2 * torch.randn(len(layer.linear.weight), generator=generator))
                                     .reshape(-1, *[1] * (layer.linear.weight.dim() - 1)))
            if layer.norm is not None:
                layer.norm.weight.copy_(torch.exp(torch.randn(layer.norm.weight.shape, generator=generator)))
        before = net.eval()(x)
        spread = [_spread(layer.linear.weight) for layer in net.layers[:-1]]
        equalise(net)
        assert torch.allclose(net(x), before, rtol=1e-3, atol=1e-3 * float(before.abs().max()))
    assert sum(_spread(layer.linear.weight) for layer in net.layers[:-1]) < sum(spread)


def _spread(weight: torch.Tensor) -> float:
    """Largest range of an output channel over the smallest."""
    sizes = weight.detach().flatten(1).abs().amax(1)
    return float(sizes.max() / sizes.min())


@pytest.mark.parametrize("kind", ["float", "power_of_two"])
def test_least_squares_is_the_least(kind: str) -> None:
    values = torch.randn(5000, generator=torch.Generator().manual_seed(0))
    def error(scale: torch.Tensor) -> float:
        return float((torch.round(values / scale).clamp(-8, 7) * scale - values).square().sum())

    best = best_scale(values, (-8, 7), ("mse", 1.0), kind)
    assert all(error(best) <= error(best_scale(values, (-8, 7), how, kind)) for how in (("max", 1.0), ("percentile", 0.999)))
    assert kind == "float" or torch.log2(best) == torch.log2(best).round()


def test_bits_go_down_step_by_step(data: Dataset, tmp_path: Path) -> None:
    start = train(models.build("digits", "w8a8", seed=0), data, TrainConfig(epochs=6, progress=False)).model
    config = TrainConfig(epochs=10, progress=False, output=tmp_path)
    results = lower_bits(start, data, ["w4a4", "w2a2"], config)
    assert [str(result.model.bits) for result in results] == ["UINT8 | INT4 UINT4 | INT4 UINT4 | INT4",
                                                              "UINT8 | INT2 UINT2 | INT2 UINT2 | INT2"]
    assert results[-1].test_accuracy > 0.8
    assert evaluate(models.load(tmp_path / "stage2"), data.test) == results[-1].test_accuracy
    assert halved(start.bits).weights == ("INT4",) * 3
    with pytest.raises(TrainingError) as error:
        lower_bits(start, data, ["w4a4", "w4a6"], config)
    assert str(error.value) == ("stage 2: activations[0] goes from UINT4 to UINT6, which is wider; "
                                "order the stages from wide to narrow")


@pytest.mark.parametrize(("call", "message"), [
    (lambda net, x: calibrate(net, x, ranges="best"), "ranges is 'best'; give mse, percentile, max"),
    (lambda net, x: calibrate(net, x, percentile=20), "percentile is 20; give a number above 50, at most 100"),
    (lambda net, x: calibrate(net, x[:0]),
     "0 samples to calibrate with, and all must be finite; give some hundred of the training set"),
    (lambda net, x: equalise(net), "equalise: the network is quantised already; equalise its FLOAT version, then quantise that"),
])
def test_faults_are_one_line(call: Callable[[models.Network, torch.Tensor], object], message: str) -> None:
    with pytest.raises(TrainingError) as error:
        call(models.build("digits", "w4a4", seed=0), torch.rand(8, 64))
    assert str(error.value) == message
