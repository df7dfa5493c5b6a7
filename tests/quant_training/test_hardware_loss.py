"""Learned bit widths and the hardware's share of the loss."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import models
from hw_flow.export import export
from hw_flow.frontend import compare, compile_qonnx
from models import BitConfig
from models.bits import type_bits
from quant_training import TrainConfig, TrainingError, load_dataset, train
from quant_training.bitwidths import learn_bits, narrowest, rounded
from quant_training.callbacks import Snapshot
from quant_training.hardware_loss import Cost, CycleCost, HardwareLoss, LutCost, bit_operations, loads
from quant_training.size import layer_sizes

CONFIG = TrainConfig(epochs=8, progress=False, keep="last", learning_rate=0.02)


def test_widths_shrink_under_the_cost_and_round_to_plain_types(tmp_path: Path) -> None:
    data = load_dataset("digits")
    totals = []
    for weight in (0.0, 1.0):
        net = models.build("digits", "w8a8", seed=0)
        assert learn_bits(net) == 5
        result = train(net, data, CONFIG, [HardwareLoss(bit_operations, weight, "bit_operations")])
        plain = rounded(net)
        x = torch.from_numpy(data.test.x[:100])
        with torch.no_grad():
            assert torch.equal(plain(x), net(x))
        totals.append(sum(map(type_bits, (*plain.bits.weights, *plain.bits.activations))))
        assert result.test_accuracy > 0.75
    assert totals[1] <= 32 < 36 < totals[0]
    export(plain, data, tmp_path / "net.onnx")
    comparison = compare(compile_qonnx(tmp_path / "net.onnx", input_type="UINT5", input_scale="1/16"),
                         data.test.integers[:100].reshape(100, -1))
    assert comparison.bit_exact


def test_a_killed_run_keeps_its_widths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Branches share widths, and the best weights are loaded back: neither may bring the first widths back."""
    data = load_dataset("digits")
    data = replace(data, train=data.train.take(400))
    written = Snapshot.on_train_epoch_end

    def learned(folder: str) -> models.Network:
        net = models.build("digits_cnn", "w6a6", seed=0)
        learn_bits(net)
        config = CONFIG.model_copy(update={"epochs": 4, "output": tmp_path / folder, "resume": True, "checkpoint_seconds": 0.0,
                                           "keep": "best"})
        train(net, data, config, [HardwareLoss(bit_operations, 2.0, "bit_operations")])
        return net

    def killed(self: Snapshot, trainer: Any, module: Any) -> None:
        written(self, trainer, module)
        if module.current_epoch == 2:
            raise RuntimeError("killed")

    whole = learned("whole")
    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "on_train_epoch_end", killed)
        with pytest.raises(RuntimeError, match="killed"):
            learned("parts")
    for parts in (learned("parts"), learned("parts")):  # carried on, then loaded
        assert rounded(parts).bits == rounded(whole).bits != models.build("digits_cnn", "w6a6", seed=0).bits
        for name, tensor in whole.state_dict().items():
            assert torch.equal(tensor, parts.state_dict()[name]), name


def test_only_a_share_that_is_reached_is_kept() -> None:
    data = load_dataset("digits")
    net = models.build("digits", "w8a8", seed=0)
    learn_bits(net)
    hook = HardwareLoss(bit_operations, 4.0, "bit_operations", keep=0.6)
    train(net, data, CONFIG.model_copy(update={"keep": "best", "learning_rate": 0.03}), [hook])
    with torch.no_grad():
        share = float(bit_operations(loads(net)) / bit_operations(loads(models.build("digits", "w8a8", seed=0))))
    assert 0.3 < share <= 0.6
    with narrowest(net), torch.no_grad():
        assert {int(load.weight_bits) for load in loads(net)} == {2}
    with torch.no_grad():
        assert float(hook.share(net)) == pytest.approx(share)


