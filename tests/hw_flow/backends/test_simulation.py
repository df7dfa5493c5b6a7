"""Hardware is compared element by element; a difference is named with its frame and element."""

from dataclasses import replace

import numpy as np
import pytest

from hw_flow import api
from hw_flow.backends import inputs, measure
from hw_flow.backends.directory import sanitise
from hw_flow.backends.rtl import scale_of
from hw_flow.backends.simulation import difference
from hw_flow.errors import FlowError
from hw_flow.ir import execute
from tests.hw_flow.graphs import mlp
from tests.hw_flow.tiny import tiny, tiny_folding


def test_difference_names_frame_and_element():
    graph = mlp([4, 3], label=False)
    golden = {"t0": np.arange(12).reshape(4, 3)}
    assert difference(graph, golden, golden) is None
    wrong = {"t0": golden["t0"].copy()}
    wrong["t0"][2, 1] = -5
    wrong["t0"][3, 0] = -6
    assert difference(graph, wrong, golden) == (
        "MVAU_0, seen at the output: frame 2, element 1: hardware -5, golden model 7 (2 of 12 differ)")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sim")
    return api.build(tiny(folder / "tiny.onnx"), folder / "b", folding=tiny_folding(folder / "folding.json"))


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
    run = api.simulate(build, samples=8)
    assert measure.verification(run, 8).decisions_agree == 8
    text = "MVAU_1, seen at the output: frame 0, element 0: hardware 1, golden model 0 (1 of 32 differ)"
    outcome = measure.verification(replace(run, fault=text, fault_node="MatMul_9", wrong_frames=1), 8)
    assert (outcome.bit_exact, outcome.mismatches, outcome.first_mismatch) == (False, 1, "MatMul_9")
    assert outcome.hardware_fault == text
    other = replace(run, outputs={name: value + 1 for name, value in run.outputs.items()})
    outcome = measure.verification(run, 8, other)
    assert (outcome.stalled_pass, outcome.bit_exact, outcome.mismatches, outcome.mismatched_elements) == (False, False, 8, 32)


def broken_model(program):
    """``program`` with one weight moved by one: the golden model is wrong in some frames."""
    first, *rest = program.graph.nodes
    weights = first.weights.copy()
    weights[0, 0] += 1 if weights[0, 0] < 1 else -1
    return replace(program, graph=replace(program.graph, nodes=(replace(first, weights=weights), *rest)))


def test_a_wrong_compilation_counts_frames_and_elements_apart(build):
    wrong = replace(build)
    wrong.__dict__["program"] = broken_model(build.program)
    run = api.simulate(wrong, samples=40)
    outcome = api.simulation_record(wrong).verification
    x = inputs.random_frames(build.program, 40, 0)
    golden = execute(wrong.graph, build.program.quantise_input(x))
    right = execute(build.graph, build.program.quantise_input(x))
    inner, last = (node.outputs[0] for node in build.graph.nodes)
    frames = np.any([(golden[name] != right[name]).reshape(40, -1).any(axis=1) for name in (inner, last)], axis=0)
    assert 0 < frames.sum() < 40
    assert outcome.mismatches == run.wrong_frames == frames.sum() <= outcome.samples == 40
    assert outcome.mismatched_elements > 0
    assert outcome.first_mismatch in build.graph.nodes[0].source
    if run.fault is not None:
        assert outcome.hardware_fault.startswith("MVAU_1, seen at the output: frame ")
        assert run.fault_node == build.program.regions[-1].nodes[-1]


@pytest.mark.parametrize(("name", "clean"), [
    ("TFC_1W1A", "TFC_1W1A"), ("unsw-mlp.w2", "unsw_mlp_w2"), ("2net", "m_2net"), ("--", "model")])
def test_names(name, clean):
    assert sanitise(name) == clean


def test_scales():
    assert scale_of("1/255").denominator == 255
    assert scale_of(None) is None
    with pytest.raises(FlowError, match=r"^--input-scale 0 is not positive; give a fraction such as 1/255 or a decimal$"):
        scale_of("0")
