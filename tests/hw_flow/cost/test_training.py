"""The cost that training differentiates, beside the cost model of the compiled network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import models
from hw_flow.cost import estimate
from hw_flow.cost.model import DEFAULT_COEFFICIENTS
from hw_flow.cost.training import cycle_cost, lut_cost
from hw_flow.export import export
from hw_flow.folding import for_cycles
from hw_flow.frontend import compile_qonnx
from hw_flow.ir import MVAU
from quant_training.hardware_loss import loads


def test_calibrated_coefficients_go_through() -> None:
    doubled = {name: 2 * value for name, value in DEFAULT_COEFFICIENTS.items()}
    layers = loads(models.build("digits", "w4a4", seed=0))
    assert float(lut_cost(64, doubled)(layers)) == pytest.approx(2 * float(lut_cost(64)(layers)))
    assert float(cycle_cost(100, doubled)(layers)) == pytest.approx(2 * float(cycle_cost(100)(layers)))


@pytest.mark.parametrize("bits", ["w2a2", "w4a4", "w3a3"])
def test_the_formula_follows_the_cost_model(bits: str, tmp_path: Path) -> None:
    net = models.build({"inputs": 64, "hidden": [64, 64], "classes": 16}, bits, seed=0)
    export(net, np.zeros((1, 64), np.float32), tmp_path / "net.onnx")
    graph = compile_qonnx(tmp_path / "net.onnx", input_type="UINT8", input_scale="1/255").graph
    folding = for_cycles(graph, 256).nodes
    modelled = sum(estimate(graph, folding).luts[node.name] for node in graph if isinstance(node, MVAU))
    assert float(lut_cost(256)(loads(net))) == pytest.approx(modelled, rel=0.35)
