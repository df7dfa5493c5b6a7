"""Verilog in the port conventions of Vitis HLS and Vivado HLS, written by hand, in the frame that simulates it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hw_flow import api
from hw_flow.backends.hls4ml import verilog
from hw_flow.backends.hls4ml.check import frames_for
from hw_flow.backends.hls4ml.netlist import Fixed
from hw_flow.backends.hls4ml.project import Project
from hw_flow.backends.hls4ml.runner import NOTHING, PROJECT
from hw_flow.backends.hls4ml.settings import HlsSettings
from hw_flow.backends.hls4ml.translate import translate
from hw_flow.errors import FlowError
from hw_flow.frontend import compile_qonnx
from hw_flow.ir import execute
from sim import SimError
from tests.hw_flow.qonnx_random import QONNX, Builder

WEIGHTS = np.array([[1, -2, 3], [-1, 0, 2]])
CONVENTIONS = ("vitis", "vivado", "axis", "split axis")


def _model(path: Path, streams: bool) -> Path:
    """Two channels to three by fixed weights: one vector, or nine positions of a map."""
    b = Builder(np.random.default_rng(0))
    b.head = b.quant(b.head, 1.0, 4)
    if streams:
        b.then("Conv", b.quant(b.constant(WEIGHTS.T[:, :, None, None]), 1.0, 3, narrow=True), kernel_shape=[1, 1], group=1,
               dilations=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0])
    else:
        b.then("MatMul", b.quant(b.constant(WEIGHTS), 1.0, 3, narrow=True))
    space = [3, 3] if streams else []
    graph = helper.make_graph(
        b.nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, *space])],
        [helper.make_tensor_value_info(b.head, TensorProto.FLOAT, [1, 3, *space])], b.initialisers)
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid(QONNX, 1)]
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=opsets), str(path))
    return path


def _rtl(convention: str, width: int) -> str:
    """What a compiler writes for it: ports in the old style, a pipeline of two steps, the last output a cycle late.

    The weights are in a memory that is read relative to the folder.
    """
    suffix = "_V" if convention == "vivado" else ""
    sums = [f"$signed(rom[{j}]) * $signed(a) + $signed(rom[{3 + j}]) * $signed(b)" for j in range(3)]
    head = ("  reg signed [7:0] rom [0:5];\n  initial $readmemh(\"./top_rom.dat\", rom);\n"
            f"  reg signed [{width - 1}:0] p0, p1, p2;\n")
    work = "".join(f"      p{j} <= {value};\n" for j, value in enumerate(sums))
    if "axis" not in convention:
        names = [f"layer2_out_{j}{suffix}" for j in range(3)]
        outs = "".join(f"output [{width - 1}:0] {name};\noutput {name}_ap_vld;\n" for name in names)
        ports = f"ap_clk, ap_rst, ap_start, ap_done, ap_idle, ap_ready, x{suffix}, x{suffix}_ap_vld, " + ", ".join(
            f"{name}, {name}_ap_vld" for name in names)
        return (f"`timescale 1 ns / 1 ps\nmodule top ({ports});\ninput ap_clk;\ninput ap_rst;\ninput ap_start;\noutput ap_done;\n"
                f"output ap_idle;\noutput ap_ready;\ninput [7:0] x{suffix};\ninput x{suffix}_ap_vld;\n{outs}{head}"
                f"  wire signed [3:0] a = x{suffix}[3:0];\n  wire signed [3:0] b = x{suffix}[7:4];\n"
                f"  reg v1, v2, odd; reg signed [{width - 1}:0] late;\n"
                f"  assign ap_ready = ap_start & x{suffix}_ap_vld & odd;\n  assign ap_idle = 1'b0;\n  assign ap_done = v2;\n"
                "  always @(posedge ap_clk) begin\n    odd <= ap_rst ? 1'b0 : ap_start & ~odd;\n    v1 <= ~ap_rst & ap_ready;\n"
                f"    v2 <= ~ap_rst & v1;\n    late <= p2;\n    if (ap_ready) begin\n{work}    end\n  end\n"
                f"  assign {names[0]} = p0; assign {names[1]} = p1; assign {names[2]} = late;\n"
                f"  assign {names[0]}_ap_vld = v1; assign {names[1]}_ap_vld = v1; assign {names[2]}_ap_vld = v2;\nendmodule\n")
    if convention == "axis":
        inputs = {"x": 16}
        outputs = {"layer2_out": 24}
        values = "  wire signed [3:0] a = x_TDATA[3:0];\n  wire signed [3:0] b = x_TDATA[11:8];\n"
        give = "  assign layer2_out_TDATA = {" + ", ".join(f"{{{8 - width}{{1'b0}}}}, p{j}" for j in (2, 1, 0)) + "};\n"
    else:
        inputs = {f"x_V_data_{i}_V": 8 for i in range(2)}
        outputs = {f"layer2_out_V_data_{j}_V": 8 for j in range(3)}
        values = "".join(f"  wire signed [3:0] {v} = x_V_data_{i}_V_TDATA[3:0];\n" for i, v in enumerate("ab"))
        give = "".join(f"  assign layer2_out_V_data_{j}_V_TDATA = p{j};\n" for j in range(3))
    declared, names = "", ["ap_clk", "ap_rst_n", "ap_start", "ap_done"]
    for way, streams in (("input", inputs), ("output", outputs)):
        for name, bits in streams.items():
            back = "output" if way == "input" else "input"
            declared += f"{way} [{bits - 1}:0] {name}_TDATA;\n{way} {name}_TVALID;\n{back} {name}_TREADY;\n"
            names += [f"{name}_{part}" for part in ("TDATA", "TVALID", "TREADY")]
    ready = "".join(f"  assign {name}_TREADY = take;\n" for name in inputs)
    valid = "".join(f"  assign {name}_TVALID = full;\n" for name in outputs)
    first = f"{next(iter(inputs))}_TVALID"
    gone = " & ".join(f"{name}_TREADY" for name in outputs)
    # A stream that is split must not be taken in part.
    move = " & ".join(f"{name}_TVALID" for name in inputs) if len(inputs) == 1 else first
    return (f"module top ({', '.join(names)});\ninput ap_clk;\ninput ap_rst_n;\ninput ap_start;\noutput ap_done;\n"
            f"{declared}{head}{values}  reg full;\n"
            f"  wire take = ap_rst_n & (~full | ({gone}));\n  assign ap_done = full;\n{ready}{valid}{give}"
            f"  always @(posedge ap_clk) begin\n    if (~ap_rst_n) full <= 1'b0; else if (take) full <= {move};\n"
            f"    if (take) begin\n{work}    end\n  end\nendmodule\n")


def _written(folder: Path, convention: str, width: int, weights: np.ndarray = WEIGHTS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.v").write_text(_rtl(convention, width))
    (folder / "top_rom.dat").write_text("\n".join(f"{int(value) & 255:02x}" for value in weights.ravel()))


def _project(tmp_path: Path, convention: str) -> tuple[Project, int]:
    """A project without hls4ml's part, and the width of its outputs."""
    program = compile_qonnx(_model(tmp_path / "net.onnx", "axis" in convention))
    netlist = translate(program.graph)
    width = Fixed.read(netlist.layers[-1].types["result"]).width
    project = Project(tmp_path / "out", program, netlist, HlsSettings(), NOTHING, tmp_path / "logs")
    _written(project.directory / PROJECT / verilog.FOLDER, convention, width)
    return project, width


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_port_convention_gives_the_model_s_values_and_cycles(convention: str, tmp_path: Path) -> None:
    project, _ = _project(tmp_path, convention)
    shape = (7, 2, 3, 3) if "axis" in convention else (7, 2)
    integers = project.program.quantise_input(np.random.default_rng(0).integers(-8, 8, shape).astype(float))
    result = verilog.simulate(project, frames_for(project.netlist, integers))
    golden = execute(project.program.graph, integers)[project.program.graph.outputs[0]]
    assert np.array_equal(result.outputs["m"], golden.reshape(len(golden), -1))
    assert result.interval_cycles == (9 if "axis" in convention else 2)


