"""``bitwright recipe``: from a file to a QONNX file, and one line for faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hw_flow.cli.entry import run


def test_run_and_show(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(
        "model: {preset: digits, hidden: [8]}\ntraining: {epochs: 1, batch_size: 512}\nstages: [pretrain, lower: {bits: w4a4}]\n"
    )
    out = tmp_path / "out"
    assert run(["recipe", "run", str(file), "-o", str(out), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [stage["stage"] for stage in found["stages"]] == ["pretrain", "lower"]
    assert Path(found["model"]).is_file()
    assert run(["recipe", "show", str(out)]) == 0
    assert "8.0 x" in capfd.readouterr().out
    file.write_text("stages: [pretrain: {epoch: 1}]\n")
    assert run(["recipe", "run", str(file), "-o", str(out)]) == 2
    told = "bitwright: recipe: stage 1 (pretrain): unknown key 'epoch'; legal keys are name, bits, "
    assert capfd.readouterr().err.startswith(told)
