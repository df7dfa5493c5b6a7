"""The whole chain from one configuration, and its resumption."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from hw_flow.errors import FlowError
from hw_flow.pipeline.config import RunConfig
from hw_flow.pipeline.run import run
from hw_flow.report import Report
from sim.errors import SimError
from tests.hw_flow.tiny import tiny, tiny_folding


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = RunConfig(
        name="tiny", model=tiny(folder / "tiny.onnx"), build={"folding": tiny_folding(folder / "folding.json")},
        simulate={"samples": 12, "stalls": True},
        synth={"targets": ["xc7"]})
    return config, folder / "out", run(config, folder / "out")


def test_report_of_a_model_run(finished):
    _, folder, result = finished
    report = Report.load(folder)
    assert report == result.report
    assert report.verification.bit_exact
    assert report.verification.stalled_pass is True
    assert report.performance["interval_cycles"].value == 12
    assert report.performance["interval_cycles"].source.startswith("verilator-")
    assert report.performance["interval_cycles_estimate"].source == "model"
    assert report.resources["xc7"].total["luts"].source.startswith("yosys-")
    assert set(report.seconds) == {"build", "simulate", "synth xc7"}
    sums = sum(layer["luts"].value for layer in report.resources["xc7"].layers.values())
    assert report.resources["xc7"].total["luts"].value == sums
    assert (folder / "report.png").is_file()
    assert json.loads((folder / "report" / "estimate_layer_cycles.json").read_text())["MVAU_0"] == 12


def test_fifo_peaks_stay_within_their_depths(finished):
    _, _, result = finished
    for stream in result.report.streams:
        assert stream.figures["peak"].value <= stream.figures["depth"].value + 1, stream.name


def test_a_second_run_repeats_nothing(finished):
    config, folder, _ = finished
    assert run(config, folder).reused == ("build", "simulate", "synth xc7")


def test_a_changed_step_is_repeated_with_those_after_it(finished):
    config, folder, _ = finished
    changed = config.model_copy(update={"simulate": config.simulate.model_copy(update={"samples": 5})})
    result = run(changed, folder)
    assert result.reused == ("build",)
    assert result.report.verification.samples == 5


def test_a_killed_run_resumes(tmp_path):
    tiny(tmp_path / "tiny.onnx", seed=int(time.time()))
    settings = {"name": "tiny", "model": str(tmp_path / "tiny.onnx"), "simulate": {"samples": 4}, "synth": {"targets": []}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "hw_flow.cli", "run", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "out"), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    journal = tmp_path / "out" / "run.json"
    # Kill it as soon as the build is recorded, that is while it simulates.
    while not journal.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(json.loads(journal.read_text())["steps"]) == ["build"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    result = json.loads(done.stdout)
    assert result["reused"] == ["build"]
    assert result["report"]["verification"]["bit_exact"] is True


@pytest.mark.parametrize(("changes", "text"), [
    ({"synth": {"targets": ["xc9"]}}, "^synthesis target 'xc9' is not known; choose one of xc7, xcup, ecp5, ice40, generic$"),
    ({"build": {"backend": "magic"}}, "^back end 'magic' is not known; choose one of rtl, finn, hls4ml$"),
    ({"build": {"folding": "gone.json"}},
     r"^gone.json: cannot read the folding file \(No such file or directory\); check the path$"),
])
def test_faults_come_before_the_training(tmp_path, changes, text):
    config = RunConfig(name="tiny", train={"epochs": 1000}, **changes)
    with pytest.raises(FlowError, match=text):
        run(config, tmp_path / "out")
    assert not (tmp_path / "out" / "train").exists()


def test_a_missing_compiler_is_told_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SimError, match=r"^g\+\+: not found; a C\+\+ compiler is needed for simulation"):
        run(RunConfig(name="tiny", train={"epochs": 1000}), tmp_path / "out")


@pytest.mark.parametrize("form", ["path", "section"])
def test_changed_samples_train_afresh(tmp_path, monkeypatch, form):
    import quant_training
    from hw_flow.pipeline.run import _Chain
    from hw_flow.steps import Steps

    resumed = []

    class Trained:
        def metrics(self):
            return {"test_accuracy": 0.5}

    def training(config):
        resumed.append(config.resume)
        (config.output / "metrics.json").write_text("{}")
        return Trained()

    monkeypatch.setattr(quant_training, "run_training", training)
    samples = tmp_path / "samples.csv"
    data = str(samples) if form == "path" else {"name": str(samples)}
    config = RunConfig(name="csv", train={"model": "digits", "bits": "w1a1", "data": data})
    for content in ("1,2,a\n3,4,b\n", "1,2,a\n3,4,b\n", "1,2,a\n3,5,b\n"):
        samples.write_text(content)
        _Chain(config, tmp_path / "out", Steps())._train()
    assert resumed == [False, False]


@pytest.mark.parametrize("known_by", ["folder", "environment"])
def test_changed_images_are_other_data(tmp_path, monkeypatch, known_by):
    from hw_flow.pipeline.run import _data_digest
    from quant_training.sources import IDX_FILES

    folder = tmp_path / "mnist"
    folder.mkdir()
    for file in IDX_FILES.values():
        (folder / file).write_bytes(b"first")
    if known_by == "environment":
        monkeypatch.setenv("BITWRIGHT_DATA", str(tmp_path))
        settings = {"data": "MNIST"}
    else:
        settings = {"data": {"name": "mnist", "folder": str(folder)}}
    before = _data_digest(settings)
    assert before == _data_digest(settings)
    (folder / IDX_FILES["test_labels"]).write_bytes(b"second")
    assert _data_digest(settings) != before
    assert _data_digest({"data": "digits"}) is _data_digest({}) is None


@pytest.mark.slow
def test_from_training_to_report(tmp_path):
    config = RunConfig(
        name="digits", train={"model": "digits", "bits": "w1a1", "epochs": 2}, build={"target_cycles": 128},
        synth={"targets": []})
    report = run(config, tmp_path / "out").report
    assert report.verification.bit_exact
    assert set(report.seconds) == {"train", "export", "build", "simulate"}
    assert report.accuracy["accuracy_test"].source.startswith("brevitas-")
    assert report.accuracy["accuracy_hardware"].value == pytest.approx(report.accuracy["accuracy_test"].value, abs=0.5)
    assert run(config, tmp_path / "out").reused == ("train", "export", "build", "simulate")
