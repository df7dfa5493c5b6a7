"""Pruning in turns with the hardware: on a made-up meter, and once on the real one."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import models
from hw_flow.codesign.cooperative import CooperativeConfig, cooperate
from hw_flow.codesign.forecast import Forecast, Objective, proportional
from hw_flow.codesign.meter import HardwareMeter, Measured, matrix_units
from hw_flow.codesign.progress import Live
from hw_flow.codesign.rounds import shape_key, value_of
from hw_flow.errors import FlowError
from hw_flow.export import export
from hw_flow.frontend import compile_qonnx
from hw_flow.ir import MVAU, VVAU
from hw_flow.steps import Steps
from models import BitConfig, Network, Spec
from quant_training import Dataset, TrainConfig, load_dataset, train
from quant_training.callbacks import Snapshot
from quant_training.pruning import PruneConfig, prune
from quant_training.size import layer_sizes

TUNING = TrainConfig(epochs=2, batch_size=64, progress=False)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def _trained(digits: Dataset) -> Network:
    model = models.build("digits", "w4a4", seed=0)
    train(model, digits, TrainConfig(epochs=6, batch_size=64, progress=False))
    return model


class _Meter:
    """Half a LUT a weight, twice that in the second layer; a tenth of the weights in cycles."""

    def __init__(self) -> None:
        self.measured: list[str] = []

    def __call__(self, model: Network, directory: Path) -> Measured:
        directory.mkdir(parents=True, exist_ok=True)
        self.measured.append(directory.name)
        weights = [layer.weights for layer in layer_sizes(model.spec, model.bits)]
        luts = tuple(0.5 * count * (2 if index == 1 else 1) for index, count in enumerate(weights))
        cycles = tuple(count // 10 for count in weights)
        return Measured(luts, cycles, 100.0, max(cycles), {"luts": "test", "cycles": "test"}, 0)

    def forecast(self, measured: Measured, spec: Spec, bits: BitConfig, objective: Objective) -> Forecast:
        return proportional(measured, spec, bits, objective)

    def key(self) -> str:
        return "made up"


@pytest.mark.parametrize("objective", ["luts", "cycles"])
def test_it_goes_where_the_hardware_is(objective: str, digits: Dataset, tmp_path: Path) -> None:
    model = _trained(digits)
    config = CooperativeConfig(objective=objective, keep=0.6, step=0.3, drop=0.2, criterion="magnitude")
    found = cooperate(model, digits, config, TUNING, tmp_path, meter=_Meter())
    first, last = found.rounds[0], [one for one in found.rounds if one.accepted][-1]
    assert found.reached
    assert last.shape == found.model.spec.to_dict()
    if objective == "luts":
        assert last.measured.total_luts <= 0.6 * first.measured.total_luts
    else:
        assert first.bottleneck == 0
        assert max(last.measured.cycles) <= 0.6 * max(first.measured.cycles)
    saved = json.loads((tmp_path / "cooperative.json").read_text())["rounds"]
    assert [one["accepted"] for one in saved] == [one.accepted for one in found.rounds]
    assert models.load(tmp_path / f"round-{last.number}").spec == found.model.spec


def test_a_round_that_costs_too_much_is_taken_back(digits: Dataset, tmp_path: Path) -> None:
    model = _trained(digits)
    config = CooperativeConfig(keep=0.1, step=0.9, drop=0.0, rounds=2, criterion="random")
    found = cooperate(model, digits, config, TUNING.model_copy(update={"epochs": 1}), tmp_path, meter=_Meter())
    assert not found.reached
    assert not found.rounds[1].accepted
    assert found.rounds[2].measured.total_luts > found.rounds[1].measured.total_luts


class _Steps(_Meter):
    """Hardware that comes in steps of 600 LUTs, as forecasts know; what is measured never becomes less."""

    def __call__(self, model: Network, directory: Path) -> Measured:
        measured = super().__call__(model, directory)
        return replace(measured, rest_luts=5000 - sum(measured.luts))

    def forecast(self, measured: Measured, spec: Spec, bits: BitConfig, objective: Objective) -> Forecast:
        whole = proportional(measured, spec, bits, objective)
        return lambda smaller, types: 600.0 * -(-whole(smaller, types) // 600)


def test_a_network_that_was_taken_back_is_not_built_again(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("quant_training.train", lambda *_: None)
    model, config = models.build("digits", "w4a4", seed=0), CooperativeConfig(keep=0.1, step=0.4, drop=1.0, criterion="magnitude")
    meter = _Steps()
    found = cooperate(model, digits, config, TUNING, tmp_path, meter=meter)
    cost = meter.forecast(found.rounds[0].measured, model.spec, model.bits, "luts")
    plans = [prune(model, digits, PruneConfig(budget="cost", limit=(1 - step) * 5000, criterion="magnitude"), cost=cost)
             for step in (0.4, 0.2, 0.1, 0.05)]
    shapes = [shape_key(plan.model.spec.to_dict()) for plan in plans]
    assert len(set(shapes)) < len(shapes)
    assert [shape_key(one.shape) for one in found.rounds[1:]] == list(dict.fromkeys(shapes))
    assert not any(one.accepted for one in found.rounds[1:])
    assert found.stopped == ("no other smaller network is in reach of steps of at least 4 %; "
                             f"{len(set(shapes))} were taken back")
    # Carried on, there is nothing left to do.
    again = cooperate(model, digits, config, TUNING, tmp_path, meter=meter)
    assert [one.to_json() for one in again.rounds] == [one.to_json() for one in found.rounds]
    assert (again.stopped, len(meter.measured)) == (found.stopped, len(found.rounds))


@pytest.mark.parametrize(("values", "stopped"), [
    ({"keep": 0.8, "step": 0.3}, "the wanted share is reached"),
    ({"keep": 0.1, "step": 0.05, "rounds": 1}, "all 1 rounds are used"),
    ({"keep": 0.1, "least": 100}, "no other smaller network is in reach of steps of at least 4 %; no more channels can go"),
])
def test_why_it_stopped(values: dict[str, Any], stopped: str, digits: Dataset, tmp_path: Path,
                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quant_training.train", lambda *_: None)
    config = CooperativeConfig(drop=1.0, criterion="magnitude", **values)
    found = cooperate(models.build("digits", "w4a4", seed=0), digits, config, TUNING, tmp_path, meter=_Meter())
    assert (found.stopped, found.reached) == (stopped, stopped == "the wanted share is reached")


# Layers of equal size, in a row and in branches; grouped and depthwise ones.
_ALIKE: dict[str, Any] = {"input_shape": [4, 4, 4], "units": [
    {"conv": 4, "kernel": 3, "padding": 1},
    {"residual": [{"conv": 4, "kernel": 3, "padding": 1}, {"conv": 4, "kernel": 3, "padding": 1}]},
    {"conv": 4, "kernel": 3, "padding": 1, "groups": 2}, {"conv": 4, "kernel": 3, "padding": 1, "groups": 2},
    {"conv": 4, "kernel": 3, "padding": 1, "groups": 0}, {"conv": 4, "kernel": 3, "padding": 1, "groups": 0}, {"dense": 10}]}


def test_layers_find_their_own_units(tmp_path: Path) -> None:
    model = models.build(_ALIKE, "w4a4", seed=0)
    export(model, np.zeros((1, 4, 4, 4), np.float32), tmp_path / "net.onnx")
    program = compile_qonnx(tmp_path / "net.onnx", input_type="UINT8", input_scale="1/255")
    nodes = {node.name: node for node in program.graph if isinstance(node, MVAU | VVAU)}
    units = matrix_units(program, model)
    assert sorted(name for names in units for name in names) == sorted(nodes)
    assert [len(names) for names in units] == [1, 1, 1, 2, 2, 1, 1, 1]
    for layer, names in zip(model.layers[:-1], units[:-1], strict=True):
        made = layer.linear.quant_weight()
        integers = torch.round(made.value / made.scale).long().movedim(1, 3)
        assert np.array_equal(np.concatenate([nodes[name].weights for name in names]), integers.flatten(1).numpy())
    other = models.build({"inputs": 64, "hidden": [8], "classes": 10}, "w4a4", seed=0)
    with pytest.raises(FlowError, match=r"^measuring: the network has 2 layers, its QONNX file 8 numbered matrix products; "
                                        r"export it again$"):
        matrix_units(program, other)


def test_the_plan_is_exact_where_it_was_measured(digits: Dataset, tmp_path: Path) -> None:
    model = models.build("digits", "w4a4", seed=0)
    measured = _Meter()(model, tmp_path)
    assert proportional(measured, model.spec, model.bits, "luts")(model.spec, model.bits) == pytest.approx(measured.total_luts)
    smaller = models.MLPSpec(64, (16, 32), 10)
    cost = proportional(measured, model.spec, model.bits, "cycles")(smaller, model.bits)
    assert cost == pytest.approx(max(measured.cycles) / 2)
    assert len(digits.val)


def test_faults(digits: Dataset, tmp_path: Path) -> None:
    blind = load_dataset("digits", val_fraction=0)
    with pytest.raises(FlowError) as error:
        cooperate(models.build("digits", "w4a4", seed=0), blind, CooperativeConfig(), TUNING, tmp_path, meter=_Meter())
    assert str(error.value) == (
        "cooperative pruning: digits has no validation samples to judge by; set val_fraction above 0"
    )
    with pytest.raises(FlowError) as error:
        CooperativeConfig(keep=1)
    assert str(error.value) == "cooperative pruning: keep is 1: input should be less than 1"
    assert len(digits.val)


def test_a_killed_run_is_carried_on(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = CooperativeConfig(keep=0.5, step=0.3, drop=0.3, rounds=3, criterion="magnitude")
    model = models.build("digits", "w4a4", seed=0)
    whole = cooperate(model, digits, config, TUNING, tmp_path / "whole", meter=_Meter())
    written, meter = Snapshot.on_train_epoch_end, _Meter()

    def killed(self: Snapshot, trainer: Any, module: Any) -> None:
        self.seconds = 0
        written(self, trainer, module)
        if "round-2" in str(self.path):
            raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "on_train_epoch_end", killed)
        with pytest.raises(RuntimeError, match="killed"):
            cooperate(model, digits, config, TUNING, tmp_path / "parts", meter=meter)
    assert (tmp_path / "parts" / "round-2" / "training" / "resume.ckpt").exists()
    parts = cooperate(model, digits, config, TUNING, tmp_path / "parts", meter=meter)
    assert meter.measured == ["round-0", "round-1", "round-2", "round-3"][:len(whole.rounds)]
    assert [one.to_json() for one in parts.rounds] == [one.to_json() for one in whole.rounds]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, parts.model.state_dict()[name]), name
    # Killed between the fine-tuning and the measurement: trained no more.
    note = tmp_path / "parts" / "cooperative.json"
    saved = json.loads(note.read_text())
    note.write_text(json.dumps({**saved, "rounds": saved["rounds"][:-1]}))
    monkeypatch.setattr("quant_training.train", lambda *_: pytest.fail("trained again"))
    again = cooperate(model, digits, config, TUNING, tmp_path / "parts", meter=meter)
    assert [one.to_json() for one in again.rounds] == [one.to_json() for one in whole.rounds]
    # Another run does not go on from it, and a damaged note is no surprise.
    with pytest.raises(FlowError) as error:
        cooperate(model, digits, config.model_copy(update={"keep": 0.6}), TUNING, tmp_path / "parts", meter=meter)
    assert str(error.value) == (
        f"{tmp_path / 'parts'}: holds a cooperative pruning of another network, data or settings; give another folder"
    )
    note.write_text('{"version": 1')
    with pytest.raises(FlowError) as error:
        cooperate(model, digits, config, TUNING, tmp_path / "parts", meter=meter)
    assert re.fullmatch(re.escape(f"{note}: damaged (") + r".*\); remove the folder to begin again", str(error.value))


def test_progress_shows_rounds_and_time_left(digits: Dataset, tmp_path: Path) -> None:
    out = io.StringIO()
    shown = Live(Console(file=out, width=200), label="cooperate", unit="round")
    config = CooperativeConfig(keep=0.5, step=0.3, drop=1.0, rounds=1, criterion="magnitude")
    model = models.build("digits", "w4a4", seed=0)
    cooperate(model, digits, config, TUNING, tmp_path, meter=_Meter(), steps=Steps(shown), progress=shown)
    lines = out.getvalue().splitlines()
    assert re.fullmatch(r"round 1/2, left \d:\d\d, 2,308 LUTs, validation \d+\.\d %", lines[0])
    assert re.fullmatch(r"round 2/2, left 0:00, [\d,]+ LUTs, validation \d+\.\d %", lines[1])


@pytest.mark.parametrize(("given", "objective", "message"), [
    ({}, "luts", "measuring: give one of target_cycles, unfold and budget_luts, so that all networks are folded alike"),
    ({"target_cycles": 8}, "cycles", "measuring: without budget_luts the cycles are fixed, so cycles cannot become fewer; "
                                     "use objective cycles with budget_luts, luts with target_cycles or unfold"),
    ({"budget_luts": 800}, "luts", "measuring: budget_luts holds the LUTs, so luts cannot become fewer; "
                                   "use objective cycles with budget_luts, luts with target_cycles or unfold"),
])
def test_what_is_held_cannot_shrink(given: dict[str, Any], objective: Objective, message: str, digits: Dataset) -> None:
    model = models.build("digits", "w4a4", seed=0)
    with pytest.raises(FlowError) as error:
        HardwareMeter(digits, **given).forecast(Measured((1.0,) * 3, (1,) * 3, 0.0, 1, {}, 0), model.spec, model.bits, objective)
    assert str(error.value) == message


@pytest.mark.slow
@pytest.mark.parametrize(("given", "objective"), [({"target_cycles": 64}, "luts"), ({"budget_luts": 1500}, "cycles")])
def test_the_real_hardware_becomes_smaller(given: dict[str, Any], objective: Objective, digits: Dataset, tmp_path: Path) -> None:
    config = CooperativeConfig(objective=objective, keep=0.6, step=0.4, drop=0.2, rounds=1)
    found = cooperate(_trained(digits), digits, config, TUNING, tmp_path, meter=HardwareMeter(digits, **given))
    first, last = (value_of(one.measured, objective) for one in (found.rounds[0], found.last))
    assert last <= 0.8 * first
    assert found.last.measured.samples == 8
    assert found.last.measured.sources["luts"].startswith("yosys")
    assert found.last.measured.sources["interval_cycles"].startswith("verilator")
