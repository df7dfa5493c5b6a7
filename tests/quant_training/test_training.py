"""Training: settings, every type, resume, and the accuracy on digits."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import models
from models import ACTIVATION_TYPES, WEIGHT_TYPES, BitConfig
from quant_training import Dataset, TrainConfig, TrainingError, evaluate, load_dataset, run_training, train
from quant_training.callbacks import Snapshot
from quant_training.loop import QuantModule
from quant_training.metrics import loss_of, predict

SMALL: dict[str, Any] = {"model": {"preset": "digits", "hidden": [16]}, "progress": False, "batch_size": 128}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def test_int4_digits_reach_95_percent(tmp_path: Path) -> None:
    result = run_training(TrainConfig(bits="w4a4", epochs=25, batch_size=64, output=tmp_path, progress=False))
    assert result.test_accuracy > 0.95
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["test_accuracy"] == result.test_accuracy
    assert len(metrics["history"]) == 25
    assert not (tmp_path / "resume.ckpt").exists()
    # What is on disk is the network that was measured.
    assert evaluate(models.load(tmp_path), result.data.test) == result.test_accuracy
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["data"]["input_scale"] == "1/16"
    assert TrainConfig(**settings["train"]).bits == "w4a4"


@pytest.mark.parametrize(
    ("weight", "activation"), [*((w, "UINT4") for w in WEIGHT_TYPES), *(("INT4", a) for a in ACTIVATION_TYPES)]
)
def test_every_type_learns(weight: str, activation: str, digits: Dataset) -> None:
    bits = BitConfig.uniform(weight, activation, 2)
    model = models.build(SMALL["model"], bits, seed=0)
    result = train(model, digits, TrainConfig(**{**SMALL, "batch_size": 64}, epochs=4))
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]
    assert result.test_accuracy > 0.3


@pytest.mark.parametrize("schedule", ["cosine", "plateau", "constant"])
def test_a_killed_run_resumes_to_the_same_weights(schedule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def config(folder: str, **more: Any) -> TrainConfig:
        network = {"preset": "digits", "hidden": [16], "dropout": 0.2}
        fixed = {**SMALL, "model": network, "shift": 1, "epochs": 5, "checkpoint_seconds": 0, "schedule": schedule}
        return TrainConfig(**fixed, output=tmp_path / folder, **more)

    whole = run_training(config("whole"))
    written = Snapshot.on_train_epoch_end

    def killed(self: Snapshot, trainer: Any, module: Any) -> None:
        written(self, trainer, module)
        if module.current_epoch == 2:
            raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "on_train_epoch_end", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run_training(config("parts"))
    assert not (tmp_path / "parts" / "metrics.json").exists()
    parts = run_training(config("parts", resume=True))
    assert parts.history == whole.history
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, parts.model.state_dict()[name]), name
    assert not (tmp_path / "parts" / "resume.ckpt").exists()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many threads as a training takes: the order of sums depends on it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_a_loop_written_out_gives_the_same_weights(digits: Dataset) -> None:
    """What Lightning is spared changes nothing: batches, dropout, steps, rates and clipping are those of a plain loop."""
    network = {"preset": "digits", "hidden": [16], "dropout": 0.2}
    config = TrainConfig(**{**SMALL, "model": network}, epochs=3, seed=5, keep="last")
    found = train(models.build(network, "w1a4", seed=0), digits, config).model
    model = models.build(network, "w1a4", seed=0)
    x, y = model.quantise(torch.from_numpy(digits.train.x)), torch.from_numpy(digits.train.labels)
    x = getattr(x, "value", x)
    optimiser = torch.optim.Adam(model.parameters(), 0.01, fused=True)
    steps = len(y) // 128
    for epoch in range(3):
        model.train()
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(5 * 1_000_003 + epoch))
        torch.manual_seed((5 * 1_000_003 + epoch) * 64)
        for step in range(steps):
            share = (epoch + step / steps) / 3
            optimiser.param_groups[0]["lr"] = 0.01 * (0.005 + 0.995 * 0.5 * (1 + math.cos(math.pi * share)))
            rows = order[step * 128 : (step + 1) * 128]
            optimiser.zero_grad()
            torch.autograd.backward(loss_of(model.classify(x[rows]), y[rows]))
            optimiser.step()
            model.clip_weights()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, found.state_dict()[name]), name


def test_ctrl_c_is_passed_on(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(_: QuantModule) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(QuantModule, "on_train_epoch_start", pressed)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(models.build(SMALL["model"], "w4a4", seed=0), digits, TrainConfig(**SMALL, epochs=2))
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_finished_run_is_loaded(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(**SMALL, epochs=2, output=tmp_path, resume=True)
    first = train(models.build(SMALL["model"], "w4a4", seed=0), digits, config)
    with monkeypatch.context() as patch:
        patch.setattr("quant_training.training._fit", lambda *_: pytest.fail("trained again"))
        again = train(models.build(SMALL["model"], "w4a4", seed=0), digits, config)
    assert again.metrics() == {**first.metrics(), "seconds": again.metrics()["seconds"]}
    assert not again.model.training
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name
    # Other weights to start from make another run.
    other = train(models.build(SMALL["model"], "w4a4", seed=1), digits, config)
    assert other.history != first.history


def test_resume_refuses_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(self: Snapshot, trainer: Any, module: Any) -> None:
        trainer.save_checkpoint(self.path)
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "on_train_epoch_end", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run_training(TrainConfig(**SMALL, epochs=2, output=tmp_path))
    with pytest.raises(TrainingError) as error:
        run_training(TrainConfig(**SMALL, epochs=3, output=tmp_path, resume=True))
    assert str(error.value) == f"{tmp_path}: holds a run with other settings or data; give another output, or leave resume out"


def test_the_same_seed_gives_the_same_network(digits: Dataset) -> None:
    config = TrainConfig(**SMALL, epochs=1, seed=7)
    torch.manual_seed(0)
    first = run_training(config).model
    torch.manual_seed(1)
    state = torch.get_rng_state()
    second = run_training(config).model
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))
    assert torch.equal(state, torch.get_rng_state())


def test_fine_tuning_starts_from_a_checkpoint(tmp_path: Path) -> None:
    run_training(TrainConfig(**SMALL, bits="w8a8", epochs=10, output=tmp_path))
    cold = run_training(TrainConfig(**SMALL, bits="ternary", epochs=1))
    warm = run_training(TrainConfig(**SMALL, bits="ternary", epochs=1, start=tmp_path))
    assert warm.history[0]["train_loss"] < cold.history[0]["train_loss"]


def test_early_stopping(digits: Dataset) -> None:
    model = models.build(SMALL["model"], "w4a4", seed=0)
    result = train(model, digits, TrainConfig(**SMALL, epochs=200, patience=2, learning_rate=0.05, schedule="constant"))
    assert result.epochs < 200


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_hinge"])
def test_one_output_separates_two_classes(loss: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (400, 8))
    file = tmp_path / "two.npz"
    np.savez(file, x=x, y=(x[:, 0] > x[:, 1]).astype(int))
    network = {"inputs": 8, "hidden": [16], "classes": 1}
    settings: dict[str, Any] = {"model": network, "bits": "w4a4", "data": str(file), "loss": loss}
    result = run_training(TrainConfig(**settings, epochs=30, batch_size=32, progress=False))
    assert result.test_accuracy > 0.85


def test_losses() -> None:
    logits, labels = torch.tensor([[2.0, -0.5]]), torch.tensor([0])
    assert float(loss_of(logits, labels, "squared_hinge")) == pytest.approx((0 + 0.25) / 2)
    assert predict(torch.tensor([[0.5], [-0.5]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"epoch": 3},
            "training settings: unknown key 'epoch'; legal keys are " + ", ".join(TrainConfig.model_fields),
        ),
        (
            {"data": {"names": "x"}},
            "training settings: unknown key 'data.names'; legal keys are name, folder, label, columns, val_fraction, "
            "test_fraction, seed, power_of_two, image_size",
        ),
        ({"epochs": 0}, "training settings: epochs is 0: input should be greater than or equal to 1"),
        ({"loss": "l2"}, "training settings: loss is 'l2': input should be 'cross_entropy' or 'squared_hinge'"),
    ],
)
def test_faults_of_settings(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as error:
        TrainConfig(**values)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "tfc"}, "the network takes 784 inputs, digits has 64 (8 x 8); set inputs"),
        (
            {"model": {"preset": "digits", "classes": 4}},
            "the network has 4 outputs, digits has 10 classes; set classes",
        ),
        (
            {"data": {"val_fraction": 0}, "patience": 3},
            "patience needs validation samples; set val_fraction above 0 or leave patience out",
        ),
        ({"resume": True}, "resume needs the folder of the run; set output"),
        (
            {"learning_rate": 1e30, "schedule": "constant", "epochs": 3, "bits": {"weights": "INT8", "activations": "UINT8"}},
            "epoch 0: the loss is nan; lower learning_rate (now 1e+30) or use wider types",
        ),
    ],
)
def test_faults_of_a_run(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as error:
        run_training(TrainConfig(**{**SMALL, **values}))
    assert str(error.value) == message


def test_yaml(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("model: tfc\nbits: w1a1\ndata: {name: mnist, val_fraction: 0}\nepochs: 3\n")
    config = TrainConfig.from_yaml(file)
    assert (config.model, config.bits, config.data.name, config.epochs) == ("tfc", "w1a1", "mnist", 3)
    file.write_text("- 1\n")
    with pytest.raises(TrainingError) as error:
        TrainConfig.from_yaml(file)
    assert str(error.value) == f"{file}: is not a mapping; give at least model, bits and data"
