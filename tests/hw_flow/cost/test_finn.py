from __future__ import annotations

import numpy as np

from hw_flow.cost import FinnMvau, of_node
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph, Tensor, Thresholds


def test_figure_pinned_by_finns_own_test() -> None:
    """FINN, tests/fpgadataflow test of res_estimate: 4x4 INT2 unit at PE = SIMD = 1 is 317 LUTs."""
    unit = FinnMvau(mw=4, mh=4, pe=1, simd=1, weight_bits=2, act_bits=2, mem_mode="internal_embedded")
    assert (unit.luts, unit.dsps) == (317, 0)


def test_figures_of_finn_plus_benchmarks() -> None:
    """FINN+ CI: 64x64 units at PE = SIMD = 1 with INT4 in and out: 778 LUTs with INT4 weights, 654 with INT2."""
    common = {"mw": 64, "mh": 64, "pe": 1, "simd": 1, "act_bits": 4, "out_bits": 4}
    int4 = FinnMvau(**common, weight_bits=4, acc_bits=13, thresholds=True, mem_mode="internal_embedded")  # type: ignore[arg-type]  # ints by name
    int2 = FinnMvau(**common, weight_bits=2, acc_bits=10, thresholds=True, mem_mode="internal_embedded")  # type: ignore[arg-type]  # ints by name
    assert (int4.luts, int2.luts) == (778, 654)


def test_dsp_and_weights_in_luts() -> None:
    unit = FinnMvau(mw=64, mh=64, pe=4, simd=16, weight_bits=8, act_bits=8, dsp=True, ram_style="distributed")
    # 300 + 1.1 * 4 * (16 * 31 tree bits + 22 accumulator bits) + 64 * 8 weights
    assert unit.luts == int(300 + 1.1 * 4 * (16 * 31 + 22) + 512)
    assert unit.dsps == 64


def test_unit_of_a_node() -> None:
    thresholds = Thresholds(np.zeros((8, 3), dtype=np.int64), np.zeros(8, dtype=bool), base=0)
    node = MVAU(name="MVAU_0", inputs=("x",), outputs=("y",), weights=np.ones((8, 16), dtype=np.int64), weight_dtype="INT4",
                acc_dtype="INT9", thresholds=thresholds)
    graph = Graph("g", (node,), {"x": Tensor("x", (16,), "UINT2"), "y": Tensor("y", (8,), "UINT2")}, ("x",), ("y",))
    assert of_node(node, NodeFolding(2, 4), graph) == FinnMvau(
        mw=16, mh=8, pe=2, simd=4, weight_bits=4, act_bits=2, out_bits=2, act_signed=False, acc_bits=9, thresholds=True)
