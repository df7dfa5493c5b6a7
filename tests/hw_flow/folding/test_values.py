"""Legal values and cycles of a folding."""

import re

import pytest

from hw_flow import folding
from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from tests.hw_flow.graphs import mlp


@pytest.mark.parametrize(("name", "wrong", "text"), [
    ("MVAU_0", NodeFolding(5, 8), "MVAU_0: PE 5 does not divide MH 64; legal values: 1, 2, 4, 8, 16, 32, 64"),
    ("MVAU_0", NodeFolding(4, 9), "MVAU_0: SIMD 9 does not divide MW 48; legal values: 1, 2, 3, 4, 6, 8, 12, 16, 24, 48"),
    ("MVAU_0", NodeFolding(0, 8), "MVAU_0: PE 0 does not divide MH 64; legal values: 1, 2, 4, 8, 16, 32, 64"),
    ("LabelSelect_0", NodeFolding(3), "LabelSelect_0: PE 3 does not divide channels 10; legal values: 1, 2, 5, 10"),
    ("LabelSelect_0", NodeFolding(2, 2), "LabelSelect_0: SIMD 2 on a LabelSelect, which has none; give its PE only"),
])
def test_illegal_values_are_refused_with_the_legal_ones(name, wrong, text):
    graph = mlp([48, 64, 10])
    plan = {**folding.for_cycles(graph, 64), name: wrong}
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        folding.check(graph, plan)


def test_missing_and_unknown_nodes():
    graph = mlp([48, 64, 10])
    plan = dict(folding.for_cycles(graph, 64))
    del plan["MVAU_1"]
    with pytest.raises(FlowError, match=r"^MVAU_1: no folding; give its PE and SIMD, or a target of cycles$"):
        folding.check(graph, plan)
    text = "MVAU_7: folding for a node that graph 'mlp' lacks; its nodes: MVAU_0, MVAU_1, LabelSelect_0"
    with pytest.raises(FlowError, match=f"^{re.escape(text)}$"):
        folding.check(graph, {**plan, "MVAU_7": NodeFolding(1)})


def test_cycles():
    graph = mlp([48, 64, 10], inputs="UINT8")
    cycles = {
        name: folding.node_cycles(graph.node(name), own, graph)
        for name, own in (("MVAU_0", NodeFolding(16, 12)), ("Thresholding_0", NodeFolding(6)), ("LabelSelect_0", NodeFolding(2)))
    }
    assert cycles == {"MVAU_0": 16, "Thresholding_0": 8, "LabelSelect_0": 5}
    assert folding.divisors(36) == [1, 2, 3, 4, 6, 9, 12, 18, 36]
