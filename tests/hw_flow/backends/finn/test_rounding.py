"""FINN rounds halves up, QONNX to even: the difference is exactly that, and the build removes it."""

import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.quant import quant, resolve_rounding_mode

from hw_flow import api
from hw_flow.backends.finn.environment import check_environment
from hw_flow.backends.finn.inside.rounding import boundaries, least_floats, single_precision
from hw_flow.backends.finn.located import first_difference
from hw_flow.errors import FlowError
from hw_flow.frontend import compile_qonnx
from hw_flow.frontend.rounding import ROUNDING, round_exact
from hw_flow.ir import execute
from sim.process import run_process
from tests.hw_flow.tiny import tiny

MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")

# What FINN makes of the quantisers of a model: its thresholds as they are, and with ours.
SCRIPT = """
import contextlib, json, sys
from pathlib import Path
from hw_flow.backends.finn.inside.start import start
start(Path(sys.argv[2]))
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.cleanup import cleanup_model
from hw_flow.backends.finn.inside.rounding import exact_thresholds
found = []
for way in (contextlib.nullcontext, exact_thresholds):
    with way():
        model = cleanup_model(ModelWrapper(sys.argv[1])).transform(ConvertQONNXtoFINN())
    found.append([model.get_initializer(node.input[1]).tolist() for node in model.get_nodes_by_op_type("MultiThreshold")])
Path(sys.argv[2], "found.json").write_text(json.dumps(found))
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("lowest", "count"), [(0, 7), (-4, 7), (-3, 6)])
def test_steps_are_those_of_qonnx(mode, lowest, count):
    rounding = resolve_rounding_mode(mode)
    values = np.arange(-6 * 16, 9 * 16) / 16
    steps = boundaries(rounding, lowest, count)
    expected = np.clip(rounding(values), lowest, lowest + count)
    np.testing.assert_array_equal(lowest + (values[:, None] >= steps).sum(axis=1), expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mode", MODES)
def test_float_inputs_step_as_qonnx_executes(mode, seed):
    """At every threshold, beside it, and anywhere: QONNX's own float32 execution gives the same level."""
    rng = np.random.default_rng(seed)
    bits, signed, narrow = int(rng.integers(2, 7)), bool(rng.integers(2)), bool(rng.integers(2))
    lowest = (narrow - 2 ** (bits - 1)) * signed
    count = 2**bits - 1 - narrow
    scale = np.asarray([*np.exp(rng.normal(0, 6, 3)), 0.125, 0.1], dtype=np.float32)[:, None]
    steps = least_floats(resolve_rounding_mode(mode), scale, lowest, count)
    down, up = (np.nextafter(steps, np.float32(end)) for end in (-np.inf, np.inf))
    near = np.stack([np.nextafter(down, np.float32(-np.inf)), down, steps, up, np.nextafter(up, np.float32(np.inf))], axis=-1)
    anywhere = scale * np.concatenate(
        [rng.uniform(lowest - 2, lowest + count + 2, (len(scale), 200)), rng.normal(0, 2.0**-25, (len(scale), 20)),
         np.zeros((len(scale), 1))], axis=1)
    x = np.concatenate([near.reshape(len(scale), -1), anywhere], axis=1).astype(np.float32)
    expected = quant(x, scale, np.float32(0), np.float32(bits), signed, narrow, mode) / scale
    np.testing.assert_array_equal(lowest + (x[..., None] >= steps[:, None, :]).sum(axis=-1), np.rint(expected))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mode", MODES)
def test_scaled_integers_step_as_exact_arithmetic_says(mode, seed):
    """`ceil` of thresholds that FINN moved a bias and a scale past, against rationals: ties, and sums that all but tie."""
    rng = np.random.default_rng(seed)
    scale, bias = np.float32(2.0 ** rng.integers(-6, 2)), np.float32(rng.integers(-64, 64) / 32)
    if seed % 3 == 0:
        scale, bias = np.float32(scale * rng.uniform(0.5, 1)), np.float32(rng.normal())
    factor = np.float32(scale * rng.choice([2.0**-7, 2.0**-26, 0.25 + 2.0**-24, 1 + 2.0**-23, 0.5 - 2.0**-25, rng.uniform(0, 1)]))
    lowest, count = -4, 7
    steps = np.float64(scale) * boundaries(resolve_rounding_mode(mode), lowest, count)
    whole = np.ceil((steps - bias) / factor)
    sums = {int(step) + delta for step in whole for delta in range(-3, 4)} | {0, 1, -1}
    for total in sums:
        exact = (total * Fraction(float(factor)) + Fraction(float(bias))) / Fraction(float(scale))
        level = min(max(round_exact(exact, ROUNDING[mode]), lowest), lowest + count)
        assert lowest + int((total >= whole).sum()) == level, f"{total} * {factor} + {bias} in steps of {scale}"


