"""Frames to verify with."""

import re

import numpy as np
import onnx
import pytest

from hw_flow import frontend
from hw_flow.backends import inputs
from hw_flow.errors import FlowError
from tests.hw_flow.qonnx_random import Builder, random_mlp
from tests.hw_flow.tiny import tiny


@pytest.mark.parametrize(("given", "shape"), [
    ((5, 784), (784,)), ((5, 784), (1, 28, 28)), ((5, 28, 28), (1, 28, 28)), ((5, 1, 28, 28), (784,)),
    ((5, 1, 1, 28, 28), (1, 28, 28)), ((5,), (1,)), ((5, 1), (1,)),
])
def test_shapes_that_mean_the_same(given, shape):
    x = np.arange(np.prod(given)).reshape(given)
    framed = inputs.as_frames(x, shape, "x")
    assert framed.shape == (5, *shape)
    assert (framed.ravel() == x.ravel()).all()


@pytest.mark.parametrize(("given", "shape", "text"), [
    ((5, 783), (784,), "x: inputs have shape [5, 783]; expected [N, 784]"),
    ((784,), (784,), "x: inputs have shape [784]; expected [N, 784]"),
    ((5, 28, 27), (1, 28, 28), "x: inputs have shape [5, 28, 27]; expected [N, 1, 28, 28] or [N, 784]"),
    ((), (4,), "x: inputs have shape []; expected [N, 4]"),
])
def test_wrong_shapes(given, shape, text):
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        inputs.as_frames(np.zeros(given), shape, "x")


def test_random_floats_saturate_and_repeat(tmp_path):
    program = frontend.compile_qonnx(tiny(tmp_path / "m.onnx"))
    x = inputs.random_frames(program, 40, seed=3)
    assert (x == inputs.random_frames(program, 40, seed=3)).all()
    assert (x != inputs.random_frames(program, 40, seed=4)).any()
    low, high = 0.0, 15 * 0.25
    assert (x[0] == low).all()
    assert (x[1] == high).all()
    assert x.min() < low
    assert x.max() > high
    integers = program.quantise_input(x)[program.graph.inputs[0]]
    assert (integers.min(), integers.max()) == (0, 15)


@pytest.mark.parametrize("seed", range(12))
def test_random_frames_fit_any_network(tmp_path, seed):
    network = random_mlp(seed)
    network.save(tmp_path / "m.onnx")
    program = frontend.compile_qonnx(tmp_path / "m.onnx", input_type=network.input_type, input_scale=network.input_scale)
    x = inputs.random_frames(program, 9, seed)
    assert x.shape == (9, network.features)
    program.quantise_input(x)
    if network.input_type is not None:
        tensor = program.graph.tensors[program.graph.inputs[0]]
        assert (x.min(), x.max()) == tensor.limits


def _flat(tmp_path, seed=0, samples=2000, **declared):
    """Random frames of a network with 64 inputs."""
    b = Builder(np.random.default_rng(0))
    if not declared:
        b.head = b.quant(b.head, 0.25, 4)
    b.then("MatMul", b.quant(b.constant(np.random.default_rng(1).normal(size=(64, 4))), 0.5, 3))
    onnx.save(b.model(64, [4]), str(tmp_path / "m.onnx"))
    program = frontend.compile_qonnx(tmp_path / "m.onnx", **declared)
    x = inputs.random_frames(program, samples, seed)
    assert np.array_equal(x, inputs.random_frames(program, samples, seed))
    assert not np.array_equal(x, inputs.random_frames(program, samples, seed + 1))
    program.quantise_input(x)
    return x


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("dtype", "low", "high"), [("UINT8", 0, 255), ("INT8", -128, 127), ("INT16", -32768, 32767)])
def test_random_integers_mix_amplitudes(tmp_path, dtype, low, high, seed):
    x = _flat(tmp_path, seed, input_type=dtype)
    assert x.dtype == np.int64
    assert (x.min(), x.max()) == (low, high)
    assert (x[0] == low).all()
    assert (x[1] == high).all()
    assert (x[2, 0::2] == low).all()
    assert (x[2, 1::2] == high).all()
    rest = x[3:]
    still = np.median(rest, axis=1) == 0
    sparse = still & ((rest == 0).mean(axis=1) > 0.6)
    assert 0.2 < sparse.mean() < 0.32
    assert (rest[sparse] != 0).any()
    dense = rest[~sparse]
    share = (dense.max(axis=1) - dense.min(axis=1)) / (high - low)
    # A fifth each: one step, 1/16, 1/4, 1/2, all.
    found = np.histogram(share, [0, 0.03, 0.1, 0.3, 0.6, 1.01])[0] / len(dense)
    assert (found > 0.14).all()
    assert (found < 0.26).all()
    narrow = dense[share < 0.03]
    assert (narrow.max(axis=1) - narrow.min(axis=1) <= 3).all()
    centres = narrow.mean(axis=1)
    assert centres.min() < low + 0.1 * (high - low)
    assert centres.max() > high - 0.1 * (high - low)


