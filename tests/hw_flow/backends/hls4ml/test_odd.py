"""Odd QONNX files: every layer exact, by hls4ml's arithmetic and by its C++, or one line that says why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest

from hw_flow import api
from hw_flow.backends.hls4ml.check import check, frames_for
from hw_flow.backends.hls4ml.settings import HlsSettings, Tool, abilities
from hw_flow.backends.hls4ml.translate import translate
from hw_flow.backends.inputs import random_frames
from hw_flow.errors import FlowError
from hw_flow.frontend import compare, compile_qonnx
from tests.hw_flow.backends.hls4ml import interpreter
from tests.hw_flow.backends.hls4ml.odd import ODD

REFUSED = {
    "average_of_borders": "AveragePool_1 (AveragePool): attribute count_include_pad makes it divide by fewer elements at the "
                          "border; use count_include_pad = 1 without ceil_mode, or no padding",
    "nothing_but_a_quantiser": "Quant_1 (Quant): nothing before it can be computed in hardware; a layer with integer weights "
                               "after a quantiser is needed",
    "of_no_elements": "Slice_1 (Slice): makes frames of [0, 3, 3]; check its attributes",
}
# Built and run as streams: what hls4ml's parts for streams do differently from its unrolled ones, and wide sums.
BUILT = ("grouped_uneven", "padded_bipolar", "largest_of_everything", "overlapping_line", "zero_point")


def _saved(name: str, folder: Path) -> Path:
    path = folder / "odd.onnx"
    onnx.save(ODD[name](), str(path))
    return path


@pytest.mark.parametrize("name", [name for name in ODD if name not in REFUSED])
def test_every_layer_is_exact(name: str, tmp_path: Path) -> None:
    program = compile_qonnx(_saved(name, tmp_path))
    netlist = translate(program.graph)
    x = random_frames(program, 64, 1)
    integers = program.quantise_input(x)
    checked = check(program.graph, netlist, integers, interpreter.run(netlist, frames_for(netlist, integers)))
    assert checked.fault is None
    assert compare(program, x, checked.outputs).bit_exact


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_hardware_has_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FlowError) as caught:
        compile_qonnx(_saved(name, tmp_path))
    assert str(caught.value) == REFUSED[name]


@pytest.mark.parametrize(("name", "tool", "message"), [
    ("largest_of_negative", "Vitis", "MaxPool_4: a largest-of pool that pads"),
    ("overlapping_line", "Catapult", "MaxPool_1: a largest-of pool that has another stride than its kernel"),
])
def test_streams_refuse_pools_that_they_lack(name: str, tool: Tool, message: str, tmp_path: Path) -> None:
    program = compile_qonnx(_saved(name, tmp_path))
    with pytest.raises(FlowError) as caught:
        translate(program.graph, abilities(HlsSettings(tool=tool, io_type="io_stream")))
    assert str(caught.value) == (f"{message}, which hls4ml's streams have no layer for; set 'io_type: io_parallel', or build "
                                 "with --backend rtl")
    translate(program.graph, abilities(HlsSettings(tool=tool)))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on the PATH")
@pytest.mark.parametrize("name", BUILT)
def test_streams_in_cpp_are_exact(name: str, tmp_path: Path) -> None:
    pytest.importorskip("hls4ml")
    settings = tmp_path / "hls.yaml"
    settings.write_text("io_type: io_stream")
    build = api.build(_saved(name, tmp_path), tmp_path / "out", backend="hls4ml", settings=settings)
    assert build.notes[-1] == "every layer equals QONNX on 16 frames (hls4ml-1.3.0, Vitis, g++)"
