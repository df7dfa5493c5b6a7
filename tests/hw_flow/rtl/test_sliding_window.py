"""The sliding window in Verilator against the golden model: geometries, types, stalls, reset, exact interval."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import SlidingWindow, Tensor
from hw_flow.rtl import choose
from hw_flow.rtl.window import Geometry
from hw_flow.rtl.wrappers import windows
from tests.hw_flow.rtl.spatial_bench import Timed, node_unit, run_units

# Type of the input, of the output, padding value.
TYPES = (("UINT2", "UINT2", 0), ("BIPOLAR", "TERNARY", 0), ("BIPOLAR", "BIPOLAR", -1), ("INT3", "INT3", -2),
         ("UINT2", "INT3", -1))

# shape, SIMD, kernel, number in TYPES, the rest of the node
Case = tuple[tuple[int, int, int], int, tuple[int, int], int, dict[str, Any]]
CASES: dict[str, Case] = {
    "valid": ((6, 5, 4), 2, (3, 3), 0, {}),
    "same": ((5, 6, 4), 2, (3, 3), 1, {"pads": (1, 1, 1, 1)}),
    "same_bits": ((4, 4, 2), 2, (3, 3), 2, {"pads": (1, 1, 1, 1)}),
    "uneven": ((5, 5, 2), 1, (2, 3), 3, {"pads": (0, 2, 1, 0)}),
    "stride": ((7, 6, 2), 2, (3, 3), 0, {"stride": (2, 2), "pads": (1, 1, 0, 0)}),
    "sparse": ((7, 7, 2), 1, (1, 1), 0, {"stride": (3, 2)}),
    "dilated": ((7, 6, 1), 1, (3, 2), 4, {"dilation": (2, 3), "pads": (2, 1, 2, 1)}),
    "line": ((1, 12, 3), 3, (1, 4), 0, {"pads": (0, 2, 0, 1)}),
    "strided_line": ((1, 11, 4), 2, (1, 3), 0, {"stride": (1, 2)}),
    "full": ((4, 3, 2), 2, (3, 3), 1, {"pads": (2, 2, 2, 2)}),
    "frame": ((3, 3, 2), 1, (1, 1), 3, {"pads": (1, 2, 2, 1)}),
    "whole": ((4, 4, 2), 2, (4, 4), 0, {}),
    "single": ((1, 1, 1), 1, (1, 1), 0, {}),
    "depthwise": ((5, 5, 6), 2, (3, 3), 0, {"pads": (1, 1, 1, 1), "depthwise": True}),
    "pool": ((6, 6, 4), 1, (2, 2), 2, {"stride": (2, 2), "depthwise": True}),
    "pool_padded": ((5, 5, 4), 4, (3, 3), 3, {"stride": (2, 2), "pads": (1, 1, 1, 1), "depthwise": True}),
}


def window_unit(name: str, case: Case, folder: Path, parallel: bool = False) -> Timed:
    """The wrapper of a window."""
    shape, simd, kernel, kind, more = case
    source, out, pad = TYPES[kind]
    node = SlidingWindow(name="SlidingWindow_0", inputs=("x",), outputs=("y",), kernel=kernel, pad_value=pad, **more)
    unit = node_unit(name, node, Tensor("x", shape, source), out, NodeFolding(1, simd, parallel_window=parallel), folder)
    return replace(unit, interval=Geometry.of(node, shape, simd).parallel_cycles()) if parallel else unit


def random_case(rng: np.random.Generator, parallel: bool = False) -> Case:
    """Any geometry that fits."""
    while True:
        high, wide, channels = (int(rng.integers(1, limit, endpoint=True)) for limit in (7, 7, 6))
        kernel, stride, dilation = ((int(rng.integers(1, most, endpoint=True)), int(rng.integers(1, most, endpoint=True)))
                                    for most in (4, 3, 2))
        top, left, bottom, right = (int(pad) for pad in rng.integers(0, 2, 4, endpoint=True))
        more = {"stride": stride, "dilation": dilation, "depthwise": bool(rng.random() < 0.4),
                "pads": (0, 0, 0, 0) if rng.random() < 0.25 else (top, left, bottom, right)}
        simd = int(rng.choice([number for number in range(1, channels + 1) if channels % number == 0]))
        if parallel and not more["depthwise"]:
            simd = channels
        case = ((high, wide, channels), simd, kernel, int(rng.integers(len(TYPES))), more)
        if min(Geometry((high, wide), 1, kernel, stride, dilation, more["pads"]).positions) > 0:  # type: ignore[arg-type]
            return case


def run_cases(cases: dict[str, Case], folder: Path, seed: int, parallel: bool = False) -> None:
    """All in one model."""
    units = [window_unit(name, case, folder, parallel) for name, case in cases.items()]
    run_units(units, {name: TYPES[case[3]][0] for name, case in cases.items()}, folder, seed)


def test_geometries(tmp_path: Path) -> None:
    run_cases(CASES, tmp_path, seed=31)


@pytest.mark.parametrize("seed", [41])
def test_random_geometries(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not one beat more than the schedule asks for.
    monkeypatch.setattr(windows, "buffer_depth", lambda words, style: words)
    rng = np.random.default_rng(seed)
    run_cases({f"r{index}": random_case(rng) for index in range(16)}, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(42, 46))
def test_more_random_geometries(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "buffer_depth", lambda words, style: words)
    rng = np.random.default_rng(seed)
    run_cases({f"r{index}": random_case(rng) for index in range(24)}, tmp_path, seed)


PARALLEL: dict[str, Case] = {
    "valid": ((6, 5, 2), 2, (3, 3), 0, {}),
    "same": ((5, 6, 2), 2, (3, 3), 1, {"pads": (1, 1, 1, 1)}),
    "same_bits": ((4, 4, 2), 2, (3, 3), 2, {"pads": (1, 1, 1, 1)}),
    "lines": ((4, 40, 1), 1, (3, 3), 3, {"pads": (1, 1, 1, 1)}),
    "groups": ((5, 5, 6), 2, (3, 3), 0, {"pads": (1, 1, 1, 1), "depthwise": True}),
    "pool": ((6, 6, 4), 2, (2, 2), 2, {"stride": (2, 2), "depthwise": True}),
    "pool_padded": ((7, 7, 2), 1, (3, 3), 3, {"stride": (2, 2), "pads": (1, 1, 0, 0), "depthwise": True}),
    "line": ((1, 12, 2), 2, (1, 4), 0, {"pads": (0, 2, 0, 1)}),
    "dilated": ((7, 6, 1), 1, (3, 2), 4, {"dilation": (2, 3), "pads": (2, 1, 2, 1)}),
    "full": ((4, 3, 2), 2, (3, 3), 1, {"pads": (2, 2, 2, 2)}),
    "one_row": ((1, 3, 2), 2, (3, 3), 0, {"pads": (1, 1, 1, 1)}),
    "one_place": ((1, 1, 2), 2, (3, 3), 3, {"pads": (1, 1, 1, 1)}),
    "narrow": ((5, 2, 2), 2, (3, 3), 1, {"pads": (1, 1, 1, 1)}),
    "outside": ((5, 1, 1), 1, (1, 2), 3, {"dilation": (1, 2), "pads": (0, 1, 0, 1)}),
    # A causal convolution that reaches back beyond twice the sequence: some taps lie outside at every position.
    "causal": ((1, 3, 2), 2, (1, 7), 3, {"pads": (0, 6, 0, 0)}),
    "causal_rows": ((3, 1, 2), 2, (5, 1), 3, {"dilation": (2, 1), "pads": (8, 0, 0, 0)}),
}


def test_parallel_geometries(tmp_path: Path) -> None:
    run_cases(PARALLEL, tmp_path, seed=51, parallel=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(52, 56))
def test_random_parallel_geometries(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    run_cases({f"r{index}": random_case(rng, parallel=True) for index in range(24)}, tmp_path, seed, parallel=True)


def test_a_parallel_window_takes_no_cycle_for_common_padding() -> None:
    for pad, stride, cycles in ((1, 1, 56 * 56), (1, 2, 56 * 56), (2, 1, 58 * 58)):
        assert Geometry((56, 56), 1, (3, 3), (stride, stride), pads=(pad, pad, pad, pad)).parallel_cycles() == cycles
    # Strided windows outside the map: the padding passes as beats.
    assert Geometry((4, 2), 1, (4, 1), (1, 2), pads=(2, 2, 2, 0)).parallel_cycles() == 20


def test_places_show_the_golden_window() -> None:
    """The beats' places and the golden model agree, for a window with everything."""
    shape = (6, 7, 4)
    node = SlidingWindow(name="w", inputs=("x",), outputs=("y",), kernel=(3, 2), stride=(2, 1), dilation=(1, 3),
                         pads=(2, 1, 1, 2), pad_value=-7)
    frame = np.arange(np.prod(shape)).reshape(1, *shape)
    place, real = Geometry.of(node, shape, 2).places()
    beats = np.where(real[:, None], frame.reshape(-1, 2)[np.where(real, place, 0)], -7)
    assert np.array_equal(beats.reshape(-1), node.golden(frame).reshape(-1))


