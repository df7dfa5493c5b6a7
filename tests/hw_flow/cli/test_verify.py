"""``bitwright verify`` on a tiny network."""

import json

import numpy as np
import pytest

from hw_flow.cli.entry import run
from hw_flow.report import Verification
from tests.hw_flow.tiny import tiny, tiny_folding


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("verify") / "tiny.onnx")


@pytest.fixture(scope="module")
def folding(model):
    return tiny_folding(model.parent / "folding.json")


@pytest.fixture(scope="module")
def build(model, folding):
    directory = model.parent / "build"
    assert run(["build", str(model), "-o", str(directory), "--folding", str(folding)]) == 0
    return directory


def verify(capfd, *arguments):
    code = run(["verify", *map(str, arguments), "--json"])
    return code, json.loads(capfd.readouterr().out)


def test_json(model, build, capfd, folding):
    code, result = verify(capfd, model, "-o", build, "--folding", folding, "--samples", 20, "--stalls")
    assert code == 0
    assert set(result) == {
        "model", "bit_exact", "samples", "mismatches", "ties", "first_mismatch", "hardware_fault", "stalled_pass",
        "interval_cycles", "latency_cycles", "cycles", "interval_cycles_estimate", "source", "host_ops",
        "folding", "notes", "seconds", "mismatched_elements", "decisions_agree"}
    assert (result["mismatched_elements"], result["decisions_agree"]) == (0, 20)
    assert result["bit_exact"] is True
    assert result["stalled_pass"] is True
    assert (result["samples"], result["mismatches"], result["first_mismatch"]) == (20, 0, None)
    assert result["interval_cycles"] == result["interval_cycles_estimate"] == 12
    assert result["latency_cycles"] > 12
    assert result["source"].startswith("verilator-")
    assert result["host_ops"][0]["side"] == "before"
    assert result["folding"]["MVAU_0"]["PE"] * result["folding"]["MVAU_0"]["SIMD"] == 4
    assert {"compile simulator", "simulate", "simulate stalled", "golden model", "compare", "total"} <= set(result["seconds"])


def test_fast_profile(model, build, capfd, monkeypatch, folding):
    import sim

    built, profiles = sim.build, []
    monkeypatch.setattr(sim, "build", lambda *given, profile: profiles.append(profile) or built(*given, profile=profile))
    code, result = verify(capfd, model, "-o", build, "--folding", folding, "--samples", 300, "--profile", "fast", "--stalls")
    assert (code, result["bit_exact"], result["stalled_pass"], result["interval_cycles"]) == (0, True, True, 12)
    assert profiles == ["fast", "fast"]


def test_inputs_from_a_file(model, build, capfd, tmp_path, folding):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(0, 4, (5, 1, 8)))
    code, result = verify(capfd, model, "-o", build, "--folding", folding, "--inputs", tmp_path / "x.npy")
    assert (code, result["samples"], result["bit_exact"]) == (0, 5, True)


def test_one_sample_has_no_interval(model, build, capfd, folding):
    code, result = verify(capfd, model, "-o", build, "--folding", folding, "--samples", 1)
    assert (code, result["interval_cycles"]) == (0, None)


def test_text(model, build, capfd, folding):
    assert run(["verify", str(model), "-o", str(build), "--folding", str(folding)]) == 0
    out = capfd.readouterr().out.splitlines()
    assert out[0] == f"{model}: bit-exact over 16 samples"
    assert out[1].startswith("  steady interval 12 cycles, first-output latency ")
    assert out[2] == "  decisions agree with QONNX execution in 16 of 16 samples"


def test_text_of_a_mismatch(model, build, capfd, monkeypatch, folding):
    from hw_flow.backends import measure

    outcome = Verification(
        bit_exact=False, samples=16, mismatches=3, mismatched_elements=12, ties=0, first_mismatch="MatMul_1", decisions_agree=15)
    monkeypatch.setattr(measure, "verification", lambda *_: outcome)
    assert run(["verify", str(model), "-o", str(build), "--folding", str(folding)]) == 1
    assert capfd.readouterr().out.splitlines()[0] == f"{model}: 3 of 16 samples differ, first at MatMul_1"
    assert run(["simulate", str(build)]) == 1
    assert capfd.readouterr().out.splitlines()[:2] == [
        f"{build}: 3 of 16 samples differ, first at MatMul_1, 0 ties",
        "  decisions agree with QONNX execution in 15 of 16 samples"]
    assert run(["report", str(build)]) == 0
    assert "3 of 16 samples differ, first at MatMul_1" in capfd.readouterr().out


@pytest.mark.parametrize(("array", "text"), [
    (np.zeros((3, 9)), "inputs have shape [3, 9]; expected [N, 8]"),
    (np.zeros((0, 8)), "inputs hold no frame; give at least one"),
    (np.full((2, 8), np.nan), "inputs hold NaN or infinity; give finite numbers"),
    (np.array(["a"]), "holds <U1, not numbers; save one array [N, 8]"),
])
def test_wrong_inputs_are_one_line(model, build, capfd, tmp_path, array, text, folding):
    path = tmp_path / "x.npy"
    np.save(path, array)
    assert run(["verify", str(model), "-o", str(build), "--folding", str(folding), "-i", str(path)]) == 2
    captured = capfd.readouterr()
    assert captured.err.splitlines()[-1] == f"bitwright: {path}: {text}"


def test_no_npy_file(model, build, capfd, tmp_path, folding):
    path = tmp_path / "x.npy"
    arguments = ["verify", str(model), "-o", str(build), "--folding", str(folding), "-i", str(path)]
    assert run(arguments) == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        f"bitwright: {path}: cannot read the inputs (No such file or directory); give an .npy array [N, 8]")
    path.write_text("hello")
    assert run(arguments) == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        f"bitwright: {path}: not an .npy file; save the inputs with numpy.save as [N, 8]")
