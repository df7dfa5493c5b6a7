"""Known faults of hls4ml 1.3.0's own conversion, shown on the smallest files, and that our way has none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from hw_flow import api
from hw_flow.backends.hls4ml import runner
from hw_flow.backends.hls4ml.check import check, frames_for
from hw_flow.backends.hls4ml.settings import HlsSettings
from hw_flow.backends.hls4ml.translate import translate
from hw_flow.errors import FlowError
from hw_flow.frontend import compare, compile_qonnx
from tests.hw_flow.backends.hls4ml import interpreter
from tests.hw_flow.backends.hls4ml.faults import FAULTS, Fault


def _saved(fault: Fault, tmp_path: Path) -> Path:
    path = tmp_path / "fault.onnx"
    onnx.save(fault.model, str(path))
    return path


@pytest.mark.parametrize("name", FAULTS)
def test_our_layers_compute_what_qonnx_does(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]()
    program = compile_qonnx(_saved(fault, tmp_path), input_type=fault.input_type)
    netlist = translate(program.graph)
    x = fault.frames.astype(np.int64) if fault.input_type else fault.frames
    integers = program.quantise_input(x)
    checked = check(program.graph, netlist, integers, interpreter.run(netlist, frames_for(netlist, integers)))
    assert checked.fault is None
    assert compare(program, x, checked.outputs).bit_exact


def test_hls4ml_alone_makes_all_bipolar_weights_one(tmp_path: Path) -> None:
    pytest.importorskip("hls4ml")
    model = _saved(FAULTS["bipolar_weights"](), tmp_path)
    runner.convert_plain(model, tmp_path / "plain", tmp_path / "log.txt", HlsSettings())
    (weights,) = (tmp_path / "plain" / "firmware" / "weights").glob("w*.txt")
    assert set(weights.read_text().replace("\n", " ").replace(" ", "").split(",")) == {"1"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, make in FAULTS.items() if make().crash is not None])
def test_hls4ml_alone_stops(name: str, tmp_path: Path) -> None:
    pytest.importorskip("hls4ml")
    fault = FAULTS[name]()
    assert fault.crash is not None
    with pytest.raises(FlowError) as caught:
        runner.convert_plain(_saved(fault, tmp_path), tmp_path / "plain", tmp_path / "log.txt", HlsSettings())
    assert str(caught.value).startswith("hls4ml: plain stopped: ")
    assert fault.crash in str(caught.value)
    assert fault.crash in (tmp_path / "log.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, make in FAULTS.items() if make().crash is None])
def test_hls4ml_alone_differs_and_our_project_does_not(name: str, tmp_path: Path) -> None:
    pytest.importorskip("hls4ml")
    fault = FAULTS[name]()
    model = _saved(fault, tmp_path)
    program = compile_qonnx(model, input_type=fault.input_type)
    x = program.floats(fault.frames)
    want = program.reference.run(program.reference.moving(), {program.reference.source: x})[program.reference.sink]
    settings = HlsSettings()
    written = runner.convert_plain(model, tmp_path / "plain", tmp_path / "log.txt", settings)
    runner.compile_library(tmp_path / "plain", tmp_path / "plain.so", settings, tmp_path / "log.txt")
    last = (np.moveaxis(values, 1, -1) if values.ndim > 2 else values for values in (fault.frames, want))
    fed, expected = (values.reshape(len(values), -1) for values in last)
    found = runner.run(tmp_path / "plain", tmp_path / "plain.so", written, fed, settings, log=tmp_path / "log.txt", trace=False)
    got = found["output"]
    if set(np.unique(got)) <= {0.0, 1.0} and set(np.unique(expected)) <= {-1.0, 1.0}:
        got = 2 * got - 1  # hls4ml gives bipolar outputs as bits
    assert got.shape != expected.shape or (got != expected).any()

    build = api.build(model, tmp_path / "ours", backend="hls4ml")
    run = api.simulate(build, fault.frames)
    assert run.fault is None
    assert run.comparison is not None
    assert run.comparison.bit_exact
