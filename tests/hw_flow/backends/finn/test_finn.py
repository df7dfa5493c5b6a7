"""FINN+ itself: convert, generate, simulate, compare. Each conversion takes FINN's import of some seconds."""

import json

import numpy as np
import pytest
import yaml

from hw_flow import api
from hw_flow.backends.finn.environment import check_environment
from hw_flow.errors import FlowError
from tests.hw_flow.tiny import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def finn():
    try:
        check_environment()
    except FlowError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finn")
    return api.build(tiny(folder / "tiny.onnx"), folder / "b", backend="finn", target_cycles=12)


def test_bit_exact(build):
    run = api.simulate(build, samples=16)
    assert run.fault is None
    assert run.comparison is not None
    assert run.comparison.bit_exact
    assert api.report(build).verification is not None
    assert api.simulate(build, samples=16, stalls=True, compare=False).fault is None


def test_artefacts(build):
    folder = build.directory / "finn"
    performance = json.loads((folder / "report" / "estimate_network_performance.json").read_text())
    assert performance["max_cycles"] == max(
        json.loads((folder / "report" / "estimate_layer_cycles.json").read_text()).values())
    assert "total" in json.loads((folder / "report" / "estimate_layer_resources.json").read_text())
    code = json.loads((folder / "code.json").read_text())
    nodes = build.stamp["nodes"]
    assert {node["finn"] for node in nodes} == set(code)
    for made in code.values():
        assert "error" in made or all((folder / file).is_file() for file in made["files"])
    assert all(node["runs_on"] in ("FINN's RTL", "our kernel", "wire") for node in nodes)


def test_project(build):
    folder = build.directory / "finn" / "project"
    assert yaml.safe_load((folder / "build.yaml").read_text())["folding_config_file"] == "folding.json"
    assert (folder / "build.sh").stat().st_mode & 0o100
    fifos = json.loads((folder / "fifo.json").read_text())
    assert set(fifos["fifo_depths"]) == set(fifos["ram_style"]) == set(fifos["impl_style"])
    assert max(fifos["fifo_depths"].values()) >= max(build.depths.values(), default=2)


def test_the_same_again(build):
    again = api.build(build.directory / "model.onnx", build.directory, backend="finn", target_cycles=12, name=build.name)
    assert again.reused


def test_illegal_folding_names_the_node(tmp_path):
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"Defaults": {}, "MVAU_hls_1": {"PE": 3, "SIMD": 1}}))
    with pytest.raises(FlowError) as fault:
        api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "b", backend="finn", folding=path)
    assert str(fault.value) == (f"{tmp_path}/tiny.onnx: FINN: MVAU_hls_1: PE 3 does not divide MH 4; legal values: 1, 2, 4; see "
                                f"{tmp_path}/b/finn.log")


def test_refusal_names_the_node(tmp_path):
    from onnx import helper, load, save

    path = tiny(tmp_path / "tiny.onnx")
    model = load(path)
    readers = [node for node in model.graph.node if node.op_type == "MatMul"]
    last = readers[-1]
    model.graph.node.insert(list(model.graph.node).index(last), helper.make_node(
        "Softmax", [last.input[0]], ["soft"], name="Softmax_middle", axis=1))
    last.input[0] = "soft"
    save(model, path)
    # FINN has hardware for Softmax, but none for the scale that stays in front of it.
    with pytest.raises(FlowError, match=r"tiny\.onnx: FINN: Host_ElementwiseMul_0 \(Mul\): a scale or bias between integer "
                                         r"layers that streamlining could not move into thresholds; see .*finn\.log") as fault:
        api.build(path, tmp_path / "b", backend="finn", target_cycles=12)
    assert "\n" not in str(fault.value)
    assert (tmp_path / "b" / "finn.log").exists()
    assert np.all([path.name in (".bitwright-build", ".lock", "finn.log") for path in (tmp_path / "b").iterdir()])
