"""Depthwise units and pools in Verilator against the golden model: types, foldings, stalls, reset, exact interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hw_flow.folding import NodeFolding
from hw_flow.ir import VVAU, GlobalPool, Pool, Tensor
from tests.hw_flow.rtl.bench import random_matrix, random_thresholds
from tests.hw_flow.rtl.spatial_bench import Timed, node_unit, run_units

IO: dict[str, Any] = {"inputs": ("x",), "outputs": ("y",)}

# channels, taps, PE, SIMD, weights, activations, output or None for sums, descending thresholds
UNITS: dict[str, tuple[int, int, int, int, str, str, str | None, bool]] = {
    "serial": (6, 9, 2, 1, "INT4", "UINT4", None, False),
    "whole": (6, 9, 2, 9, "INT4", "UINT4", None, False),
    "levels": (4, 4, 2, 1, "INT2", "UINT2", "UINT2", True),
    "levels_whole": (4, 4, 1, 4, "TERNARY", "INT2", "INT4", True),
    "bits": (3, 9, 3, 9, "BIPOLAR", "BIPOLAR", "BIPOLAR", True),
    "bits_serial": (4, 4, 2, 1, "BIPOLAR", "BIPOLAR", None, False),
    "padded_bits": (2, 9, 1, 1, "BIPOLAR", "TERNARY", "UINT2", False),
    "point": (4, 1, 2, 1, "INT3", "INT3", "INT3", False),
    "dsp": (4, 3, 2, 1, "INT8", "UINT8", None, False),
}
# channels, taps, PE, SIMD, kind, input, output
POOLS: dict[str, tuple[int, int, int, int, str, str, str]] = {
    "max": (4, 4, 2, 1, "max", "UINT3", "UINT3"),
    "max_whole": (4, 9, 2, 9, "max", "INT3", "INT3"),
    "max_bits": (4, 4, 4, 1, "max", "BIPOLAR", "BIPOLAR"),
    "max_bits_whole": (4, 4, 1, 4, "max", "BIPOLAR", "BIPOLAR"),
    "max_ternary": (2, 2, 2, 1, "max", "TERNARY", "TERNARY"),
    "sum": (6, 9, 3, 1, "sum", "INT4", "INT8"),
    "sum_whole": (6, 5, 1, 5, "sum", "UINT4", "UINT7"),
    "sum_bits": (2, 9, 1, 1, "sum", "BIPOLAR", "INT5"),
    "sum_bits_whole": (2, 4, 2, 4, "sum", "BIPOLAR", "INT4"),
    "one_tap": (4, 1, 2, 1, "max", "UINT2", "UINT2"),
}
# shape, PE, kind, input, output
GLOBAL: dict[str, tuple[tuple[int, ...], int, str, str, str]] = {
    "all_sum": ((3, 3, 6), 2, "sum", "UINT4", "UINT8"),
    "all_signed": ((2, 5, 4), 4, "sum", "INT3", "INT7"),
    "all_max": ((3, 2, 4), 2, "max", "INT4", "INT4"),
    "all_bits": ((2, 2, 3), 1, "sum", "BIPOLAR", "INT4"),
    "any_bits": ((1, 7, 2), 1, "max", "BIPOLAR", "BIPOLAR"),
    "one_place": ((1, 1, 4), 2, "sum", "UINT3", "UINT3"),
}


def _vvau(name: str, rng: np.random.Generator, folder: Path, cut: bool) -> Timed:
    channels, taps, pe, simd, weights, acts, out, descending = UNITS[name]
    source = Tensor("x", (2, 3, taps * channels), acts)
    matrix = random_matrix(rng, weights, channels, taps)
    bound = int(np.abs(matrix).sum(axis=1).max()) * max(map(abs, source.limits))
    acc = f"INT{bound.bit_length() + 1}"
    activation = random_thresholds(rng, channels, max(2, int(bound**0.7)), out, descending) if out else None
    node = VVAU(name="VVAU_0", **IO, weights=matrix, weight_dtype=weights, acc_dtype=acc, thresholds=activation)
    return node_unit(name, node, source, out or acc, NodeFolding(pe, simd), folder, cut)


def _pool(name: str, folder: Path, cut: bool) -> Timed:
    channels, taps, pe, simd, kind, source, out = POOLS[name]
    node = Pool(name="Pool_0", **IO, kind=kind, taps=taps)  # type: ignore[arg-type]
    return node_unit(name, node, Tensor("x", (2, 2, taps * channels), source), out, NodeFolding(pe, simd), folder, cut)


def _global(name: str, folder: Path, cut: bool) -> Timed:
    shape, pe, kind, source, out = GLOBAL[name]
    node = GlobalPool(name="GlobalPool_0", **IO, kind=kind)  # type: ignore[arg-type]
    return node_unit(name, node, Tensor("x", shape, source), out, NodeFolding(pe), folder, cut)


def test_depthwise_units(tmp_path: Path) -> None:
    rng = np.random.default_rng(21)
    units = [_vvau(name, rng, tmp_path, cut=index % 2 == 0) for index, name in enumerate(UNITS)]
    run_units(units, {name: case[5] for name, case in UNITS.items()}, tmp_path, seed=21)


def test_pools(tmp_path: Path) -> None:
    units = [_pool(name, tmp_path, cut=index % 2 == 0) for index, name in enumerate(POOLS)]
    units += [_global(name, tmp_path, cut=index % 2 == 0) for index, name in enumerate(GLOBAL)]
    types = {name: case[5] for name, case in POOLS.items()} | {name: case[3] for name, case in GLOBAL.items()}
    run_units(units, types, tmp_path, seed=22)
