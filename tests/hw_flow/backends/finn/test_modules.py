"""FINN's RTL library in the place of our kernels computes the same, stalls included."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from hw_flow import fifo, rtl
from hw_flow.backends.finn import modules
from hw_flow.backends.finn.importer import import_graph
from hw_flow.backends.simulation import run_design
from hw_flow.errors import FlowError
from hw_flow.steps import Steps
from tests.hw_flow.backends.finn.hardware_graphs import Builder


@pytest.fixture
def library():
    try:
        return modules._library()
    except FlowError:
        pytest.skip("finn-plus is not installed")


def filled(text, values):
    """A template of FINN's with its ``$NAME$`` replaced."""
    for key, value in values.items():
        text = text.replace(f"${key}$", str(value))
    assert "$MODULE" not in text
    return text


def padding(library, folder, name):
    """What FINN generates for padding 5 x 6 x 4 by one on all sides with SIMD 2."""
    values = {"TOP_MODULE_NAME": name, "XCOUNTER_BITS": 5, "YCOUNTER_BITS": 5, "NUM_CHANNELS": 4, "SIMD": 2, "ELEM_BITS": 3,
              "INIT_XON": 1, "INIT_XOFF": 7, "INIT_XEND": 7, "INIT_YON": 1, "INIT_YOFF": 6, "INIT_YEND": 6, "STREAM_BITS": 8}
    (folder / f"{name}.v").write_text(filled((library / "fmpadding/hdl/fmpadding_template.v").read_text(), values))
    files = ("fmpadding_axi.sv", "fmpadding.sv", "axi2we.sv")
    return [*(f"lib:fmpadding/hdl/{file}" for file in files), f"rtl/{name}/{name}.v"]


def matrix(library, folder, name, weights, *, pe, simd, bits):
    """What FINN generates for a matrix unit ``[MH, MW]`` with weights of 3 bits and its streamer of weights."""
    mh, mw = weights.shape
    values = {
        "MODULE_NAME_AXI_WRAPPER": name, "IS_MVU": 1, "VERSION": 2, "PUMPED_COMPUTE": 0, "MW": mw, "MH": mh, "PE": pe,
        "SIMD": simd,
        "ACTIVATION_WIDTH": 3, "WEIGHT_WIDTH": 3, "ACCU_WIDTH": bits, "NARROW_WEIGHTS": 0, "SIGNED_ACTIVATIONS": 0,
        "SEGMENTLEN": 0}
    (folder / f"{name}_wrapper.v").write_text(filled((library / "mvu/mvu_vvu_axi_wrapper.v").read_text(), values))
    words = weights.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3).reshape(-1, pe * simd) & 7
    lines = [f"{sum(int(value) << (3 * lane) for lane, value in enumerate(word)):x}\n" for word in words]
    (folder / "memblock.dat").write_text("".join(lines))
    values = {"MODULE_NAME": name, "SETS": 1, "DEPTH": len(words), "WIDTH": 3 * pe * simd, "INIT_FILE": "/gone/memblock.dat",
              "RAM_STYLE": "auto", "PUMPED_MEMORY": 0}
    (folder / f"{name}_memstream_wrapper.v").write_text(
        filled((library / "memstream/hdl/memstream_wrapper_template.v").read_text(), values))
    own = ("mvu_pkg", "mvu_vvu_axi", "replay_buffer", "mvu", "mvu_vvu_8sx9_dsp58", "add_multi")
    return [f"rtl/{name}/{name}_wrapper.v", *(f"lib:mvu/{file}.sv" for file in own), "lib:axi/hdl/axilite.sv",
            "lib:memstream/hdl/memstream.sv", "lib:memstream/hdl/memstream_axi.sv", f"rtl/{name}/{name}_memstream_wrapper.v"]


@pytest.mark.slow
def test_padding_and_matrix(library, tmp_path):
    """FINN's padding in front of FINN's matrix unit of 1 x 1 windows, beside our kernels."""
    builder = Builder((5, 6, 4), "UINT3", 7)
    builder.add("FMPadding_rtl", {"pad": ((7, 8, 4), "UINT3")}, {"Padding": [1, 1, 1, 1], "SIMD": 2},
                lambda x: np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))
    weights = builder.rng.integers(-4, 4, (6, 4))
    builder.add("MVAU_rtl", {"out": ((7, 8, 6), "INT9")},
                {"PE": 3, "SIMD": 2, "noActivation": 1, "inputDataType": "UINT3", "weightDataType": "INT3",
                 "outputDataType": "INT9"},
                lambda x: x @ weights.T, constants=(weights.T.astype(np.float32),))
    imported = import_graph(builder.finish(), "net")
    program = SimpleNamespace(imported=imported, graph=imported.graph)
    project = tmp_path / "b" / "finn"
    code = {}
    for name in ("FMPadding_rtl_0", "MVAU_rtl_0"):
        folder = project / "rtl" / name
        folder.mkdir(parents=True)
        files = padding(library, folder, name) if name.startswith("FM") else matrix(
            library, folder, name, weights, pe=3, simd=2, bits=9)
        code[name] = {"style": "rtl", "paths": files}
    (project / "code.json").write_text(json.dumps(code))
    assert [one.node for one in modules.replacements(program, code)] == ["SlidingWindow_0", "MVAU_0"]
    depths = fifo.depths(imported.graph, imported.folding)
    base = rtl.emit(imported.graph, imported.folding, depths, tmp_path / "b" / "rtl", "net")
    mixed = modules.mixed_design(tmp_path / "b", program, base, imported.folding)
    assert mixed.directory != base.directory
    assert modules.mixed_design(tmp_path / "b", program, base, imported.folding).directory == mixed.directory
    x = builder.rng.integers(0, 8, (6, *builder.shape))
    for stalls in (False, True):
        run = run_design(imported.graph, mixed, {"in": x}, stalls=stalls, profile="check", steps=Steps())
        assert run.fault is None
        np.testing.assert_array_equal(run.outputs["out"], builder.run(x)["out"])


def test_nothing_to_replace(tmp_path):
    builder = Builder((6,), "UINT3").mvau(3)
    imported = import_graph(builder.finish(), "net")
    program = SimpleNamespace(imported=imported, graph=imported.graph)
    assert modules.replacements(program, {"MVAU_hls_0": {"style": "hls", "files": []}}) == ()
