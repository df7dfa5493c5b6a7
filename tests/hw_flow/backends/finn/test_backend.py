"""A build around what FINN leaves behind, with the child process played by the test."""

import json
import subprocess

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from hw_flow import api
from hw_flow.backends import directory
from hw_flow.backends.finn import backend, environment
from hw_flow.backends.finn.request import Request
from hw_flow.errors import FlowError
from tests.hw_flow.backends.finn.hardware_graphs import Builder
from tests.hw_flow.tiny import tiny

# Inputs of the model in tests/hw_flow/tiny.py.
_SIZE = 8


def left_behind(builder, folder):
    """Write ``builder`` as the child process writes FINN's graph, with a host that passes integers on."""
    hardware = builder.finish()
    tensors = {name: {"shape": list(hardware.shapes[name]), "dtype": hardware.dtypes[name]} for name in hardware.shapes}
    nodes = [{"name": node.name, "op_type": node.op_type, "inputs": node.inputs, "outputs": node.outputs,
              "attributes": node.attributes, "constants": node.constants, "cycles": 1} for node in hardware.nodes]
    (folder / "hardware.json").write_text(json.dumps({
        "format": 1, "inputs": hardware.inputs, "outputs": hardware.outputs, "nodes": nodes, "tensors": tensors}))
    np.savez(folder / "hardware.npz", **hardware.arrays)
    value = helper.make_tensor_value_info
    out = hardware.outputs[0]
    graph = helper.make_graph(
        [helper.make_node("StreamingDataflowPartition", ["in"], ["acc"], domain="finn.custom_op.fpgadataflow", name="SDP"),
         helper.make_node("Mul", ["acc", "half"], ["result"], name="Mul_0")], "parent",
        [value("in", TensorProto.FLOAT, list(hardware.shapes["in"]))],
        [value("result", TensorProto.FLOAT, list(hardware.shapes[out]))],
        value_info=[value("acc", TensorProto.FLOAT, list(hardware.shapes[out]))])
    parent = ModelWrapper(qonnx_make_model(graph))
    parent.set_initializer("half", np.asarray([0.5], dtype=np.float32))
    parent.set_tensor_datatype("in", DataType[hardware.dtypes["in"]])
    (folder / "intermediate_models").mkdir()
    parent.save(str(folder / "intermediate_models" / "dataflow_parent.onnx"))
    (folder / "project").mkdir()


@pytest.fixture
def network():
    return Builder((_SIZE,), "UINT3", 11).mvau(8, levels=3, pe=2, simd=4).mvau(4, pe=4, simd=4)


@pytest.fixture
def child(monkeypatch, network):
    """The requests that the child process got."""
    asked = []

    def run(verb, request, *, timeout_s, what, shown=None):
        told = Request.load(request)
        asked.append((verb, told, timeout_s))
        left_behind(network, told.output)
        fifos = [{"name": "StreamingFIFO_rtl_0", "producer": None, "reader": "MVAU_hls_0"},
                 {"name": "StreamingFIFO_rtl_1", "producer": "MVAU_hls_0", "reader": "MVAU_hls_1"}]
        return {"seconds": {"convert": 1.0}, "notes": ["a remark"], "fifos": fifos,
                "code": {"MVAU_hls_0": {"style": "hls", "files": []}, "MVAU_hls_1": {"style": "hls", "error": "no tool"}}}

    monkeypatch.setattr(environment.importlib.metadata, "version", lambda name: environment.TESTED)
    monkeypatch.setattr(environment, "find_spec", lambda name: name)
    monkeypatch.setattr(backend, "run_inside", run)
    return asked


def test_build(tmp_path, network, child):
    settings = tmp_path / "s.yaml"
    settings.write_text("styles: {MVAU_0: rtl}\nclock_ns: 4\n")
    made = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "b", backend="finn", target_cycles=12, settings=settings)
    ((verb, told, _),) = child
    assert (verb, told.target_cycles, told.clock_ns, told.name) == ("convert", 12, 4.0, "tiny")
    assert [node["runs_on"] for node in made.stamp["nodes"]] == ["our kernel", "our kernel"]
    assert list(made.notes) == ["simulated on FINN's own RTL: no node; on our kernels: MVAU_hls_0, MVAU_hls_1",
                                "FINN generates no code without a vendor tool for MVAU_hls_1 (no tool)",
                                "FIFO depths: from our sizing; FINN finds its own in Vivado's simulator", "a remark"]
    assert made.folding["MVAU_0"].simd == 4
    assert [op["name"] for op in made.stamp["host_ops"]] == ["Mul_0"]
    fifos = json.loads((made.directory / "finn" / "project" / "fifo.json").read_text())["fifo_depths"]
    assert fifos == {"StreamingFIFO_rtl_0": 2, "StreamingFIFO_rtl_1": max(2, *made.depths.values())}
    assert api.report(made).backend == "finn"


