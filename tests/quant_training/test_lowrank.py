"""Low rank: factors multiply to what they stand for, and networks of them compute nearly the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import models
from models.units import Conv, Dense, Residual
from quant_training import Dataset, TrainingError, load_dataset
from quant_training.lowrank import Factor, LowRankConfig, factorise, factors_of
from quant_training.lowrank import factors as factors_module
from quant_training.lowrank.factors import outlined, spectra
from quant_training.size import footprint

UNITS = (
    Conv(12, padding=(1, 1)), Conv(12, stride=(2, 2), padding=(1, 1)),
    Residual((Conv(12, padding=(1, 1)), Conv(12, padding=(1, 1)))), Dense(10),
)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def _applied(parts: list[Factor], x: torch.Tensor) -> torch.Tensor:
    for part in parts:
        weights = torch.from_numpy(part.weights)
        high, wide = (size // 2 for size in weights.shape[2:])
        x = torch.nn.functional.conv2d(x, weights, padding=(high, wide), groups=len(weights) if part.depthwise else 1)
    return x


@pytest.mark.parametrize(("method", "count"), [("svd", 2), ("spatial", 2), ("tucker", 3), ("cp", 4)])
def test_factors_multiply_to_the_layer(method: Any, count: int) -> None:
    generator = np.random.default_rng(0)
    a, b, c, d = (generator.normal(size=(size, 2)) for size in (7, 5, 3, 3))
    weights = np.einsum("or,ir,hr,wr->oihw", a, b, c, d)  # of rank 2 in every sense
    parts = factors_of(weights, method, 1.0)
    assert len(parts) == count
    assert max(min(part.weights.shape[:2]) for part in parts) <= 2
    x = torch.from_numpy(generator.normal(size=(2, 5, 6, 6)))
    exact = torch.nn.functional.conv2d(x, torch.from_numpy(weights), padding=1)
    assert torch.allclose(_applied(parts, x), exact, rtol=1e-3, atol=1e-3 * float(exact.abs().max()))


@pytest.mark.parametrize("method", ["svd", "spatial", "tucker", "cp"])
@pytest.mark.parametrize("shape", [(6, 9), (6, 4, 3, 3)])
def test_an_outline_has_the_shapes_of_the_factors(method: Any, shape: tuple[int, ...]) -> None:
    weights = np.random.default_rng(0).normal(size=shape)
    for energy in (0.3, 0.8, 1.0):
        made, outline = factors_of(weights, method, energy), outlined(shape, method, spectra(weights, method), energy)
        assert [(part.weights.shape, part.first_axis, part.second_axis, part.depthwise) for part in made
                ] == [(part.weights.shape, part.first_axis, part.second_axis, part.depthwise) for part in outline]


def test_cp_is_fitted_once(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget looks at ranks only; fits of every trial took a minute for a small network."""
    fitted: list[int] = []
    fit = factors_module._cp

    def counted(weights: factors_module.Weights, rank: int) -> list[Factor]:
        fitted.append(rank)
        return fit(weights, rank)

    monkeypatch.setattr(factors_module, "_cp", counted)
    model = models.build(models.ConvSpec((1, 8, 8), UNITS), "w4a4", seed=0).eval()
    small = factorise(model, digits, LowRankConfig(keep=0.7, method="cp", budget="parameters"))
    assert footprint(small).parameters <= 0.7 * footprint(model).parameters
    assert 0 < len(fitted) <= 3


def test_energy_decides_the_rank() -> None:
    left, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    weights = left * np.array([3.0, 2, 1, 0.5, 0.1, 0.01])
    assert [len(factors_of(weights, "svd", energy)[0].weights) for energy in (0.5, 0.9, 0.99, 1.0)] == [1, 2, 4, 6]


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_network_of_factors_computes_nearly_the_same(per_channel: bool, digits: Dataset) -> None:
    spec = models.MLPSpec(64, (40, 40), 10)
    bits = models.BitConfig.uniform("INT8", "UINT8", 3, per_channel=(per_channel,))
    model = models.build(spec, bits, seed=0)
    generator = np.random.default_rng(0)
    x = torch.from_numpy(digits.test.x)
    with torch.no_grad():
        for layer in model.layers[:2]:
            out, inputs = layer.linear.weight.shape
            product = generator.normal(size=(out, 5)) @ generator.normal(size=(5, inputs))
            layer.linear.weight.copy_(torch.from_numpy(product))
            assert layer.norm is not None
            layer.norm.momentum = 1.0
        model.reset_scales()
        model.train()
        model(x)
        model.eval()
        small = factorise(model, digits, LowRankConfig(energy=0.9999))
        apart = (small(x) - model(x)).abs().max() / model(x).abs().max()
    assert small.spec.to_dict()["hidden"] == [5, 40, 5, 40]
    assert small.bits.activations == ("INT8", "UINT8", "INT8", "UINT8")
    assert float(apart) < 0.15


@pytest.mark.parametrize("method", ["svd", "spatial", "tucker"])
def test_a_budget_of_convolutions(method: str, digits: Dataset) -> None:
    model = models.build(models.ConvSpec((1, 8, 8), UNITS), "w4a4", seed=0).eval()
    small = factorise(model, digits, LowRankConfig(keep=0.7, method=method, budget="parameters"))
    assert footprint(small).parameters <= 0.7 * footprint(model).parameters
    assert small(torch.rand(2, 64)).shape == (2, 10)
    assert all(not name.startswith("U") for name in small.bits.activations if name == "INT8")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "low rank: give 'energy' or 'keep', and not both"),
        ({"keep": 0.5, "budget": "channels"},
         "low rank: the budget 'channels' is for prunings, low rank adds layers; take parameters or macs"),
        ({"energy": 0.5, "budget": "macs"}, "low rank: a budget is kept by 'keep'; leave out 'budget' and 'at' with 'energy'"),
        (
            {"keep": 0.5, "budget": "luts"},
            "low rank: the budget 'luts' needs a function of shape and types; give cost, or another budget (parameters, macs, "
            "weight_bits, bit_operations)",
        ),
        ({"energy": 0.5, "rank": 3}, "low rank: unknown key 'rank'; legal keys are " + ", ".join(LowRankConfig.model_fields)),
        ({"energy": 0.5, "layers": (9,)}, "low rank: there is no layer 9; the network has layers 0 to 2"),
        ({"energy": 1.0}, "low rank: no layer becomes smaller at an energy of 1; lower it"),
        (
            {"keep": 0.01, "budget": "macs"},
            "low rank: macs can be lowered from 3,392 to 202, not to 34; raise keep, or factorise more layers",
        ),
    ],
)
def test_faults(values: dict[str, Any], message: str, digits: Dataset) -> None:
    with pytest.raises(TrainingError) as error:
        factorise(models.build("digits", "w4a4", seed=0), digits, LowRankConfig(**values))
    assert str(error.value) == message
