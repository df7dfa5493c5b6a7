"""The generator of constant logic, without a simulator: netlists evaluated in NumPy against the matrix."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph, Tensor, Thresholding, Thresholds, execute
from hw_flow.rtl.constant import Logic, build, share, unit_logic
from hw_flow.rtl.constant.activation import Steps, apply, reaches, signed_range
from hw_flow.rtl.constant.emit import Pipeline, logic_module
from hw_flow.rtl.constant.heap import Effort, compress
from hw_flow.rtl.constant.netlist import Bit, Chain, Netlist, numbers, reduce_table
from hw_flow.rtl.constant.sums import Number, digits
from hw_flow.rtl.unread import read_channels
from tests.hw_flow.rtl.bench import matrix_graph


def _results(logic: Logic, graph: Graph, x: np.ndarray) -> np.ndarray:
    """What the netlist makes of ``x [N, MW]``."""
    source, out = graph.tensors["x"], graph.tensors["y"]
    wire = (x + 1) // 2 if source.dtype == "BIPOLAR" else x
    bits = (wire[:, :, None] >> np.arange(source.width) & 1).reshape(len(x), -1).astype(bool)
    values = logic.netlist.evaluate(bits)
    rows = [logic.outputs[first : first + out.width] for first in range(0, len(logic.outputs), out.width)]
    found = np.stack([numbers(values, row, signed=out.signed) for row in rows], axis=1)
    return 2 * found - 1 if out.dtype == "BIPOLAR" else found


def _check(graph: Graph, seed: int) -> Logic:
    node, source = graph.nodes[0], graph.tensors["x"]
    assert isinstance(node, MVAU)
    logic = build(node, source, graph.tensors["y"])
    low, high = source.limits
    x = np.random.default_rng(seed).integers(low, high, (100, node.mw), endpoint=True)
    x[0], x[1] = low, high
    x = np.where(x > 0, 1, -1) if source.dtype == "BIPOLAR" else x
    assert np.array_equal(_results(logic, graph, x), execute(graph, {"x": x})["y"])
    return logic


@pytest.mark.parametrize("seed", range(4))
def test_random_units(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(4):
        weights = str(rng.choice(["BIPOLAR", "TERNARY", "INT2", "INT3", "INT5", "INT8", "UINT3"]))
        acts = str(rng.choice(["BIPOLAR", "TERNARY", "UINT1", "UINT2", "INT4", "UINT8"]))
        out = [None, "BIPOLAR", "UINT1", "TERNARY", "INT3", "UINT4", "UINT6"][rng.integers(7)]
        graph = matrix_graph(rng, int(rng.integers(1, 6)), int(rng.integers(1, 10)), weights, acts, out, descending=True)
        if weights != "BIPOLAR" and seed % 2:
            matrix = graph.nodes[0].weights  # type: ignore[attr-defined]
            matrix[rng.random(matrix.shape) < 0.7] = 0
        _check(graph, seed)


@pytest.mark.parametrize("starts", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("seed", range(5))
def test_compress(seed: int, starts: float) -> None:
    rng = np.random.default_rng(seed)
    columns = [[Bit(int(signal), bool(rng.integers(2))) for signal in rng.integers(0, 12, rng.integers(0, 15))] for _ in range(5)]
    constant, width = int(rng.integers(0, 200)), int(rng.integers(1, 12))
    netlist = Netlist(12)
    bits = compress(netlist, columns, constant, width, Effort(starts))
    x = rng.integers(0, 2, (64, 12)).astype(bool)
    want = sum(((x[:, bit.signal] ^ bit.inverted).astype(int) << place for place, column in enumerate(columns) for bit in column),
               start=np.full(64, constant))
    assert np.array_equal(numbers(netlist.evaluate(x), bits, signed=False), want % (1 << width))


def test_nine_bits_take_three_tables() -> None:
    netlist = Netlist(9)
    columns = [[Bit(signal) for signal in range(7)], [Bit(7)], [Bit(8)]]
    compress(netlist, columns, 0, 4, Effort())
    assert netlist.luts() == 3
    assert netlist.depth == 1


def test_binary_row_takes_less_than_a_table_for_two_inputs() -> None:
    netlist = Netlist(64)
    compress(netlist, [[Bit(signal) for signal in range(64)]], 0, 7, Effort(0.6))
    assert netlist.luts() <= 42  # full adders would take 57


@pytest.mark.parametrize("factor", [1, -1, 3, 7, -7, 11, 23, 127, -128])
def test_digits(factor: int) -> None:
    found = digits(factor)
    assert sum(sign << place for sign, place in found) == factor
    assert len(found) <= abs(factor).bit_count()


@pytest.mark.parametrize("seed", range(4))
def test_every_way_is_the_matrix(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-(2**seed), 2**seed, (9, 14), endpoint=True)
    matrix[3], matrix[5], matrix[7] = 0, matrix[2], -matrix[1]
    widths = [3] * 14
    graphs = [share.by_rows(matrix), share.by_differences(matrix, widths, depth=1), share.by_differences(matrix, widths, depth=4)]
    for extra in (-1, 0):
        solved = share.by_solver(matrix, [(0, 7)] * 14, extra_depth=extra)
        assert solved is not None
        graphs += [solved, share.merge(solved, widths), share.merge(solved, widths, overhead=1000.0)]
    for graph in graphs:
        assert np.array_equal(graph.matrix(), matrix)
    assert len(graphs[0].sums) == 7  # the zero row and the equal one take none


def test_without_the_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "_solver", lambda: None)
    logic = _check(matrix_graph(np.random.default_rng(3), 6, 12, "INT4", "UINT3", None), 3)
    assert logic.way in ("rows", "differences")


def test_shared_binary_rows_cost_less() -> None:
    rng = np.random.default_rng(0)
    base = rng.choice([-1, 1], 48)
    matrix = np.tile(base, (8, 1))
    for row in range(1, 8):
        matrix[row, rng.choice(48, 5, replace=False)] *= -1
    graph = matrix_graph(rng, 8, 48, "BIPOLAR", "BIPOLAR", None)
    graph.nodes[0].weights[:] = matrix  # type: ignore[attr-defined]
    logic = _check(graph, 0)
    assert logic.way != "rows"
    assert logic.luts < 8 * 20


def test_pruned_weights_cost_in_proportion() -> None:
    luts = []
    for zeros in (0.5, 0.75, 0.9):  # a dense +-1 matrix shares more than a half-empty one
        rng = np.random.default_rng(1)
        graph = matrix_graph(rng, 8, 32, "TERNARY", "UINT2", None)
        matrix = np.random.default_rng(2).choice([-1, 1], (8, 32))
        matrix[np.random.default_rng(3).random((8, 32)) < zeros] = 0
        graph.nodes[0].weights[:] = matrix  # type: ignore[attr-defined]
        luts.append(_check(graph, 1).luts)
    assert luts[1] < 0.65 * luts[0]
    assert luts[2] < 0.3 * luts[0]


def test_one_threshold_is_a_sign() -> None:
    netlist = Netlist(6)
    number = Number(tuple(Bit(signal) for signal in range(6)), signed=True)
    assert apply(netlist, number, Steps((5,), (0, 1), 1)) == [~Bit(5)]
    assert apply(netlist, number, Steps((5,), (1, 0), 1)) == [Bit(5)]
    assert not netlist.ops


@pytest.mark.parametrize("count", [2, 3, 6, 7, 15, 40])
@pytest.mark.parametrize("width", [6, 9])
def test_steps(count: int, width: int) -> None:
    rng = np.random.default_rng(count)
    values = signed_range(width)
    breaks = sorted({int(value) for value in rng.integers(values.min() + 1, values.max(), count)} | {0})
    words = tuple(int(word) for word in rng.permutation(len(breaks) + 1))
    steps = Steps(tuple(breaks), words, 6)
    steps = steps.moved(-steps.centre)
    netlist = Netlist(width)
    bits = apply(netlist, Number(tuple(Bit(signal) for signal in range(width)), signed=True), steps)
    x = (np.arange(1 << width)[:, None] >> np.arange(width) & 1).astype(bool)
    got = numbers(netlist.evaluate(x), bits, signed=False)
    # `apply` takes the centre off the breaks; here it is 0 already.
    assert got.tolist() == [steps.word(int(value)) for value in values]


@pytest.mark.parametrize("at", [-200, -128, -127, -1, 0, 1, 17, 96, 127, 128])
def test_comparison_with_a_constant(at: int) -> None:
    netlist = Netlist(8)
    bit = reaches(netlist, [Bit(signal) for signal in range(8)], at)
    x = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)
    assert np.array_equal(numbers(netlist.evaluate(x), [bit], signed=False), (signed_range(8) >= at).astype(int))


def test_tables_keep_only_what_they_depend_on() -> None:
    table = reduce_table([Bit(5), Bit(3, True), Bit(5), Bit(-1)], 0b1010101010101010)
    assert table.inputs == (5,)
    assert table.truth == 2


@pytest.mark.parametrize(("levels", "stages"), [(1, 4), (2, 2), (3, 2), (9, 1)])
def test_pipeline(levels: int, stages: int) -> None:
    assert Pipeline(levels, 4).stages == stages
    assert Pipeline(levels, 4).stage(4) == stages - 1


def test_the_same_input_gives_the_same_text() -> None:
    graph = matrix_graph(np.random.default_rng(5), 4, 9, "INT3", "UINT2", "UINT2")
    texts = set()
    for _ in range(2):
        sys.modules[build.__module__]._cheapest.cache_clear()
        logic = _check(graph, 5)
        texts.add(logic_module("m", logic.netlist, logic.outputs, logic.pipeline, "test"))
        assert all(isinstance(op, Chain) or len(op.inputs) > 1 for op in logic.netlist.ops)
    assert len(texts) == 1


def test_small_neurons_are_tables() -> None:
    graph = matrix_graph(np.random.default_rng(6), 5, 3, "INT4", "UINT2", "UINT2")
    logic = _check(graph, 6)
    assert logic.luts <= 10  # two output bits of six input bits a row
    assert logic.netlist.depth == 1


def test_the_same_unit_is_built_once() -> None:
    graphs = [matrix_graph(np.random.default_rng(7), 3, 5, "INT3", "INT2", "INT2") for _ in range(2)]
    first, second = (_check(graph, 7) for graph in graphs)
    assert first is second


@pytest.mark.parametrize(("weights", "acts"), [("TERNARY", "UINT2"), ("INT4", "UINT3")])
def test_pruned_weights_save_luts_in_proportion(weights: str, acts: str) -> None:
    graph = matrix_graph(np.random.default_rng(9), 8, 24, weights, acts, None)
    node = graph.nodes[0]
    assert isinstance(node, MVAU)
    order = np.random.default_rng(10).permutation(node.weights.size)
    costs = []
    for pruned in (0.0, 0.5, 0.75, 0.9):
        node.weights.ravel()[order[:int(pruned * order.size)]] = 0
        logic = build(node, graph.tensors["x"], graph.tensors["y"])
        costs.append(logic.luts / np.count_nonzero(node.weights))
    # Fewer sums can be shared (two or three weights a row are left), so a weight costs more: 1.3 times here (ternary), and 1.5
    # (4 bits). Larger matrices lose less, see docs/unrolled.md.
    assert max(costs) <= 1.6 * costs[0]


@pytest.mark.parametrize("seed", range(40))
def test_thresholds_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = str(rng.choice(["BIPOLAR", "TERNARY", "UINT1", "UINT2", "INT4", "UINT8", "INT9"]))
    out = str(rng.choice(["BIPOLAR", "UINT1", "TERNARY", "INT3", "UINT4"]))
    tensors = Tensor("x", (3,), source), Tensor("y", (3,), out)
    (low, high), (least, most) = (tensor.limits for tensor in tensors)
    step = 2 if out == "BIPOLAR" else 1
    steps = np.sort(rng.integers(low - 1, high + 3, (int(rng.choice([1, 3])), (most - least) // step)), axis=1)
    thresholds = Thresholds(steps, rng.integers(0, 2, len(steps)).astype(bool), least, step)
    node = Thresholding(name="T", inputs=("x",), outputs=("y",), thresholds=thresholds)
    read = np.array([True, False, True])
    logic = build(node, *tensors, read=read)
    x = np.arange(low, high + 1).repeat(3).reshape(-1, 3)
    x = x[x[:, 0] != 0] if source == "BIPOLAR" else x
    got, want = _results(logic, Graph("t", (node,), dict(zip("xy", tensors, strict=True)), ("x",), ("y",)), x), thresholds(x)
    assert np.array_equal(got[:, read], want[:, read])
    assert not any(bit.constant for bit in logic.outputs[tensors[1].width:2 * tensors[1].width])


def test_the_highest_bit_is_a_wire() -> None:
    thresholds = Thresholds(np.array([[128]]), np.array([False]), 0)
    node = Thresholding(name="T", inputs=("x",), outputs=("y",), thresholds=thresholds)
    logic = build(node, Tensor("x", (784,), "UINT8"), Tensor("y", (784,), "UINT1"))
    assert (logic.luts, logic.registers, logic.pipeline.stages) == (0, 0, 0)
    assert logic.outputs[:2] == (Bit(7), Bit(15))


def test_what_nothing_reads_is_not_built() -> None:
    rng = np.random.default_rng(11)
    tensors = {"x": Tensor("x", (9,), "UINT8"), "a": Tensor("a", (9,), "UINT1"), "b": Tensor("b", (5,), "UINT1"),
               "y": Tensor("y", (2,), "INT8")}
    first = rng.integers(1, 3, (5, 9))
    first[:, [2, 4]] = 0
    first[:4, 7] = 0
    last = np.array([[1, 0, 0, -1, 0], [2, 0, 1, 0, 0]])
    one, two = Thresholds(np.array([[100]]), np.array([False]), 0), Thresholds(np.array([[3]]), np.array([False]), 0)
    graph = Graph("dead", (
        Thresholding(name="T", inputs=("x",), outputs=("a",), thresholds=one),
        MVAU(name="A", inputs=("a",), outputs=("b",), weights=first, weight_dtype="UINT2", acc_dtype="UINT6", thresholds=two),
        MVAU(name="B", inputs=("b",), outputs=("y",), weights=last, weight_dtype="INT3", acc_dtype="INT8"),
    ), tensors, ("x",), ("y",))
    assert np.flatnonzero(~read_channels(graph, "b")).tolist() == [1, 4]  # no row of B reads them
    assert np.flatnonzero(~read_channels(graph, "x")).tolist() == [2, 4, 7]  # 7 is read by row 4 of A, which is not read
    logics = [unit_logic(node, graph, own) for node, own in zip(graph, (NodeFolding(9), NodeFolding(5, 9), NodeFolding(2, 5)),
                                                                 strict=True)]  # type: ignore[arg-type]
    assert [sum(bit.constant == 0 for bit in logic.outputs) for logic in logics[:2]] == [3, 2]
    assert logics[0].registers == 6


def test_requested_stages() -> None:
    graph = matrix_graph(np.random.default_rng(8), 3, 20, "INT3", "INT3", None)
    node = graph.nodes[0]
    assert isinstance(node, MVAU)
    logics = [build(node, graph.tensors["x"], graph.tensors["y"], stages=stages) for stages in (1, 2, 3)]
    assert [logic.pipeline.stages <= stages for stages, logic in enumerate(logics, 1)] == [True] * 3
    assert logics[0].pipeline.stages == 1
    with pytest.raises(FlowError, match=r"^MVAU_0: constant logic in 0 stages of 2 levels; give at least 1 of each$"):
        build(node, graph.tensors["x"], graph.tensors["y"], stages=0)
