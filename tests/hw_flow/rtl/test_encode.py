"""Words of weights and thresholds, and where they live."""

from __future__ import annotations

import numpy as np
import pytest

from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph, Tensor, Thresholds, execute
from hw_flow.rtl import choose, encode, memory
from hw_flow.rtl.names import Namer, identifier


def _reached(table: encode.Table, word: int, x: int) -> int:
    """What bw_threshold_compare computes."""
    threshold = word & ((1 << table.threshold_width) - 1)
    if threshold >> (table.threshold_width - 1):
        threshold -= 1 << table.threshold_width
    return int(x >= threshold) ^ (word >> table.threshold_width)


def _count(table: encode.Table, x: int, fold: int, lane: int) -> int:
    """What bw_threshold_flat and bw_threshold_search compute."""
    fold %= table.folds
    if table.flat:
        return table.base + sum(_reached(table, int(words[lane, fold]), x) for words in table.words)
    count = 0
    for stage, words in enumerate(table.words):
        count = count * 2 + _reached(table, int(words[lane, (fold << stage) + count]), x)
    return table.base + count


def _graph(rng: np.random.Generator, descending: np.ndarray, out: str) -> tuple[MVAU, Graph]:
    low, high = Tensor("", (1,), out).limits
    step = 2 if out == "BIPOLAR" else 1
    values = np.sort(rng.integers(-40, 40, (6, (high - low) // step)), axis=1)
    node = MVAU(name="M", inputs=("x",), outputs=("y",), weights=rng.integers(-2, 2, (6, 5)), weight_dtype="INT2",
                acc_dtype="INT8", thresholds=Thresholds(values, descending, low, step))
    return node, Graph("g", (node,), {"x": Tensor("x", (5,), "INT3"), "y": Tensor("y", (6,), out)}, ("x",), ("y",))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("out", ["BIPOLAR", "TERNARY", "UINT2", "INT4"])
def test_tables_equal_thresholds(out: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    node, graph = _graph(rng, rng.random(6) < 0.5, out)
    straight = encode.straighten(node)
    table = encode.table_of_mvau(straight, graph, 2)
    assert table is not None
    x = rng.integers(-4, 4, (50, 5))
    want = execute(graph, {"x": x})["y"]
    sums = x @ straight.weights.T
    got = np.array([[_count(table, int(row[c]), c // 2, c % 2) for c in range(6)] for row in sums])
    assert np.array_equal(2 * got - 1 if out == "BIPOLAR" else got, want)


def test_rows_are_negated_where_the_type_allows() -> None:
    rng = np.random.default_rng(0)
    node, _ = _graph(rng, np.ones(6, dtype=bool), "UINT2")
    straight = encode.straighten(node)
    assert straight.thresholds is not None
    representable = (node.weights > -2).all(axis=1)
    assert np.array_equal(straight.thresholds.descending, ~representable)
    assert np.array_equal(straight.weights[representable], -node.weights[representable])


def test_equal_thresholds_are_stored_once() -> None:
    node, graph = _graph(np.random.default_rng(0), np.zeros(6, dtype=bool), "UINT2")
    same = MVAU(name="M", inputs=("x",), outputs=("y",), weights=np.ones((6, 5), dtype=np.int64), weight_dtype="INT2",
                acc_dtype="INT8", thresholds=Thresholds(np.array([[1, 2, 3]]), np.array([False]), 0))
    table, other = encode.table_of_mvau(same, graph, 2), encode.table_of_mvau(node, graph, 2)
    assert table is not None
    assert other is not None
    assert (table.folds, other.folds) == (1, 3)


def test_words_hold_lane_zero_lowest() -> None:
    assert memory.pack_words(np.array([[1, -1, 2]]), 4) == [0x2F1]
    node, _ = _graph(np.random.default_rng(0), np.zeros(6, dtype=bool), "UINT2")
    words = encode.weight_words(node, 3, 5)
    assert np.array_equal(words[1].reshape(3, 5), node.weights[3:])


def test_memory_rule() -> None:
    assert choose.weight_style(NodeFolding(1, 1, "distributed"), 1024, 8) == "distributed"
    assert choose.weight_style(NodeFolding(1, 1), 64, 784) == "distributed"
    assert choose.weight_style(NodeFolding(1, 1), 1024, 64) == "block"
    assert choose.weight_style(NodeFolding(1, 1), 1, 4096) == "distributed"
    assert choose.memory_style(1024, 8) == choose.memory_style(16384, 1) == "block"  # one block RAM, not two or 32
    assert [choose.fifo_style(depth, 32) for depth in (2, 64, 128, 256, 4096)] == ["distributed"] * 3 + ["block"] * 2


def test_very_wide_literals_are_split() -> None:
    text = memory.literal(1 << 70000, 70001)
    assert text.startswith("{4465'h")
    assert text.count("32768'h") == 2


def test_identifiers() -> None:
    names = ("MVAU_0", "2nd/layer.fc", "logic", "", "ü")
    assert [identifier(name) for name in names] == ["mvau_0", "n2nd_layer_fc", "logic_", "x", "x"]
    namer = Namer({"bw_mvau"})
    assert [namer("bw_mvau"), namer("a.b"), namer("a_b"), namer("A-B")] == ["bw_mvau_2", "a_b", "a_b_2", "a_b_3"]