def test_a_buffer_holds_what_windows_need_and_no_frame() -> None:
    assert Geometry((30, 30), 2, (3, 3), pads=(1, 1, 1, 1)).depth() <= (2 * 30 + 3) * 2 + 2
    # Without padding the next frame's first rows come in during the last windows of this one.
    assert Geometry((30, 30), 2, (3, 3)).depth() <= (4 * 30) * 2
    assert Geometry((28, 28), 32, (2, 2), (2, 2), depthwise=True).depth() <= 2.2 * 28 * 32


def test_a_depth_is_a_power_of_two_where_that_is_free() -> None:
    assert choose.buffer_depth(40, "distributed") == 64
    assert choose.buffer_depth(70, "distributed") == 70
    assert choose.buffer_depth(300, "block") == 512
    assert choose.buffer_depth(600, "block") == 1024
    assert choose.buffer_depth(1030, "block") == 1030


def test_padding_that_bits_cannot_show_is_refused(tmp_path: Path) -> None:
    node = SlidingWindow(name="SlidingWindow_0", inputs=("x",), outputs=("y",), kernel=(1, 1), pads=(1, 1, 1, 1), pad_value=2)
    with pytest.raises(FlowError) as caught:
        node_unit("w", node, Tensor("x", (2, 2, 1), "BIPOLAR"), "INT3", NodeFolding(1, 1), tmp_path)
    assert str(caught.value) == ("SlidingWindow_0: pads BIPOLAR data with 2 to INT3; pad it with -1 or 1, or with 0 to TERNARY")
