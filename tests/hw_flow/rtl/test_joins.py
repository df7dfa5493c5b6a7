"""Joins, slices, reorders, tables and requantisation in Verilator against the golden model, with exact intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding, node_cycles
from hw_flow.ir import Add, Concat, Graph, Lookup, Multiply, Node, Reorder, Requantise, Slice, Tensor
from hw_flow.rtl.wrappers import node_module
from hw_flow.rtl.wrappers.joins import counters, digits
from sim import SimResult
from tests.hw_flow.rtl.bench import Unit, bundle, check_all, node_unit, random_thresholds

FRAMES = 24


@dataclass(frozen=True)
class Case:
    """One node on inputs ``name, name1, ...``."""

    node: Node
    inputs: tuple[Tensor, ...]
    out: str
    folding: NodeFolding
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", self.node.shape(*(tensor.shape for tensor in self.inputs)))

    @property
    def graph(self) -> Graph:
        tensors = {tensor.name: tensor for tensor in self.inputs} | {"y": Tensor("y", self.shape, self.out)}
        return Graph("g", (self.node,), tensors, tuple(tensor.name for tensor in self.inputs), ("y",))


def _tensors(shapes: list[tuple[int, ...]], types: list[str]) -> tuple[Tensor, ...]:
    return tuple(Tensor(f"x{index}", shape, dtype) for index, (shape, dtype) in enumerate(zip(shapes, types, strict=True)))


def _case(make: type[Node], inputs: tuple[Tensor, ...], out: str, folding: NodeFolding | int, **more: object) -> Case:
    node = make(name="node", inputs=tuple(tensor.name for tensor in inputs), outputs=("y",), **more)  # type: ignore[arg-type]
    return Case(node, inputs, out, NodeFolding(folding) if isinstance(folding, int) else folding)


def _run(cases: dict[str, Case], folder: Path, seed: int) -> tuple[list[Unit], SimResult]:
    units = [node_unit(name, case.graph, case.folding, folder) for name, case in cases.items()]
    types = {}
    for name, case in cases.items():
        types |= {f"{name}_in{index}" if index else name: tensor.dtype for index, tensor in enumerate(case.inputs)}
    return units, check_all(bundle(units, folder), units, types, seed, FRAMES)


def _never_waits(units: list[Unit], result: SimResult) -> None:
    for unit in units:
        assert [result.streams[port.name].stalls for port in unit.ports[:-1]] == [0] * len(unit.sources), unit.name


def _element_wise(seed: int) -> dict[str, Case]:
    rng = np.random.default_rng(seed)
    some = [(3, 2, 8)] * 2
    return {
        "plain": _case(Add, _tensors(some, ["UINT4", "UINT4"]), "UINT5", 4, coefficients=(1, 1)),
        "scaled": _case(Add, _tensors(some, ["INT3", "UINT2"]), "UINT2", 2, coefficients=(3, -5),
                        thresholds=random_thresholds(rng, 8, 20, "UINT2", True)),
        "signs": _case(Add, _tensors([(6,)] * 3, ["BIPOLAR", "BIPOLAR", "TERNARY"]), "BIPOLAR", 3, coefficients=(1, 1, -2),
                       thresholds=random_thresholds(rng, 6, 4, "BIPOLAR", True)),
        "minus": _case(Add, _tensors([(4, 2)] * 2, ["INT4", "INT5"]), "INT7", 1, coefficients=(-1, -1)),
        "one": _case(Add, _tensors([(4,)], ["INT4"]), "INT7", 4, coefficients=(-3,)),
        "big": _case(Add, _tensors([(2, 6)] * 2, ["UINT8", "INT8"]), "UINT8", 2, coefficients=(37, -53),
                     thresholds=random_thresholds(rng, 1, 9000, "UINT8", False)),
        "square": _case(Multiply, _tensors(some, ["UINT4", "INT3"]), "INT8", 4),
        "xnor": _case(Multiply, _tensors([(6,)] * 2, ["BIPOLAR", "BIPOLAR"]), "BIPOLAR", 3),
        "wide": _case(Multiply, _tensors([(2, 4)] * 2, ["INT8", "UINT8"]), "INT4", 2,
                      thresholds=random_thresholds(rng, 4, 20000, "INT4", True)),
        "gate": _case(Multiply, _tensors([(2, 4)] * 2, ["TERNARY", "UINT3"]), "INT4", NodeFolding(2, res_type="dsp")),
        "table": _case(Lookup, _tensors([(3, 6)], ["UINT4"]), "INT3", 2, table=rng.integers(-4, 4, (6, 16)), low=0),
        "bits": _case(Lookup, _tensors([(6,)], ["BIPOLAR"]), "INT4", 3, table=np.array([[-5, -8, 7]]), low=-1),
        "memory": _case(Lookup, _tensors([(2, 4)], ["INT8"]), "BIPOLAR", NodeFolding(2, ram_style="block"),
                        table=rng.choice([-1, 1], (4, 256)), low=-128),
        "scale": _case(Requantise, _tensors([(3, 6)], ["INT12"]), "UINT4", 2, multiplier=rng.integers(-99, 99, 6),
                       addend=rng.integers(-5000, 5000, 6), shift=11, low=0, high=15),
        "shared": _case(Requantise, _tensors([(8,)], ["UINT8"]), "INT8", 4, multiplier=np.array([77]), addend=np.array([-9000]),
                        shift=7, low=-100, high=90),
        "exact": _case(Requantise, _tensors([(4,)], ["INT3"]), "INT5", NodeFolding(1, res_type="lut"),
                       multiplier=np.array([3]), addend=np.arange(4), shift=0, low=-12, high=12),
        "rows": _case(Requantise, _tensors([(2, 4)], ["INT4"]), "INT5", NodeFolding(2, res_type="lut"),
                      multiplier=rng.integers(-60, 60, 4), addend=np.array([17]), shift=4, low=-16, high=15),
        "far": _case(Requantise, _tensors([(4,)], ["BIPOLAR"]), "INT2", 4, multiplier=np.array([5]), addend=np.array([-1]),
                     shift=40, low=-2, high=1),
    }


def _upsample(high: int, wide: int, channels: int) -> dict[str, object]:
    return {"out_shape": (2 * high, 2 * wide, channels), "counts": (high, 2, wide, 2, channels),
            "strides": (wide * channels, 0, channels, 0, 1)}


ORDERS: dict[str, tuple[tuple[int, ...], int, dict[str, object]]] = {
    "rows": ((3, 4, 6), 3, {"out_shape": (4, 3, 6), "counts": (4, 3, 6), "strides": (6, 24, 1)}),
    "channels": ((3, 4, 6), 1, {"out_shape": (6, 3, 4), "counts": (6, 12), "strides": (1, 6)}),
    "twice": ((2, 3, 4), 2, _upsample(2, 3, 4)),
    "crop": ((5, 4, 4), 4, {"out_shape": (2, 3, 4), "counts": (2, 12), "strides": (16, 1), "offset": 20}),
    "depth": ((2, 2, 8), 2, {"out_shape": (4, 4, 2), "counts": (2, 2, 2, 4), "strides": (16, 4, 8, 1)}),
    "same": ((6,), 2, {"out_shape": (6,), "counts": (6,), "strides": (1,)}),
    "first": ((4,), 4, {"out_shape": (4,), "counts": (4,), "strides": (1,)}),
    "repeat": ((2,), 1, {"out_shape": (7,), "counts": (7,), "strides": (0,), "offset": 1}),
    "back": ((9,), 1, {"out_shape": (9,), "counts": (9,), "strides": (-1,), "offset": 8}),
}


def test_element_wise(tmp_path: Path) -> None:
    _never_waits(*_run(_element_wise(5), tmp_path, seed=6))


def test_slices(tmp_path: Path) -> None:
    cuts = {"low": (0, 4, 2), "middle": (3, 6, 3), "high": (8, 12, 4), "all": (0, 12, 1), "single": (5, 6, 1)}
    cases = {name: _case(Slice, _tensors([(2, 12)], ["INT3"]), "INT3" if name != "low" else "INT5", pe, begin=begin, end=end)
             for name, (begin, end, pe) in cuts.items()}
    units, result = _run(cases, tmp_path, seed=8)
    _never_waits(units, result)


def test_concat(tmp_path: Path) -> None:
    cases = {
        "two": _case(Concat, _tensors([(3, 2, 4), (3, 2, 8)], ["UINT3", "UINT3"]), "UINT3", 4),
        "three": _case(Concat, _tensors([(2, 6), (2, 4), (2, 2)], ["BIPOLAR", "TERNARY", "UINT2"]), "INT3", 2),
        "vector": _case(Concat, _tensors([(5,), (3,)], ["INT4", "INT4"]), "INT4", 1),
        "alone": _case(Concat, _tensors([(6,)], ["INT2"]), "INT2", 3),
        "whole": _case(Concat, _tensors([(3,), (3,), (3,)], ["INT2"] * 3), "INT2", 3),
    }
    units, result = _run(cases, tmp_path, seed=9)
    for unit in units:
        case = cases[unit.name]
        turns = [tensor.channels // case.folding.pe for tensor in case.inputs]
        positions = FRAMES * prod(case.shape[:-1])
        for index, port in enumerate(unit.ports[:-1]):
            # No bubble: an input waits exactly for the turns of the others.
            waits = positions * sum(turns[:index]) + (positions - 1) * sum(turns[index + 1:])
            assert result.streams[port.name].stalls == waits, (unit.name, index)


def test_reorders(tmp_path: Path) -> None:
    foldings = {name: NodeFolding(pe, ram_style="block" if pe == 3 else "auto") for name, (_, pe, _) in ORDERS.items()}
    cases = {name: _case(Reorder, _tensors([shape], ["INT3"]), "INT3", foldings[name], **more)
             for name, (shape, _, more) in ORDERS.items()}
    units, result = _run(cases, tmp_path, seed=10)
    for unit in units:
        into, out = unit.ports
        beats = max(into.beats, out.beats)
        if into.beats == beats:
            assert result.streams[into.name].stalls == 0, unit.name


def test_a_reorder_that_repeats_keeps_its_interval(tmp_path: Path) -> None:
    shape, pe, more = ORDERS["twice"]
    case = _case(Reorder, _tensors([shape], ["INT3"]), "INT3", pe, **more)
    unit = node_unit("twice", case.graph, case.folding, tmp_path)
    x = np.random.default_rng(1).integers(-4, 4, (12, prod(shape)))
    result = bundle([unit], tmp_path).run({"twice_in": x})
    assert np.array_equal(result.outputs["twice_out"], unit.golden(x))
    cycles = node_cycles(case.node, case.folding, case.graph)
    assert np.diff(result.done_cycles).tolist() == [cycles] * 11 == [48] * 11


def test_counters_are_few() -> None:
    node = Reorder(name="r", inputs=("x",), outputs=("y",), out_shape=(24,), counts=(2, 3, 1, 4), strides=(12, 4, 9, 1))
    assert counters(node, 1) == ([24], [1])
    assert counters(node, 2) == ([12], [1])


@pytest.mark.parametrize("factor", [1, -1, 7, -53, 37, 1 << 20, 0b1010101, -(2**31 - 1)])
def test_digits_make_the_factor(factor: int) -> None:
    found = digits(factor)
    assert sum((-1 if minus else 1) << shift for shift, minus in found) == factor
    shifts = [shift for shift, _ in found]
    assert all(b - a > 1 for a, b in pairwise(shifts))


@pytest.mark.parametrize(("case", "message"), [
    (_case(Add, _tensors([(4,)] * 2, ["UINT4", "UINT4"]), "UINT4", 1, coefficients=(1, 1)),
     "'y': values from 0 to 30, which UINT4 cannot represent; declare it wider"),
    (_case(Multiply, _tensors([(4,)] * 2, ["BIPOLAR", "TERNARY"]), "BIPOLAR", 1),
     "node: output 'y' is BIPOLAR, an input is not; declare it TERNARY"),
    (_case(Concat, _tensors([(4,)] * 2, ["INT4", "UINT4"]), "INT4", 1),
     "'y': values from 0 to 15, which INT4 cannot represent; declare it wider"),
    (_case(Requantise, _tensors([(4,)], ["INT4"]), "UINT2", 1, multiplier=np.array([1]), addend=np.array([0]), shift=0, low=-1,
           high=3), "'y': values from -1 to 3, which UINT2 cannot represent; declare it wider"),
])
def test_what_the_output_cannot_hold_is_refused(case: Case, message: str) -> None:
    with pytest.raises(FlowError) as error:
        node_module(case.node, case.graph, case.folding, "m")
    assert str(error.value) == message
