"""Whole builds: hls4ml writes, g++ compiles, every layer is compared; the same model cycle by cycle in our RTL."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from hw_flow import api
from hw_flow.backends.hls4ml.profile import TRACES, Profile
from hw_flow.errors import FlowError
from tests.hw_flow.tiny import tiny

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on the PATH")]


@pytest.fixture(autouse=True)
def _hls4ml() -> None:
    pytest.importorskip("hls4ml")


def test_c_simulation_equals_our_rtl_unfolded(tmp_path: Path) -> None:
    model = tiny(tmp_path / "tiny.onnx")
    hls = api.build(model, tmp_path / "hls", backend="hls4ml")
    rtl = api.build(model, tmp_path / "rtl", unfold=True)
    x = np.random.default_rng(0).uniform(-1, 5, size=(40, 8))
    there, here = api.simulate(hls, x), api.simulate(rtl, x)
    assert there.latency_cycles is None
    assert here.latency_cycles is not None
    for name, values in here.outputs.items():
        assert np.array_equal(values, there.outputs[name])
    assert np.array_equal(there.results, here.results)


def test_build_is_checked_moved_and_reported(tmp_path: Path) -> None:
    build = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "out", backend="hls4ml")
    assert build.notes[-1] == "every layer equals QONNX on 16 frames (hls4ml-1.3.0, Vitis, g++)"
    assert api.build(tmp_path / "tiny.onnx", tmp_path / "out", backend="hls4ml").reused
    with pytest.raises(FlowError, match="a project of another build is there"):
        api.build(tiny(tmp_path / "other.onnx", seed=1), tmp_path / "out", backend="hls4ml")
    (tmp_path / "out").rename(tmp_path / "moved")
    run = api.simulate(tmp_path / "moved", samples=5)
    assert run.comparison is not None
    assert run.comparison.bit_exact
    profile = Profile.load(tmp_path / "moved")
    assert profile is not None
    assert profile.frames == 5
    with np.load(tmp_path / "moved" / TRACES) as traces:
        assert set(traces.files) == {"output", "MVAU_0", "MVAU_0_act", "MVAU_1"} & set(traces.files)
        assert len(traces["output"]) == 5
    report = api.report(tmp_path / "moved")
    assert report.backend == "hls4ml"
    assert (tmp_path / "moved" / "report.png").is_file()
    assert report.verification is not None
    assert report.verification.bit_exact
    with pytest.raises(FlowError) as caught:
        api.synth(tmp_path / "moved")
    assert str(caught.value) == (
        f"{tmp_path / 'moved' / 'hls4ml'}: vitis-run or vitis_hls is not on the PATH; the project is complete, run it on a "
        "machine that has Vitis, and give the folder to `bitwright compare`")


@pytest.mark.parametrize("settings", ["tool: Vivado", "tool: Quartus", "tool: Catapult", "io_type: io_stream",
                                      "strategy: resource\nreuse_factor: 2", "tool: oneAPI"])
def test_every_tool_and_strategy_is_exact(settings: str, tmp_path: Path) -> None:
    path = tmp_path / "hls.yaml"
    path.write_text(settings)
    build = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "out", backend="hls4ml", settings=path)
    if "oneAPI" in settings:
        assert build.stamp["checked"] == 0
        assert build.notes[-1].startswith("not simulated: oneAPI code needs the vendor's compiler")
    else:
        assert build.stamp["checked"] == 16


@pytest.mark.skipif("BITWRIGHT_HLS4ML_PYTHON" not in os.environ,
                    reason="BITWRIGHT_HLS4ML_PYTHON names no interpreter with hls4ml[da], whose da4ml is another than ours")
def test_distributed_arithmetic_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "hls.yaml"
    path.write_text(f"strategy: distributed_arithmetic\npython: {os.environ['BITWRIGHT_HLS4ML_PYTHON']}")
    build = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "out", backend="hls4ml", settings=path)
    assert build.notes[0] == "MVAU_0: Dense, strategy distributed_arithmetic, reuse factor 1, accumulator fixed<8,8>"
    assert build.notes[-1] == "every layer equals QONNX on 16 frames (hls4ml-1.3.0, Vitis, g++)"


def test_a_difference_names_the_first_layer(tmp_path: Path) -> None:
    build = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "out", backend="hls4ml")
    weights = sorted((tmp_path / "out" / "hls4ml" / "firmware" / "weights").glob("w*.txt"))[0]
    weights.write_text(weights.read_text().replace("1", "0"))
    run = api.simulate(build, samples=20)
    assert run.fault is not None
    assert "(MVAU_0): frame" in run.fault
    assert "hls4ml gives" in run.fault
