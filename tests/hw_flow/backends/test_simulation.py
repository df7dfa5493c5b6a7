"""Hardware is compared element by element; a difference is named with its frame and element."""

import numpy as np
import pytest

from hw_flow import api
from hw_flow.backends import measure
from hw_flow.backends.directory import sanitise
from hw_flow.backends.rtl import scale_of
from hw_flow.backends.simulation import difference
from hw_flow.errors import FlowError
from tests.hw_flow.graphs import mlp
from tests.hw_flow.tiny import tiny


def test_difference_names_frame_and_element():
    graph = mlp([4, 3], label=False)
    golden = {"t0": np.arange(12).reshape(4, 3)}
    assert difference(graph, golden, golden) is None
    wrong = {"t0": golden["t0"].copy()}
    wrong["t0"][2, 1] = -5
    wrong["t0"][3, 0] = -6
    assert difference(graph, wrong, golden) == "MVAU_0: frame 2, element 1: hardware -5, golden model 7 (2 of 12 differ)"


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sim")
    return api.build(tiny(folder / "tiny.onnx"), folder / "b", target_cycles=12)


def test_record_and_trace(build, tmp_path):
    labels = np.zeros(16, dtype=np.int64)
    run = api.simulate(build, samples=16, labels=labels)
    record = api.simulation_record(build)
    assert run.fault is None
    assert record.verification.bit_exact
    assert record.performance["interval_cycles"].value == 12
    assert record.accuracy["accuracy_hardware"].value == pytest.approx(100 * (run.results.argmax(axis=1) == 0).mean(), abs=1e-3)
    stream = build.graph.nodes[0].outputs[0]
    assert record.streams[stream]["transfers"].value == 16 * 6 / build.folding["MVAU_0"].pe


def test_wrong_number_of_labels(build):
    with pytest.raises(FlowError, match=r"^3 labels for 16 frames; give one a frame$"):
        api.simulate(build, samples=16, labels=np.zeros(3, dtype=np.int64))


def test_a_wrong_pass_is_no_success(build):
    from dataclasses import replace

    run = api.simulate(build, samples=8)
    broken = replace(run, fault="MVAU_1: frame 0, element 0: hardware 1, golden model 0 (1 of 32 differ)", wrong_frames=1)
    outcome = measure.verification(broken, 8)
    assert (outcome.bit_exact, outcome.mismatches, outcome.first_mismatch) == (False, 1, "MVAU_1")
    other = replace(run, outputs={name: value + 1 for name, value in run.outputs.items()})
    assert measure.verification(run, 8, other).stalled_pass is False
    assert measure.verification(run, 8, other).bit_exact is False


@pytest.mark.parametrize(("name", "clean"), [
    ("TFC_1W1A", "TFC_1W1A"), ("unsw-mlp.w2", "unsw_mlp_w2"), ("2net", "m_2net"), ("--", "model")])
def test_names(name, clean):
    assert sanitise(name) == clean


def test_scales():
    assert scale_of("1/255").denominator == 255
    assert scale_of(None) is None
    with pytest.raises(FlowError, match=r"^--input-scale 0 is not positive; give a fraction such as 1/255 or a decimal$"):
        scale_of("0")