def test_sums_and_their_branches_learn_one_width() -> None:
    net = models.build("digits_cnn", "w6a6", seed=0)
    learn_bits(net)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("bit_width_offset"):
                parameter.sub_(2.0 if "linear" in name else 3.0)
    plain = rounded(net.eval()).eval()
    assert plain.bits == BitConfig(("INT4",) * 3, ("UINT3",) * 2)
    x = torch.rand(20, 64)
    with torch.no_grad():
        assert torch.equal(plain(x), net(x))


def test_two_bits_are_ternary() -> None:
    net = models.build("digits", "w4a4", seed=0)
    learn_bits(net, activations=False)
    with torch.no_grad():
        for layer in net.layers:
            layer.linear.weight_quant.tensor_quant.msb_clamp_bit_width_impl.bit_width_offset.fill_(0)
    assert rounded(net).bits.weights == ("TERNARY",) * 3


@pytest.mark.parametrize("cost", [bit_operations, LutCost(100), CycleCost(5000)])
def test_every_wider_layer_costs_more(cost: Cost) -> None:
    base = cost(loads(models.build("digits_cnn", "w4a4", seed=0)))
    for layer in range(3):
        wider = BitConfig.uniform("INT4", "UINT4", 3).with_layer(layer, weight="INT6")
        assert cost(loads(models.build("digits_cnn", wider, seed=0))) > base


@pytest.mark.parametrize(("stored", "grid"), [("POW3", "INT4"), ("POW4", "INT8"), ("CODE2", "INT8"), ("CODE4", "INT8")])
def test_codebooks_are_multiplied_on_their_grid(stored: str, grid: str) -> None:
    """They cost what their grid costs but for the memory, where codes are stored, and for powers of two, which shift."""
    code, plain = (models.build("resnet8", BitConfig.uniform(kind, "UINT4", 10), seed=0) for kind in (stored, grid))
    assert bit_operations(loads(code)) == bit_operations(loads(plain))
    assert float(bit_operations(loads(code))) == sum(layer.bit_operations for layer in layer_sizes(code.spec, code.bits))
    for cost in (LutCost(4096), CycleCost(1000)):
        assert 0.2 * cost(loads(plain)) < cost(loads(code)) <= cost(loads(plain))
    narrow = models.build("resnet8", BitConfig.uniform(f"INT{stored[-1]}", "UINT4", 10), seed=0)
    costs: tuple[Cost, ...] = (bit_operations, LutCost(4096), CycleCost(1000))
    for each in costs if stored.startswith("CODE") else costs[:1]:
        assert each(loads(code)) > each(loads(narrow))


def test_loads_see_the_shapes() -> None:
    found = loads(models.build("resnet8", BitConfig.uniform("INT4", "UINT3", 10), seed=0))
    first, last = found[0], found[-1]
    assert (first.inputs, first.outputs, first.positions, int(first.input_bits)) == (27, 16, 1024, 8)
    assert (last.inputs, last.outputs, last.positions, int(last.input_bits), int(last.output_bits)) == (64, 10, 1, 3, 0)


def _learn(bits: str) -> Callable[[], object]:
    return lambda: learn_bits(models.build("digits", bits, seed=0))


@pytest.mark.parametrize(("call", "message"), [
    (_learn("w1a1"), "no layer has a width to learn (BIPOLAR | BIPOLAR BIPOLAR | BIPOLAR BIPOLAR | BIPOLAR); "
                     "use types of 3 to 8 bits, for example w8a8"),
    (lambda: LutCost(0), "target_cycles is 0; give the cycles that a frame may take, at least 1"),
    (lambda: HardwareLoss(bit_operations, -1.0), "the weight of the hardware cost is -1.0; give a number of at least 0"),
])
def test_faults_are_one_line(call: Callable[[], object], message: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        call()


def test_a_cost_that_is_no_number_is_refused() -> None:
    hook = HardwareLoss(lambda layers: layers[0].weight_bits * float("nan"), 1.0, "broken")
    with pytest.raises(TrainingError, match="the hardware cost broken is nan; it must be a finite number for these widths"):
        train(models.build("digits", "w4a4", seed=0), load_dataset("digits"), CONFIG, [hook])
