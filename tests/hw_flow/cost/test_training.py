"""The cost that training differentiates, beside the cost model of the compiled network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import models
from hw_flow.cost import features, luts
from hw_flow.cost.layer import LayerShape, luts_alone, product_luts
from hw_flow.cost.model import DEFAULT_COEFFICIENTS
from hw_flow.cost.training import ModelCost, cycle_cost, lut_cost
from hw_flow.errors import FlowError
from hw_flow.export import export
from hw_flow.folding import NodeFolding, node_cycles, options
from hw_flow.frontend import compile_qonnx
from hw_flow.ir import MVAU
from models import CODEBOOK_TYPES, BitConfig
from quant_training.bitwidths import learn_bits
from quant_training.hardware_loss import Cost, CycleCost, LutCost, loads
from quant_training.size import layer_sizes


def test_calibrated_coefficients_go_through() -> None:
    doubled = {name: 2 * value for name, value in DEFAULT_COEFFICIENTS.items()}
    layers = loads(models.build("digits", "w4a4", seed=0))
    assert float(lut_cost(64, doubled)(layers)) == pytest.approx(2 * float(lut_cost(64)(layers)))
    assert float(cycle_cost(100, doubled)(layers)) == pytest.approx(2 * float(cycle_cost(100)(layers)))


@pytest.mark.parametrize("weight", ["BIPOLAR", "TERNARY", "INT3", "INT4", "INT8", *CODEBOOK_TYPES])
def test_training_pays_what_the_compiled_layers_cost(weight: str, tmp_path: Path) -> None:
    """Both short formulas of training, too, follow the model; it counts the widths that sums have with the real weights."""
    net = models.build({"inputs": 64, "hidden": [64, 64], "classes": 16}, BitConfig.uniform(weight, "UINT4", 3), seed=0)
    export(net, np.zeros((1, 64), np.float32), tmp_path / "net.onnx")
    graph = compile_qonnx(tmp_path / "net.onnx", input_type="UINT8", input_scale="1/255").graph
    alone = [[luts(features(node, NodeFolding(choice.pe, choice.simd, "distributed", "lut"), graph))
              for choice in options(node, graph) if node_cycles(node, choice, graph) <= 256]
             for node in graph if isinstance(node, MVAU)]
    modelled = sum(map(min, alone))
    assert float(lut_cost(256)(loads(net))) == pytest.approx(modelled, rel=0.1)
    assert float(LutCost(256)(loads(net))) == pytest.approx(modelled, rel=0.35)


@pytest.mark.parametrize("bits", ["w1a1", "w4a4", "w8a8", "ternary"])
def test_a_network_costs_its_layers(bits: str) -> None:
    net = models.build("resnet8", bits, seed=0)
    shapes = [LayerShape.of(layer) for layer in layer_sizes(net.spec, net.bits)]
    assert float(lut_cost(5000)(loads(net))) == pytest.approx(sum(luts_alone(shape, 5000) for shape in shapes))
    assert float(cycle_cost(5000)(loads(net))) == pytest.approx(
        sum(shape.macs * product_luts(shape) for shape in shapes) / 5000)


@pytest.mark.parametrize("cost", [lut_cost(64), cycle_cost(1000), LutCost(64), CycleCost(1000)])
def test_learned_widths_are_pressed_by_what_a_bit_costs(cost: Cost) -> None:
    net = models.build("digits", "w5a4", seed=0)
    fixed = float(cost(loads(net)))
    learn_bits(net)
    offsets = {name: parameter for name, parameter in net.named_parameters() if name.endswith("bit_width_offset")}
    whole = cost(loads(net))
    slopes = dict(zip(offsets, map(float, torch.autograd.grad(whole, list(offsets.values()))), strict=True))
    assert float(whole) == pytest.approx(fixed)
    assert len(slopes) == 5
    assert all(slope > 0 for slope in slopes.values())
    if isinstance(cost, ModelCost):  # the slope is the step down to the next width
        less = BitConfig(("INT5", "INT5", "INT4"), ("UINT4",) * 2)
        narrower = float(cost(loads(models.build("digits", less, seed=0))))
        assert whole.item() - narrower == pytest.approx(next(slopes[name] for name in slopes if "layers.2" in name), rel=1e-4)


@pytest.mark.parametrize(("cheap", "dear"), [("POW3", "INT4"), ("POW3", "POW4"), ("POW4", "INT8"), ("INT4", "CODE4"),
                                             ("POW4", "CODE4")])
@pytest.mark.parametrize("cost", [lut_cost(64), LutCost(64)])
def test_codebooks_cost_their_grid_or_shifts(cost: Cost, cheap: str, dear: str) -> None:
    """A code of 4 bits becomes a level of 8, which is multiplied; powers of two shift, for less than their grid's products."""
    prices = [float(cost(loads(models.build("digits", BitConfig.uniform(kind, "UINT4", 3), seed=0)))) for kind in (cheap, dear)]
    assert prices[0] <= prices[1] + 1e-3


def test_faults_are_one_line() -> None:
    with pytest.raises(FlowError, match=r"^hardware cost: 0 cycles that a frame may take; give at least 1$"):
        lut_cost(0)
    with pytest.raises(FlowError, match=r"^hardware cost: 0\.5 LUTs that there are; give at least 1$"):
        cycle_cost(0.5)