def one_vector(path):
    """`tiny` with a batch of one, as FINN is given it."""
    model = ModelWrapper(str(tiny(path)))
    for edge in (*model.graph.input, *model.graph.output):
        edge.type.tensor_type.shape.dim[0].dim_value = 1
    model.save(str(path))
    return path


@pytest.fixture(scope="module")
def finn_thresholds(tmp_path_factory):
    """By quantiser of `tiny`: FINN's own thresholds, and the repaired ones."""
    try:
        check_environment()
    except FlowError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("rounding")
    done = run_process(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, one_vector(folder / "tiny.onnx"), folder], timeout_s=120,
        log=folder / "log", env={"PYTHONPATH": str(Path(__file__).parents[4])})
    assert done.ok, (folder / "log").read_text()
    return json.loads((folder / "found.json").read_text())


@pytest.mark.slow
def test_finn_differs_by_ties_alone(tmp_path, finn_thresholds):
    """Frame by frame: FINN's own thresholds leave QONNX where a hidden sum is a half that goes down to an even number."""
    (_, own), (_, repaired) = finn_thresholds
    assert own == [[0.25, 0.75, 1.25]]
    program = compile_qonnx(tiny(tmp_path / "tiny.onnx"))
    x = np.random.default_rng(0).uniform(-0.5, 4.5, (400, 8)).astype(np.float32)
    integers = program.quantise_input(x)
    hidden, last = program.graph.nodes
    sums = integers[program.graph.inputs[0]] @ hidden.weights.T  # of 1/8 each: 0.25 * 0.5
    golden = execute(program.graph, integers)[hidden.outputs[0]]
    theirs, ours = (((sums / 8)[..., None] >= np.asarray(rows)).sum(axis=-1) for rows in (own, repaired))
    np.testing.assert_array_equal(ours, golden)
    down = (sums % 8 == 2) & (sums > 0) & (sums < 12)  # 0.5 and 2.5 steps: QONNX rounds to 0 and 2, FINN to 1 and 3
    assert down.any()
    np.testing.assert_array_equal(theirs != golden, down)
    np.testing.assert_array_equal(theirs[down], golden[down] + 1)
    assert ((theirs @ last.weights.T) != (golden @ last.weights.T)).any()


def test_a_difference_is_located(tmp_path):
    """With FINN's own thresholds in the place of the exact ones, the first node and value that differ are named."""
    exact = compile_qonnx(tiny(tmp_path / "tiny.onnx"))
    hidden, last = exact.graph.nodes
    own = replace(hidden.thresholds, values=np.asarray([[2, 6, 10]]), descending=np.zeros(1, dtype=bool))
    graph = replace(exact.graph, nodes=(replace(hidden, thresholds=own, source=("MVAU_hls_0",)), last))
    finn = SimpleNamespace(graph=graph, quantise_input=exact.quantise_input)
    x = np.random.default_rng(0).uniform(-0.5, 4.5, (40, 8)).astype(np.float32)
    integers = exact.quantise_input(x)
    theirs, golden = (execute(one, integers)[hidden.outputs[0]] for one in (graph, exact.graph))
    differs = (theirs != golden).any(axis=1)
    assert 0 < differs.sum() < len(x)
    for frame, wrong in enumerate(differs):
        place = first_difference(finn, exact, x[frame:frame + 1])
        if not wrong:
            assert place is None
            continue
        at = int(np.flatnonzero(theirs[frame] != golden[frame])[0])
        assert place == ("MVAU_hls_0", f"element {at}: FINN's streamlined network gives {theirs[frame][at]}, the model's exact "
                                       f"integers {golden[frame][at]}")


@pytest.mark.slow
@pytest.mark.usefixtures("finn_thresholds")
def test_no_frame_differs(tmp_path):
    build = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "b", backend="finn", target_cycles=12)
    verdict = api.simulate(build, samples=400, profile="fast").comparison
    assert (verdict.bit_exact, verdict.ties) == (True, 0)


def test_single_precision_reaches_the_same():
    """Float32 values compare with the rounded thresholds as with the float64 ones."""
    rng = np.random.default_rng(1)
    exact = np.concatenate([rng.normal(size=50), 0.5 + np.arange(4) + 2.0**-25 * np.asarray([0, 1, 0, 1]), [0.1, -0.1]])
    value = helper.make_tensor_value_info
    node = helper.make_node("MultiThreshold", ["x", "t"], ["y"], domain="qonnx.custom_op.general", out_dtype="UINT8")
    graph = helper.make_graph([node], "t", [value("x", TensorProto.FLOAT, [1, 1])], [value("y", TensorProto.FLOAT, [1, 1])])
    model = ModelWrapper(helper.make_model(graph))
    model.set_initializer("t", exact[None])
    found = single_precision(model).get_initializer("t")[0]
    assert found.dtype == np.float32
    near = exact.astype(np.float32)
    x = np.concatenate([near, np.nextafter(near, np.float32(-9)), np.nextafter(near, np.float32(9))])[:, None]
    np.testing.assert_array_equal(x >= found, x.astype(np.float64) >= exact)
