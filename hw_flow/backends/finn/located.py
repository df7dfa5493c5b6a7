"""Where FINN's network first leaves the exact integers of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from hw_flow.ir import MVAU, VVAU, Graph, Node, Thresholding, execute
from hw_flow.ir.tensor import IntArray


class Compiled(Protocol):
    """A graph, and integers for its input."""

    @property
    def graph(self) -> Graph:
        """What is computed."""

    def quantise_input(self, x: np.ndarray) -> dict[str, IntArray]:
        """Integers for the graph's input from frames."""


def first_difference(finn: Compiled, exact: Compiled, frame: np.ndarray) -> tuple[str, str] | None:
    """FINN's node and a line about the first element that differs in ``frame [1, ...]``.

    Layers correspond that have the same weights; None where none of these differs, as where FINN turned signs around.
    """
    mine, theirs = (execute(program.graph, program.quantise_input(frame)) for program in (finn, exact))
    left = [node for node in exact.graph if isinstance(node, MVAU | VVAU)]
    for node in finn.graph:
        if not isinstance(node, MVAU | VVAU):
            continue
        other = next((one for one in left if type(one) is type(node) and np.array_equal(one.weights, node.weights)), None)
        if other is None:
            continue
        left.remove(other)
        found, expected = _result(finn.graph, node, mine), _result(exact.graph, other, theirs)
        if found.shape != expected.shape or not (found != expected).any():
            continue
        at = int(np.argwhere(found != expected)[0, 0])
        line = f"element {at}: FINN's streamlined network gives {found[at]}, the model's exact integers {expected[at]}"
        return node.source[0], line
    return None


def _result(graph: Graph, node: Node, values: Mapping[str, IntArray]) -> IntArray:
    """What leaves a layer, flat: its own output, or that of thresholds that alone read it."""
    readers = graph.consumers(node.outputs[0])
    last = readers[0] if len(readers) == 1 and isinstance(readers[0], Thresholding) else node
    return values[last.outputs[0]].ravel()
