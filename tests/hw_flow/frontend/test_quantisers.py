"""Quantisers against QONNX's own functions, and rounding against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from qonnx.custom_op.general.intquant import int_quant, resolve_rounding_mode
from qonnx.custom_op.general.multithreshold import multithreshold

from hw_flow.frontend.multithreshold import MultiThreshold
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.quantisers import BipolarQuant, IntQuant, Quantiser
from hw_flow.frontend.rounding import ROUNDING, round_array, round_exact

MODES = [mode for mode in ROUNDING if mode not in ("TRUNC", "ROUND_TO_ZERO")]
GRID = np.arange(-48, 49) / 8.0


def _int_quant(bits: int, signed: bool, narrow: bool, mode: str, scale: float, zero: float) -> IntQuant:
    low = -(1 << (bits - 1)) + narrow if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - narrow
    dtype = "BIPOLAR" if signed and bits == 1 else f"INT{bits}"
    low, high = (-1, 1) if dtype == "BIPOLAR" else (low, high)
    return IntQuant(node="q", low=low, high=high, dtype=dtype, scale=Const.of(scale), offset=Const.of(-scale * zero),
                    zero=Const.of(zero), rounding=ROUNDING[mode])


@pytest.mark.parametrize("mode", MODES)
def test_rounding_is_qonnx_rounding(mode: str) -> None:
    x = np.concatenate([GRID, GRID + 1e-9, GRID - 1e-9])
    want = resolve_rounding_mode(mode)(x)
    assert np.array_equal(round_array(x, ROUNDING[mode]), want)
    assert [round_exact(Fraction(value), ROUNDING[mode]) for value in x.tolist()] == want.astype(int).tolist()


def test_half_up_does_not_round_twice() -> None:
    below_half = np.nextafter(0.5, 0)
    assert round_array(np.array([below_half]), "HALF_UP")[0] == 0
    assert round_exact(Fraction(float(below_half)), "HALF_UP") == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize(("bits", "scale", "zero"), [(1, 0.5, 0.0), (2, 0.25, 0.0), (3, 0.5, 1.0), (4, -0.5, 0.0)])
def test_int_quant(mode: str, signed: bool, narrow: bool, bits: int, scale: float, zero: float) -> None:
    quantiser = _int_quant(bits, signed, narrow, mode, scale, zero)
    x = GRID.astype(np.float32)
    want = int_quant(x, np.float32(scale), np.float32(zero), np.float32(bits), signed, narrow, mode)
    level, doubt = quantiser.level(GRID[None], np.zeros((1, GRID.size)))
    assert not doubt.any()
    assert np.array_equal(quantiser.dequantise(level)[0], want)
    _all_ways_agree(quantiser, GRID, level[0])


def _all_ways_agree(quantiser: Quantiser, x: np.ndarray, level: np.ndarray) -> None:
    assert [quantiser.level_exact(Fraction(float(value)), 0) for value in x] == level.tolist()
    low, high = quantiser.levels32(x[None], x[None])
    assert low.tolist() == high.tolist() == [level.tolist()]


def test_bipolar() -> None:
    quantiser = BipolarQuant(node="q", low=-1, high=1, dtype="BIPOLAR", scale=Const.of(0.5), offset=Const.of(0.0))
    x = np.array([-1.0, -1e-30, -0.0, 0.0, 1e-30])
    level, _ = quantiser.level(x[None], np.zeros((1, 5)))
    assert level.tolist() == [[-1, -1, 1, 1, 1]]
    _all_ways_agree(quantiser, x, level[0])
    assert quantiser.dequantise(level).tolist() == [[-0.5, -0.5, 0.5, 0.5, 0.5]]


@pytest.mark.parametrize(("out_scale", "out_bias"), [(1.0, 0.0), (1.0, -2.0), (0.5, -1.0), (-1.0, 3.0)])
def test_multi_threshold(out_scale: float, out_bias: float) -> None:
    steps = np.array([[-2.0, 0.0, 0.0, 1.5]])
    quantiser = MultiThreshold(node="q", low=0, high=4, dtype="UINT3", scale=Const.of(out_scale), offset=Const.of(out_bias),
                               steps=steps, first=0, stride=1, out_scale=out_scale, out_bias=out_bias)
    level, _ = quantiser.level(GRID[None], np.zeros((1, GRID.size)))
    want = multithreshold(GRID.astype(np.float32)[:, None], steps.astype(np.float32), out_scale, out_bias)
    assert np.array_equal(quantiser.dequantise(level)[0], want[:, 0])
    _all_ways_agree(quantiser, GRID, level[0])


@pytest.mark.parametrize("mode", MODES)
def test_doubt_covers_every_boundary(mode: str) -> None:
    """Wherever the level changes within the error, doubt must be raised."""
    quantiser = _int_quant(3, True, False, mode, 1.0, 0.0)
    x = np.linspace(-6, 6, 2401)
    error = np.full_like(x, 0.004)
    level, doubt = quantiser.level(x[None], error[None])
    for shift in (-0.004, 0.004):
        moved, _ = quantiser.level(x[None] + shift, np.zeros((1, x.size)))
        assert doubt[moved != level].all()
    assert doubt.mean() < 0.05
