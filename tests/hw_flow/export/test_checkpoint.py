"""Export of a trained folder, and what is said of folders and samples that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import models
from hw_flow.errors import FlowError
from hw_flow.export import export, export_checkpoint
from models import ModelError
from quant_training import TrainConfig, run_training


def test_a_trained_folder(tmp_path: Path) -> None:
    trained = tmp_path / "trained"
    network = {"preset": "digits", "hidden": [16]}
    settings = {"model": network, "bits": "w2a2", "epochs": 1, "progress": False, "accelerator": "cpu"}
    result = run_training(TrainConfig(**settings, output=trained))
    found = export_checkpoint(trained, tmp_path / "out" / "net.onnx")
    assert (found["samples"], found["quantised_tensors"]) == (100, 4)
    folder = tmp_path / "out"
    assert sorted(file.name for file in folder.iterdir()) == ["expected_output.npy", "net.onnx", "sample_input.npy"]
    assert np.array_equal(np.load(folder / "sample_input.npy"), result.data.test.take(100).x)
    (trained / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match="no such file; give the folder that training wrote"):
        export_checkpoint(trained, tmp_path / "net.onnx")
    settings_file = trained / "config.json"
    settings_file.write_text("{}")
    with pytest.raises(FlowError) as error:
        export_checkpoint(trained, tmp_path / "net.onnx")
    assert str(error.value) == (
        f"{settings_file}: not the settings of a training ('train'); give a folder that `bitwright train` wrote"
    )


def test_not_a_folder_of_a_training(tmp_path: Path) -> None:
    with pytest.raises(FlowError) as error:
        export_checkpoint(tmp_path, tmp_path / "net.onnx")
    assert str(error.value) == (
        f"{tmp_path / 'config.json'}: cannot read (No such file or directory); give a folder that `bitwright train` wrote"
    )


@pytest.mark.parametrize("shape", [(3, 12), (0, 64)])
def test_samples_that_do_not_fit(shape: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(FlowError) as error:
        export(models.build("digits", "w2a2", seed=0), np.zeros(shape, np.float32), tmp_path / "net.onnx")
    assert str(error.value) == f"export: samples have shape {list(shape)}; the network takes [N, 64] with N at least 1"
    assert not list(tmp_path.iterdir())