def test_foreign_ports_are_named(tmp_path: Path) -> None:
    project, width = _project(tmp_path, "vitis")
    top = project.directory / PROJECT / verilog.FOLDER / "top.v"
    top.write_text(_rtl("vitis", width + 1))
    with pytest.raises(FlowError) as caught:
        verilog.simulate(project, np.zeros((1, 2)))
    assert str(caught.value).startswith(f"{top}: the output ports are layer2_out_0, ")
    assert str(caught.value).endswith(f"which do not hold 3 values of {width} bits in a way that hls4ml's pragmas ask for")
    top.write_text("module other (input clk);\nendmodule\n")
    with pytest.raises(FlowError, match="declares no module 'top' with a port ap_clk"):
        verilog.simulate(project, np.zeros((1, 2)))
    top.unlink()
    with pytest.raises(FlowError, match="the tool wrote no Verilog to simulate"):
        verilog.simulate(project, np.zeros((1, 2)))


def test_an_output_that_runs_too_far_ahead_ends_the_simulation(tmp_path: Path) -> None:
    project, _ = _project(tmp_path, "vitis")
    top = project.directory / PROJECT / verilog.FOLDER / "top.v"
    top.write_text(top.read_text().replace("layer2_out_2_ap_vld = v2", "layer2_out_2_ap_vld = 1'b0"))
    with pytest.raises(SimError, match="layer2_out_0 is 16 frames ahead of what was read, which is all"):
        verilog.simulate(project, np.zeros((40, 2)))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on the PATH")
def test_a_tool_on_the_path_is_run_read_simulated_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hls4ml")
    data = os.environ.get("BITWRIGHT_DATA")
    if data is None:
        pytest.skip("BITWRIGHT_DATA is not set")
    build = api.build(_model(tmp_path / "net.onnx", False), tmp_path / "out", backend="hls4ml")
    program = compile_qonnx(tmp_path / "net.onnx")
    width = Fixed.read(translate(program.graph).layers[-1].types["result"]).width
    _written(tmp_path / "verilog", "vitis", width)
    report = Path(data) / "reports" / "01_hls4ml_test_report" / "Vivado__myproject_csynth.xml"
    tools = tmp_path / "bin"
    tools.mkdir()
    place = "top_prj/solution1/syn"
    (tools / "vitis_hls").write_text(f"#!/bin/sh\nmkdir -p {place}/report\ncp -r {tmp_path}/verilog {place}/\n"
                                     f"cp {report} {place}/report/top_csynth.xml\n")
    (tools / "vitis_hls").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    api.synth(build, target="hls")
    performance = api.report(build).performance
    assert performance["interval_cycles"].value == 2
    assert performance["interval_cycles"].source.startswith("verilator-")
    _written(tmp_path / "verilog", "vitis", width, -WEIGHTS)
    with pytest.raises(FlowError, match=r"the tool's Verilog is not its C\+\+: frame 0, element \d: "):
        api.synth(build, target="hls")
