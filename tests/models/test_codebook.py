"""Codebook weights, and weights held to an accumulator: values, training, starting points."""

from __future__ import annotations

import pytest
import torch

import models
from models import CODEBOOK_TYPES, SCALES, BitConfig
from models.bits import type_bits
from models.codebook import k_means
from models.convnet import ConvNet

SPEC = {"inputs": 24, "hidden": [12], "classes": 4}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", CODEBOOK_TYPES)
def test_weights_have_few_levels_on_an_integer_grid(name: str, scale: str) -> None:
    for per_channel in (False, True):
        bits = BitConfig.uniform(name, "UINT3", 2, weight_scale=(scale,), per_channel=(per_channel,))
        layer = models.build(SPEC, bits, seed=1).layers[0]
        weight = layer.linear.quant_weight()
        integers = (weight.value / weight.scale).detach()
        assert (integers - integers.round()).abs().max() < 1e-4
        levels = integers.round().unique().tolist()
        assert len(levels) <= 1 << type_bits(name)
        assert max(map(abs, levels)) <= 127
        if name.startswith("POW"):
            assert all(level == 0 or abs(level).bit_count() == 1 for level in map(int, levels))
        assert (weight.scale.numel() > 1) == (per_channel and scale != "constant")
        if scale != "float":
            assert torch.equal(torch.log2(weight.scale), torch.log2(weight.scale).round()) or name.startswith("POW")


@pytest.mark.parametrize("name", CODEBOOK_TYPES)
def test_gradients_move_weights_and_levels(name: str) -> None:
    net = models.build(SPEC, BitConfig.uniform(name, "UINT3", 2), seed=2)
    net(torch.rand(16, 24)).square().sum().backward()
    grads = {key: value.grad for key, value in net.layers[0].named_parameters() if value.grad is not None}
    moved = "reach" if name.startswith("POW") else "levels"
    assert all(grads[key].abs().sum() > 0 for key in ("linear.weight", f"linear.weight_quant.tensor_quant.{moved}"))


@pytest.mark.parametrize("seed", range(4))
def test_k_means_finds_separate_clusters(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.tensor([-3.0, -1.0, 0.5, 2.0])
    values = (centres[:, None] + 0.01 * torch.randn(4, 50, generator=generator)).flatten()
    assert torch.allclose(k_means(values, 4), centres, atol=0.02)
    # More levels than values: no level is lost, and none is NaN.
    assert torch.isfinite(k_means(torch.tensor([1.0, 1.0, 2.0]), 8)).all()


def test_a_codebook_fits_closer_than_even_steps() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(64, 64, generator=generator)
    errors = {}
    for name in ("INT3", "POW3", "CODE3"):
        layer = models.build({"inputs": 64, "hidden": [64], "classes": 2}, BitConfig.uniform(name, "UINT3", 2), seed=0).layers[0]
        with torch.no_grad():
            layer.linear.weight.copy_(weight)
            layer.reset_weight_scale()
            errors[name] = float((layer.linear.quant_weight().value - weight).square().mean())
    assert errors["CODE3"] < errors["INT3"]


def largest_sums(net: models.Network) -> list[int]:
    """Largest magnitude that any input of its type can make each layer's sums, from the integer weights."""
    found = []
    for index, layer in enumerate(net.layers):
        weight = layer.linear.quant_weight()
        rows = (weight.value / weight.scale).round().flatten(1)
        source = (net.sources[index].layer if isinstance(net, ConvNet) else index - 1) if index else None
        name = net.bits.input if source is None or source < 0 else net.bits.activations[source]
        summed = net.sources[index].summed if isinstance(net, ConvNet) else 1
        low, high = {"BIPOLAR": (-1, 1), "TERNARY": (-1, 1)}.get(name, (0, 0))
        if name.startswith("UINT"):
            high = (1 << type_bits(name)) - 1
        elif name.startswith("INT"):
            low, high = -(1 << (type_bits(name) - 1)), (1 << (type_bits(name) - 1)) - 1
        positive, negative = rows.clamp_min(0).sum(1), rows.clamp_max(0).sum(1)
        sums = torch.maximum(high * positive + low * negative, -(high * negative + low * positive))
        found.append(int(sums.max()) * summed)
    return found


@pytest.mark.parametrize(("activation", "given"), [
    ("UINT3", "UINT4"), ("INT3", "INT4"), ("BIPOLAR", "BIPOLAR"), ("TERNARY", "UINT8"),
])
@pytest.mark.parametrize("per_channel", [False, True])
def test_no_sum_leaves_the_accumulator(activation: str, given: str, per_channel: bool) -> None:
    bits = BitConfig.uniform("INT4", activation, 3, input=given, per_channel=(per_channel,), accumulator=(12, 9, 9))
    net = models.build({"inputs": 64, "hidden": [32, 32], "classes": 4}, bits, seed=3)
    optimiser = torch.optim.Adam(net.parameters(), 0.05)
    for step in range(20):
        x = torch.rand(64, 64, generator=torch.Generator().manual_seed(step))
        loss = torch.nn.functional.cross_entropy(net(x), (x[:, 0] * 4).long())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert all(total <= 2 ** (bound - 1) - 1 for total, bound in zip(largest_sums(net), (12, 9, 9), strict=True))


def test_pools_widen_what_goes_into_a_layer() -> None:
    units = [{"conv": 8}, {"global_pool": True}, {"dense": 3}]
    bits = BitConfig(("INT4", "INT4"), ("UINT4",), accumulator=(0, 12))
    net = models.build({"input_shape": [1, 6, 6], "units": units}, bits, seed=0)
    assert net.sources[1].summed == 16  # type: ignore[union-attr]  # it is a ConvNet
    assert largest_sums(net)[1] <= 2**11 - 1
