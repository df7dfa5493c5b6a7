"""Files that others exported: they must compile and compare clean, or be refused early with a reason."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest

from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.ir import MVAU, LabelSelect, Thresholding, execute

pytestmark = pytest.mark.shared_data


def _mnist(data_dir: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    images = gzip.decompress((data_dir / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((data_dir / "mnist" / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = np.frombuffer(images, np.uint8).reshape(-1, 1, 28, 28)[:count]
    return pixels, np.frombuffer(labels, np.uint8)[:count]


def _kinds(program: Program) -> list[str]:
    return [node.name for node in program.graph]


@pytest.mark.parametrize(("name", "types", "accuracy"), [
    ("TFC_1W1A", ("BIPOLAR", "BIPOLAR"), 0.90), ("TFC_2W2A", ("TERNARY", "TERNARY"), 0.95),
])
@pytest.mark.parametrize("pixels", [True, False])
def test_tfc(models_dir: Path, data_dir: Path, name: str, types: tuple[str, str], accuracy: float, pixels: bool) -> None:
    x, labels = _mnist(data_dir, 1000)
    begin = time.perf_counter()
    declared = {"input_type": "UINT8", "input_scale": "1/255"} if pixels else {}
    program = compile_qonnx(models_dir / "zoo" / f"{name}.onnx", **declared)
    assert time.perf_counter() - begin < 10
    assert _kinds(program) == [*(["Thresholding_0"] if pixels else []), "MVAU_0", "MVAU_1", "MVAU_2", "MVAU_3"]
    layers = [node for node in program.graph if isinstance(node, MVAU)]
    assert {node.weight_dtype for node in layers} == {types[0]}
    assert {program.graph.input_of(node).dtype for node in layers} == {types[1]}
    assert [op.op_type for op in program.host_post] == ["Sub", "Div", "Mul", "Add"]
    before = [] if pixels else ["Reshape", "Mul", "Sub", "BipolarQuant" if "1W" in name else "Quant"]
    assert [op.op_type for op in program.host_pre] == before
    frames = x if pixels else (x / 255).astype(np.float32)
    result = compare(program, frames)
    assert (result.bit_exact, result.mismatches, result.ties, result.agreement) == (True, 0, 0, 1000)
    logits = program.finish(execute(program.graph, program.quantise_input(frames)))
    assert (logits.argmax(axis=1) == labels).mean() > accuracy


def test_pixels_and_floats_agree(models_dir: Path, data_dir: Path) -> None:
    x, _ = _mnist(data_dir, 200)
    program = compile_qonnx(models_dir / "zoo" / "TFC_2W2A.onnx", input_type="UINT8", input_scale=1 / 255)
    assert np.array_equal(program.quantise_input((x / 255).astype(np.float32))["0"], x.reshape(-1, 784))


def test_unsw(models_dir: Path) -> None:
    program = compile_qonnx(models_dir / "zoo" / "unsw_nb15-mlp-w2a2.onnx")
    assert _kinds(program) == ["MVAU_0", "Requantise_0", "MVAU_1", "MVAU_2", "MVAU_3"]
    assert program.graph.tensors["onnx::Add_0"].dtype == "BIPOLAR"
    assert program.host_pre == program.host_post == ()
    x = np.random.default_rng(1).choice([-1, 1], (1000, 600))
    result = compare(program, x)
    assert (result.bit_exact, result.agreement) == (True, 1000)


def test_finn(models_dir: Path) -> None:
    folder = models_dir / "finn"
    program = compile_qonnx(folder / "model.onnx")
    assert _kinds(program) == ["Thresholding_0", "MVAU_0", "MVAU_1", "MVAU_2", "MVAU_3", "LabelSelect_0"]
    assert isinstance(program.graph.nodes[0], Thresholding)
    assert program.graph.nodes[0].thresholds.values.tolist() == [[128]]
    assert isinstance(program.graph.nodes[-1], LabelSelect)
    x = np.load(folder / "input.npy")
    assert compare(program, x).bit_exact
    outputs = program.finish(execute(program.graph, program.quantise_input(x)))
    assert outputs.ravel().tolist() == np.load(folder / "expected_output.npy").ravel().tolist() == [7, 2, 1, 0]


def test_bnn(models_dir: Path) -> None:
    program = compile_qonnx(models_dir / "hls4ml_example_models" / "bnn_model_fc_1layer.onnx")
    assert _kinds(program) == ["MVAU_0"]
    result = compare(program, np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32))
    assert (result.bit_exact, result.ties, result.agreement) == (True, 0, 500)


@pytest.mark.parametrize("name", ["qdense_0", "qdense_9", "qdense2_0", "qdense2_9"])
@pytest.mark.parametrize("declared", [True, False])
def test_qkeras(models_dir: Path, name: str, declared: bool) -> None:
    path = models_dir / "qkeras" / f"model_test_qkeras_{name}.onnx"
    rng = np.random.default_rng(2)
    if declared:
        program = compile_qonnx(path, input_type="INT8", input_scale=0.0625)
        x = rng.integers(-128, 128, (500, 16))
        assert program.host_pre == ()
        assert program.notes == ()
    else:
        program = compile_qonnx(path)
        x = rng.normal(size=(500, 16)).astype(np.float32) * 3
        assert len(program.notes) == (1 if "qdense_" in name else 0)
        assert all(note.startswith("MatMul_0 runs on the host in float32") for note in program.notes)
    result = compare(program, x)
    assert result.bit_exact
    assert result.agreement == 500
    if "2_0" not in name:  # its 29-bit accumulators do not fit float32
        assert result.ties == 0


@pytest.mark.parametrize(("name", "options", "kinds", "seconds"), [
    ("radioml/pretrained_VGG10_w8a8_20_export", {}, {"SlidingWindow": 14, "Pool": 7, "MVAU": 10}, 15),
    ("mnist_cnn/qonnx_model", {"input_type": "UINT8", "input_scale": "1/255"}, {"SlidingWindow": 4, "Pool": 2, "MVAU": 3}, 15),
    ("qkeras/model_test_qkeras_qconv2d_0", {"input_type": "INT8", "input_scale": 0.0625}, {"SlidingWindow": 1, "MVAU": 1}, 5),
    ("qkeras/model_test_qkeras_qconv2d_9", {"input_type": "INT8", "input_scale": 0.0625}, {"SlidingWindow": 1, "MVAU": 1}, 5),
    ("hls4ml_example_models/separable_conv_model_ch_last", {}, {"SlidingWindow": 2, "VVAU": 2, "MVAU": 2}, 20),
])
def test_convolutional_networks(models_dir: Path, name: str, options: dict[str, str | float], kinds: dict[str, int],
                                seconds: float) -> None:
    begin = time.perf_counter()
    program = compile_qonnx(models_dir / f"{name}.onnx", **options)  # type: ignore[arg-type]  # one of two forms
    assert time.perf_counter() - begin < seconds
    found = [type(node).__name__ for node in program.graph]
    assert {kind: found.count(kind) for kind in kinds} == kinds
    count = 1 if "separable" in name else 4
    rng = np.random.default_rng(5)
    source = program.graph.tensors[program.graph.inputs[0]]
    shape = (count, *program.input_frame)
    x = rng.integers(*source.limits, shape, endpoint=True) if options else rng.normal(size=shape).astype(np.float32)
    result = compare(program, x)
    assert result.bit_exact
    assert result.agreement == count