def test_random_bipolar_frames_are_biased(tmp_path):
    x = _flat(tmp_path, input_type="BIPOLAR")
    assert set(np.unique(x)) == {-1, 1}
    assert (x[0] == -1).all()
    assert (x[1] == 1).all()
    share = (x[3:] > 0).mean(axis=1)
    found = np.histogram(share, [0, 0.2, 0.4, 0.6, 0.8, 1.01])[0] / len(share)
    assert (found > 0.15).all()
    assert (found < 0.25).all()


@pytest.mark.parametrize(("dtype", "values"), [("TERNARY", [-1, 0, 1]), ("UINT1", [0, 1]), ("INT2", [-2, -1, 0, 1])])
def test_random_frames_of_narrow_types(tmp_path, dtype, values):
    x = _flat(tmp_path, input_type=dtype)
    found, counts = np.unique(x, return_counts=True)
    assert found.tolist() == values
    assert (counts > 0.08 * x.size).all()


def test_random_floats_mix_amplitudes(tmp_path):
    x = _flat(tmp_path)
    low, high = -8 * 0.25, 7 * 0.25
    margin = 0.25 * (high - low)
    assert low - margin <= x.min() < low
    assert high < x.max() <= high + margin
    share = (x[3:].max(axis=1) - x[3:].min(axis=1)) / (high - low)
    assert (share < 0.2).mean() > 0.2
    assert (share > 1).mean() > 0.1


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_few_random_frames(tmp_path, samples):
    assert _flat(tmp_path, samples=samples, input_type="UINT8").shape == (samples, 64)


def test_labels(tmp_path):
    np.save(tmp_path / "y.npy", np.array([[1], [2]]))
    assert inputs.load_labels(tmp_path / "y.npy").tolist() == [1, 2]
    np.save(tmp_path / "y.npy", np.array([0.5]))
    with pytest.raises(FlowError, match=r"y.npy: labels are float64; save integers \[N\] with numpy.save$"):
        inputs.load_labels(tmp_path / "y.npy")


@pytest.mark.parametrize(("content", "text"), [
    (b"", "is empty; save the inputs with numpy.save as [N, 4]"),
    (b"\x93NUMPY", "not a plain .npy array ("),
    (b"PK\x03\x04 no archive", "holds an archive, not numbers; save one array [N, 4]"),
    (b"no array", "not an .npy file; save the inputs with numpy.save as [N, 4]"),
])
def test_files_that_are_no_arrays(tmp_path, content, text):
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(FlowError, match=f"^{re.escape(f'{path}: {text}')}[^\\n]*$"):
        inputs.load_frames(path, (4,))


def test_empty_labels_file(tmp_path):
    (tmp_path / "y.npy").write_bytes(b"")
    with pytest.raises(FlowError, match=r"y.npy: is empty; save the labels with numpy.save as integers \[N\]$"):
        inputs.load_labels(tmp_path / "y.npy")


@pytest.mark.parametrize("shape", ["(1000000000000, 4)", "(3, 4)"])
def test_a_header_that_claims_more_than_the_file_holds(tmp_path, shape):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((2, 4)))
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    path.write_bytes(b"\x93NUMPY\x01\x00\x76\x00" + text.ljust(117).encode() + b"\n" + bytes(64))
    with pytest.raises(FlowError, match=r"x.npy: damaged \(its header claims [\d,]+ bytes, the file holds 192\); save it again"):
        inputs.load_frames(path, (4,))


@pytest.mark.parametrize(("samples", "seed", "text"), [
    (10**11, 0, "--samples 100000000000: frames of 8 values; give at most 33,554,432 samples"),
    (4, -1, "--seed -1; give 0 or more"),
])
def test_random_frames_that_cannot_be(tmp_path, samples, seed, text):
    program = frontend.compile_qonnx(tiny(tmp_path / "m.onnx"))
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        inputs.frames(program, None, samples, seed)
