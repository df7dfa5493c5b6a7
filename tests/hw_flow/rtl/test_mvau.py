"""The matrix unit in Verilator against the golden model: types, foldings, stalls, reset, exact interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hw_flow.folding import NodeFolding
from hw_flow.rtl.latency import pack_lanes
from tests.hw_flow.rtl.bench import bundle, check_all, graph_unit, matrix_graph

FRAMES = 24

# name: (MH, MW, PE, SIMD, weights, activations, output or None for sums, more)
Case = tuple[int, int, int, int, str, str, str | None, dict[str, object]]
CASES: dict[str, Case] = {
    "xnor": (8, 36, 2, 9, "BIPOLAR", "BIPOLAR", None, {}),
    "xnor_act": (8, 36, 4, 12, "BIPOLAR", "BIPOLAR", "BIPOLAR", {"descending": True}),
    "full": (4, 6, 4, 6, "INT2", "UINT2", "UINT2", {}),
    "one_fold": (4, 6, 2, 6, "TERNARY", "UINT2", "TERNARY", {"descending": True}),
    "one_row": (3, 12, 3, 4, "TERNARY", "INT2", None, {}),
    "vectors": (6, 8, 3, 2, "INT4", "UINT4", "UINT4", {"vectors": 3}),
    "flip": (6, 10, 2, 5, "INT3", "INT3", "INT3", {"descending": True}),
    "wide": (4, 8, 2, 4, "INT8", "INT8", None, {}),
    "serial": (3, 5, 1, 1, "BIPOLAR", "UINT8", "UINT1", {}),
}
MORE: dict[str, Case] = {
    "odd": (15, 21, 5, 7, "INT5", "TERNARY", "INT2", {"descending": True}),
    "wide_act": (4, 8, 1, 2, "INT8", "UINT8", "UINT8", {}),
    "deep": (40, 8, 2, 4, "INT6", "UINT5", "INT5", {"descending": True}),
    "block": (16, 64, 4, 8, "INT2", "INT4", None, {"ram_style": "block"}),
    "dsp": (6, 8, 2, 4, "INT7", "UINT6", None, {"res_type": "dsp"}),
    "plain": (6, 8, 2, 4, "UINT2", "UINT3", "UINT3", {}),
    "tall": (49, 98, 7, 49, "BIPOLAR", "BIPOLAR", "BIPOLAR", {"descending": True}),
    "single": (1, 1, 1, 1, "INT3", "INT4", "BIPOLAR", {}),
}

# Rows that share multipliers: two, three, and some left over; chains of four, two and none.
PACKED: dict[str, Case] = {
    "pairs": (4, 12, 4, 6, "INT6", "UINT6", None, {"res_type": "dsp"}),
    "triples": (8, 10, 4, 5, "INT4", "UINT4", None, {"res_type": "dsp"}),
    "signed": (6, 6, 3, 6, "INT5", "INT5", "INT3", {"res_type": "dsp", "descending": True}),
    "narrow": (4, 10, 2, 5, "INT8", "UINT8", None, {"res_type": "dsp", "narrow": True}),
    "apart": (4, 8, 2, 4, "INT8", "UINT8", None, {"res_type": "dsp"}),
    "bits": (4, 9, 2, 9, "INT8", "BIPOLAR", None, {"res_type": "dsp"}),
}


def _run(cases: dict[str, Case], folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    units, types = [], {}
    for name, (mh, mw, pe, simd, weights, acts, out, more) in cases.items():
        options = dict(more)
        folding = NodeFolding(pe, simd, options.pop("ram_style", "auto"), options.pop("res_type", "auto"))  # type: ignore[arg-type]
        graph = matrix_graph(rng, mh, mw, weights, acts, out, **options)  # type: ignore[arg-type]
        units.append(graph_unit(name, graph, {"MVAU_0": folding}, folder))
        types[name] = acts
    result = check_all(bundle(units, folder), units, types, seed, FRAMES)
    for unit in units:
        mh, mw, pe, simd, *_, more = cases[unit.name]
        vectors = FRAMES * int(more.get("vectors", 1))  # type: ignore[call-overload]
        # The source always has a beat, so it waits exactly while vectors are replayed: no bubble anywhere.
        assert result.streams[unit.ports[0].name].stalls == (vectors - 1) * (mw // simd) * (mh // pe - 1), unit.name


def test_types_and_foldings(tmp_path: Path) -> None:
    _run(CASES, tmp_path, seed=11)


def test_rows_that_share_multipliers(tmp_path: Path) -> None:
    _run(PACKED, tmp_path, seed=13)


@pytest.mark.slow
def test_more_types_and_foldings(tmp_path: Path) -> None:
    _run(MORE, tmp_path, seed=12)


def test_lanes_that_share_a_multiplier() -> None:
    """As many rows as leave room for two products at least between the lanes."""
    def lanes(act: int, weight: int, kind: str = "Unsigned", narrow: bool = False) -> int:
        return pack_lanes(act_width=act, act_kind=kind, weight_width=weight, weight_kind="Signed", narrow=narrow)

    assert [lanes(bits, bits) for bits in range(3, 9)] == [3, 3, 2, 2, 2, 1]
    assert lanes(8, 8, narrow=True) == 2
    assert lanes(8, 8, "Signed") == 1
