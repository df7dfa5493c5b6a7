"""Lightning's switches: several processes, and settings that this machine cannot have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quant_training import TrainConfig, TrainingError, run_training

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from quant_training import TrainConfig, run_training, training

original = training._fit

def fit(*arguments):
    module = original(*arguments)
    total = sum(float(t.double().abs().sum()) for t in module.model.state_dict().values())
    Path(sys.argv[1], f"rank{module.global_rank}").write_text(repr((total, module.history)))
    return module

training._fit = fit
settings = dict(model={"preset": "digits", "hidden": [16]}, data={"name": "digits", "val_fraction": 0.2}, epochs=3, batch_size=64)
result = run_training(TrainConfig(
    **settings, accelerator="cpu", devices=2, strategy="ddp", patience=50, output=Path(sys.argv[1], "out"), progress=False))
with open(Path(sys.argv[1], "after"), "a") as file:
    file.write(f"{result.epochs} ")
"""


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(tmp_path)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=300, check=False,
    )
    assert done.returncode == 0, done.stderr
    # Both ends hold the same weights, normalisation and history, and only the first goes on.
    assert (tmp_path / "rank0").read_text() == (tmp_path / "rank1").read_text()
    assert (tmp_path / "after").read_text() == "3 "
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["epochs"] == 3
    assert metrics["history"][-1]["train_loss"] < metrics["history"][0]["train_loss"]


def _refused(accelerator: str, devices: int, strategy: str, precision: str) -> str:
    given = f"accelerator '{accelerator}', devices {devices}, strategy '{strategy}', precision '{precision}'"
    return f"Lightning does not take {given} here ("


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        (
            {"devices": 2, "strategy": "ddp_spawn"},
            "accelerator 'cpu', devices 2, strategy 'ddp_spawn', precision '32-true': this way to start processes has to copy the"
            " network, which Brevitas does not support; use strategy ddp in a script, or one device",
        ),
        ({"strategy": "dpp"}, _refused("cpu", 1, "dpp", "32-true")),
        ({"accelerator": "abacus"}, _refused("abacus", 1, "auto", "32-true")),
        ({"precision": "12"}, _refused("cpu", 1, "auto", "12")),
        ({"devices": 0}, _refused("cpu", 0, "auto", "32-true")),
    ],
)
def test_switches_that_cannot_be(switches: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as error:
        run_training(TrainConfig(**{"accelerator": "cpu", "epochs": 1, "progress": False, **switches}))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(("; change these settings", "or one device"))


def test_half_precision_passes_through() -> None:
    result = run_training(TrainConfig(precision="bf16-mixed", accelerator="cpu", epochs=1, progress=False))
    assert result.epochs == 1
