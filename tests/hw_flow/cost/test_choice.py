"""The rule that makes constant logic of a matrix, against Yosys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw_flow import synth
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU
from hw_flow.rtl import emit
from hw_flow.rtl.choose import constant_logic
from tests.hw_flow.rtl.bench import matrix_graph

MATRICES = {"binary": (6, 12, "BIPOLAR", "BIPOLAR", "BIPOLAR"), "ternary": (6, 8, "TERNARY", "UINT2", "UINT2"),
            "int4": (3, 6, "INT4", "UINT4", None), "tiny": (2, 2, "INT2", "UINT2", "UINT2")}


@pytest.mark.slow
@pytest.mark.parametrize("name", MATRICES)
def test_the_rule_takes_what_yosys_makes_smaller(name, tmp_path):
    graph = matrix_graph(np.random.default_rng(7), *MATRICES[name])
    node = graph.nodes[0]
    assert isinstance(node, MVAU)
    own = NodeFolding(node.mh, node.mw)
    found = {}
    for style in ("constant", "memory"):
        design = emit(graph, {node.name: replace(own, style=style)}, {}, tmp_path / style, name)
        total = synth.synthesise(design).by_kind()["mvau"]
        found[style] = total.luts
    assert constant_logic(node, own, graph) == (found["constant"] < found["memory"])


def test_a_wish_wins():
    graph = matrix_graph(np.random.default_rng(7), 6, 8, "TERNARY", "UINT2", "UINT2")
    node = graph.nodes[0]
    assert isinstance(node, MVAU)
    assert constant_logic(node, NodeFolding(6, 8), graph)
    assert not constant_logic(node, NodeFolding(6, 8, style="memory"), graph)
    assert not constant_logic(node, NodeFolding(6, 8, res_type="dsp"), graph)
    assert not constant_logic(node, NodeFolding(3, 8), graph)
    node.weights[:] = 0
    assert constant_logic(node, NodeFolding(6, 8), graph)
