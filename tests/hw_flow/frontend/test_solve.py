"""Regions as thresholds, tables and multiply-shift: every input of the range against rational arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import helper

from hw_flow.errors import FlowError
from hw_flow.frontend.activation import Difference, Solution, Table, solve_region
from hw_flow.frontend.branches import combine
from hw_flow.frontend.curves import Exp, Sigmoid, Tanh
from hw_flow.frontend.nonlinear import Absolute, Clip, LeakyRelu, Power
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, Mul, Op
from hw_flow.frontend.quantise import quantiser
from hw_flow.frontend.quantisers import Quantiser
from hw_flow.frontend.requantise import Line, line_through
from hw_flow.frontend.rounding import ROUNDING
from hw_flow.frontend.segments import steps_of
from hw_flow.frontend.site import Site
from hw_flow.frontend.thresholds import LevelFunction
from hw_flow.ir import Lookup, Requantise, Thresholding
from hw_flow.ir.thresholds import Thresholds

RELU = LeakyRelu(node="relu", slope=Const.of(0.0))


def quant(scale: float | Sequence[float], bits: int, *, zero: float | Sequence[float] = 0.0, **attributes: object) -> Quantiser:
    """A Quant node as the front end reads it."""
    static = {"s": np.float32(scale), "z": np.float32(zero), "b": np.float32(bits)}
    node = helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], name="q", **attributes)
    size = max(np.size(scale), np.size(zero))
    return quantiser(Site(node, static, (size,), (size,)))


def scale_by(*factors: float) -> Mul:
    return Mul(node="m", by=Const.of(np.float32(factors).astype(np.float64)))


def shift_by(*numbers: float) -> Add:
    return Add(node="a", by=Const.of(np.float32(numbers).astype(np.float64)))


def silu() -> tuple[Op, ...]:
    return combine("silu", "Mul", (), (Sigmoid(node="s"),))


def check(ops: Sequence[Op], last: Quantiser, low: Sequence[int], high: Sequence[int]) -> Solution:
    """Solve, then compare at every input (or 20,000 of them) with the exact function."""
    function = LevelFunction(tuple(ops), last)
    first, end = np.array(low, dtype=np.int64), np.array(high, dtype=np.int64)
    solution = solve_region(function, first, end, "acc")
    span = int((end - first).max()) + 1
    offsets = np.arange(span) if span <= 20_000 else np.random.default_rng(1).integers(0, span, 20_000)
    x = np.minimum(first + offsets[:, None], end)
    assert np.array_equal(solution.function(x), function(x))
    parts = (solution.function.up(x), solution.function.down(x)) if isinstance(solution.function, Difference) else (x,)
    node = solution.node("n", ("x",), ("y",))
    assert type(node).__name__ == solution.kind
    assert np.array_equal(node.golden(*parts), function(x))
    return solution


def test_few_levels_are_thresholds() -> None:
    solution = check((scale_by(0.01), RELU), quant(0.25, 4, signed=0), [-300], [300])
    assert solution.thresholds is not None
    assert solution.dtype == "UINT4"
    assert isinstance(solution.node("n", ("x",), ("y",)), Thresholding)


@pytest.mark.parametrize("mode", sorted(ROUNDING))
@pytest.mark.parametrize("signed", [0, 1])
def test_eight_bits_are_multiply_and_shift(mode: str, signed: int) -> None:
    rng = np.random.default_rng(len(mode) + signed)
    gains, biases = rng.uniform(0.001, 0.02, 6), rng.normal(size=6)
    last = quant(0.05, 8, signed=signed, rounding_mode=mode)
    solution = check((scale_by(*gains), shift_by(*biases)), last, [-9000] * 6, [8000] * 6)
    if signed and ROUNDING[mode] in ("UP", "DOWN"):  # the two sides of 0 are no line
        assert solution.thresholds is not None
        return
    assert isinstance(solution.function, Line)
    assert isinstance(solution.node("n", ("x",), ("y",)), Requantise)
    assert solution.function.shift <= 24


def test_falling_and_constant_channels() -> None:
    ops = (scale_by(0.01, -0.02, 0.0, 1e-9), shift_by(0.3, -0.7, 1.6, -9.0), RELU)
    solution = check(ops, quant(0.05, 8, signed=0), [-3000, -2000, -500, -9], [2500, 4000, 500, 9])
    assert isinstance(solution.function, Line)
    assert np.sign(solution.function.multiplier).tolist() == [1, -1, 0, 0]


def test_zero_point_per_channel() -> None:
    check((scale_by(0.01, 0.02),), quant([0.05, 0.1], 8, zero=[3.0, -2.5]), [-900, -900], [900, 900])


def test_two_slopes_need_thresholds() -> None:
    leaky = LeakyRelu(node="leaky", slope=Const.of(0.3))
    solution = check((scale_by(0.011), leaky), quant(0.05, 8), [-3000], [3000])
    assert solution.kind == "Thresholding"


def test_small_range_is_a_table() -> None:
    solution = check((scale_by(0.1), Tanh(node="t")), quant(0.01, 8), [-128], [127])
    assert isinstance(solution.function, Table)
    assert solution.function.values.shape == (1, 256)
    assert isinstance(solution.node("n", ("x",), ("y",)), Lookup)


@pytest.mark.parametrize("name", ["square", "abs", "silu", "sine_like"])
def test_not_monotone_is_a_table(name: str) -> None:
    ops: tuple[Op, ...] = {
        "square": (Power(node="p", exponent=2),),
        "abs": (scale_by(0.1, 0.2), Absolute(node="p")),
        "silu": (scale_by(0.06), *silu()),
        "sine_like": (scale_by(0.02), *combine("s", "Sub", (), (Power(node="p", exponent=3),))),
    }[name]
    size = max(op.size for op in ops)
    solution = check(ops, quant(0.05, 6), [-200] * size, [170] * size)
    rows = solution.function.values if isinstance(solution.function, Table) else solution.function.up.values
    assert len(rows) == size


def test_wide_and_not_monotone_is_a_difference() -> None:
    """SiLU on 25-bit accumulators, 8 bits out: a table would have 2**25 entries."""
    solution = check((scale_by(2e-6, 1e-6), shift_by(0.5, -0.25), *silu()), quant(0.03, 8), [-(1 << 24)] * 2, [1 << 24] * 2)
    assert isinstance(solution.function, Difference)
    assert solution.function.down.levels < 20
    assert (solution.dtype, solution.span) == ("INT9", (-9, 127))


def test_rows_merge_where_they_are_equal() -> None:
    solution = check((scale_by(0.1, -0.1), Absolute(node="p")), quant(0.5, 4), [-99, -99], [99, 99])
    assert isinstance(solution.function, Table)
    assert len(solution.function.values) == 1


def test_silu_that_is_monotone_after_quantisation() -> None:
    solution = check((scale_by(1e-4), *silu()), quant(0.6, 4, signed=0), [-1_000_000], [1_000_000])
    assert solution.thresholds is not None


def test_sixteen_bits() -> None:
    solution = check((scale_by(0.013),), quant(0.01, 16), [-100_000], [100_000])
    assert isinstance(solution.function, Line)
    assert solution.dtype == "INT16"


def test_random_regions() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(1, 4))
        ops: list[Op] = [scale_by(*rng.normal(size=size) * 0.1), shift_by(*rng.normal(size=size))]
        ops += [[], [RELU], [Clip(node="c", low=-1.0, high=1.5)], [Sigmoid(node="s")], list(silu())][seed % 5]
        bits = int(rng.integers(1, 10))
        last = quant(float(rng.uniform(0.01, 0.4)), bits, signed=int(rng.integers(2)), narrow=int(bits > 1 and rng.integers(2)),
                     rounding_mode=str(rng.choice(["ROUND", "FLOOR", "CEIL", "HALF_UP", "UP", "DOWN"])))
        low = rng.integers(-400, 0, size)
        check(ops, last, low, low + rng.integers(1, 500, size))


def test_steps_are_all_found() -> None:
    function = LevelFunction((scale_by(0.03, -0.01), *silu()), quant(0.05, 6))
    low, high = np.array([-500, -700]), np.array([400, 300])
    steps = steps_of(function, low, high, "acc")
    for column in range(2):
        x = np.arange(low[column], high[column] + 1)
        level = function(np.broadcast_to(x[:, None], (len(x), 2)))[:, column]
        mine = steps.column == column
        found = np.full(len(x), steps.first[column])
        for at, rise in zip(steps.x[mine], steps.rise[mine], strict=True):
            found[x >= at] += rise
        assert np.array_equal(found, level)
    assert steps.span() == (int(function(low[None]).min()), 31) or steps.span()[1] <= 31
    assert steps.monotone() is None


def test_no_line_through_a_kink() -> None:
    rows = np.array([[1, 2, 3, 10, 20, 30]])
    assert line_through(Thresholds(rows, np.array([False]), 0), np.array([-5]), np.array([40])) is None


def test_smallest_shift() -> None:
    rows = np.array([[2, 4, 6, 8]])
    line = line_through(Thresholds(rows, np.array([False]), 0), np.array([0]), np.array([9]))
    assert line is not None
    assert (line.multiplier.tolist(), line.addend.tolist(), line.shift) == ([1], [0], 1)


@pytest.mark.parametrize(("ops", "last", "high", "text"), [
    ((scale_by(0.01), Power(node="square", exponent=2)), quant(0.5, 14), 100_000,
     "square: makes the function from acc to q neither rising nor falling (element 0), and a table of its 200,001 inputs is too "
     "large; insert a Quant node before it"),
    ((scale_by(1e-3), *silu()), quant(0.5, 4, rounding_mode="FLOOR"), 100_000_000,
     "acc: the function before q changes too often, or stays too near to one of its boundaries, to be tabulated; round to the "
     "nearest, or quantise to fewer levels"),
    ((scale_by(0.01),), quant(0.01, 20), 100_000,
     "acc: q gives 200,001 levels, more than 65,536; quantise to 16 bits or fewer"),
    ((scale_by(0.0001), LeakyRelu(node="leaky", slope=Const.of(0.3))), quant(0.001, 14), 100_000,
     "acc: q needs 11,191 thresholds per channel, more than 1,023, and no multiply and shift gives the same; quantise to 8 bits "
     "or fewer"),
    ((scale_by(0.5), Exp(node="e")), quant(0.5, 12), 100_000,
     "acc: q needs 2,047 thresholds per channel, more than 1,023, and no multiply and shift gives the same; quantise to 8 bits "
     "or fewer"),
])
def test_refusals(ops: tuple[Op, ...], last: Quantiser, high: int, text: str) -> None:
    with pytest.raises(FlowError) as caught:
        solve_region(LevelFunction(ops, last), np.array([-high]), np.array([high]), "acc")
    assert str(caught.value) == text