def executable(path, text="exit 0"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_script_of_a_project(tmp_path, child):
    """It names what is missing, and starts FINN+ without questions in its own folder."""
    made = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "b", backend="finn", target_cycles=12)
    project, tools = made.directory / "finn" / "project", tmp_path / "bin"

    def run(**variables):
        path = f"{tools}:/usr/bin:/bin"
        return subprocess.run(
            [project / "build.sh"], env={"PATH": path, **variables}, capture_output=True, text=True, timeout=30, check=False)

    told = run()
    assert (told.returncode, told.stderr) == (2, "build.sh: no 'finn' on the PATH; run: pip install finn-plus==1.6.1\n")
    executable(tools / "finn", 'echo "$PWD" "$@"')
    for variables in ({}, {"XILINX_VIVADO": str(tmp_path)}):
        told = run(**variables)
        assert (told.returncode, told.stderr) == (
            2, "build.sh: XILINX_VIVADO is not the folder of a Vivado; source settings64.sh of Vivado and Vitis HLS first\n")
    executable(tmp_path / "Vivado" / "2022.2" / "bin" / "vivado")
    told = run(XILINX_VIVADO=str(tmp_path / "Vivado" / "2022.2"))
    assert (told.returncode, told.stdout) == (0, f"{project} build --batch build.yaml model.onnx\n")


@pytest.mark.slow
def test_simulate(tmp_path, network, child):
    made = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "b", backend="finn", target_cycles=12)
    x = network.rng.integers(0, 8, (10, _SIZE))
    run = api.simulate(made, x, compare=False)
    assert run.fault is None
    expected = network.run(x)["t1"]
    np.testing.assert_array_equal(run.outputs["t1"], expected)
    np.testing.assert_array_equal(run.results, expected / 2)


def test_again_and_force(tmp_path, child):
    model = tiny(tmp_path / "tiny.onnx")
    api.build(model, tmp_path / "b", backend="finn", target_cycles=12)
    assert api.build(model, tmp_path / "b", backend="finn", target_cycles=12).reused
    assert len(child) == 1
    with pytest.raises(FlowError) as fault:
        api.build(model, tmp_path / "b", backend="finn", unfold=True)
    assert str(fault.value) == (f"{tmp_path}/b: holds a finn build of tiny.onnx made from other inputs; give another --output, "
                                "or --force to replace it")
    assert not api.build(model, tmp_path / "b", backend="finn", unfold=True, force=True).reused
    assert child[-1][1].target_cycles == 1
    assert api.build(model, tmp_path / "c", backend="finn", fps=1e6, clock_mhz=200.0).stamp["target_cycles"] == 200


def test_a_newer_version_builds_again(tmp_path, child, monkeypatch):
    """A build of older code goes where nobody touched it; one whose project was edited stays."""
    model = tiny(tmp_path / "tiny.onnx")
    api.build(model, tmp_path / "b", backend="finn", target_cycles=12)
    monkeypatch.setattr(directory, "code_digest", lambda: "newer")
    assert not api.build(model, tmp_path / "b", backend="finn", target_cycles=12).reused
    assert api.build(model, tmp_path / "b", backend="finn", target_cycles=12).reused
    assert len(child) == 2
    (tmp_path / "b" / "finn" / "project" / "folding.json").write_text("{}")
    monkeypatch.setattr(directory, "code_digest", lambda: "newest")
    with pytest.raises(FlowError) as fault:
        api.build(model, tmp_path / "b", backend="finn", target_cycles=12)
    assert str(fault.value) == (f"{tmp_path}/b: holds a finn build of tiny.onnx made by another version, and its finn/project "
                                "has changed since; give another --output, or --force to replace it")


def test_a_failure_leaves_the_log(tmp_path, child, monkeypatch):
    def fail(verb, request, *, timeout_s, what, shown=None):
        (request.parent / "finn.log").write_text("Traceback\n")
        raise FlowError(f"{what}: FINN: no; see {shown}")

    monkeypatch.setattr(backend, "run_inside", fail)
    model = tiny(tmp_path / "tiny.onnx")
    with pytest.raises(FlowError, match=r"tiny\.onnx: FINN: no; see .*/b/finn\.log"):
        api.build(model, tmp_path / "b", backend="finn")
    assert (tmp_path / "b" / "finn.log").read_text() == "Traceback\n"
    with pytest.raises(FlowError, match="no complete build"):
        api.load(tmp_path / "b")
