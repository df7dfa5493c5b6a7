"""Settings of an hls4ml project: every fault is one line, before anything runs."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from hw_flow import api
from hw_flow.backends.hls4ml import installed, runner
from hw_flow.backends.hls4ml.settings import HlsSettings, Tool, check
from hw_flow.backends.hls4ml.translate import translate
from hw_flow.errors import FlowError
from hw_flow.frontend import compile_qonnx
from tests.hw_flow.backends.hls4ml.networks import maps
from tests.hw_flow.qonnx_random import Builder
from tests.hw_flow.tiny import tiny


def _fault(tmp_path: Path, **values: object) -> str:
    """What `check` says of settings for a network with matrices of 8 x 6 and 6 x 4."""
    netlist = translate(compile_qonnx(tiny(tmp_path / "tiny.onnx")).graph)
    with pytest.raises(FlowError) as caught:
        check(HlsSettings.model_validate(values), netlist)
    return str(caught.value)


def test_illegal_reuse_factor_is_refused_with_the_legal_ones(tmp_path: Path) -> None:
    assert _fault(tmp_path, strategy="resource", reuse_factor=5) == (
        "MVAU_0: reuse factor 5 is illegal for a matrix of 8 inputs and 6 outputs; legal are 1, 2, 4, 8, 16, 24, 48")


def test_legal_reuse_factors_are_those_of_hls4ml() -> None:
    backend = pytest.importorskip("hls4ml.backends").get_backend("Vitis")
    from hw_flow.backends.hls4ml.netlist import Layer
    from hw_flow.backends.hls4ml.settings import legal

    for inputs, outputs in ((8, 6), (9, 4), (7, 13), (27, 16), (64, 1)):
        layer = Layer("l", "Dense", (), (outputs,), matrix=(inputs, outputs))
        ours = [factor for factor in range(1, inputs * outputs + 1) if legal(layer, factor)]
        assert ours == backend.get_valid_reuse_factors(inputs, outputs)


@pytest.mark.parametrize(("values", "message"), [
    ({"tool": "Quartus", "strategy": "latency"}, "MVAU_0: hls4ml's Quartus has no strategy 'latency'; use resource"),
    ({"strategy": "distributed_arithmetic", "reuse_factor": 2},
     "MVAU_0: reuse factor 2 with distributed arithmetic, which multiplies nothing; use 1"),
    ({"strategy": "resource_unrolled"},
     "MVAU_0: hls4ml would not unroll it (reuse factor 1, io_parallel); use 'resource', or a reuse factor above 1, and io_stream "
     "for a convolution"),
    ({"part": "zynq 7020"}, "part: 'zynq 7020' is no name of a part for Vitis; give it whole, as xczu7ev-ffvc1156-2-e"),
    ({"tool": "Quartus", "part": "A} ; exec x"},
     "part: 'A} ; exec x' is no name of a part for Quartus; give it whole, as letters, digits, '_', '.' and '-'"),
    ({"layers": {"MVAU_7": {"reuse_factor": 2}}}, "layers.MVAU_7: the network has no such layer; choose from MVAU_0, MVAU_1"),
])
def test_what_hls4ml_would_change_silently_is_refused(tmp_path: Path, values: dict[str, object], message: str) -> None:
    assert _fault(tmp_path, **values) == message


def test_distributed_arithmetic_of_a_depthwise_layer_is_refused(tmp_path: Path) -> None:
    netlist = translate(compile_qonnx(maps(tmp_path / "maps.onnx")).graph)
    with pytest.raises(FlowError) as caught:
        check(HlsSettings(strategy="distributed_arithmetic"), netlist)
    assert str(caught.value) == ("VVAU_0: hls4ml has no distributed arithmetic for a DepthwiseConv2D; give this layer another "
                                 "strategy: 'layers: {VVAU_0: {strategy: latency}}'")


def test_small_matrices_are_solved_without_a_compiler(tmp_path: Path) -> None:
    small = translate(compile_qonnx(tiny(tmp_path / "small.onnx")).graph)
    large = translate(compile_qonnx(tiny(tmp_path / "large.onnx", features=64, hidden=17)).graph)
    arithmetic = HlsSettings(strategy="distributed_arithmetic")
    assert runner.solver_variables(small, arithmetic) == {"NUMBA_DISABLE_JIT": "1"}
    assert runner.solver_variables(large, arithmetic) == {}
    assert runner.solver_variables(small, HlsSettings()) == {}
    one = HlsSettings.model_validate({"layers": {"MVAU_1": {"strategy": "distributed_arithmetic"}}})
    assert runner.solver_variables(large, one) == {"NUMBA_DISABLE_JIT": "1"}


@pytest.mark.slow
@pytest.mark.parametrize(("tool", "file", "part", "line"), [
    ("Vitis", "project.tcl", "xczu7ev-ffvc1156-2-e", 'set part "xczu7ev-ffvc1156-2-e"'),
    ("Vivado", "project.tcl", "xc7z020clg400-1", 'set part "xc7z020clg400-1"'),
    ("Catapult", "build_prj.tcl", "xc7z020clg400-1", "setup_xilinx_part {xc7z020clg400-1}"),
    ("Catapult", "build_prj.tcl", "saed32hvt_tt0p78v125c_beh", "setup_asic_libs {saed32hvt_tt0p78v125c_beh}"),
    ("Quartus", "Makefile", "Stratix10", "DEVICE   := Stratix10"),
    ("oneAPI", "CMakeLists.txt", "Stratix10", 'set(FPGA_DEVICE "Stratix10")'),
])
def test_every_tool_gets_project_and_part(tool: Tool, file: str, part: str, line: str, tmp_path: Path) -> None:
    pytest.importorskip("hls4ml")
    netlist = translate(compile_qonnx(tiny(tmp_path / "tiny.onnx")).graph)
    settings = HlsSettings(tool=tool, part=part, clock_ns=4)
    check(settings, netlist)
    written = runner.convert(netlist, settings, tmp_path / "project", tmp_path / "log")
    assert [layer["name"] for layer in written.layers] == [layer.name for layer in netlist.layers]
    assert line in (tmp_path / "project" / file).read_text()


def test_libero_gets_a_project_of_what_its_package_holds(tmp_path: Path) -> None:
    pytest.importorskip("hls4ml")
    settings = HlsSettings(tool="Libero", part="MPF300", smarthls=Path("smarthls"))
    b = Builder(np.random.default_rng(0))
    b.head = b.quant(b.head, 1.0, 4)
    b.then("MatMul", b.quant(b.constant([[1, -2, 3], [-1, 0, 2]]), 1.0, 3, narrow=True))
    onnx.save(b.model(2, [3]), str(tmp_path / "one.onnx"))
    runner.convert(translate(compile_qonnx(tmp_path / "one.onnx").graph), settings, tmp_path / "one", tmp_path / "log")
    assert "set_project PolarFire MPF300 hw_only" in (tmp_path / "one" / "config.tcl").read_text()
    netlist = translate(compile_qonnx(tiny(tmp_path / "tiny.onnx")).graph)
    with pytest.raises(FlowError) as caught:
        runner.convert(netlist, settings, tmp_path / "tiny", tmp_path / "log")
    assert str(caught.value) == ("hls4ml: its Libero project includes nnet_utils/nnet_batchnorm.h, which its package lacks, and "
                                 "no compiler would take it; set 'tool: Vitis', or build with --backend rtl")


@pytest.mark.parametrize(("text", "message"), [
    ("tool: Vivid", "tool: Input should be 'Vitis', 'Vivado', 'Quartus', 'Catapult', 'oneAPI' or 'Libero'; see docs/hls4ml.md"),
    ("clock_ns: .inf", "clock_ns: Input should be a finite number; see docs/hls4ml.md"),
    ("reuse_factor: 99999999999", "reuse_factor: Input should be less than or equal to 2147483647; see docs/hls4ml.md"),
    ("samples: 1000000000000", "samples: Input should be less than or equal to 1000000; see docs/hls4ml.md"),
    ("reuse_factor: 0", "reuse_factor: Input should be greater than or equal to 1; see docs/hls4ml.md"),
    ("layers: {MVAU_0: {reuse: 2}}", "layers.MVAU_0.reuse: Extra inputs are not permitted; see docs/hls4ml.md"),
    ("- 1", "holds list, not a mapping; see docs/hls4ml.md"),
])
def test_settings_file_names_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "hls.yaml"
    path.write_text(text)
    with pytest.raises(FlowError) as caught:
        HlsSettings.read(path)
    assert str(caught.value) == f"{path}: {message}"


def test_missing_package_and_other_version_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(FlowError) as caught:
        installed.check_installed(HlsSettings())
    assert str(caught.value) == "hls4ml is not installed; pip install 'bitwright[hls4ml]'"
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.4.0")
    with pytest.raises(FlowError) as caught:
        installed.check_installed(HlsSettings())
    assert str(caught.value) == (
        "hls4ml 1.4.0 is installed, and 1.3 is what this is tested with; pip install 'bitwright[hls4ml]'")


@pytest.mark.parametrize(("program", "message"), [
    ("true", "python: {python} has no hls4ml; install it there with pip install hls4ml"),
    ("false", "python: {python} has no hls4ml; install it there with pip install hls4ml"),
    ("no such program", "python: {python} cannot be run (No such file or directory); name the interpreter of hls4ml"),
])
def test_an_interpreter_without_hls4ml_is_named(program: str, message: str) -> None:
    python = Path(shutil.which(program) or "nowhere/python")
    with pytest.raises(FlowError) as caught:
        installed.check_installed(HlsSettings(python=python))
    assert str(caught.value) == message.format(python=python)


def test_a_way_to_fold_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("hls4ml")
    with pytest.raises(FlowError) as caught:
        api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "out", backend="hls4ml", unfold=True)
    assert str(caught.value) == "--unfold folds our own hardware; hls4ml is folded by reuse factors: give them in --settings"


def test_a_project_of_another_build_stays_without_force(tmp_path: Path) -> None:
    pytest.importorskip("hls4ml")
    project = tmp_path / "out" / "hls4ml"
    project.mkdir(parents=True)
    with pytest.raises(FlowError) as caught:
        api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "out", backend="hls4ml")
    assert str(caught.value) == (
        f"{project}: a project of another build is there, perhaps with synthesis results; give --force to replace it, or another "
        "--output")
