"""Functions that give every integer back have no node, wherever they stand; the comparison with QONNX still covers them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hw_flow.frontend import Program, compare, compile_qonnx
from hw_flow.frontend.activation import Solution, Table
from hw_flow.frontend.requantise import Line
from hw_flow.frontend.unchanged import unchanged
from hw_flow.ir import Thresholds, execute
from tests.hw_flow.qonnx_graphs import QONNX, Maker


def compiled(b: Maker, frame: tuple[int, ...], folder: Path, bits: int) -> Program:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(b.nodes, "g", [info("x", TensorProto.FLOAT, ["N", *frame])],
                              [info(b.head, TensorProto.FLOAT, None)], b.initialisers)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 2)]
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=opsets), str(folder / "m.onnx"))
    return compile_qonnx(folder / "m.onnx", input_type=f"UINT{bits}", input_scale="1/4")


def check(program: Program, shape: tuple[int, ...], bits: int) -> None:
    x = np.random.default_rng(1).integers(0, 1 << bits, (20, *shape))
    golden = execute(program.graph, program.quantise_input(x))
    result = compare(program, x, {name: golden[name] for name in program.graph.outputs})
    assert result.bit_exact, result


@pytest.mark.parametrize("bits", [2, 8])
def test_behind_the_input(tmp_path: Path, bits: int) -> None:
    b = Maker(np.random.default_rng(0), frame=(6,))
    b.head = b.quant("x", 0.25, bits, signed=False)
    b.then("MatMul", b.quant(b.constant(b.rng.normal(size=(6, 4))), 0.25, 4))
    program = compiled(b, (6,), tmp_path, bits)
    assert [node.name for node in program.graph] == ["MVAU_0"]
    assert program.graph.nodes[0].inputs == program.graph.inputs
    check(program, (6,), bits)


@pytest.mark.parametrize(("scale", "kinds"), [(0.25, ["Pool"]), (0.5, ["Pool", "Thresholding"])])
def test_at_the_output(tmp_path: Path, scale: float, kinds: list[str]) -> None:
    b = Maker(np.random.default_rng(0), frame=(3, 4, 4))
    b.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    b.head = b.quant(b.head, scale, 4, signed=False)
    program = compiled(b, (3, 4, 4), tmp_path, 4)
    assert [type(node).__name__ for node in program.graph if "Window" not in node.name] == kinds
    assert program.graph.outputs == (program.regions[-1].sink.name,)
    check(program, (3, 4, 4), 4)


def test_between_two_readers(tmp_path: Path) -> None:
    """A pool that is quantised again for one of its two readers."""
    b = Maker(np.random.default_rng(0), frame=(3, 4, 4))
    b.then("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    pooled = b.head
    again = b.quant(pooled, 0.25, 4, signed=False)
    (b.head,) = b.node("Add", [pooled, again])
    b.head = b.quant(b.head, 0.5, 4, signed=False)
    program = compiled(b, (3, 4, 4), tmp_path, 4)
    assert sum(type(node).__name__ == "Thresholding" for node in program.graph) == 0
    add = next(node for node in program.graph if type(node).__name__ == "Add")
    assert add.inputs[0] == add.inputs[1]
    check(program, (3, 4, 4), 4)


def test_the_input_as_the_output_keeps_its_node(tmp_path: Path) -> None:
    b = Maker(np.random.default_rng(0), frame=(6,))
    b.head = b.quant("x", 0.25, 4, signed=False)
    program = compiled(b, (6,), tmp_path, 4)
    assert len(program.graph.nodes) == 1
    check(program, (6,), 4)


def test_what_counts_as_unchanged() -> None:
    span = np.array([0]), np.array([15])
    whole = Thresholds(np.arange(1, 16)[None], np.array([False]), 0)
    off = Thresholds(np.stack([np.arange(1, 16), np.arange(1, 16), [*range(1, 15), 16]]), np.zeros(3, bool), 0)
    table = np.arange(16)[None]
    for function, same in [
        (whole, True), (off, False),
        (Table(table, 0), True), (Table(15 - table, 0), False), (Table(np.where(table == 9, 8, table), 0), False),
        (Line(np.array([4]), np.array([3]), 2, 0, 15), True), (Line(np.array([4]), np.array([4]), 2, 0, 15), False),
        (Line(np.array([4]), np.array([0]), 2, 0, 14), False), (Line(np.array([4, 5]), np.array([0]), 2, 0, 15), False),
    ]:
        assert unchanged(Solution(function, "UINT4"), span, "UINT4") == same
        assert not unchanged(Solution(function, "UINT4"), span, "UINT5")
