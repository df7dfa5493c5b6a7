"""A residual CNN from the command line on the RTL that FINN generates: assertions, random start values, random stalls."""

import json

import onnx
import pytest

from hw_flow.backends.directory import stamp_of
from hw_flow.backends.finn.environment import check_environment
from hw_flow.cli.entry import run
from hw_flow.errors import FlowError
from tests.hw_flow.qonnx_maps import Maps

pytestmark = pytest.mark.slow


def residual(path):
    """A padded convolution, a pool that a branch around a second convolution reads too, a classifier; scales of powers of two."""
    b = Maps(5)
    b.head = b.quant(b.head, 0.25, 3, signed=False)
    b.conv(4, 2, (3, 3), pads=[1, 1, 1, 1])
    b.then("Relu")
    b.head = b.quant(b.head, 0.5, 3, signed=False)
    b.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    around = b.quant(b.head, 0.5, 4)
    b.conv(4, 4, (3, 3), pads=[1, 1, 1, 1])
    b.head = b.quant(b.head, 0.5, 4)
    b.then("Add", around)
    b.then("Relu")
    b.head = b.quant(b.head, 0.5, 3, signed=False)
    b.then("Flatten")
    b.then("MatMul", b.weights(4 * 3 * 3, 5))
    onnx.save(b.finish((2, 6, 6)), str(path))
    return path


def test_residual(tmp_path, capfd):
    try:
        check_environment()
    except FlowError as error:
        pytest.skip(str(error))
    model, settings = residual(tmp_path / "residual.onnx"), tmp_path / "settings.yaml"
    settings.write_text("simulate_rtl: true\nstandalone_thresholds: true\n")
    code = run(["verify", str(model), "--backend", "finn", "--settings", str(settings), "--target-cycles", "400", "--stalls",
                "--profile", "check", "-o", str(tmp_path / "b"), "--json"])
    told = json.loads(capfd.readouterr().out)
    assert (code, told["bit_exact"], told["ties"], told["stalled_pass"], told["hardware_fault"]) == (0, True, 0, True, None)
    nodes = {node["finn"]: node["runs_on"] for node in stamp_of(tmp_path / "b")["nodes"]}
    own = {name for name, place in nodes.items() if place == "FINN's RTL"}
    for kind in ("Thresholding_rtl", "FMPadding_rtl", "ConvolutionInputGenerator_rtl"):
        assert any(name.startswith(kind) for name in own), nodes
    assert (nodes["Pool_hls_0"], nodes["MVAU_hls_0"]) == ("our kernel", "our kernel")
    line = next(line for line in told["notes"] if line.startswith("simulated on FINN's own RTL: "))
    assert all(name in line for name in (*own, "Pool_hls_0"))
