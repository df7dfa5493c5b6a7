"""Every refusal of an inconsistent graph, by its text."""

from __future__ import annotations

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.ir import MVAU, Graph, LabelSelect, Node, Tensor, Thresholding, Thresholds


def _mvau(name: str = "MVAU_0", source: str = "x", sink: str = "y") -> MVAU:
    return MVAU(name=name, inputs=(source,), outputs=(sink,), weights=np.ones((2, 3), dtype=np.int64), weight_dtype="BIPOLAR",
                acc_dtype="INT3")


def _tensors(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    return {name: Tensor(name, shape, "INT3") for name, shape in shapes.items()}


def _thresholding(rows: int) -> Thresholding:
    thresholds = Thresholds(np.zeros((rows, 1), np.int64), np.zeros(rows, bool), 0)
    return Thresholding(name="T", inputs=("x",), outputs=("y",), thresholds=thresholds)


@pytest.mark.parametrize(("nodes", "tensors", "outputs", "text"), [
    ([_mvau(), _mvau(source="y", sink="z")], _tensors(x=(3,), y=(2,), z=(2,)), ("z",),
     "MVAU_0: two nodes of graph 'g' have this name; rename one"),
    ([_mvau(source="z")], _tensors(x=(3,), y=(2,), z=(3,)), ("y",),
     "MVAU_0: reads 'z' before anything writes it; sort the nodes topologically"),
    ([_mvau()], _tensors(x=(3,)), ("y",), "MVAU_0: tensor 'y' is not declared in graph 'g'"),
    ([_mvau()], _tensors(x=(4,), y=(2,)), ("y",), "MVAU_0: input 'x' has 4 channels, the node takes 3"),
    ([_mvau()], _tensors(x=(3,), y=(3,)), ("y",), "MVAU_0: output 'y' is declared [3], the node makes [2]"),
    ([_mvau()], _tensors(x=(3,), y=(2,), z=(2,)), ("z",), "graph 'g': output 'z' is written by no node"),
    ([_thresholding(2)], _tensors(x=(3,), y=(3,)), ("y",), "T: 2 rows of thresholds for 3 channels; give 1 or 3"),
    ([LabelSelect(name="L", inputs=("x",), outputs=("y",))], _tensors(x=(3,), y=(3,)), ("y",),
     "L: output 'y' is declared [3], the node makes [1]"),
])
def test_refusals(nodes: list[Node], tensors: dict[str, Tensor], outputs: tuple[str, ...], text: str) -> None:
    with pytest.raises(FlowError) as error:
        Graph("g", tuple(nodes), tensors, ("x",), outputs)
    assert str(error.value) == text


def test_navigation() -> None:
    graph = Graph("g", (_mvau(),), _tensors(x=(3,), y=(2,)), ("x",), ("y",))
    node = graph.node("MVAU_0")
    assert (graph.input_of(node).name, graph.output_of(node).name) == ("x", "y")
    assert graph.producer("y") is node
    assert graph.producer("x") is None
    assert graph.consumers("x") == (node,)
    with pytest.raises(KeyError):
        graph.node("MVAU_1")
