"""Layers that are priced by shape and types alone, beside nodes with weights of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_flow.codesign.forecast import folded
from hw_flow.codesign.meter import Measured
from hw_flow.cost import features, node_resources
from hw_flow.cost.layer import LayerShape, cheapest, luts_alone, specimen
from hw_flow.cost.model import weighed
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding, for_cycles, node_cycles, options
from hw_flow.frontend.weights import narrowest
from hw_flow.ir import MVAU, VVAU, Graph
from models import CODEBOOK_TYPES, BitConfig, MLPSpec
from models.errors import ModelError
from models.levels import weight_integers

WEIGHTS = ("BIPOLAR", "TERNARY", "INT2", "INT3", "INT4", "INT6", "INT8", *CODEBOOK_TYPES)
GIVEN = ("BIPOLAR", "UINT1", "UINT2", "INT4", "UINT4", "UINT8")


def drawn(seed: int, weight: str) -> LayerShape:
    """A random layer."""
    rng = np.random.default_rng(seed)
    depthwise = rng.random() < 0.25
    inputs = 9 if depthwise else int(rng.choice([16, 48, 64, 300]))
    return LayerShape(inputs, int(rng.choice([8, 24, 64])), int(rng.choice([1, 16])), weight, str(rng.choice(GIVEN)),
                      (None, "BIPOLAR", "UINT2", "UINT4")[rng.integers(4)], depthwise)


def real(layer: LayerShape, seed: int) -> tuple[MVAU | VVAU, Graph]:
    """The same unit with random weights of its type, all levels among them that there is room for."""
    rng = np.random.default_rng(seed)
    node, graph = specimen(layer)
    levels = rng.permutation(weight_integers(layer.weight))[:node.weights.size]
    weights = rng.choice(levels, node.weights.shape)
    weights.reshape(-1)[rng.choice(weights.size, len(levels), replace=False)] = levels
    node = replace(node, weights=weights, weight_dtype=narrowest(np.array(weight_integers(layer.weight))))
    return node, replace(graph, nodes=(node,))


def alone_in_luts(choice: NodeFolding) -> NodeFolding:
    """``choice`` without block RAMs and DSP blocks."""
    return replace(choice, ram_style="distributed", res_type="lut")


@pytest.mark.parametrize("weight", WEIGHTS)
def test_every_folding_costs_what_a_layer_with_weights_costs(weight: str) -> None:
    for seed in range(6):
        layer = drawn(seed, weight)
        (ours, alone), (node, graph) = specimen(layer), real(layer, seed)
        for choice in options(node, graph):
            if choice.pe * choice.simd == node.weights.size:
                continue  # constant logic is made of these very weights
            for made in (choice, alone_in_luts(choice), replace(choice, res_type="dsp")):
                assert features(ours, made, alone) == features(node, made, graph), (seed, layer, made)
                assert node_resources(ours, made, alone) == node_resources(node, made, graph)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_forecasts_are_the_least_that_the_model_has(weight: str) -> None:
    for seed in range(4):
        layer = drawn(seed, weight)
        node, graph = specimen(layer)
        for target in (40, 300, 5000):
            fits = [choice for choice in options(node, graph) if node_cycles(node, choice, graph) <= max(target, layer.positions)]
            assert cheapest(layer, target).price == min(node_resources(node, choice, graph).price for choice in fits)
            assert luts_alone(layer, target) == pytest.approx(min(
                weighed(features(node, alone_in_luts(choice), graph)) for choice in fits))
            if isinstance(node, MVAU):
                plan = for_cycles(graph, max(target, layer.positions))
                assert cheapest(layer, target) == node_resources(node, plan["layer"], graph)


@pytest.mark.parametrize("weight", ["INT4", "POW3", "POW4", "CODE4"])
def test_a_forecast_scales_what_was_measured_by_the_model(weight: str) -> None:
    before, after = MLPSpec(64, (32, 32), 10), MLPSpec(64, (16, 24), 10)
    bits = BitConfig.uniform(weight, "UINT4", 3)
    measured = Measured((2000.0, 600.0, 200.0), (64, 64, 64), 0.0, 64, {}, 0)

    def model(spec: MLPSpec) -> list[float]:
        given, out = ("UINT8", "UINT4", "UINT4"), ("UINT4", "UINT4", None)
        shapes = zip(spec.widths, spec.widths[1:], given, out, strict=False)
        return [cheapest(LayerShape(a, b, 1, weight, kind, made), 64).luts for a, b, kind, made in shapes]

    ratios = [new / old for new, old in zip(model(after), model(before), strict=True)]
    assert folded(measured, before, bits, 64)(after, bits) == pytest.approx(
        sum(luts * ratio for luts, ratio in zip(measured.luts, ratios, strict=True)))


def test_shifts_cost_less_than_products_on_their_grid_and_codes_as_much() -> None:
    def luts(weight: str) -> float:
        return luts_alone(LayerShape(64, 32, 1, weight, "UINT4", "UINT4"), 64)

    assert luts("POW3") < luts("INT4") < luts("CODE4")
    assert luts("POW3") < luts("POW4") < luts("INT8")
    assert luts("CODE2") == pytest.approx(luts("INT8"), rel=0.05)


@pytest.mark.parametrize(("shape", "target"), [((64, 32, 1), 64), ((16, 10, 1), 1), ((144, 32, 64), 4096)])
def test_a_bit_more_never_costs_less_where_all_is_made_of_luts(shape: tuple[int, int, int], target: int) -> None:
    def luts(weight: int, given: int) -> float:
        return luts_alone(LayerShape(*shape, f"INT{weight}", f"UINT{given}", "UINT4"), target)

    for weight in range(2, 8):
        for given in range(1, 8):
            assert luts(weight, given) <= min(luts(weight + 1, given), luts(weight, given + 1)) + 1e-6


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"weight": "FLOAT"}, ModelError, "FLOAT weights are no integers; give another type"),
    ({"given": "FLOAT"}, FlowError, "cost of a layer of 16 x 8: its inputs are FLOAT, which no hardware here takes; "
                                    "give them an integer type"),
    ({"output": "FLOAT"}, FlowError, "cost of a layer of 16 x 8: its outputs are FLOAT, which no hardware here takes; "
                                     "give them an integer type"),
])
def test_float_has_no_price(change: dict[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        cheapest(replace(LayerShape(16, 8, 1, "INT4", "UINT4", "UINT4"), **change), 64)
    assert str(caught.value) == message
