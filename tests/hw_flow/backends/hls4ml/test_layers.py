"""Every layer that this project asks of hls4ml, unrolled and as streams, by all strategies, in C simulation."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hw_flow import api
from hw_flow.backends.hls4ml.settings import HlsSettings, abilities
from hw_flow.backends.hls4ml.translate import translate
from hw_flow.errors import FlowError
from hw_flow.frontend import compile_qonnx
from tests.hw_flow.backends.hls4ml.networks import maps

KINDS = {"InputLayer", "Conv2D", "DepthwiseConv2D", "Dense", "BatchNormalization", "UnaryLUT", "Merge", "MaxPooling2D",
         "Cropping2D", "Resize", "Transpose", "Reshape"}

# By name: settings, and whether the network moves elements, which the other tools' parts of hls4ml cannot.
BUILDS = {
    "parallel": ("", True),
    "stream": ("io_type: io_stream", True),
    "resource": ("strategy: resource\nlayers: {MVAU_0: {reuse_factor: 9}, VVAU_0: {strategy: latency}, "
                 "MVAU_2: {reuse_factor: 96}}", True),
    "stream, resource": ("io_type: io_stream\nstrategy: resource\nlayers: {MVAU_0: {reuse_factor: 18}, "
                         "VVAU_0: {reuse_factor: 3}, MVAU_1: {strategy: latency, reuse_factor: 2}, "
                         "MVAU_2: {reuse_factor: 288}}", True),
    "Vivado, unrolled": ("tool: Vivado\nio_type: io_stream\nlayers: {MVAU_0: {strategy: resource_unrolled, reuse_factor: 9}, "
                         "MVAU_2: {strategy: resource_unrolled, reuse_factor: 24}}", True),
    "Quartus": ("tool: Quartus", False),
    "Catapult, stream": ("tool: Catapult\nio_type: io_stream", False),
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on the PATH")
@pytest.mark.parametrize("name", BUILDS)
def test_every_layer_equals_qonnx(name: str, tmp_path: Path) -> None:
    pytest.importorskip("hls4ml")
    text, moves = BUILDS[name]
    settings = tmp_path / "hls.yaml"
    settings.write_text(text)
    model = maps(tmp_path / "maps.onnx", moves=moves, wide=not moves)
    build = api.build(model, tmp_path / "out", backend="hls4ml", settings=settings)
    assert build.notes[-1].startswith("every layer equals QONNX on 16 frames")
    run = api.simulate(build, np.random.default_rng(1).uniform(-1, 5, (20, 2, 6, 6)))
    assert run.fault is None
    assert run.comparison is not None
    assert run.comparison.bit_exact


def test_the_network_has_all_layers(tmp_path: Path) -> None:
    netlist = translate(compile_qonnx(maps(tmp_path / "maps.onnx")).graph)
    assert {layer.kind for layer in netlist.layers} == KINDS


def test_a_wide_accumulator_gets_a_sum_of_lines(tmp_path: Path) -> None:
    netlist = translate(compile_qonnx(maps(tmp_path / "maps.onnx", moves=False, wide=True)).graph)
    names = [layer.name for layer in netlist.layers]
    assert {"VVAU_0_act_part0", "VVAU_0_act_part1", "VVAU_0_act"} <= set(names)
    assert "UnaryLUT" not in {layer.kind for layer in netlist.layers if layer.name.startswith("VVAU")}


def test_what_a_tool_lacks_is_refused(tmp_path: Path) -> None:
    graph = compile_qonnx(maps(tmp_path / "maps.onnx")).graph
    with pytest.raises(FlowError) as caught:
        translate(graph, abilities(HlsSettings(tool="Quartus")))
    assert str(caught.value) == ("Quant_13: hls4ml has a layer for a Lookup for Vitis and Vivado only; set 'tool: Vitis', or "
                                 "build with --backend rtl")
