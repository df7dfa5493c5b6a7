"""The progress bar of a training."""

from __future__ import annotations

import pytest

from quant_training import TrainConfig, run_training


@pytest.mark.parametrize(("val_fraction", "state"), [(0.1, "val "), (0.0, "loss ")])
def test_the_bar_fits_80_columns(
    val_fraction: float, state: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    data = {"name": "digits", "val_fraction": val_fraction}
    network = {"preset": "digits", "hidden": [16]}
    run_training(TrainConfig(model=network, data=data, epochs=2, accelerator="cpu"))  # type: ignore[arg-type]  # a mapping is read
    bar = capsys.readouterr().out.strip().splitlines()[-1]
    assert bar.startswith("training ")
    assert "2/2 epochs" in bar
    assert " left 0:00:00 " in bar
    assert state in bar
    assert len(bar) <= 80
